"""Stable sorting by radix as CUDA C: keys of 32 or 64 bits, eight at a time from the lowest, and where they were.

Each pass is three steps: how often each digit occurs in each tile of keys, where the tile's share of the digit begins,
and the keys at their new places. Within a tile a warp takes its own stretch from left to right, 32 keys at a time, of
which ballots tell those with one digit; so equal keys keep their order, and no step depends on who comes first.

    dad_keys_f64(const double *x, n, unsigned long long *keys)
        keys in whose order the numbers are: nan after all others, zeros of both signs equal
    dad_digits_u64(keys, n, shift, unsigned *counts, ticket)    a tile to a block of 256 threads: counts[digit][tile]
    dad_before_all(unsigned *counts, n, unsigned *sums, ticket) sums before each count in its 2048, and before these
    dad_move_u64(keys, places, n, shift, counts, sums, to_keys, to_places)      no places: those are 0, 1, 2, …
    dad_tiles(unsigned *counts, n, unsigned *sums)        sums before each count in its 2048; what these come to
    dad_stretches(unsigned *sums, n)                      one block: the same, of all
    dad_offsets(unsigned *counts, n, sums)                the sum before the stretch is added

`runtime/device_sorting.py` launches them.
"""

from __future__ import annotations

TILE = 4096
"""Keys of a block."""

SCANS = """
static __device__ __forceinline__ unsigned dad_before(unsigned value, unsigned *total) {
  // the sum of what threads before this one have, of 256 threads
  __shared__ unsigned held[8];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  unsigned sum = value;
  for (int d = 1; d < 32; d <<= 1) {
    const unsigned other = __shfl_up_sync(0xffffffffu, sum, d);
    if (lane >= d) sum += other;
  }
  __syncthreads();
  if (lane == 31) held[warp] = sum;
  __syncthreads();
  unsigned before = 0, all = 0;
  for (int k = 0; k < 8; k++) {
    if (k < warp) before += held[k];
    all += held[k];
  }
  *total = all;
  return before + sum - value;
}

static __device__ __forceinline__ void dad_before_each(unsigned *counts, long long n, unsigned *sums) {
  const long long first = 2048ll * blockIdx.x + 8 * threadIdx.x;
  unsigned value[8], sum = 0, all;
  for (int k = 0; k < 8; k++) {
    value[k] = first + k < n ? counts[first + k] : 0;
    sum += value[k];
  }
  unsigned before = dad_before(sum, &all);
  for (int k = 0; k < 8; k++) {
    if (first + k < n) counts[first + k] = before;
    before += value[k];
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = all;
}

static __device__ __forceinline__ void dad_before_stretches(unsigned *sums, long long n) {
  unsigned done = 0;
  for (long long base = 0; base < n; base += 256) {
    unsigned all;
    const unsigned value = base + threadIdx.x < n ? ((volatile unsigned *)sums)[base + threadIdx.x] : 0;
    const unsigned before = dad_before(value, &all);
    if (base + threadIdx.x < n) sums[base + threadIdx.x] = done + before;
    done += all;
  }
}

extern "C" __global__ void dad_tiles(unsigned *counts, long long n, unsigned *sums) {
  dad_before_each(counts, n, sums);
}
extern "C" __global__ void dad_stretches(unsigned *sums, long long n) {
  dad_before_stretches(sums, n);
}
// both in one: the block that comes to its end last does the second
extern "C" __global__ void dad_before_all(unsigned *counts, long long n, unsigned *sums, unsigned *ticket) {
  __shared__ bool last;
  dad_before_each(counts, n, sums);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(ticket, 1u) + 1 == gridDim.x;
  __syncthreads();
  if (!last) return;
  __threadfence();
  dad_before_stretches(sums, gridDim.x);
}
extern "C" __global__ void dad_offsets(unsigned *counts, long long n, const unsigned *sums) {
  const long long k = 256ll * blockIdx.x + threadIdx.x;
  if (k < n) counts[k] += sums[k >> 11];
}
"""

