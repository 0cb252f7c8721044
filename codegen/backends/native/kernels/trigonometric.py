"""sin, cos, tan.

The argument is n pi/2 + r, with r as a pair: pi/2 is subtracted in three parts, of which the products with n are exact
or nearly so (Cody & Waite). Arguments from 2**18 on, and those so near to a multiple that three parts are not enough,
go one by one through `reduce_far`, which multiplies by the bits of 2/pi that matter (Payne & Hanek, Radian reduction
for trigonometric functions, 1983), in whole numbers of 192 bits.
"""

from __future__ import annotations

from .builder import MAGIC, Builder, Pair, Value, hexadecimal
from .coefficients import COS, PI_2, PI_2_PAIR, SIN, TWO_OVER_PI, TWO_OVER_PI_BITS

FAR = "dad_reduce_far"
LIMIT = 262144.0


def reduced(b: Builder, x: Value) -> tuple[Value, Pair]:
    """n as a whole number of which the two lowest bits count, and r."""
    whole, _ = b.rounded(x * TWO_OVER_PI)
    first = b.less_product(x, whole, PI_2[0])
    high, e = b.two_sum(first, -(whole * PI_2[1]))
    low = b.less_product(e, whole, PI_2[2])
    rare = b.either(b.abs(x) >= LIMIT, b.abs(high) < b.abs(whole) * 2.0**-66)
    high, low, whole = b.rarely(rare, x, [high, low, whole], FAR)
    return (whole + MAGIC).bits(), (high, low)


def sine(b: Builder, r: Pair, z: Value) -> tuple[Value, Value]:
    """sin r, as r and what is added to it."""
    low = b.mad(z * -0.5, r[1], r[1])
    return r[0], b.mad(r[0] * z, b.poly(z, SIN), low)


def cosine(b: Builder, r: Pair, z: Value) -> tuple[Value, Value]:
    half = z * 0.5
    w = b.value(1.0) - half
    rest = (b.value(1.0) - w) - half
    return w, rest + b.less_product(z * z * b.poly(z, COS), r[0], r[1])


def turned(b: Builder, n: Value, sine: Value, cosine: Value) -> Pair:
    """Sine and cosine of n quarters of a turn more."""
    odd = (n & 1).equals(1)
    first, second = b.where(odd, cosine, sine), b.where(odd, sine, cosine)
    return (first.bits() ^ ((n & 2) << 62)).number(), (second.bits() ^ (((n + 1) & 2) << 62)).number()


def total(pair: Pair) -> Value:
    return pair[0] + pair[1]


def sin_cos(b: Builder, x: Value) -> tuple[Value, Value]:
    n, r = reduced(b, x)
    z = r[0] * r[0]
    s, c = total(sine(b, r, z)), total(cosine(b, r, z))
    first, second = turned(b, n, s, c)
    return b.where(b.abs(x) < 2.0**-27, x, first), second


def sin(b: Builder, x: Value) -> Value:
    return sin_cos(b, x)[0]


def cos(b: Builder, x: Value) -> Value:
    return sin_cos(b, x)[1]


def tan(b: Builder, x: Value) -> Value:
    """sin r / cos r, or -cos r / sin r"""
    n, r = reduced(b, x)
    z = r[0] * r[0]
    s, c = b.fast_two_sum(*sine(b, r, z)), b.fast_two_sum(*cosine(b, r, z))
    odd = (n & 1).equals(1)
    top: Pair = (b.where(odd, -c[0], s[0]), b.where(odd, -c[1], s[1]))
    q, rest = b.quotient(top, (b.where(odd, s[0], c[0]), b.where(odd, s[1], c[1])))
    return b.where(b.abs(x) < 2.0**-27, x, q + rest)


