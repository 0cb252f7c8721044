"""Loop nests: programs as scalar code over memory, the form that machine code and CUDA are written from."""
