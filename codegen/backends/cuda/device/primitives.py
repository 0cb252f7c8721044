"""What primitives on whole arrays need of the device: CUDA C by what it is for.

`runtime/device_primitives.py` runs them; those that it does not know are computed by NumPy on the host.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import scatters, sorting, sums

KNOWN = frozenset({
    "accumulate_at", "max_at", "min_at", "scatter", "argsort", "positions", "sum", "matmul", "solve",
    "solve_triangular", "inverse", "cholesky", "orthogonal", "log_det", "det", "det_sign", "eigen", "svd",
    "failed_pivot", "cofactors", "cofactors_along", "eigen_toward"})
"""What `runtime/device_primitives.py` runs."""

ROWS = """
struct dad_stored_rows_@D {
  const @M *x;
  long long n;
  __device__ void operator()(long long row, long long i, dad_sums_@D &v) const { v.x0 = @L(x[row * n + i]); }
};
extern "C" __global__ void dad_sum_rows_@D(const @M *x, long long rows, long long n, int depth, int steps, @M *to) {
  dad_sum_nodes_@D<4>(dad_stored_rows_@D{x, n}, rows, n, depth, steps, to);
}
"""
COLUMNS = """
extern "C" __global__ void dad_columns_@D(const @M *x, long long before, long long n, long long after, long long each,
                                          @M *to) {
  // x[before, n, after]: stretches of `each` along the middle axis are added, one number after the other
  const long long parts = n > each ? (n + each - 1) / each : 1;
  for (long long at = 256ll * blockIdx.x + threadIdx.x; at < before * parts * after; at += 256ll * gridDim.x) {
    const long long j = at % after, part = at / after % parts, row = at / after / parts;
    const long long last = part * each + each < n ? part * each + each : n;
    const @M *from = x + (row * n) * after + j;
    @T sum = 0;
    for (long long k = part * each; k < last; k++) sum = dad_add_of_@D(sum, @L(from[k * after]));
    to[at] = @S(sum);
  }
}
"""


def known(name: str) -> bool:
    """Whether the device has its own way for a primitive."""
    return name in KNOWN


def pieces(name: str, dtypes: Sequence[str]) -> dict[str, str]:
    """What the primitive needs for arguments of these dtypes."""
    d = dtypes[0]
    match name:
        case "accumulate_at" | "max_at" | "min_at":
            op = {"accumulate_at": "add"}.get(name, name[:3])
            return sorting.pieces({"u32"}, set()) | scatters.pieces([(op, d)])
        case "scatter":
            return scatters.pieces([], [sorting.BITS[d] // 8])
        case "argsort":
            return sorting.pieces(set(), {d}, rows=True)
        case "positions":
            return sorting.pieces(set(), set(), flags=True)
        case "sum":
            columns = f"""
static __device__ __forceinline__ @T dad_add_of_@D(@T x, @T y) {{ return {scatters.expression("add", d)}; }}
""" + COLUMNS
            rows = {sums.signature((d,)): sums.text((d,)), f"sum_rows_{d}": typed(ROWS, d)} if d[0] == "f" else {}
            return rows | {f"columns_{d}": typed(columns, d)}
    return {}


def typed(text: str, dtype: str) -> str:
    load, store = ("dad_of_half", "dad_to_half") if dtype == "f16" else ("", "")
    for key, value in (("@D", dtype), ("@T", scatters.REGISTER[dtype]), ("@M", scatters.MEMORY[dtype]), ("@L", load),
                       ("@S", store)):
        text = text.replace(key, value)
    return text