def reduce_far() -> str:
    """x = m 2**e: bits of 2/pi from the one that makes 2 of it, 192 of them, times m, are x 2/pi modulo 4."""
    size = len(TWO_OVER_PI_BITS)
    table = "".join(f"\\{byte:02X}" for byte in TWO_OVER_PI_BITS)
    high, low = (hexadecimal(v) for v in PI_2_PAIR)
    return f"""
@dad_two_over_pi = internal constant [{size} x i8] c"{table}"
define internal {{double, double, double}} @{FAR}(double %x) noinline nounwind memory(none) {{
  %size = call double @llvm.fabs.f64(double %x)
  %usable = fcmp olt double %size, 0x7FF0000000000000
  br i1 %usable, label %go, label %not
not:
  ret {{double, double, double}} {{double 0x7FF8000000000000, double 0x7FF8000000000000, double 0.0}}
go:
  %bits = bitcast double %size to i64
  %power = lshr i64 %bits, 52
  %fraction = and i64 %bits, 4503599627370495
  %m = or i64 %fraction, 4503599627370496
  %e = sub i64 %power, 1075
  %where = sub i64 978, %e
  %beyond = icmp sgt i64 %where, 1200
  %from = select i1 %beyond, i64 1200, i64 %where
  %byte = ashr i64 %from, 3
  %bit = and i64 %from, 7
  %at = getelementptr i8, ptr @dad_two_over_pi, i64 %byte
  %window = load i256, ptr %at, align 1
  %by = zext i64 %bit to i256
  %down = lshr i256 %window, %by
  %w = trunc i256 %down to i192
  %wide = zext i64 %m to i192
  %p = mul i192 %w, %wide
  %half = shl i192 1, 189
  %up = add i192 %p, %half
  %quarter = lshr i192 %up, 190
  %q = trunc i192 %quarter to i64
  %whole = shl i192 %quarter, 190
  %rest = sub i192 %p, %whole
  %below = icmp slt i192 %rest, 0
  %minus = sub i192 0, %rest
  %abs = select i1 %below, i192 %minus, i192 %rest
  %zeros = call i192 @llvm.ctlz.i192(i192 %abs, i1 false)
  %left = shl i192 %abs, %zeros
  %top = lshr i192 %left, 139
  %top64 = trunc i192 %top to i64
  %next = lshr i192 %left, 86
  %next64 = trunc i192 %next to i64
  %next53 = and i64 %next64, 9007199254740991
  %h = uitofp i64 %top64 to double
  %l = uitofp i64 %next53 to double
  %z = trunc i192 %zeros to i64
  %exponent = sub i64 972, %z
  %exponent_bits = shl i64 %exponent, 52
  %scale = bitcast i64 %exponent_bits to double
  %h1 = fmul double %h, %scale
  %l0 = fmul double %l, {hexadecimal(2.0**-53)}
  %l1 = fmul double %l0, %scale
  %first = fmul double %h1, {high}
  %minus_first = fneg double %first
  %e0 = call double @llvm.fma.f64(double %h1, double {high}, double %minus_first)
  %a = fmul double %h1, {low}
  %b = fmul double %l1, {high}
  %ab = fadd double %a, %b
  %lost = fadd double %e0, %ab
  %r = fadd double %first, %lost
  %back = fsub double %r, %first
  %rl = fsub double %lost, %back
  %negative = fcmp olt double %x, 0.0
  %turn = xor i1 %below, %negative
  %mr = fneg double %r
  %mrl = fneg double %rl
  %high = select i1 %turn, double %mr, double %r
  %low = select i1 %turn, double %mrl, double %rl
  %mq = sub i64 0, %q
  %sq = select i1 %negative, i64 %mq, i64 %q
  %n = sitofp i64 %sq to double
  %r0 = insertvalue {{double, double, double}} undef, double %high, 0
  %r1 = insertvalue {{double, double, double}} %r0, double %low, 1
  %r2 = insertvalue {{double, double, double}} %r1, double %n, 2
  ret {{double, double, double}} %r2
}}
declare double @llvm.fma.f64(double, double, double)
declare double @llvm.fabs.f64(double)
declare i192 @llvm.ctlz.i192(i192, i1)
"""
