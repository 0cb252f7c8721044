"""Joining what threads have added up, each in an array of its own, as CUDA C.

    target[j] = op(target[j], op over c of part[c * size + j])     for j below `size`, c below `number`

A block takes 32 places, eight of its threads to a place: each takes every eighth part, in order, then the eight are
joined, the first with the second, and so on. So the bits depend on the number of parts alone.
"""

from __future__ import annotations

from .scatters import MEMORY, REGISTER, expression

JOIN = """
extern "C" __global__ void dad_join_@O_@D(dad_run *run, long long target, long long part, long long size,
                                          long long number) {
  __shared__ @T held[8][32];
  if (run->failed) return;
  @M *to = (@M *)target;
  const @M *from = (const @M *)part;
  const int lane = threadIdx.x & 31, row = threadIdx.x >> 5;
  for (long long base = 32ll * blockIdx.x; base < size; base += 32ll * gridDim.x) {
    const long long j = base + lane;
    @T x = 0;
    if (j < size && row < number) {
      x = @L(from[row * size + j]);
      for (long long c = row + 8; c < number; c += 8) {
        const @T y = @L(from[c * size + j]);
        x = @E;
      }
    }
    held[row][lane] = x;
    __syncthreads();
    if (row == 0 && j < size) {
      x = @L(to[j]);
      @T all = held[0][lane];
      for (int r = 1; r < 8 && r < number; r++) {
        const @T left = x, y = held[r][lane];
        x = all;
        all = @E;
        x = left;
      }
      const @T y = all;
      to[j] = @S(@E);
    }
    __syncthreads();
  }
}
"""


def text(op: str, dtype: str) -> str:
    """CUDA C for an operation (add, mul, max, min) on a dtype; half precision needs the preamble."""
    load, store = ("dad_of_half", "dad_to_half") if dtype == "f16" else ("", "")
    made = JOIN
    for key, value in (("@O", op), ("@D", dtype), ("@T", REGISTER[dtype]), ("@M", MEMORY[dtype]), ("@L", load),
                       ("@S", store), ("@E", expression(op, dtype))):
        made = made.replace(key, value)
    return made
