// What kernels in CUDA C see when a C++17 compiler reads them for the processor: keywords, places, barriers, warps,
// atomics and functions of CUDA, with the overloads that CUDA has and no others. `machine.cpp` runs the threads.
#pragma once
#include <math.h>
#include <stddef.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))
// `__shared__` is defined before each program: a section of its own, so that the machine can spoil it at each block.

typedef unsigned long long dad_word;

struct uint3 { unsigned x, y, z; };
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

struct dad_machine {
  uint3 thread, block;
  dim3 threads, blocks;
  unsigned char *dynamic;
};
enum dad_operation { DAD_SYNC, DAD_READ, DAD_VOTE, DAD_MATCH, DAD_ADD, DAD_MIN, DAD_MAX, DAD_AND, DAD_OR, DAD_XOR,
                     DAD_SIGNED_MIN, DAD_SIGNED_MAX };
extern "C" {
extern dad_machine dad_here;
int dad_barrier(int line, int predicate, int how);
dad_word dad_warp(dad_operation operation, unsigned mask, dad_word value, int source, int width, int line);
void dad_fence(void);
[[noreturn]] void dad_die(const char *why, int line);
int dad_lane(void);
unsigned dad_active(void);
}

#define threadIdx ((const uint3 &)dad_here.thread)
#define blockIdx ((const uint3 &)dad_here.block)
#define blockDim ((const dim3 &)dad_here.threads)
#define gridDim ((const dim3 &)dad_here.blocks)
#define warpSize 32

#define __syncthreads() ((void)dad_barrier(__LINE__, 0, 0))
#define __syncthreads_count(p) dad_barrier(__LINE__, (p) != 0, 0)
#define __syncthreads_and(p) dad_barrier(__LINE__, (p) != 0, 1)
#define __syncthreads_or(p) dad_barrier(__LINE__, (p) != 0, 2)
#define __trap() dad_die("__trap was called", __LINE__)
inline void __threadfence() { dad_fence(); }
inline void __threadfence_block() { dad_fence(); }
inline void __threadfence_system() { dad_fence(); }
inline void __nanosleep(unsigned) {}

// ------------------------------------------------------------------ bits

template <class To, class From> inline To dad_bits(From value) {
  static_assert(sizeof(To) >= sizeof(From), "no room");
  To made{};
  memcpy(&made, &value, sizeof value);
  return made;
}
template <class To> inline To dad_from(dad_word word) {
  To made;
  memcpy(&made, &word, sizeof made);
  return made;
}
inline long long __double_as_longlong(double x) { return dad_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return dad_bits<double>(x); }
inline int __float_as_int(float x) { return dad_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return dad_bits<unsigned>(x); }
inline float __int_as_float(int x) { return dad_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return dad_bits<float>(x); }
inline int __double2hiint(double x) { return (int)(dad_bits<dad_word>(x) >> 32); }
inline int __double2loint(double x) { return (int)dad_bits<dad_word>(x); }
inline double __hiloint2double(int high, int low) {
  return dad_bits<double>((dad_word)(unsigned)high << 32 | (unsigned)low);
}
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((dad_word)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(dad_word x) { return __builtin_popcountll(x); }
inline dad_word __brevll(dad_word x) {
  dad_word made = 0;
  for (int k = 0; k < 64; k++) made |= (x >> k & 1) << (63 - k);
  return made;
}
inline unsigned __brev(unsigned x) { return (unsigned)(__brevll(x) >> 32); }
inline dad_word __umul64hi(dad_word x, dad_word y) { return (dad_word)((unsigned __int128)x * y >> 64); }
inline long long __mul64hi(long long x, long long y) { return (long long)((__int128)x * y >> 64); }
inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((dad_word)x * y >> 32); }
inline int __mulhi(int x, int y) { return (int)((long long)x * y >> 32); }

// ------------------------------------------------------------------ warps

