"""What all tests share: machine code that is kept on the disk is kept in the checkout, not among the user's files."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("DAD_CACHE_DIR", str(Path(__file__).parents[1] / "build" / "cache"))
