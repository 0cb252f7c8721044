"""Machine code, through LLVM, in this process."""