DIGITS = """
static __device__ __forceinline__ unsigned dad_same_digit(unsigned digit, bool there) {
  // which lanes are there and have the same digit
  unsigned same = __ballot_sync(0xffffffffu, there);
  #pragma unroll
  for (int bit = 0; bit < 8; bit++) {
    const bool set = digit >> bit & 1;
    const unsigned others = __ballot_sync(0xffffffffu, set);
    same &= set ? others : ~others;
  }
  return same;
}
"""

PASS = """
template <class K> static __device__ __forceinline__ void dad_count_digits(
    const K *keys, long long n, int shift, unsigned (*held)[256]) {
  // how often each digit occurs in the stretch of each of the eight warps of a tile
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  for (int w = 0; w < 8; w++) held[w][threadIdx.x] = 0;
  __syncthreads();
  const long long first = (long long)@TILE * blockIdx.x + @TILE / 8 * warp;
  for (int at = 0; at < @TILE / 8; at += 32) {
    const long long k = first + at + lane;
    const bool there = k < n;
    const unsigned digit = there ? (unsigned)(keys[k] >> shift) & 255 : 0;
    const unsigned same = dad_same_digit(digit, there);
    if (there && (same & ((1u << lane) - 1)) == 0) held[warp][digit] += __popc(same);
    __syncwarp(0xffffffffu);
  }
  __syncthreads();
}

template <class K> static __device__ __forceinline__ void dad_digits(
    const K *keys, long long n, int shift, unsigned *counts, unsigned *ticket) {
  __shared__ unsigned held[8][256];
  dad_count_digits<K>(keys, n, shift, held);
  unsigned sum = 0;
  for (int w = 0; w < 8; w++) sum += held[w][threadIdx.x];
  counts[(long long)threadIdx.x * gridDim.x + blockIdx.x] = sum;
  if (blockIdx.x == 0 && threadIdx.x == 0) *ticket = 0;
}

template <class K, class V> static __device__ __forceinline__ void dad_move(
    const K *keys, const V *places, long long n, int shift, const unsigned *counts,
    const unsigned *sums, K *to_keys, V *to_places) {
  __shared__ unsigned held[8][256];
  dad_count_digits<K>(keys, n, shift, held);
  const long long mine = (long long)threadIdx.x * gridDim.x + blockIdx.x;
  unsigned start = counts[mine] + sums[mine >> 11];
  for (int w = 0; w < 8; w++) {
    const unsigned count = held[w][threadIdx.x];
    held[w][threadIdx.x] = start;
    start += count;
  }
  __syncthreads();
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const long long first = (long long)@TILE * blockIdx.x + @TILE / 8 * warp;
  for (int at = 0; at < @TILE / 8; at += 32) {
    const long long k = first + at + lane;
    const bool there = k < n;
    const K key = there ? keys[k] : 0;
    const unsigned digit = (unsigned)(key >> shift) & 255;
    const unsigned same = dad_same_digit(digit, there), before = same & ((1u << lane) - 1);
    unsigned to = 0;
    if (there) to = held[warp][digit] + __popc(before);
    __syncwarp(0xffffffffu);
    if (there && before == 0) held[warp][digit] += __popc(same);
    __syncwarp(0xffffffffu);
    if (there) {
      to_keys[to] = key;
      to_places[to] = places ? places[k] : (V)k;
    }
  }
}
""".replace("@TILE", str(TILE))

WORDS = {"u32": "unsigned", "u64": "unsigned long long"}
KEY = {"bool": "u32", "u8": "u32", "u16": "u32", "u32": "u32", "i8": "u32", "i16": "u32", "i32": "u32", "f16": "u32",
       "f32": "u32", "u64": "u64", "i64": "u64", "f64": "u64"}
"""The words that numbers are sorted as."""
CELLS = {"bool": "unsigned char", "u8": "unsigned char", "u16": "unsigned short", "u32": "unsigned",
         "u64": "unsigned long long", "i8": "unsigned char", "i16": "unsigned short", "i32": "unsigned",
         "i64": "unsigned long long", "f16": "unsigned short", "f32": "unsigned", "f64": "unsigned long long"}
