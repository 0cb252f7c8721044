"""What every C text begins with: the context of a thread, memory, failures, half precision, pairwise sums.

Memory is an arena as in machine code, or, with `DAD_BLOCKS` defined, a block of the heap to each array, filled with
rubbish and freed where the arena would be given back: then sanitisers see what is read or written beyond an array,
after its end of life, or before it is written. There `dad_turn` has loops whose iterations are independent of each
other run from the last to the first.

    cell       eight bytes: an argument, a result, a value of a failed check
    context    `dad_begin` makes it ready for a call, `dad_end` frees what belongs to it
    dad_host   a primitive without C: context, its number, arguments, results; true when it failed
"""

CONTEXT = """\
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

typedef uint16_t dad_half;
typedef union dad_cell {
  double f64; float f32; dad_half f16;
  int64_t i64; int32_t i32; int16_t i16; int8_t i8;
  uint64_t u64; uint32_t u32; uint16_t u16; uint8_t u8;
  bool b; void *p;
} dad_cell;

typedef struct dad_context dad_context;
typedef bool (*dad_host)(dad_context *, int64_t, const dad_cell *, dad_cell *);
typedef struct dad_block { char *start; int64_t size; } dad_block;
struct dad_context {
  char *start, *top, *end;
  int64_t depth, failed;
  dad_cell values[DAD_VALUES];
  dad_host host;
  dad_block *slots;
  int64_t slot, slot_count;
  void **blocks;
  int64_t block_count, block_room;
  bool backwards;
};

enum { DAD_LINE = 64, DAD_RUBBISH = 0xCB };
#define DAD_LARGEST ((int64_t)1 << 40)
#define DAD_PARTS(n) ((n) < 3 ? 1 : 3)
#define DAD_PART(n, k) ((n) < 3 ? (k) * (n) : (n) * (k) / 3)
#ifdef DAD_BLOCKS
#define DAD_ORDER(k, n) (c->backwards ? (n) - 1 - (k) : (k))
#else
#define DAD_ORDER(k, n) (k)
#endif
"""

MEMORY = """\
#ifdef DAD_BLOCKS
static char *dad_take_bytes(dad_context *c, int64_t size) {
  if (c->block_count == c->block_room) {
    c->block_room = 2 * c->block_room + 64;
    c->blocks = realloc(c->blocks, (size_t)c->block_room * sizeof *c->blocks);
    if (!c->blocks) abort();
  }
  char *block = malloc((size_t)size);
  if (!block) return NULL;
  memset(block, DAD_RUBBISH, (size_t)size);
  c->blocks[c->block_count++] = block;
  return block;
}
static char *dad_mark(dad_context *c) { return (char *)(uintptr_t)c->block_count; }
static void dad_release(dad_context *c, char *mark) {
  while (c->block_count > (int64_t)(uintptr_t)mark) free(c->blocks[--c->block_count]);
}
#else
static char *dad_take_bytes(dad_context *c, int64_t size) {
  char *start = c->top;
  size = (size + DAD_LINE - 1) / DAD_LINE * DAD_LINE;
  if (size > c->end - start) return NULL;
  c->top = start + size;
  return start;
}
static char *dad_mark(dad_context *c) { return c->top; }
static void dad_release(dad_context *c, char *mark) { c->top = mark; }
#endif

static void *dad_take(dad_context *c, int64_t count, int64_t width) {
  if (count < 0 || count > DAD_LARGEST) return NULL;
  return dad_take_bytes(c, count * width);
}

/* Room in a slot. Where arrays are blocks it is as large as asked for, and moves whenever it grows. */
static void *dad_resize(dad_context *c, int64_t slot, int64_t count, int64_t width) {
  dad_block *block = &c->slots[slot];
  int64_t size = count * width;
  if (size > block->size || !block->start) {
#ifdef DAD_BLOCKS
    char *grown = malloc((size_t)size);
    if (!grown) abort();
    memset(grown, DAD_RUBBISH, (size_t)size);
    if (block->start) memcpy(grown, block->start, (size_t)block->size);
    free(block->start);
#else
    size = 2 * size + DAD_LINE;
    char *grown = realloc(block->start, (size_t)size);
    if (!grown) abort();
#endif
    block->start = grown;
    block->size = size;
  }
  return block->start;
}

/* The first of `count` slots that belong to a call from now on. */
static int64_t dad_slots(dad_context *c, int64_t count) {
  int64_t first = c->slot;
  c->slot += count;
  if (c->slot > c->slot_count) {
    int64_t more = 2 * c->slot + 16;
    c->slots = realloc(c->slots, (size_t)more * sizeof *c->slots);
    if (!c->slots) abort();
    memset(c->slots + c->slot_count, 0, (size_t)(more - c->slot_count) * sizeof *c->slots);
    c->slot_count = more;
  }
#ifdef DAD_BLOCKS
  for (int64_t k = first; k < c->slot; k++) {
    free(c->slots[k].start);
    c->slots[k].start = NULL;
    c->slots[k].size = 0;
  }
#endif
  return first;
}

static void dad_copy(void *target, const void *source, int64_t count, int64_t width) {
  if (count > 0) memmove(target, source, (size_t)(count * width));
}

static bool dad_fail(dad_context *c, int64_t site) { c->failed = site; return true; }
"""