#define DAD_SHUFFLES(T) \
  inline T dad_shfl(int line, unsigned m, T v, int source, int w = 32) { \
    int base = dad_lane() & ~(w - 1); \
    return dad_from<T>(dad_warp(DAD_READ, m, dad_bits<dad_word>(v), base + (source & (w - 1)), w, line)); } \
  inline T dad_shfl_xor(int line, unsigned m, T v, int with, int w = 32) { \
    int lane = dad_lane(), source = lane ^ with; \
    if ((source & ~(w - 1)) > (lane & ~(w - 1))) source = lane; \
    return dad_from<T>(dad_warp(DAD_READ, m, dad_bits<dad_word>(v), source, w, line)); } \
  inline T dad_shfl_down(int line, unsigned m, T v, unsigned by, int w = 32) { \
    int lane = dad_lane(), source = lane + (int)by; \
    if ((source & ~(w - 1)) != (lane & ~(w - 1))) source = lane; \
    return dad_from<T>(dad_warp(DAD_READ, m, dad_bits<dad_word>(v), source, w, line)); } \
  inline T dad_shfl_up(int line, unsigned m, T v, unsigned by, int w = 32) { \
    int lane = dad_lane(), source = lane - (int)by; \
    if (source < (lane & ~(w - 1))) source = lane; \
    return dad_from<T>(dad_warp(DAD_READ, m, dad_bits<dad_word>(v), source, w, line)); }
DAD_SHUFFLES(int) DAD_SHUFFLES(unsigned) DAD_SHUFFLES(long) DAD_SHUFFLES(unsigned long)
DAD_SHUFFLES(long long) DAD_SHUFFLES(unsigned long long) DAD_SHUFFLES(float) DAD_SHUFFLES(double)
#define __shfl_sync(...) dad_shfl(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) dad_shfl_xor(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) dad_shfl_down(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) dad_shfl_up(__LINE__, __VA_ARGS__)

inline void dad_syncwarp(int line, unsigned mask = ~0u) { dad_warp(DAD_SYNC, mask, 0, 0, 32, line); }
#define __syncwarp(...) dad_syncwarp(__LINE__ __VA_OPT__(,) __VA_ARGS__)
#define __ballot_sync(m, p) ((unsigned)dad_warp(DAD_VOTE, (m), (p) != 0, 0, 32, __LINE__))
inline int dad_any(int line, unsigned m, int p) { return dad_warp(DAD_VOTE, m, p != 0, 0, 32, line) != 0; }
inline int dad_all(int line, unsigned m, int p) { return dad_warp(DAD_VOTE, m, p == 0, 0, 32, line) == 0; }
#define __any_sync(m, p) dad_any(__LINE__, (m), (p))
#define __all_sync(m, p) dad_all(__LINE__, (m), (p))
#define __match_any_sync(m, v) ((unsigned)dad_warp(DAD_MATCH, (m), dad_bits<dad_word>(v), 0, 32, __LINE__))
#define __activemask() dad_active()
#define __reduce_add_sync(m, v) dad_reduced(DAD_ADD, DAD_ADD, __LINE__, (m), (v))
#define __reduce_min_sync(m, v) dad_reduced(DAD_MIN, DAD_SIGNED_MIN, __LINE__, (m), (v))
#define __reduce_max_sync(m, v) dad_reduced(DAD_MAX, DAD_SIGNED_MAX, __LINE__, (m), (v))
#define __reduce_and_sync(m, v) dad_reduced(DAD_AND, DAD_AND, __LINE__, (m), (v))
#define __reduce_or_sync(m, v) dad_reduced(DAD_OR, DAD_OR, __LINE__, (m), (v))
#define __reduce_xor_sync(m, v) dad_reduced(DAD_XOR, DAD_XOR, __LINE__, (m), (v))
inline unsigned dad_reduced(dad_operation how, dad_operation, int line, unsigned m, unsigned v) {
  return (unsigned)dad_warp(how, m, v, 0, 32, line);
}
inline int dad_reduced(dad_operation, dad_operation how, int line, unsigned m, int v) {
  return (int)dad_warp(how, m, (dad_word)(long long)v, 0, 32, line);
}

// ------------------------------------------------------------------ atomics