"""The bits of a number in memory."""
BITS = {"bool": 8} | {f"{s}{b}": b for s in "iu" for b in (8, 16, 32, 64)} | {f"f{b}": b for b in (16, 32, 64)}
FRACTION = {"f16": 10, "f32": 23, "f64": 52}


def passes(key: str) -> str:
    """Kernels for keys of this many bits; places are as they are needed for less than 2**32 of them."""
    t = WORDS[key]
    return f"""
extern "C" __global__ void dad_digits_{key}(const {t} *keys, long long n, int shift, unsigned *counts,
                                            unsigned *ticket) {{
  dad_digits<{t}>(keys, n, shift, counts, ticket);
}}
extern "C" __global__ void dad_move_{key}(const {t} *keys, const unsigned *places, long long n, int shift,
                                          const unsigned *counts, const unsigned *sums, {t} *to_keys,
                                          unsigned *to_places) {{
  dad_move<{t}, unsigned>(keys, places, n, shift, counts, sums, to_keys, to_places);
}}
"""


def ordered(dtype: str) -> str:
    """The kernel that makes keys of the numbers of a dtype."""
    t, top = WORDS[KEY[dtype]], BITS[dtype] - 1
    sign = f"({t})1 << {top}"
    if dtype in FRACTION:
        infinite = ((1 << (top - FRACTION[dtype])) - 1) << FRACTION[dtype]
        value = (f"(b & ~({sign})) > ({t}){infinite}ull ? ~({t})0 : b == ({sign}) ? ({sign}) : "
                 f"b & ({sign}) ? ({t})(~b & {(1 << top + 1) - 1}ull) : b | ({sign})")
    else:
        value = f"b ^ ({sign})" if dtype[0] == "i" else "b"
    return f"""
extern "C" __global__ void dad_keys_{dtype}(const {CELLS[dtype]} *x, long long n, {t} *keys) {{
  for (long long k = 256ll * blockIdx.x + threadIdx.x; k < n; k += 256ll * gridDim.x) {{
    const {t} b = x[k];
    keys[k] = {value};
  }}
}}
"""


ROWS = """
extern "C" __global__ void dad_rows_of(const unsigned *places, long long n, long long row, unsigned *keys) {
  for (long long k = 256ll * blockIdx.x + threadIdx.x; k < n; k += 256ll * gridDim.x)
    keys[k] = (unsigned)((places ? places[k] : k) / row);
}
extern "C" __global__ void dad_within(const unsigned *places, long long n, long long row, long long *to) {
  for (long long k = 256ll * blockIdx.x + threadIdx.x; k < n; k += 256ll * gridDim.x)
    to[k] = (places ? places[k] : k) % row;
}
"""

POSITIONS = """
extern "C" __global__ void dad_count_flags(const bool *flags, long long n, unsigned *counts) {
  const long long k = 256ll * blockIdx.x + threadIdx.x;
  const int count = __syncthreads_count(k < n && flags[k]);
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}
extern "C" __global__ void dad_positions(const bool *flags, long long n, const unsigned *counts, long long *to) {
  const long long k = 256ll * blockIdx.x + threadIdx.x;
  const bool set = k < n && flags[k];
  unsigned all;
  const unsigned before = dad_before(set, &all);
  if (set) to[counts[blockIdx.x] + before] = k;
}
"""


def pieces(keys: set[str], dtypes: set[str], rows: bool = False, flags: bool = False) -> dict[str, str]:
    """CUDA C by what it is for: to sort keys (u32, u64), and numbers of these dtypes, in rows or not; to find flags
    that are set."""
    keys = keys | {KEY[d] for d in dtypes} | ({"u32"} if rows else set())
    made = {"scans": SCANS}
    if keys:
        made["digits"] = DIGITS + PASS
    made |= {f"pass_{k}": passes(k) for k in sorted(keys)} | {f"keys_{d}": ordered(d) for d in sorted(dtypes)}
    if dtypes:
        made["rows"] = ROWS
    if flags:
        made["positions"] = POSITIONS
    return made


def text(keys: set[str], dtypes: set[str], rows: bool, flags: bool) -> str:
    return "".join(pieces(keys, dtypes, rows, flags).values())
