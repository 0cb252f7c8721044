// Runs kernels that were compiled with device.h: one fiber to a CUDA thread, block after block.
//
// Threads of a block take turns. One runs until it waits, at a barrier of the block or with its warp, or ends. The
// order in which threads and blocks come is the caller's choice: first to last, last to first, or shuffled anew in each
// round. Shared memory is filled with rubbish before each block. What a GPU leaves undefined ends the launch with a
// message: a barrier that not all threads of the block reach, or that they reach on different lines; warps whose lanes
// do different things; memory that is not there; integers divided by zero.
//
// With the sanitiser of threads each CUDA thread is one of its fibers, and nothing but barriers, warps and fences
// orders what they do: it sees races inside of blocks and between them.
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#include "device.h"
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_start_switch_fiber(void **, const void *, size_t);
extern "C" void __sanitizer_finish_switch_fiber(void *, const void **, size_t *);
#endif
#if defined(__SANITIZE_THREAD__)
extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned);
void __tsan_destroy_fiber(void *);
void __tsan_switch_to_fiber(void *, unsigned);
void __tsan_acquire(void *);
void __tsan_release(void *);
// What is volatile is atomic and relaxed, as PTX has it; the accesses themselves stand behind these calls.
#define VOLATILE(bytes, Word) \
  void __tsan_volatile_read##bytes(void *at) { (void)__atomic_load_n((Word *)at, __ATOMIC_RELAXED); } \
  void __tsan_volatile_write##bytes(void *at) { (void)__atomic_fetch_add((Word *)at, 0, __ATOMIC_RELAXED); }
VOLATILE(1, unsigned char) VOLATILE(2, unsigned short) VOLATILE(4, unsigned) VOLATILE(8, unsigned long long)
}
#define HAND_OVER(place) __tsan_release(place)
#define TAKE_OVER(place) __tsan_acquire(place)
#define UNSEEN __attribute__((no_sanitize("thread")))
#else
#define HAND_OVER(place)
#define TAKE_OVER(place)
#define UNSEEN __attribute__((no_sanitize("address")))
#endif

dad_machine dad_here;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t STACK = 1 << 20;
#else
constexpr size_t STACK = 1 << 18;
#endif
constexpr int MOST = 1024, LANES = 32;
constexpr unsigned char RUBBISH = 0xCB;

enum State { NEW, READY, AT_BARRIER, IN_WARP, DONE };
struct Fiber {
  State state;
  uint3 place;
  int line, predicate;
  dad_operation operation;
  unsigned mask;
  int source;
  dad_word value, result;
  char *stack;
#if defined(__x86_64__)
  void *top;
#else
  ucontext_t context;
#endif
#if defined(__SANITIZE_ADDRESS__)
  void *fake;
#endif
#if defined(__SANITIZE_THREAD__)
  void *tsan;
#endif
};

Fiber fibers[MOST], home;
size_t home_size;
char *spare[MOST];
int spare_count, running, thread_count, turns[MOST];
void (*entry)(void **);
void **given;
sigjmp_buf escape;
char message[400];
int order_kind;
uint64_t random_state;
long long fence;
char block_sync, start_sync, end_sync;
volatile bool launched;

uint64_t dice() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

void arrange(int *items, int count) {
  for (int k = 0; k < count; k++) items[k] = order_kind == 1 ? count - 1 - k : k;
  if (order_kind == 2)
    for (int k = count - 1; k > 0; k--) {
      int other = (int)(dice() % (uint64_t)(k + 1)), kept = items[k];
      items[k] = items[other];
      items[other] = kept;
    }
}

[[noreturn]] void fail() { siglongjmp(escape, 1); }

// ------------------------------------------------------------------ switching

#if defined(__x86_64__)
extern "C" void dad_switch(void **from, void *to);
__asm__(".text\n.globl dad_switch\n.hidden dad_switch\n.type dad_switch,@function\ndad_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n  ret\n");
#define SWITCH(from, to) dad_switch(&(from).top, (to).top)
#else
#define SWITCH(from, to) swapcontext(&(from).context, &(to).context)
#endif

UNSEEN void leave(State state) {
  Fiber &me = fibers[running];
  me.state = state;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(state == DONE ? nullptr : &me.fake, home.stack, home_size);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(home.tsan, 1);
#endif
  SWITCH(me, home);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(me.fake, nullptr, nullptr);
#endif
}

