"""Sums in NumPy's order as CUDA C: many at once, the same bits whatever the grid.

NumPy adds up to 128 numbers in eight partial sums, more in halves of which the left one is a multiple of eight. In
numbers of eight the halves are q // 2 and q - q // 2, so that all nodes of one depth are as large but for one; what is
left over goes to the last node. `depth` is how deep all nodes have more than 128 numbers: at that depth a node is a
leaf or, where it has a little more than 128 numbers, two. A warp computes one node after the other, its lanes the
numbers of a node, which lane k and shuffles add as the k-th partial sum is added; nodes are added in halves, as far as
a block goes, and what blocks leave by a second kernel.

    template <class F> void dad_sum_nodes_f64_f32(F f, rows, n, depth, steps, double *to0, float *to1)
        in a kernel of 256 threads of which none has left: f(row, i, values) sets values.x0, values.x1; each warp goes
        through 2**steps nodes; `to` takes what is left of a row, 2**max(depth - steps - 3, 0) numbers
    dad_sum_tree_f64_f32(rows, size, from0, to0, from1, to1)
        a kernel of 256 threads: 2**size numbers to a row become one
    template <class R, class G> void dad_sum_total_f64_f32(R *run, size, from0, to0, from1, to1, G rest)
        behind `dad_sum_nodes` of one row: the block that comes to its end last adds what all have left, and its first
        thread does the `rest`; run->ticket counts blocks, 0 before and after

`runtime/device_sums.py` launches them.
"""

from __future__ import annotations

from collections.abc import Sequence

REGISTER = {"f64": "double", "f32": "float", "f16": "float"}
MEMORY = {"f64": "double", "f32": "float", "f16": "dad_half"}
STEPS = 6
"""A warp goes through 2**STEPS nodes at most."""
LEVELS = 16
"""A thread of the tree's kernel adds less than 2**LEVELS numbers: rows of less than 2**40 numbers have fewer."""


def signature(dtypes: Sequence[str]) -> str:
    """What names end in.

    >>> signature(("f64", "f32"))
    'f64_f32'
    """
    return "_".join(dtypes)