FACE = """\
int64_t dad_context_size(void) { return sizeof(dad_context); }
/* Ready for a call; the arena from `start` on has `size` bytes. */
void dad_begin(dad_context *c, char *start, int64_t size, dad_host host) {
  c->start = c->top = start;
  c->end = start + size;
  c->depth = c->failed = c->slot = 0;
  c->host = host;
}
/* Nothing of a call is wanted any more. */
void dad_finish(dad_context *c) {
#ifdef DAD_BLOCKS
  dad_release(c, NULL);
#else
  c->top = c->start;
#endif
}
void dad_end(dad_context *c) {
  dad_finish(c);
  for (int64_t k = 0; k < c->slot_count; k++) free(c->slots[k].start);
  free(c->slots);
  free(c->blocks);
  memset(c, 0, sizeof *c);
}
void dad_turn(dad_context *c, bool backwards) { c->backwards = backwards; }
void *dad_take_room(dad_context *c, int64_t size) { return dad_take(c, size, 1); }
int64_t dad_failed(const dad_context *c, dad_cell *values) {
  memcpy(values, c->values, sizeof c->values);
  return c->failed;
}
"""

HALF = """\
static dad_half dad_to_half(double x) {
  dad_half sign = signbit(x) ? 0x8000 : 0;
  double size = fabs(x);
  if (x != x) return sign | 0x7e00;
  if (size >= 65520.0) return sign | 0x7c00;
  if (size < 0x1p-14) return sign | (dad_half)(int)rint(size * 0x1p24);
  int exponent;
  double part = frexp(size, &exponent);
  return sign | (dad_half)(((exponent + 14) << 10) + (int)rint(ldexp(part, 11)) - 1024);
}
static float dad_of_half(dad_half h) {
  int exponent = h >> 10 & 31, part = h & 1023;
  float size = exponent == 31 ? (part ? NAN : INFINITY)
             : exponent ? ldexpf((float)(1024 + part), exponent - 25) : ldexpf((float)part, -24);
  return copysignf(size, h & 0x8000 ? -1.0f : 1.0f);
}
/* Half precision is computed in single precision and rounded. */
static float dad_rounded(double x) { return dad_of_half(dad_to_half(x)); }
"""

SUM = """\
/* At most 128 numbers, as NumPy adds them. */
static @T dad_block_sum_@D(const @T *x, int64_t n) {
  int64_t k = 0;
  @T sum = 0;
  if (n >= 8) {
    @T r[8];
    memcpy(r, x, sizeof r);
    for (k = 8; k < n - n % 8; k += 8)
      for (int j = 0; j < 8; j++) r[j] = @R(r[j] + x[k + j]);
    sum = @R(@R(@R(r[0] + r[1]) + @R(r[2] + r[3])) + @R(@R(r[4] + r[5]) + @R(r[6] + r[7])));
  }
  for (; k < n; k++) sum = @R(sum + x[k]);
  return sum;
}
"""


def block_sum(dtype: str, ctype: str) -> str:
    """The sum of a block of floats of this dtype."""
    rounded = "dad_rounded" if dtype == "f16" else ""
    return SUM.replace("@T", ctype).replace("@D", dtype).replace("@R", rounded)
