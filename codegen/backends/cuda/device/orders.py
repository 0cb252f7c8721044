"""Sorting within a thread, as CUDA C: short rows of which each thread has one.

    bool dad_argsort(c, const T *x, n, int64_t *to)
        `to` gets where the least number stands, the next one, …; equal ones in their order, nan last; true where
        there is not enough scratch memory
"""

from __future__ import annotations

TEXT = """\
template <class T> static __device__ bool dad_argsort(dad_thread *c, const T *x, int64_t n, int64_t *to) {
  char *top = c->top;
  int64_t *from = to, *other = (int64_t *)dad_take(c, n, sizeof(int64_t));
  if (!other) return true;
  for (int64_t k = 0; k < n; k++) to[k] = k;
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t first = 0; first < n; first += 2 * width) {
      const int64_t middle = first + width < n ? first + width : n;
      const int64_t last = middle + width < n ? middle + width : n;
      int64_t a = first, b = middle;
      for (int64_t k = first; k < last; k++) {
        bool right = a == middle;
        if (!right && b < last) {
          const T u = x[from[a]], v = x[from[b]];
          right = v < u || (u != u && v == v);
        }
        other[k] = right ? from[b++] : from[a++];
      }
    }
    int64_t *held = from;
    from = other;
    other = held;
  }
  if (from != to) for (int64_t k = 0; k < n; k++) to[k] = from[k];
  c->top = top;
  return false;
}
"""
