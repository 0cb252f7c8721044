"""Values and test blocks in Futhark's notation: what `dad run` reads and prints, and what `dad test` runs."""
