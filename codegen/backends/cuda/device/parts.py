"""Joining what threads have added up, each in an array of its own, as CUDA C.

    target[j] = op(target[j], op over c of part c, element j)     for j below `size`, c below `number`
    target[j] = op(0, op over c of part c, element j)             where `fresh` says that nothing is there

of up to four targets, each a row of blocks.

Parts lie word by word beside each other (`apart.py`), so threads side by side take parts of one element: as many
threads as there are parts, up to 256, each goes through its parts in order, then they are joined in halves. So the
bits depend on the number of parts alone.
"""

from __future__ import annotations

from ...c.scalars import number
from .scatters import MEMORY, REGISTER, expression

JOIN = """
static __device__ __forceinline__ void dad_join_parts_@O_@D(@M *to, long long part, long long size, bool fresh,
                                                            long long number) {
  __shared__ @T held[256];
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
      x = fresh ? 0 : @L(to[j]);
      to[j] = @S(@E);
    }
    __syncthreads();
  }
}

extern "C" __global__ void dad_join_@O_@D(dad_run *run, long long number, @P) {
  if (__syncthreads_or(run->failed != 0)) return;
@C
}
"""
TARGETS = 4
"""Arrays that one launch joins, at most."""


def neutral(op: str, dtype: str) -> str:
    """What an operation leaves as it is, as an element in memory.

    >>> neutral("add", "f64"), neutral("max", "f32"), neutral("min", "i32")
    ('0', '-INFINITY', '2147483647')
    """
    if op in ("add", "mul"):
        made = "0" if op == "add" else "1"
    elif dtype in ("f64", "f32", "f16"):
        made = "-INFINITY" if op == "max" else "INFINITY"
    elif dtype == "bool":
        return "false" if op == "max" else "true"
    else:
        bits = int(dtype[1:])
        low, high = (0, 2**bits - 1) if dtype[0] == "u" else (-2**(bits - 1), 2**(bits - 1) - 1)
        return number(low if op == "max" else high, dtype)
    return f"dad_to_half({made})" if dtype == "f16" else made


def text(op: str, dtype: str) -> str:
    """CUDA C for an operation (add, mul, max, min) on a dtype; half precision needs the preamble."""
    load, store = ("dad_of_half", "dad_to_half") if dtype == "f16" else ("", "")
    each = range(TARGETS)
    made = JOIN.replace("@P", ", ".join(f"long long {word}{k}" for k in each for word in (
        "target", "part", "size", "fresh")))
    made = made.replace("@C", "\n".join(
        f"  if (blockIdx.y == {k}) dad_join_parts_@O_@D((@M *)target{k}, part{k}, size{k}, fresh{k} != 0, number);"
        for k in each))
    for key, value in (("@O", op), ("@D", dtype), ("@T", REGISTER[dtype]), ("@M", MEMORY[dtype]), ("@L", load),
                       ("@S", store), ("@E", expression(op, dtype))):
        made = made.replace(key, value)
    return made