UNSEEN void begin() {
#if defined(__SANITIZE_ADDRESS__)
  const void *bottom;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &home_size);
  home.stack = (char *)bottom;
#endif
  TAKE_OVER(&start_sync);
  entry(given);
  HAND_OVER(&end_sync);
  leave(DONE);
  abort();
}

UNSEEN char *stack_of_its_own() {
  if (spare_count) return spare[--spare_count];
  char *made = (char *)mmap(nullptr, STACK + 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made == MAP_FAILED) abort();
  mprotect(made, 4096, PROT_NONE);
  return made + 4096;
}

UNSEEN void resume(int number) {
  Fiber &f = fibers[number];
  running = number;
  dad_here.thread = f.place;
  if (f.state == NEW) {
    f.stack = stack_of_its_own();
#if defined(__x86_64__)
    void **top = (void **)(((uintptr_t)f.stack + STACK) & ~(uintptr_t)15);
    *--top = nullptr;
    *--top = (void *)begin;
    for (int k = 0; k < 6; k++) *--top = nullptr;
    f.top = top;
#else
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack;
    f.context.uc_stack.ss_size = STACK;
    f.context.uc_link = nullptr;
    makecontext(&f.context, begin, 0);
#endif
#if defined(__SANITIZE_THREAD__)
    f.tsan = __tsan_create_fiber(0);
#endif
  }
  f.state = READY;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&home.fake, f.stack, STACK);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(f.tsan, 1);
#endif
  SWITCH(home, f);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(home.fake, nullptr, nullptr);
#endif
  if (f.state == DONE) {
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(f.tsan);
    munmap(f.stack - 4096, STACK + 4096);  // another thread's stack is other memory
#else
    spare[spare_count++] = f.stack;
#endif
  }
}

// ------------------------------------------------------------------ warps

dad_word combined(dad_operation operation, dad_word a, dad_word b) {
  switch (operation) {
    case DAD_ADD: return a + b;
    case DAD_MIN: return a < b ? a : b;
    case DAD_MAX: return a > b ? a : b;
    case DAD_SIGNED_MIN: return (long long)a < (long long)b ? a : b;
    case DAD_SIGNED_MAX: return (long long)a > (long long)b ? a : b;
    case DAD_AND: return a & b;
    case DAD_OR: return a | b;
    default: return a ^ b;
  }
}

// Lets lanes go on whose companions have all come. False: there were none.
UNSEEN bool release_warp(int first) {
  int count = thread_count - first < LANES ? thread_count - first : LANES;
  bool released = false;
  for (int lane = 0; lane < count; lane++) {
    Fiber &f = fibers[first + lane];
    if (f.state != IN_WARP) continue;
    unsigned together = 0;
    bool complete = true;
    for (int k = 0; k < count && complete; k++) {
      Fiber &other = fibers[first + k];
      if (!(f.mask >> k & 1) || other.state == DONE) continue;
      complete = other.state == IN_WARP;
      together |= 1u << k;
    }
    if (!complete) continue;
    dad_word vote = 0, total = f.value;
    bool begun = false;
    for (int k = 0; k < count; k++) {
      if (!(together >> k & 1)) continue;
      Fiber &other = fibers[first + k];
      if (other.operation != f.operation || other.mask != f.mask || other.line != f.line) {
        snprintf(message, sizeof message, "lanes %d and %d of a warp do different things: line %d with mask %#x, line %d "
                 "with mask %#x", lane, k, f.line, f.mask, other.line, other.mask);
        fail();
      }
      vote |= (dad_word)(other.value != 0) << k;
      total = begun ? combined(f.operation, total, other.value) : other.value;
      begun = true;
    }
    for (int k = 0; k < count; k++) {
      if (!(together >> k & 1)) continue;
      Fiber &other = fibers[first + k];
      switch (other.operation) {
        case DAD_SYNC: break;
        case DAD_READ: {
          int s = other.source;
          bool there = s >= 0 && s < LANES && together >> s & 1;
          memset(&other.result, RUBBISH, sizeof other.result);
          if (there) other.result = fibers[first + s].value;
          break;
        }
        case DAD_VOTE: other.result = vote; break;
        case DAD_MATCH:
          other.result = 0;
          for (int j = 0; j < count; j++)
            if (together >> j & 1 && fibers[first + j].value == other.value) other.result |= 1u << j;
          break;
        default: other.result = total;
      }
      other.state = READY;
      released = true;
    }
  }
  return released;
}

