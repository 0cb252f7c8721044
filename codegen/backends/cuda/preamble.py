"""What every CUDA C text begins with: types, the state of a call, failures, scratch memory, half precision.

The text needs no header: NVRTC has none. Other compilers (nvcc, and the C++ compiler that tests run kernels with) take
the integer types from theirs.

    dad_run      one to a call, in device memory: the first failure, scratch memory, blocks that grow
    dad_thread   of a thread: its slice of scratch memory, and what has failed in it

A thread takes arrays from the lower end of its slice and gives them back; blocks that grow are taken from the upper
end. What a glue kernel takes there stays until the call ends: `kept` says how much that is.
"""

TYPES = """\
#ifdef __CUDACC_RTC__
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef unsigned long long uintptr_t;
#define INT64_MIN (-9223372036854775807ll - 1)
#define INT64_MAX 9223372036854775807ll
#define UINT64_MAX 18446744073709551615ull
#define INFINITY (__int_as_float(0x7f800000))
#define NAN (__int_as_float(0x7fc00000))
#else
#include <math.h>
#include <stdint.h>
#include <string.h>
#endif

#define DAD_DEVICE static __device__ __forceinline__
#define DAD_CALLED static __device__ __noinline__
#define DAD_KERNEL extern "C" __global__ void

typedef uint16_t dad_half;
union dad_cell {
  double f64; float f32; dad_half f16;
  int64_t i64; int32_t i32; int16_t i16; int8_t i8;
  uint64_t u64; uint32_t u32; uint16_t u16; uint8_t u8;
  bool b; void *p;
};

/* Words of 8 bytes: runtime/device.py reads and writes them. */
struct dad_run {
  unsigned long long lock;
  int64_t failed, key;
  dad_cell values[4];
  char *scratch;
  int64_t size, kept, depth;
};

struct dad_block { char *start; int64_t size; };

struct dad_thread {
  char *top, *end;
  int64_t failed, depth;
  dad_cell values[4];
};
"""

STATE = """\
/* The slice of thread `k` of `count`; a glue kernel has all of it. */
DAD_DEVICE void dad_begin(dad_thread *c, dad_run *run, int64_t k, int64_t count) {
  int64_t size = (run->size - run->kept) / count / 16 * 16;
  c->top = run->scratch + k * size;
  c->end = c->top + size;
  c->failed = 0;
  c->depth = run->depth;
}

DAD_DEVICE bool dad_fail(dad_thread *c, int64_t site) { c->failed = site; return true; }

/* Of all failures in a nest the one of the first iteration is kept; nothing runs after a nest that has failed. */
DAD_CALLED void dad_report(dad_run *run, const dad_thread *c, int64_t key) {
  while (atomicCAS(&run->lock, 0ull, 1ull) != 0ull) { }
  __threadfence();
  volatile int64_t *failed = &run->failed, *first = &run->key;
  if (!*failed || key < *first) {
    *failed = c->failed;
    *first = key;
    for (int k = 0; k < 4; k++) run->values[k] = c->values[k];
    run->depth = c->depth;
  }
  __threadfence();
  atomicExch(&run->lock, 0ull);
}

DAD_DEVICE void *dad_take(dad_thread *c, int64_t count, int64_t width) {
  if (count < 0) count = 0;
  if (count > ((int64_t)1 << 40)) return 0;
  int64_t size = (count * width + 15) / 16 * 16;
  if (size > c->end - c->top) return 0;
  char *start = c->top;
  c->top += size;
  return start;
}

DAD_DEVICE void dad_copy(void *target, const void *source, int64_t size) {
  char *to = (char *)target;
  const char *from = (const char *)source;
  bool words = (((uintptr_t)to | (uintptr_t)from | (uintptr_t)size) & 7) == 0;
  if (to <= from || to >= from + size) {
    if (words) for (int64_t k = 0; k < size / 8; k++) ((uint64_t *)to)[k] = ((const uint64_t *)from)[k];
    else for (int64_t k = 0; k < size; k++) to[k] = from[k];
  } else {
    if (words) for (int64_t k = size / 8; k-- > 0;) ((uint64_t *)to)[k] = ((const uint64_t *)from)[k];
    else for (int64_t k = size; k-- > 0;) to[k] = from[k];
  }
}

/* Room in a block that grows, contents kept; null where there is none. */
DAD_CALLED void *dad_resize(dad_thread *c, dad_block *block, int64_t count, int64_t width) {
  int64_t size = count * width;
  if (size > block->size || !block->start) {
    int64_t more = (2 * size + 64 + 15) / 16 * 16;
    if (more > c->end - c->top) return 0;
    c->end -= more;
    if (block->start) dad_copy(c->end, block->start, block->size);
    block->start = c->end;
    block->size = more;
  }
  return block->start;
}
"""

