"""Adding to places that occur many times, as CUDA C: in the order of the program, whatever the order of threads.

    target[places[k], j] = op(target[places[k], j], values[k, j])     for k = 0, 1, … in order; places outside: nothing

What goes to one place is brought together by a stable sort, and one thread to a column does it in order. Of more than
`STRETCH` values at a place each stretch of so many becomes one value first, so that nobody waits for one thread: the
stretches depend on the numbers alone, so the bits are the same on every card. (Among so many values in a row begin at
most one stretch that is the first of its place, and one that is not: the two places in `part`.) Few values need no
sort: a block finds for each place the first of its values, whose thread looks for the others. Sums of whole numbers are
the same in any order, so that atomic operations make them.

    dad_few_add_f64(target, size, places, values, n, row)           one block
    dad_targets(places, size, n, keys)                              keys to sort by; `size` stands for none
    dad_stretches_add_f64(…, keys, order, part)                     those that are one stretch, and parts of longer ones
    dad_long_add_f64(…, keys, part)                                 the longer ones
    dad_atomic_add_i64(target, size, places, values, n, row)
    dad_winners(places, size, n, winner), dad_winners_put_8(…)      the last value that goes to a place

Those that are called `dad_few_keys_…` and `dad_atomic_keys_…` take keys for places.
`runtime/device_scatters.py` launches them.
"""

from __future__ import annotations

from collections.abc import Iterable

STRETCH = 256
REGISTER = {"f64": "double", "f32": "float", "f16": "float", "bool": "bool"} | {
    f"{s}{b}": f"{'unsigned ' if s == 'u' else 'signed ' if b == 8 else ''}"
               f"{ {8: 'char', 16: 'short', 32: 'int', 64: 'long long'}[b] }" for s in "iu" for b in (8, 16, 32, 64)}
MEMORY = REGISTER | {"f16": "dad_half"}
ATOMIC = {"i32": "unsigned int", "u32": "unsigned int", "i64": "unsigned long long", "u64": "unsigned long long"}
"""What atomic additions take whole numbers as: these sums are the same in any order."""
ANY_ORDER = ATOMIC | {"f32": "float", "f64": "double"}
"""The same where a definition says `@ nondet`."""

PLACES = """
extern "C" __global__ void dad_targets(const long long *places, long long size, long long n, unsigned *keys) {
  for (long long k = 256ll * blockIdx.x + threadIdx.x; k < n; k += 256ll * gridDim.x) {
    const long long place = places[k];
    keys[k] = (unsigned)(place >= 0 && place < size ? place : size);
  }
}
extern "C" __global__ void dad_flat_places(const long long *indices, long long n, long long size, long long first,
                                           long long *places) {
  for (long long k = 256ll * blockIdx.x + threadIdx.x; k < n; k += 256ll * gridDim.x) {
    const long long index = indices[k], before = first ? 0 : places[k];
    places[k] = index < 0 || index >= size || before < 0 ? -1 : before * size + index;
  }
}
static __device__ __forceinline__ long long dad_key_from(const unsigned *keys, long long from, long long to,
                                                         unsigned key) {
  // the first of the keys in this range that is not less, among keys in order
  while (from < to) {
    const long long middle = from + (to - from) / 2;
    if (keys[middle] < key) from = middle + 1; else to = middle;
  }
  return from;
}
"""

