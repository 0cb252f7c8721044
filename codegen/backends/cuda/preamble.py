"""What every CUDA C text begins with: types, the state of a call, failures, scratch memory, half precision.

The text needs no header: NVRTC has none. Whatever headers another compiler has read before, integers are the types of
CUDA, where `long` is not as long everywhere.

    dad_run      one to a call, in device memory: the first failure, scratch memory, blocks that grow
    dad_thread   of a thread: its slice of scratch memory, and what has failed in it

A thread takes arrays from the lower end of its slice and gives them back; blocks that grow are taken from the upper
end. What a glue kernel takes there stays until the call ends: `kept` says how much that is.
"""

from __future__ import annotations

from ..c import preamble as c_preamble

TYPES = """\
#define int8_t signed char
#define int16_t short
#define int32_t int
#define int64_t long long
#define uint8_t unsigned char
#define uint16_t unsigned short
#define uint32_t unsigned int
#define uint64_t unsigned long long
#define uintptr_t unsigned long long
#ifndef INT64_MIN
#define INT64_MIN (-9223372036854775807ll - 1)
#define INT64_MAX 9223372036854775807ll
#define UINT64_MAX 18446744073709551615ull
#endif
#ifndef INFINITY
#define INFINITY (__int_as_float(0x7f800000))
#endif
#ifndef NAN
#define NAN (__int_as_float(0x7fc00000))
#endif

#define DAD_DEVICE static __device__ __forceinline__
#define DAD_CALLED static __device__ __noinline__

typedef uint16_t dad_half;
union dad_cell {
  double f64; float f32; dad_half f16;
  int64_t i64; int32_t i32; int16_t i16; int8_t i8;
  uint64_t u64; uint32_t u32; uint16_t u16; uint8_t u8;
  bool b; void *p;
};

#ifndef DAD_VALUES
#define DAD_VALUES 1
#endif

/* Words of 8 bytes: runtime/device.py reads and writes them. `failed` is the turn of the launch that failed, then the
   number of its site in 20 bits; `key` the least iteration that failed, a large number at first. A kernel numbers its
   sites from 1: its `turn` has a turn, and in 20 bits how many sites of other kernels stand before them. Programs whose
   checks say more values than one define DAD_VALUES; so many at most are read. */
struct dad_run {
  unsigned long long lock;
  int64_t failed, key;
  char *scratch;
  int64_t size, kept;
  unsigned long long ticket;
  dad_cell values[DAD_VALUES];
};

struct dad_block { char *start; int64_t size; };

/* Memory of a thread that lies word by word beside that of others: it seems to begin at `start`. */
struct dad_memory { char *start, *first; int64_t count; };

struct dad_thread {
  char *top, *end;
  dad_memory own;
  int64_t failed;
  dad_cell values[DAD_VALUES];
};
"""

STATE = """\
/* The slice of thread `k` of `count`; a glue kernel has all of it. */
DAD_DEVICE void dad_begin(dad_thread *c, dad_run *run, int64_t k, int64_t count) {
  int64_t size = (run->size - run->kept) / count / 16 * 16;
  c->top = run->scratch + k * size;
  c->end = c->top + size;
  c->own.start = c->top;
  c->own.first = run->scratch + 8 * k;
  c->own.count = count;
  c->failed = 0;
}

/* Part `k` of `count` of what is left of a slice. */
DAD_DEVICE void dad_share(dad_thread *c, int64_t k, int64_t count) {
  int64_t size = (c->end - c->top) / count / 16 * 16;
  c->top += k * size;
  c->end = c->top + size;
}

DAD_DEVICE bool dad_fail(dad_thread *c, int64_t site) { c->failed = site; return true; }

/* Whether a launch before this one has failed: then nothing is done. What other threads of the same launch say at this
   moment does not count, since an iteration before theirs may be this thread's. Volatile: relaxed, for the device. */
DAD_DEVICE bool dad_stopped(const dad_run *run, int64_t turn) {
  const int64_t failed = *(const volatile int64_t *)&run->failed;
  return failed && failed >> 20 != turn >> 20;
}

/* Whether an iteration before this one has failed in a nest that several launches share; then its piece may have left
   out what this one needs. */
DAD_DEVICE bool dad_behind(const dad_run *run, int64_t key) { return *(const volatile int64_t *)&run->key < key; }

/* Of all failures in a nest the one of the first iteration is kept; nothing runs after a nest that has failed. */
DAD_CALLED void dad_reported(dad_run *run, const dad_thread *c, int64_t turn, int64_t key) {
  while (atomicCAS(&run->lock, 0ull, 1ull) != 0ull) { }
  __threadfence();
  volatile int64_t *failed = &run->failed, *first = &run->key;
  if (key < *first) {
    *failed = turn + c->failed;
    *first = key;
    for (int k = 0; k < DAD_VALUES; k++) run->values[k] = c->values[k];
  }
  __threadfence();
  atomicExch(&run->lock, 0ull);
}

/* A copy is handed on: what is never handed on itself lies in registers. */
DAD_DEVICE void dad_report(dad_run *run, const dad_thread *c, int64_t turn, int64_t key) {
  dad_thread copy = *c;
  dad_reported(run, &copy, turn, key);
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

/* The place of what seems to be at `p`. */
template <class T> static __device__ __forceinline__ T &dad_word(const dad_memory &words, T *p) {
  int64_t at = (const char *)p - words.start;
  if (sizeof(T) == 8) return *(T *)(words.first + at * words.count);
  return *(T *)(words.first + (at & ~(int64_t)7) * words.count + (at & 7));
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

HALF = c_preamble.HALF.replace("static dad_half", "DAD_CALLED dad_half").replace("static float", "DAD_DEVICE float")
"""As in C, where a conversion to half precision is called, not part of what calls it."""