// ------------------------------------------------------------------ blocks

[[noreturn]] UNSEEN void stuck() {
  int waiting = -1, other = -1;
  for (int k = 0; k < thread_count; k++) {
    if (fibers[k].state == AT_BARRIER || fibers[k].state == IN_WARP) {
      if (waiting < 0) waiting = k;
      else if (fibers[k].state != fibers[waiting].state && other < 0) other = k;
    } else if (other < 0) other = k;
  }
  Fiber &w = fibers[waiting];
  int used = snprintf(message, sizeof message, "thread %d waits at %s on line %d, which ", waiting,
                      w.state == AT_BARRIER ? "the barrier" : "an operation of its warp", w.line);
  if (other < 0) snprintf(message + used, sizeof message - used, "others never reach");
  else if (fibers[other].state == DONE) snprintf(message + used, sizeof message - used, "thread %d, that has ended, never reaches", other);
  else snprintf(message + used, sizeof message - used, "thread %d, that waits on line %d, never reaches", other, fibers[other].line);
  fail();
}

UNSEEN void run_block() {
  unsigned wide = dad_here.threads.x, high = dad_here.threads.y;
  for (int k = 0; k < thread_count; k++) {
    fibers[k].state = NEW;
    fibers[k].place = {k % wide, k / wide % high, k / (wide * high)};
  }
  arrange(turns, thread_count);
  for (;;) {
    int done = 0, at_barrier = 0;
    for (int k = 0; k < thread_count; k++) {
      Fiber &f = fibers[turns[k]];
      if (f.state == NEW || f.state == READY) resume(turns[k]);
      done += f.state == DONE;
      at_barrier += f.state == AT_BARRIER;
    }
    if (done == thread_count) return;
    if (at_barrier < thread_count) {
      bool released = false;
      for (int first = 0; first < thread_count; first += LANES) released |= release_warp(first);
      if (!released) stuck();
    } else {
      int count = 0;
      for (int k = 0; k < thread_count; k++) {
        if (fibers[k].line != fibers[0].line) {
          snprintf(message, sizeof message, "threads 0 and %d wait at barriers on lines %d and %d", k, fibers[0].line,
                   fibers[k].line);
          fail();
        }
        count += fibers[k].predicate;
      }
      for (int k = 0; k < thread_count; k++) {
        fibers[k].state = READY;
        fibers[k].result = (dad_word)count;
      }
    }
    if (order_kind == 2) arrange(turns, thread_count);
  }
}

UNSEEN void spoil(unsigned char *from, size_t count) {
#if defined(__SANITIZE_THREAD__)
  // Memory that has just been mapped is nobody's yet: what earlier blocks did with it is no race.
  constexpr uintptr_t PAGE = 4096;
  static unsigned char kept[2 * PAGE];
  unsigned char *first = (unsigned char *)((uintptr_t)from & ~(PAGE - 1)), *end = from + count,
                *last = (unsigned char *)(((uintptr_t)end + PAGE - 1) & ~(PAGE - 1));
  if (count) {
    size_t before = (size_t)(from - first), after = (size_t)(last - end);
    for (size_t k = 0; k < before; k++) ((volatile unsigned char *)kept)[k] = first[k];
    for (size_t k = 0; k < after; k++) ((volatile unsigned char *)kept)[PAGE + k] = end[k];
    mmap(first, (size_t)(last - first), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (size_t k = 0; k < before; k++) ((volatile unsigned char *)first)[k] = kept[k];
    for (size_t k = 0; k < after; k++) ((volatile unsigned char *)end)[k] = kept[PAGE + k];
  }
#endif
  for (volatile unsigned char *p = from; p < from + count; p++) *p = RUBBISH;
}

void caught(int number, siginfo_t *info, void *) {
  if (!launched) {
    signal(number, SIG_DFL);
    raise(number);
    return;
  }
  uint3 t = dad_here.thread, b = dad_here.block;
  snprintf(message, sizeof message, "%s %p in thread (%u, %u, %u) of block (%u, %u, %u)",
           number == SIGFPE ? "a division of integers by zero or beyond their range at" : "no device memory at",
           info->si_addr, t.x, t.y, t.z, b.x, b.y, b.z);
  fail();
}

}  // namespace

