"""C11 from loops: what sanitisers check, and what other C-like languages can take as a pattern."""