HALF = """\
DAD_CALLED dad_half dad_to_half(double x) {
  double size = fabs(x);
  dad_half sign = signbit(x) ? 0x8000 : 0;
  if (x != x) return sign | 0x7e00;
  if (size >= 65520.0) return sign | 0x7c00;
  if (size < 0x1p-14) return sign | (dad_half)(int)rint(size * 0x1p24);
  int exponent;
  double part = frexp(size, &exponent);
  return sign | (dad_half)(((exponent + 14) << 10) + (int)rint(ldexp(part, 11)) - 1024);
}
DAD_DEVICE float dad_of_half(dad_half h) {
  int exponent = h >> 10 & 31, part = h & 1023;
  float size = exponent == 31 ? (part ? NAN : INFINITY)
             : exponent ? ldexpf((float)(1024 + part), exponent - 25) : ldexpf((float)part, -24);
  return copysignf(size, h & 0x8000 ? -1.0f : 1.0f);
}
/* Half precision is computed in single precision and rounded. */
DAD_DEVICE float dad_rounded(double x) { return dad_of_half(dad_to_half(x)); }
"""

SUM = """\
/* At most 128 numbers, as NumPy adds them. */
DAD_DEVICE @T dad_block_sum_@D(const @T *x, int64_t n) {
  int64_t k = 0;
  @T sum = 0;
  if (n >= 8) {
    @T r[8];
    for (int j = 0; j < 8; j++) r[j] = x[j];
    for (k = 8; k < n - n % 8; k += 8)
      for (int j = 0; j < 8; j++) r[j] = @R(r[j] + x[k + j]);
    sum = @R(@R(@R(r[0] + r[1]) + @R(r[2] + r[3])) + @R(@R(r[4] + r[5]) + @R(r[6] + r[7])));
  }
  for (; k < n; k++) sum = @R(sum + x[k]);
  return sum;
}
"""

HALVES = """\
/* Where the leaf that begins at place `slot` of a tree of `depth` halvings lies among `n` terms; false where none does:
   the leaf before goes on there. */
DAD_DEVICE bool dad_leaf(int64_t slot, int depth, int64_t *from, int64_t *count) {
  int64_t lo = 0, n = *count;
  int d = depth;
  while (d > 0 && n > 128) {
    d--;
    int64_t left = n / 2 / 8 * 8;
    if (slot >> d & 1) { lo += left; n -= left; } else n = left;
  }
  *from = lo;
  *count = n;
  return (slot & (((int64_t)1 << d) - 1)) == 0;
}
/* Whether node `at` of `level` halvings has two halves. */
DAD_DEVICE bool dad_halved(int64_t at, int level, int64_t n) {
  for (int d = level - 1; d >= 0; d--) {
    if (n <= 128) return false;
    int64_t left = n / 2 / 8 * 8;
    n = at >> d & 1 ? n - left : left;
  }
  return n > 128;
}
"""

TREE = """\
/* Nodes of levels `top` .. `bottom` - 1 of a tree of sums, each the sum of its halves; a block to each node of level
   `top`. What a leaf adds up to lies at its place in `part`. */
DAD_KERNEL dad_tree_@D(dad_run *run, @T *part, int64_t n, int32_t depth, int32_t top, int32_t bottom, dad_cell *out) {
  for (int level = bottom - 1; level >= top; level--) {
    int64_t first = (int64_t)blockIdx.x << (level - top);
    for (int64_t k = threadIdx.x; k < (int64_t)1 << (level - top); k += blockDim.x) {
      if (dad_halved(first + k, level, n)) {
        int64_t left = (first + k) << (depth - level), right = left + ((int64_t)1 << (depth - level - 1));
        part[left] = @R(part[left] + part[right]);
      }
    }
    __syncthreads();
  }
  if (top == 0 && threadIdx.x == 0) out->@C = @W(part[0]);
}
"""


def of_dtype(text: str, dtype: str, ctype: str, cell: str) -> str:
    """The text for numbers of one dtype."""
    rounded, kept = ("dad_rounded", "dad_to_half") if dtype == "f16" else ("", "")
    for key, value in (("@T", ctype), ("@D", dtype), ("@R", rounded), ("@C", cell), ("@W", kept)):
        text = text.replace(key, value)
    return text