OPERATION = """
static __device__ __forceinline__ @T dad_place_@O_@D(@T x, @T y) { return @E; }

template <class P> static __device__ __forceinline__ void dad_few_of_@O_@D(
    @M *target, long long size, const P *places, const @M *values, long long n, long long row) {
  for (long long at = threadIdx.x; at < n * row; at += blockDim.x) {
    const long long k = at / row, j = at - k * row, place = places[k];
    if (place < 0 || place >= size) continue;
    bool first = true;
    for (long long other = 0; other < k && first; other++) first = places[other] != place;
    if (!first) continue;
    @T sum = @L(target[place * row + j]);
    for (long long other = k; other < n; other++)
      if (places[other] == place) sum = dad_place_@O_@D(sum, @L(values[other * row + j]));
    target[place * row + j] = @S(sum);
  }
}

extern "C" __global__ void dad_few_@O_@D(@M *target, long long size, const long long *places, const @M *values,
                                         long long n, long long row) {
  dad_few_of_@O_@D<long long>(target, size, places, values, n, row);
}
extern "C" __global__ void dad_few_keys_@O_@D(@M *target, long long size, const unsigned *places, const @M *values,
                                              long long n, long long row) {
  dad_few_of_@O_@D<unsigned>(target, size, places, values, n, row);
}

extern "C" __global__ void dad_stretches_@O_@D(@M *target, long long size, const @M *values, long long n,
                                               long long row, const unsigned *keys, const unsigned *order, @M *part) {
  for (long long at = 256ll * blockIdx.x + threadIdx.x; at < n * row; at += 256ll * gridDim.x) {
    const long long k = at / row, j = at - k * row;
    const unsigned key = keys[k];
    if (key >= size) continue;
    const bool first = k == 0 || keys[k - 1] != key;
    if (!first && (k < @N || keys[k - @N] != key || (k - dad_key_from(keys, 0, k, key)) % @N)) continue;
    const bool whole = first && (k + @N >= n || keys[k + @N] != key);
    const long long stop = k + @N < n ? k + @N : n;
    const long long from = order ? order[k] : k;
    @T sum = @L(values[from * row + j]);
    if (whole) sum = dad_place_@O_@D(@L(target[key * row + j]), sum);
    for (long long other = k + 1; other < stop && keys[other] == key; other++)
      sum = dad_place_@O_@D(sum, @L(values[(order ? order[other] : other) * row + j]));
    if (whole) target[key * row + j] = @S(sum);
    else part[(2 * (k / @N) + first) * row + j] = @S(sum);
  }
}

extern "C" __global__ void dad_long_@O_@D(@M *target, long long size, long long n, long long row,
                                          const unsigned *keys, const @M *part) {
  const long long stretches = (n + @N - 1) / @N;
  for (long long at = 256ll * blockIdx.x + threadIdx.x; at < stretches * row; at += 256ll * gridDim.x) {
    // a place with more than a stretch of values has a multiple of it among them: the first such does it
    const long long k = at / row * @N, j = at % row;
    const unsigned key = keys[k];
    if (key >= size || (k >= @N && keys[k - @N] == key)) continue;
    const long long start = dad_key_from(keys, 0, k, key), end = dad_key_from(keys, k, n, key + 1);
    if (end - start <= @N) continue;
    @T sum = @L(target[key * row + j]);
    for (long long other = start; other < end; other += @N)
      sum = dad_place_@O_@D(sum, @L(part[(2 * (other / @N) + (other == start)) * row + j]));
    target[key * row + j] = @S(sum);
  }
}
"""

ATOMICS = """
template <class P> static __device__ __forceinline__ void dad_atomic_of_@D(
    @M *target, long long size, const P *places, const @M *values, long long n, long long row) {
  for (long long at = 256ll * blockIdx.x + threadIdx.x; at < n * row; at += 256ll * gridDim.x) {
    const long long k = at / row, j = at - k * row, place = places[k];
    if (place >= 0 && place < size) atomicAdd((@A *)target + place * row + j, (@A)values[at]);
  }
}
extern "C" __global__ void dad_atomic_add_@D(@M *target, long long size, const long long *places, const @M *values,
                                             long long n, long long row) {
  dad_atomic_of_@D<long long>(target, size, places, values, n, row);
}
extern "C" __global__ void dad_atomic_keys_add_@D(@M *target, long long size, const unsigned *places, const @M *values,
                                                  long long n, long long row) {
  dad_atomic_of_@D<unsigned>(target, size, places, values, n, row);
}
"""

