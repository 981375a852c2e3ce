// Runs CUDA kernels on a CPU: the branch of `portable.cuh` for LOCP_EMULATE.
//
// One block at a time; its threads are coroutines that run in turns, one warp as far ahead of the others as barriers let
// it, so that a barrier that is missing is missed. Results come from the definitions in NVIDIA's PTX ISA manual, never
// from what a kernel expects. What is not defined yet is poisoned: shared memory that nobody wrote, the target of a copy
// that was not waited for.
#pragma once

#include "coroutine.h"
#include "tensor.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <unistd.h>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define LOCP_SHARED(name) unsigned char* name = emulator::block->shared

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct dim3 {
    unsigned x = 0, y = 0, z = 0;
};
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}
inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, 4);
    return bits;
}

inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
inline void __threadfence_system() {}

namespace emulator {

const unsigned char POISON = 0xff;

[[noreturn]] inline void fail(const char* what) {
    fprintf(stderr, "emulator: %s\n", what);
    _exit(1);
}

// What the lanes of a warp do together, or all threads of a block: a barrier.
enum class Together { None, Barrier, Warp, LoadMatrices, MultiplyAdd };

// A copy that was asked for and has not landed.
struct Copy {
    void* to;
    const void* from;
    bool valid;
};

struct Thread {
    Coroutine coroutine;
    dim3 index;
    bool is_done = false;
    // What it waits for, and its part of that.
    Together waits = Together::None;
    Part part;
    // Copies since the last commit, then the groups that were committed and have not landed, oldest first.
    std::vector<Copy> uncommitted;
    std::deque<std::vector<Copy>> groups;
};

struct Block {
    dim3 index, size, grid;
    unsigned char* shared = nullptr;
    size_t shared_bytes = 0;
    std::vector<std::unique_ptr<Thread>> threads;
};

inline Block* block = nullptr;
inline Thread* thread = nullptr;

// Leaves the thread until the others have come as far.
inline void wait(Together what) {
    thread->waits = what;
    thread->coroutine.leave();
}

inline void check_shared(const void* p, size_t bytes) {
    const unsigned char* at = (const unsigned char*)p;
    if (at < block->shared || at + bytes > block->shared + block->shared_bytes) {
        fail("access outside of shared memory");
    }
    if ((uintptr_t)at % 16 != 0) {
        fail("misaligned access to shared memory");
    }
}

// Lets copies arrive; nobody may have written their targets since they were asked for.
inline void land(const std::vector<Copy>& group) {
    for (const Copy& copy : group) {
        const unsigned char* target = (const unsigned char*)copy.to;
        if (std::count(target, target + 16, POISON) != 16) {
            fail("shared memory was written while a copy to it was under way");
        }
        if (copy.valid) {
            memcpy(copy.to, copy.from, 16);
        } else {
            memset(copy.to, 0, 16);
        }
    }
}

// Runs a warp until all of its lanes are at a barrier or done.
inline void run_warp(Thread* const* lanes) {
    for (;;) {
        unsigned done = 0;
        for (unsigned lane = 0; lane < WARP; lane++) {
            if (lanes[lane]->waits == Together::None && !lanes[lane]->is_done) {
                thread = lanes[lane];
                thread->coroutine.enter();
            }
            done += lanes[lane]->is_done;
        }
        Together what = Together::None;
        for (unsigned lane = 0; lane < WARP; lane++) {
            if (!lanes[lane]->is_done) {
                if (what != Together::None && what != lanes[lane]->waits) {
                    fail("lanes of one warp wait for different things");
                }
                what = lanes[lane]->waits;
            }
        }
        if (what == Together::None || what == Together::Barrier) {
            return;
        }
        if (done > 0) {
            fail("a warp goes on together without all of its lanes");
        }
        const Part* parts[WARP];
        for (unsigned lane = 0; lane < WARP; lane++) {
            parts[lane] = &lanes[lane]->part;
        }
        if (what == Together::LoadMatrices) {
            load_all(parts);
        } else if (what == Together::MultiplyAdd) {
            multiply_all(parts);
        }
        for (unsigned lane = 0; lane < WARP; lane++) {
            lanes[lane]->waits = Together::None;
        }
    }
}

// Runs a block to its end; `backward` starts with the last warp.
inline void run_block(const std::function<void()>& kernel, bool backward) {
    unsigned n = block->size.x;
    for (unsigned i = 0; i < n; i++) {
        if (i == block->threads.size()) {
            block->threads.push_back(std::make_unique<Thread>());
        }
        Thread& fresh = *block->threads[i];
        fresh.index.x = i;
        fresh.is_done = false;
        fresh.groups.clear();
        fresh.uncommitted.clear();
        fresh.coroutine.start([&kernel, &fresh] {
            kernel();
            // What was not waited for arrives as late as it can.
            for (const auto& group : fresh.groups) {
                land(group);
            }
            land(fresh.uncommitted);
            fresh.is_done = true;
        });
    }
    // A last warp that is not full is filled up with threads that are done.
    Thread nobody;
    nobody.is_done = true;
    unsigned warps = (n + WARP - 1) / WARP;
    std::vector<Thread*> all(warps * WARP, &nobody);
    for (unsigned i = 0; i < n; i++) {
        all[i] = block->threads[i].get();
    }
    for (bool is_running = true; is_running;) {
        is_running = false;
        for (unsigned warp = 0; warp < warps; warp++) {
            run_warp(&all[(backward ? warps - 1 - warp : warp) * WARP]);
        }
        // Everyone is at a barrier or done: those that are done need not come.
        for (Thread* one : all) {
            is_running |= !one->is_done;
            one->waits = Together::None;
        }
    }
}

} // namespace emulator

#define threadIdx (emulator::thread->index)
#define blockIdx (emulator::block->index)
#define blockDim (emulator::block->size)
#define gridDim (emulator::block->grid)

inline void __syncthreads() {
    emulator::wait(emulator::Together::Barrier);
}

inline void __syncwarp() {
    emulator::wait(emulator::Together::Warp);
}

inline half_bits to_half(float x) {
    return emulator::half_nearest(x);
}

inline float from_half(half_bits h) {
    return emulator::half_value(h);
}

inline void copy16(void* to, const void* from, bool valid, bool) {
    emulator::check_shared(to, 16);
    if ((uintptr_t)from % 16 != 0) {
        emulator::fail("misaligned copy from global memory");
    }
    // Between here and the wait there may be anything.
    memset(to, emulator::POISON, 16);
    emulator::thread->uncommitted.push_back({to, from, valid});
}

inline void copies_commit() {
    emulator::thread->groups.push_back(std::move(emulator::thread->uncommitted));
    emulator::thread->uncommitted.clear();
}

template <int pending>
void copies_wait() {
    auto& groups = emulator::thread->groups;
    while (groups.size() > pending) {
        emulator::land(groups.front());
        groups.pop_front();
    }
}

inline void load_matrices(unsigned (&r)[4], const void* row) {
    emulator::check_shared(row, 16);
    emulator::thread->part.loaded = r;
    emulator::thread->part.row = row;
    emulator::wait(emulator::Together::LoadMatrices);
}

inline void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    emulator::thread->part.sum = c;
    emulator::thread->part.left = a;
    emulator::thread->part.right = b;
    emulator::wait(emulator::Together::MultiplyAdd);
}

// A clock that ticks whenever it is read, by a microsecond; cycles are a thousand times as many.
inline u64 global_ns() {
    static u64 now = 0;
    return now += 1000;
}

inline unsigned multiprocessor() {
    return blockIdx.x;
}

inline u64 cycles() {
    return 1000 * global_ns();
}
