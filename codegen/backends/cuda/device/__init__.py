"""What emitted CUDA C calls: texts of device functions and of kernels, written when a module needs them."""