WINNERS = """
extern "C" __global__ void dad_winners(const long long *places, long long size, long long n, long long *winner) {
  for (long long k = 256ll * blockIdx.x + threadIdx.x; k < n; k += 256ll * gridDim.x) {
    const long long place = places[k];
    if (place >= 0 && place < size) atomicMax(winner + place, k);
  }
}
"""

PUT = """
extern "C" __global__ void dad_winners_put_@B(@M *target, long long size, const long long *places, const @M *values,
                                              long long n, long long row, const long long *winner) {
  for (long long at = 256ll * blockIdx.x + threadIdx.x; at < n * row; at += 256ll * gridDim.x) {
    const long long k = at / row, place = places[k];
    if (place >= 0 && place < size && winner[place] == k) target[place * row + at - k * row] = values[at];
  }
}
"""

WIDTHS = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}


def expression(op: str, dtype: str) -> str:
    """`x` and `y` together."""
    if dtype == "bool":
        return {"max": "x || y", "min": "x && y", "add": "x || y", "mul": "x && y"}[op]
    if op in ("max", "min"):
        better = f"x {'>=' if op == 'max' else '<='} y"
        return f"{better} || y != y ? x : y" if dtype[0] == "f" else f"{better} ? x : y"
    sign = "+" if op == "add" else "*"
    if dtype[0] == "f":
        return f"dad_rounded(x {sign} y)" if dtype == "f16" else f"x {sign} y"
    wide = "unsigned long long" if dtype[1:] == "64" else "unsigned int"
    return f"({REGISTER[dtype]})(({wide})x {sign} ({wide})y)"


def atomic(op: str, dtype: str, nondet: bool) -> str | None:
    """What an atomic addition takes the numbers as; None where there is none that is allowed.

    >>> atomic("add", "f64", nondet=False), atomic("add", "f64", nondet=True), atomic("add", "i64", nondet=False)
    (None, 'double', 'unsigned long long')
    """
    return (ANY_ORDER if nondet else ATOMIC).get(dtype) if op == "add" else None


def any_order(dtype: str) -> dict[str, str]:
    """CUDA C that adds fractions to places in any order."""
    text = ATOMICS
    for key, value in (("@D", dtype), ("@M", MEMORY[dtype]), ("@A", ANY_ORDER[dtype])):
        text = text.replace(key, value)
    return {f"any_{dtype}": text}


def pieces(additions: Iterable[tuple[str, str]], widths: Iterable[int] = ()) -> dict[str, str]:
    """CUDA C by what it is for: operations (add, mul, max, min) on dtypes, and putting numbers of these widths in
    bytes. The kernels that sort are `sorting.pieces({"u32"}, …)`; half precision needs the preamble."""
    made: dict[str, str] = {}
    additions, widths = sorted(set(additions)), sorted(set(widths))
    if additions:
        made["places"] = PLACES
    for op, dtype in additions:
        whole = OPERATION + (ATOMICS if op == "add" and dtype in ATOMIC else "")
        load, store = ("dad_of_half", "dad_to_half") if dtype == "f16" else ("", "")
        for key, value in (("@O", op), ("@D", dtype), ("@T", REGISTER[dtype]), ("@M", MEMORY[dtype]), ("@L", load),
                           ("@S", store), ("@E", expression(op, dtype)), ("@N", str(STRETCH)),
                           ("@A", ATOMIC.get(dtype, ""))):
            whole = whole.replace(key, value)
        made[f"{op}_{dtype}"] = whole
    if widths:
        made["winners"] = WINNERS
    return made | {f"put_{w}": PUT.replace("@B", str(w)).replace("@M", WIDTHS[w]) for w in widths}


def text(additions: Iterable[tuple[str, str]], widths: Iterable[int] = ()) -> str:
    return "".join(pieces(additions, widths).values())