template <class Word, class T, class F> inline T dad_change(T *place, F change) {
  static_assert(sizeof(Word) == sizeof(T), "another width");
  Word *word = (Word *)place, old = __atomic_load_n(word, __ATOMIC_RELAXED), next;
  T value;
  do {
    memcpy(&value, &old, sizeof value);
    T changed = change(value);
    memcpy(&next, &changed, sizeof next);
  } while (!__atomic_compare_exchange_n(word, &old, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return value;
}
#define DAD_ATOMIC(name, T, Word, expression) \
  inline T name(T *place, T value) { return dad_change<Word>(place, [=](T old) { (void)old; return (T)(expression); }); }
#define DAD_ATOMIC_WHOLE(T, Word) \
  DAD_ATOMIC(atomicMin, T, Word, value < old ? value : old) DAD_ATOMIC(atomicMax, T, Word, value > old ? value : old) \
  DAD_ATOMIC(atomicAnd, T, Word, old & value) DAD_ATOMIC(atomicOr, T, Word, old | value) \
  DAD_ATOMIC(atomicXor, T, Word, old ^ value)
DAD_ATOMIC_WHOLE(int, unsigned) DAD_ATOMIC_WHOLE(unsigned, unsigned)
DAD_ATOMIC_WHOLE(long long, dad_word) DAD_ATOMIC_WHOLE(unsigned long long, dad_word)
DAD_ATOMIC(atomicAdd, int, unsigned, (int)((unsigned)old + (unsigned)value)) DAD_ATOMIC(atomicAdd, unsigned, unsigned, old + value)
DAD_ATOMIC(atomicAdd, unsigned long long, dad_word, old + value)
DAD_ATOMIC(atomicAdd, float, unsigned, old + value) DAD_ATOMIC(atomicAdd, double, dad_word, old + value)
DAD_ATOMIC(atomicSub, int, unsigned, (int)((unsigned)old - (unsigned)value)) DAD_ATOMIC(atomicSub, unsigned, unsigned, old - value)
DAD_ATOMIC(atomicExch, int, unsigned, value) DAD_ATOMIC(atomicExch, unsigned, unsigned, value)
DAD_ATOMIC(atomicExch, unsigned long long, dad_word, value) DAD_ATOMIC(atomicExch, float, unsigned, value)
DAD_ATOMIC(atomicInc, unsigned, unsigned, old >= value ? 0 : old + 1)
DAD_ATOMIC(atomicDec, unsigned, unsigned, old == 0 || old > value ? value : old - 1)
#define DAD_CAS(T, Word) inline T atomicCAS(T *place, T want, T value) { \
  return dad_change<Word>(place, [=](T old) { return old == want ? value : old; }); }
DAD_CAS(int, unsigned) DAD_CAS(unsigned, unsigned) DAD_CAS(unsigned long long, dad_word)
DAD_CAS(unsigned short, unsigned short)

// ------------------------------------------------------------------ numbers

template <class T> inline T __ldg(const T *place) { return *place; }
template <class T> inline T __ldcg(const T *place) { return *place; }
template <class T> inline T __ldcs(const T *place) { return *place; }
template <class T> inline void __stcs(T *place, T value) { *place = value; }
#define DAD_ROUNDED(T, p) \
  inline T __##p##add_rn(T a, T b) { return a + b; } inline T __##p##sub_rn(T a, T b) { return a - b; } \
  inline T __##p##mul_rn(T a, T b) { return a * b; } inline T __##p##div_rn(T a, T b) { return a / b; } \
  inline T __##p##sqrt_rn(T a) { return sqrt(a); } inline T __##p##rcp_rn(T a) { return 1 / a; }
DAD_ROUNDED(double, d) DAD_ROUNDED(float, f)
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __double2float_rn(double x) { return (float)x; }
inline double __ll2double_rn(long long x) { return (double)x; }
inline double __ull2double_rn(unsigned long long x) { return (double)x; }
inline float __ll2float_rn(long long x) { return (float)x; }
inline float __ull2float_rn(unsigned long long x) { return (float)x; }
inline double rsqrt(double x) { return 1 / sqrt(x); }
inline float rsqrt(float x) { return 1 / sqrtf(x); }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline double rcbrt(double x) { return 1 / cbrt(x); }
inline double sinpi(double x) { return sin(M_PI * fmod(x, 2)); }
inline double cospi(double x) { return cos(M_PI * fmod(x, 2)); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
extern "C" double dad_normcdf(double);
inline double normcdf(double x) { return dad_normcdf(x); }
inline double erfcx(double x) { return exp(x * x) * erfc(x); }
#define DAD_ORDERED(T) \
  inline T min(T a, T b) { return b < a ? b : a; } inline T max(T a, T b) { return a < b ? b : a; }
DAD_ORDERED(int) DAD_ORDERED(unsigned) DAD_ORDERED(long) DAD_ORDERED(unsigned long)
DAD_ORDERED(long long) DAD_ORDERED(unsigned long long)
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

#define DAD_VECTOR(name, T, size) \
  struct __align__(size) name##2 { T x, y; }; \
  inline name##2 make_##name##2(T x, T y) { return name##2{x, y}; } \
  struct name##3 { T x, y, z; }; \
  struct __align__(16) name##4 { T x, y, z, w; }; \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return name##4{x, y, z, w}; }
DAD_VECTOR(float, float, 8) DAD_VECTOR(double, double, 16) DAD_VECTOR(int, int, 8)
DAD_VECTOR(longlong, long long, 16) DAD_VECTOR(ulonglong, unsigned long long, 16)
struct __align__(8) uint2 { unsigned x, y; };
struct __align__(16) uint4 { unsigned x, y, z, w; };

// ------------------------------------------------------------------ launches

template <class T> struct dad_type { static const char *name() { return sizeof(T) > 8 ? "struct" : "word"; } };
#define DAD_TYPE(T, text) template <> struct dad_type<T> { static const char *name() { return text; } };
DAD_TYPE(void, "void") DAD_TYPE(bool, "bool") DAD_TYPE(char, "i1") DAD_TYPE(signed char, "i1") DAD_TYPE(unsigned char, "u1")
DAD_TYPE(short, "i2") DAD_TYPE(unsigned short, "u2") DAD_TYPE(int, "i4") DAD_TYPE(unsigned, "u4")
DAD_TYPE(long, "i8") DAD_TYPE(unsigned long, "u8") DAD_TYPE(long long, "i8") DAD_TYPE(unsigned long long, "u8")
DAD_TYPE(float, "f4") DAD_TYPE(double, "f8")
template <class T> struct dad_plain { using type = T; };
template <class T> struct dad_plain<const T> { using type = T; };
template <class T> struct dad_plain<volatile T> { using type = T; };
template <class T> struct dad_plain<const volatile T> { using type = T; };
template <class T> struct dad_param {
  static void say(char *&to) {
    const char *name = dad_type<typename dad_plain<T>::type>::name();
    while (*name) *to++ = *name++;
    *to++ = ':';
    int size = (int)sizeof(T), digits = 1;
    while (digits * 10 <= size) digits *= 10;
    for (; digits; digits /= 10) *to++ = (char)('0' + size / digits % 10);
    *to++ = ' ';
  }
};
template <class T> struct dad_param<T *> {
  static void say(char *&to) {
    *to++ = '*';
    const char *name = dad_type<typename dad_plain<T>::type>::name();
    while (*name) *to++ = *name++;
    *to++ = ':';
    *to++ = '8';
    *to++ = ' ';
  }
};
template <class... A> inline void dad_signature(void (*)(A...), char *to) {
  (dad_param<A>::say(to), ...);
  *to = 0;
}
template <int... I> struct dad_places {};
template <int N, int... I> struct dad_count : dad_count<N - 1, N - 1, I...> {};
template <int... I> struct dad_count<0, I...> { using type = dad_places<I...>; };
template <class T> struct dad_stored { using type = T; };
template <class T> struct dad_stored<const T> { using type = T; };
template <class... A, int... I> inline void dad_apply(void (*kernel)(A...), void **arguments, dad_places<I...>) {
  kernel(*(typename dad_stored<A>::type *)arguments[I]...);
}
template <class... A> inline void dad_enter(void (*kernel)(A...), void **arguments) {
  dad_apply(kernel, arguments, typename dad_count<(int)sizeof...(A)>::type{});
}
