"""Loop nests as CUDA C, and the Python module that launches them through CuPy."""
