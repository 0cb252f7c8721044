"""Joining what threads have added up, each in an array of its own, as CUDA C.

    target[j] = op(target[j], op over c of part c, element j)     for j below `size`, c below `number`

Parts lie word by word beside each other (`apart.py`), so threads side by side take parts of one element: as many
threads as there are parts, up to 256, each goes through its parts in order, then they are joined in halves. So the
bits depend on the number of parts alone.
"""

from __future__ import annotations

from .scatters import MEMORY, REGISTER, expression

JOIN = """
extern "C" __global__ void dad_join_@O_@D(dad_run *run, long long target, long long part, long long size,
                                          long long number) {
  __shared__ @T held[256];
  if (__syncthreads_or(run->failed != 0)) return;
  @M *to = (@M *)target;
  int wide = 1;
  while (wide < 256 && 2 * wide <= number) wide *= 2;
  const int lane = threadIdx.x % wide, place = threadIdx.x / wide, each = 256 / wide;
  for (long long base = (long long)each * blockIdx.x; base < size; base += (long long)each * gridDim.x) {
    const long long j = base + place, at = j * sizeof(@M);
    const char *from = (const char *)part + (at >> 3) * number * 8 + (at & 7);
    @T x = 0;
    if (j < size) {
      x = @L(*(const @M *)(from + 8 * lane));
      for (long long c = lane + wide; c < number; c += wide) {
        const @T y = @L(*(const @M *)(from + 8 * c));
        x = @E;
      }
    }
    held[threadIdx.x] = x;
    __syncthreads();
    for (int d = wide / 2; d > 0; d /= 2) {
      if (lane < d) {
        const @T y = held[threadIdx.x + d];
        x = held[threadIdx.x];
        held[threadIdx.x] = @E;
      }
      __syncthreads();
    }
    if (lane == 0 && j < size) {
      const @T y = held[threadIdx.x];
      x = @L(to[j]);
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