def text(dtypes: Sequence[str]) -> str:
    """CUDA C for sums of these dtypes side by side; half precision needs the preamble."""
    name = signature(dtypes)
    each = range(len(dtypes))
    kinds = [REGISTER[d] for d in dtypes]
    cells = [MEMORY[d] for d in dtypes]
    fields = " ".join(f"{t} x{k};" for k, t in enumerate(kinds))

    def lines(indent: str, pattern: str) -> str:
        """The pattern for each sum: @k its number, @T its type, @M its type in memory."""
        return "\n".join(indent + pattern.replace("@k", str(k)).replace("@T", kinds[k]).replace("@M", cells[k])
                         for k in each)

    def added(k: int, x: str, y: str) -> str:
        return f"dad_rounded({x} + {y})" if dtypes[k] == "f16" else f"{x} + {y}"

    def adds(indent: str, x: str, y: str, to: str | None = None) -> str:
        rest = [(k, x.replace("@k", str(k)), y.replace("@k", str(k))) for k in each]
        return "\n".join(f"{indent}{(to or x).replace('@k', str(k))} = {added(k, left, right)};"
                         for k, left, right in rest)

    def stored(k: int, x: str) -> str:
        return f"dad_to_half({x})" if dtypes[k] == "f16" else x

    def loaded(k: int, x: str) -> str:
        return f"dad_of_half({x})" if dtypes[k] == "f16" else x

    outs = ", ".join(f"{t} *to{k}" for k, t in enumerate(cells))
    pairs_given = ", ".join(f"from{k}, to{k}" for k in each)
    pairs = ", ".join(f"const {t} *from{k}, {t} *to{k}" for k, t in enumerate(cells))
    return f"""
struct dad_sums_{name} {{ {fields} }};

template <int U, class F> static __device__ __forceinline__ dad_sums_{name} dad_sum_leaf_{name}(
    const F &f, long long row, long long first, int octets, int rest) {{
  const int lane = threadIdx.x & 31, size = 8 * octets + rest;
  dad_sums_{name} sum = {{{', '.join('0' for _ in each)}}}, tail = sum;
  for (int at = 0; 32 * at < size; at += U) {{
    dad_sums_{name} value[U];
    #pragma unroll
    for (int u = 0; u < U; u++) {{
      const int k = 32 * (at + u) + lane;
      value[u] = tail;
      if (k < size) f(row, first + k, value[u]);
    }}
    #pragma unroll
    for (int u = 0; u < U; u++) {{
      #pragma unroll
      for (int g = 0; g < 4; g++) {{
        const int octet = 4 * (at + u) + g;
        if (octet < octets) {{
{lines("          ", "const @T x@k = __shfl_sync(0xffffffffu, value[u].x@k, 8 * g + (lane & 7));")}
          if (octet == 0) {{
{lines("            ", "sum.x@k = x@k;")}
          }} else {{
{adds("            ", "sum.x@k", "x@k")}
          }}
        }}
      }}
      if (at + u == octets >> 2) tail = value[u];
    }}
  }}
  #pragma unroll
  for (int d = 1; d < 8; d <<= 1) {{
{lines("    ", "const @T x@k = __shfl_xor_sync(0xffffffffu, sum.x@k, d);")}
{adds("    ", "sum.x@k", "x@k")}
  }}
  for (int k = 0; k < rest; k++) {{
{lines("    ", "const @T x@k = __shfl_sync(0xffffffffu, tail.x@k, (8 * octets + k) & 31);")}
{adds("    ", "sum.x@k", "x@k")}
  }}
  return sum;
}}

template <int U, class F> static __device__ void dad_sum_nodes_{name}(
    const F &f, long long rows, long long n, int depth, int steps, {outs}) {{
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int wide = depth - steps, joined = wide < 3 ? wide : 3;
  const long long all = rows << wide;
{lines("  ", "__shared__ @T held@k[8];")}
  for (long long base = 8ll * blockIdx.x; base < all; base += 8ll * gridDim.x) {{
    const long long w = base + warp;
    dad_sums_{name} sum = {{{', '.join('0' for _ in each)}}};
    if (w < all) {{
      const long long row = w >> wide, path = w - (row << wide);
      long long start = 0, room = n >> 3;
      for (int k = wide - 1; k >= 0; k--) {{
        const long long half = room >> 1;
        if (path >> k & 1) {{ start += half; room -= half; }} else room = half;
      }}
      dad_sums_{name} wait[{STEPS + 1}];
      const unsigned nodes = 1u << steps;
      for (unsigned t = 0; t < nodes; t++) {{
        long long at = start, octets = room;
        for (int k = steps - 1; k >= 0; k--) {{
          const long long half = octets >> 1;
          if (t >> k & 1) {{ at += half; octets -= half; }} else octets = half;
        }}
        const int rest = path + 1 == 1ll << wide && t + 1 == nodes ? (int)(n & 7) : 0, size = (int)octets;
        const int parts = 8 * size + rest > 128 ? 2 : 1, left = parts == 2 ? size >> 1 : size;
        for (int part = 0; part < parts; part++) {{
          const int q = part ? size - left : left;
          const dad_sums_{name} next = dad_sum_leaf_{name}<U>(f, row, 8 * (at + (part ? left : 0)), q,
                                                              part + 1 == parts ? rest : 0);
          if (part == 0) sum = next;
          else {{
{adds("            ", "sum.x@k", "next.x@k")}
          }}
        }}
        bool on = steps > 0;
        #pragma unroll
        for (int level = 0; level <= {STEPS}; level++) {{  // indices that are known: registers
          if (on && (t >> level & 1)) {{
{adds("            ", "wait[level].x@k", "sum.x@k", "sum.x@k")}
          }} else if (on) {{ wait[level] = sum; on = false; }}
        }}
      }}
    }}
    if (lane == 0) {{
{lines("      ", "held@k[warp] = sum.x@k;")}
    }}
    __syncthreads();
    if (warp == 0) {{
{lines("      ", "@T x@k = held@k[lane & 7];")}
      for (int d = 1; d < 1 << joined; d <<= 1) {{
{lines("        ", "const @T y@k = __shfl_xor_sync(0xffffffffu, x@k, d);")}
{adds("        ", "x@k", "y@k")}
      }}
      if (lane < 8 && (lane & ((1 << joined) - 1)) == 0 && base + lane < all) {{
{chr(10).join(f"        to{k}[(base + lane) >> joined] = {stored(k, f'x{k}')};" for k in each)}
      }}
    }}
    __syncthreads();
  }}
}}

static __device__ void dad_sum_halves_{name}(long long block, long long blocks, long long rows, long long size,
                                             {pairs}) {{
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int wide = size < 8 ? (int)size : 8, inside = wide < 5 ? wide : 5, each = (int)size - wide;
{lines("  ", "__shared__ @T held@k[8];")}
  const long long together = 256 >> wide;
  for (long long base = together * block; base < rows; base += together * blocks) {{
    const long long row = base + (threadIdx.x >> wide);
{lines("    ", "@T x@k = 0;")}
    if (row < rows) {{
      const long long first = (row << size) + ((long long)(threadIdx.x & ((1 << wide) - 1)) << each);
{lines("      ", f"@T wait@k[{LEVELS}];")}
      for (unsigned t = 0; t < 1u << each; t++) {{
{chr(10).join(f"        x{k} = {loaded(k, f'((const volatile {cells[k]} *)from{k})[first + t]')};" for k in each)}
        bool on = true;
        #pragma unroll
        for (int level = 0; level < {LEVELS}; level++) {{
          if (on && (t >> level & 1)) {{
{adds("            ", "wait@k[level]", "x@k", "x@k")}
          }} else if (on) {{
{lines("            ", "wait@k[level] = x@k;")}
            on = false;
          }}
        }}
      }}
    }}
    for (int d = 1; d < 1 << inside; d <<= 1) {{
{lines("      ", "const @T y@k = __shfl_xor_sync(0xffffffffu, x@k, d);")}
{adds("      ", "x@k", "y@k")}
    }}
    if (wide > 5) {{
      if (lane == 0) {{
{lines("        ", "held@k[warp] = x@k;")}
      }}
      __syncthreads();
      if (warp == 0) {{
{lines("        ", "x@k = held@k[lane & 7];")}
        for (int d = 1; d < 1 << (wide - 5); d <<= 1) {{
{lines("          ", "const @T y@k = __shfl_xor_sync(0xffffffffu, x@k, d);")}
{adds("          ", "x@k", "y@k")}
        }}
        const int apart = 1 << (wide - 5);
        if (lane < 8 && lane % apart == 0 && base + lane / apart < rows) {{
{chr(10).join(f"          to{k}[base + lane / apart] = {stored(k, f'x{k}')};" for k in each)}
        }}
      }}
      __syncthreads();
    }} else if (row < rows && (lane & ((1 << wide) - 1)) == 0) {{
{chr(10).join(f"      to{k}[row] = {stored(k, f'x{k}')};" for k in each)}
    }}
  }}
}}

extern "C" __global__ void dad_sum_tree_{name}(long long rows, long long size, {pairs}) {{
  dad_sum_halves_{name}(blockIdx.x, gridDim.x, rows, size, {pairs_given});
}}

template <class R, class G> static __device__ void dad_sum_total_{name}(R *run, int size, {pairs}, const G &rest) {{
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(&run->ticket, 1ull) + 1 == gridDim.x;
  __syncthreads();
  if (!last) return;
  __threadfence();
  if (size > 0) dad_sum_halves_{name}(0, 1, 1, size, {pairs_given});
  if (threadIdx.x == 0) {{
    run->ticket = 0;
    rest();
  }}
}}
"""
