"""Folds and scans with any associative operator as CUDA C, in trees that depend on the number of elements alone.

A row of `n` elements is cut into tiles of 256 threads, to each thread `each` elements beside each other. A thread folds
its own from the left, then neighbours are joined: within a warp by shuffles, within a block through shared memory, left
before right, so the operator need not commute. What tiles come to is folded in the same way again. For a scan the tiles
are folded first, then what stands before each of them is found by a scan of these, then each goes through its elements
with that as its start.

    S           a struct of the accumulators, plain numbers
    F           S operator()(long long row, long long i) const     an element; called as often as twice
                S start(long long row) const                       the neutral element
                static constexpr bool starts                       whether there is one
    O           S operator()(const S &left, const S &right) const
    G of folds  void operator()(long long row, const S &total) const
    G of scans  void operator()(long long row, long long i, const S &prefix) const

    dad_fold(f, o, g, rows, n, each, S *part)     all 256 threads of each block; `part` takes a total to each tile if
                                                  there are several to a row, else `g` is called
    dad_scan(f, o, g, rows, n, each, before)      likewise, where `before` are the prefixes of the tiles' totals
    dad_stored<S>{from, n}, dad_storing<S>{to, n} an F and a G of scans: rows of n in memory
    dad_elements<S, L>{l, first}                  an F: what the function `l` gives, from `first` on

`runtime/device_folds.py` launches kernels made of them.
"""

from __future__ import annotations

TILES = """\
  __shared__ dad_words<S> held[8];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const long long size = 256ll * each, tiles = n > size ? (n + size - 1) / size : 1;
  for (long long block = blockIdx.x; block < rows * tiles; block += gridDim.x) {
    const long long row = block / tiles, tile = block - row * tiles, start = tile * size;
    const long long first = start + (long long)each * threadIdx.x;
    const long long last = first + each < n ? first + each : n;
    // threads that have something come first: how many there are in this block, and in this warp
    const long long left = (n - start + each - 1) / each;
    const int count = left < 256 ? (int)left : 256, mine = count - 32 * warp;
    dad_words<S> s;
    if (first < last) s.s = dad_own<S>(f, o, row, first, last);
"""
"""How folds and scans go through tiles; each thread has folded its own elements."""
TEXT = """
template <class S> union dad_words { S s; unsigned w[(sizeof(S) + 3) / 4]; __device__ dad_words() {} };

template <class S> static __device__ __forceinline__ S dad_from_right(const S &s, int by) {
  dad_words<S> u;
  u.s = s;
  #pragma unroll
  for (int k = 0; k < (int)((sizeof(S) + 3) / 4); k++) u.w[k] = __shfl_down_sync(0xffffffffu, u.w[k], by);
  return u.s;
}
template <class S> static __device__ __forceinline__ S dad_from_left(const S &s, int by) {
  dad_words<S> u;
  u.s = s;
  #pragma unroll
  for (int k = 0; k < (int)((sizeof(S) + 3) / 4); k++) u.w[k] = __shfl_up_sync(0xffffffffu, u.w[k], by);
  return u.s;
}

template <class S> struct dad_stored {
  const S *from;
  long long n;
  static constexpr bool starts = false;
  __device__ S operator()(long long row, long long i) const { return from[row * n + i]; }
  __device__ S start(long long) const { return S(); }
};
template <class S, class L> struct dad_elements {
  const L &l;
  S first;
  static constexpr bool starts = true;
  __device__ S operator()(long long row, long long i) const { return l(row, i); }
  __device__ S start(long long) const { return first; }
};
template <class S> struct dad_storing {
  S *to;
  long long n;
  __device__ void operator()(long long row, long long i, const S &s) const { to[row * n + i] = s; }
};

template <class S, class F, class O> static __device__ __forceinline__ S dad_own(
    const F &f, const O &o, long long row, long long first, long long last) {
  // the elements of a thread, one at least
  S s = f(row, first);
  for (long long i = first + 1; i < last; i++) s = o(s, f(row, i));
  return s;
}

template <class S, class F, class O, class G> static __device__ void dad_fold(
    const F &f, const O &o, const G &g, long long rows, long long n, int each, S *part) {
@TILES    for (int d = 1; d < 32; d <<= 1) {
      const S other = dad_from_right(s.s, d);
      if ((lane & (2 * d - 1)) == 0 && lane + d < mine) s.s = o(s.s, other);
    }
    if (lane == 0) held[warp].s = s.s;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int w = 1; 32 * w < count; w++) s.s = o(s.s, held[w].s);
      if (tiles > 1) part[block] = s.s;
      else if (!F::starts) g(row, s.s);
      else g(row, n > 0 ? o(f.start(row), s.s) : f.start(row));
    }
    __syncthreads();
  }
}

template <class S, class F, class O, class G> static __device__ void dad_scan(
    const F &f, const O &o, const G &g, long long rows, long long n, int each, const S *before) {
@TILES    for (int d = 1; d < 32; d <<= 1) {
      const S other = dad_from_left(s.s, d);
      if (lane >= d && lane < mine) s.s = o(other, s.s);
    }
    if (lane == 31) held[warp].s = s.s;
    const S beside = dad_from_left(s.s, 1);
    __syncthreads();
    if (first < last) {
      bool has = F::starts || tile > 0;
      if (F::starts) s.s = tile > 0 ? o(f.start(row), before[block - 1]) : f.start(row);
      else if (tile > 0) s.s = before[block - 1];
      for (int w = 0; w < warp; w++) {
        s.s = has ? o(s.s, held[w].s) : held[w].s;
        has = true;
      }
      if (lane > 0) {
        s.s = has ? o(s.s, beside) : beside;
        has = true;
      }
      for (long long i = first; i < last; i++) {
        s.s = has ? o(s.s, f(row, i)) : f(row, i);
        has = true;
        g(row, i, s.s);
      }
    }
    __syncthreads();
  }
}
""".replace("@TILES", TILES)