extern "C" {

UNSEEN int dad_lane(void) { return running % LANES; }
UNSEEN unsigned dad_active(void) { return 1u << running % LANES; }

UNSEEN int dad_barrier(int line, int predicate, int how) {
  Fiber &me = fibers[running];
  me.line = line;
  me.predicate = predicate;
  HAND_OVER(&block_sync);
  leave(AT_BARRIER);
  TAKE_OVER(&block_sync);
  int count = (int)me.result;
  return how == 0 ? count : how == 1 ? count == thread_count : count > 0;
}

UNSEEN dad_word dad_warp(dad_operation operation, unsigned mask, dad_word value, int source, int width, int line) {
  Fiber &me = fibers[running];
  if (!(mask >> running % LANES & 1)) dad_die("a lane is not in the mask that it gives", line);
  if (width < 1 || width > LANES || width & (width - 1)) dad_die("the width is no power of two up to 32", line);
  me.line = line;
  me.operation = operation;
  me.mask = mask;
  me.value = value;
  me.source = source;
#if defined(__SANITIZE_THREAD__)
  if (operation == DAD_SYNC) HAND_OVER(&fibers[running / LANES * LANES].result);
#endif
  leave(IN_WARP);
#if defined(__SANITIZE_THREAD__)
  if (operation == DAD_SYNC) TAKE_OVER(&fibers[running / LANES * LANES].result);
#endif
  return me.result;
}

UNSEEN void dad_fence(void) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  TAKE_OVER(&fence);
  HAND_OVER(&fence);
}

void dad_die(const char *why, int line) {
  snprintf(message, sizeof message, "%s, on line %d", why, line);
  fail();
}

// 0: first to last, 1: last to first, 2: shuffled, from this seed on.
void dad_order(int kind, unsigned long long seed) {
  order_kind = kind;
  random_state = seed * 0x9E3779B97F4A7C15ull + 0x853C49E6748FEA9Bull;
}

// What went wrong, or null. `shared` and `shared_size` are the kernel's own section of static shared memory.
UNSEEN const char *dad_launch(void (*kernel)(void **), void **arguments, const unsigned *blocks, const unsigned *threads,
                              size_t dynamic_size, unsigned char *shared, size_t shared_size) {
  static unsigned char *dynamic, *alternate;
  static int *place;
  static size_t place_room;
  if (!dynamic) {
    dynamic = (unsigned char *)aligned_alloc(4096, 1 << 18);
    alternate = (unsigned char *)malloc(1 << 16);
  }
  dad_here.blocks = dim3(blocks[0], blocks[1], blocks[2]);
  dad_here.threads = dim3(threads[0], threads[1], threads[2]);
  // Right before what is not there for it, where nothing else tells.
  dad_here.dynamic = dynamic + (1 << 18) - (dynamic_size + 15) / 16 * 16;
  thread_count = (int)(threads[0] * threads[1] * threads[2]);
  entry = kernel;
  given = arguments;
  message[0] = 0;
  size_t count = (size_t)blocks[0] * blocks[1] * blocks[2];
  if (count > place_room) place = (int *)realloc(place, (place_room = count) * sizeof *place);
  arrange(place, (int)count);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  stack_t signals = {}, signals_before;
  signals.ss_sp = alternate;
  signals.ss_size = 1 << 16;
  sigaltstack(&signals, &signals_before);
  struct sigaction action = {}, before[3];
  action.sa_sigaction = caught;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &before[0]);
  sigaction(SIGBUS, &action, &before[1]);
  sigaction(SIGFPE, &action, &before[2]);
#endif
#if defined(__SANITIZE_THREAD__)
  home.tsan = __tsan_get_current_fiber();
#endif
  launched = true;
  bool fine = sigsetjmp(escape, 1) == 0;
  if (fine)
    for (size_t k = 0; k < count; k++) {
      unsigned n = (unsigned)place[k];
      dad_here.block = {n % blocks[0], n / blocks[0] % blocks[1], n / (blocks[0] * blocks[1])};
      spoil(shared, shared_size);
      spoil(dad_here.dynamic, dynamic_size);
      HAND_OVER(&start_sync);
      run_block();
    }
  TAKE_OVER(&end_sync);
  launched = false;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  sigaction(SIGSEGV, &before[0], nullptr);
  sigaction(SIGBUS, &before[1], nullptr);
  sigaction(SIGFPE, &before[2], nullptr);
  sigaltstack(&signals_before, nullptr);
#endif
  return fine ? nullptr : message;
}

double dad_normcdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
}
