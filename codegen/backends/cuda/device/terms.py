"""Sums within a thread as CUDA C, in NumPy's order: up to 128 terms in eight partial sums, more in halves.

    template <int U, class F> bool dad_terms_f64_f32(f, n, double &s0, float &s1)
        f(k, v0, v1) sets the k-th term of each sum, and returns true when a check failed, as the function then does
    dad_few_f64_f32<U>(f, from, n, s0, s1)
        the same for at most 128 terms, from one on

Code of the term stands once in that of the sum, however long the term is, or, with a `U` of 8, eight times beside each
other and once for the rest, for terms of a few instructions. A partial sum begins with -0: adding a first term to it
gives that term, a zero of either sign too.
"""

from __future__ import annotations

from collections.abc import Sequence

from .sums import REGISTER, signature

DEEPEST = 48
"""Halvings of a sum in a thread, at most."""


def text(dtypes: Sequence[str]) -> str:
    """CUDA C for sums of these dtypes side by side; half precision needs the preamble."""
    name = signature(dtypes)
    kinds = [REGISTER[d] for d in dtypes]
    each = range(len(kinds))

    def all_of(pattern: str) -> str:
        return " ".join(pattern.replace("@k", str(k)).replace("@T", kinds[k]) for k in each)

    def added(x: str, y: str) -> str:
        """x gets x + y."""
        shown = []
        for k, d in enumerate(dtypes):
            left, right = x.replace("@k", str(k)), y.replace("@k", str(k))
            shown.append(f"{left} = {joined(d, left, right)};")
        return " ".join(shown)

    def eight(k: int, dtype: str) -> str:
        pairs = [f"a{k}[{j}]" for j in range(8)]
        while len(pairs) > 1:
            pairs = [joined(dtype, x, y) for x, y in zip(pairs[::2], pairs[1::2], strict=True)]
        return f"s{k} = {pairs[0]};"

    outs = ", ".join(f"{t} &s{k}" for k, t in enumerate(kinds))
    given = ", ".join(f"v{k}" for k in each)
    parts = ", ".join(f"part{k}" for k in each)
    values = all_of("@T v@k;")
    turn = " ".join(f"a{k}[{j}] = a{k}[{j + 1}];" for k in each for j in range(7))
    return f"""\
template <int U, class F> DAD_DEVICE bool dad_few_{name}(const F &f, int64_t from, int64_t n, {outs}) {{
  {all_of("s@k = 0;")}
  const int64_t whole = n & -8;
  {all_of("@T a@k[8];")}
  #pragma unroll
  for (int j = 0; j < 8; j++) {{ {all_of("a@k[j] = (@T)-0.0;")} }}
  if (U == 0) {{
    #pragma unroll 1
    for (int64_t k = 0; k < n; k++) {{
      {values}
      if (f(from + k, {given})) return true;
      if (k < whole) {{
        {" ".join(f"const {t} first{k} = {joined(d, f'a{k}[0]', f'v{k}')};" for k, (d, t) in
                  enumerate(zip(dtypes, kinds, strict=True)))}
        {turn}
        {all_of("a@k[7] = first@k;")}
        if (k + 1 == whole) {{ {" ".join(eight(k, d) for k, d in enumerate(dtypes))} }}
      }} else {{ {added("s@k", "v@k")} }}
    }}
    return false;
  }}
  if (n >= 8) {{
    for (int64_t k = 0; k < whole; k += 8) {{
      #pragma unroll
      for (int j = 0; j < 8; j++) {{
        {values}
        if (f(from + k + j, {given})) return true;
        {added("a@k[j]", "v@k")}
      }}
    }}
    {" ".join(eight(k, d) for k, d in enumerate(dtypes))}
  }}
  for (int64_t k = whole; k < n; k++) {{
    {values}
    if (f(from + k, {given})) return true;
    {added("s@k", "v@k")}
  }}
  return false;
}}
template <int U, class F> DAD_DEVICE bool dad_terms_{name}(const F &f, int64_t n, {outs}) {{
  struct {{ int64_t size; {all_of("@T left@k;")} bool half; }} wait[{DEEPEST}];
  int64_t from = 0;
  for (int at = 0;;) {{
    while (n > 128) {{
      const int64_t left = n / 2 / 8 * 8;
      wait[at].size = n - left; wait[at++].half = false;
      n = left;
    }}
    {all_of("@T part@k;")}
    if (dad_few_{name}<U>(f, from, n, {parts})) return true;
    from += n;
    while (at && wait[at - 1].half) {{ at--; {
        " ".join(f"part{k} = {joined(d, f'wait[at].left{k}', f'part{k}')};" for k, d in enumerate(dtypes))} }}
    if (!at) {{ {all_of("s@k = part@k;")} return false; }}
    {all_of("wait[at - 1].left@k = part@k;")}
    wait[at - 1].half = true; n = wait[at - 1].size;
  }}
}}
"""


def joined(dtype: str, x: str, y: str) -> str:
    return f"dad_rounded({x} + {y})" if dtype == "f16" else f"({x} + {y})"
