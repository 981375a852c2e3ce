// What the kernels need of the machine, in small functions: inline PTX on a device (no header is included, so that the
// run-time compiler needs none), and plain C++ where LOCP_EMULATE runs the same kernels on a CPU to test them.
// Fragment layouts are those of the PTX ISA manual, sections on `mma.m16n8k16`, `mma.m16n8k8` and `ldmatrix`.
typedef unsigned short half_bits;
typedef unsigned long long u64;

#ifdef LOCP_EMULATE
#include "emulator.h"
#else
#define LOCP_SHARED(name) extern __shared__ __align__(128) unsigned char name[]

__device__ __forceinline__ half_bits to_half(float x) {
    half_bits h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x));
    return h;
}

__device__ __forceinline__ float from_half(half_bits h) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h));
    return x;
}

__device__ __forceinline__ unsigned shared_address(const void* p) {
    return (unsigned)__cvta_generic_to_shared(p);
}

// Copies 16 bytes to shared memory, or zeros where `valid` is false, when `from` may point anywhere; complete after
// `copies_wait`. `reused` tells that other kernel positions will read the same bytes soon, so that they should pass
// through the multiprocessor's own cache.
__device__ __forceinline__ void copy16(void* to, const void* from, bool valid, bool reused) {
#if __CUDA_ARCH__ >= 800
    unsigned n = valid ? 16 : 0;
    if (reused) {
        asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(n)
                     : "memory");
    } else {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(n)
                     : "memory");
    }
#else
    *(uint4*)to = valid ? *(const uint4*)from : make_uint4(0, 0, 0, 0);
#endif
}

__device__ __forceinline__ void copies_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until all but the newest `pending` groups of copies have arrived.
template <int pending>
__device__ __forceinline__ void copies_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

// Four 8x8 matrices of halves; lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void load_matrices(unsigned (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row)));
}

// c += a * b for 16x16 halves by 16x8 halves, in f32.
__device__ __forceinline__ void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(b[0]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}

// Nanoseconds of one clock that all multiprocessors share.
__device__ __forceinline__ u64 global_ns() {
    u64 t;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t));
    return t;
}

__device__ __forceinline__ unsigned multiprocessor() {
    unsigned id;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(id));
    return id;
}

__device__ __forceinline__ u64 cycles() {
    return clock64();
}
#endif

// The upper half of an f32, rounded to the nearest, ties to even; finite values only.
__device__ __forceinline__ half_bits to_bf16(float x) {
    unsigned bits = __float_as_uint(x);
    return (half_bits)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// What is left of a sum before it is stored: 0 nothing, 1 relu, 2 relu6. What is no number stays so: it shows.
__device__ __forceinline__ float activate(float x, int activation) {
    if (activation > 0) {
        x = x < 0.0f ? 0.0f : x;
    }
    if (activation == 2) {
        x = x > 6.0f ? 6.0f : x;
    }
    return x;
}
