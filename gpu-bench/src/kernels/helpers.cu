// What timing needs besides the kernel that is timed.

// Writes a buffer that is larger than the last-level cache, so that nothing else stays in it.
extern "C" __global__ void locp_flush(uint4* buffer, u64 n, unsigned value) {
    u64 step = (u64)gridDim.x * blockDim.x;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        buffer[i] = make_uint4(value, value, value, value);
    }
}

// Reads a buffer and writes it back unchanged: what the producer of a tensor leaves in the cache.
extern "C" __global__ void locp_touch(uint4* buffer, u64 n) {
    u64 step = (u64)gridDim.x * blockDim.x;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        volatile unsigned* words = (volatile unsigned*)&buffer[i];
        unsigned a = words[0], b = words[1], c = words[2], d = words[3];
        words[0] = a; words[1] = b; words[2] = c; words[3] = d;
    }
}

// Holds the stream until the host sets the flag, so that all of a measurement is queued before its first event passes.
// It ends by itself after `limit_ns`, and says so by setting the flag to 2: a host that died must not hang the device.
extern "C" __global__ void locp_spin(volatile unsigned* flag, u64 limit_ns) {
    u64 start = global_ns();
    while (*flag == 0) {
        if (global_ns() - start > limit_ns) {
            *flag = 2;
            __threadfence_system();
            return;
        }
    }
}

// Keeps every multiprocessor busy with arithmetic for so long: clocks rise under load only.
extern "C" __global__ void locp_busy(u64 ns, float* sink) {
    u64 start = global_ns();
    float x = (float)threadIdx.x;
    while (global_ns() - start < ns) {
        for (int i = 0; i < 256; i++) {
            x = x * 1.0001f + 0.5f;
        }
    }
    if (x == 0.123f) {
        *sink = x;
    }
}

// Notes, for the multiprocessor that each block runs on, its cycle counter and the time that all share.
extern "C" __global__ void locp_clocks(u64* table, unsigned multiprocessors) {
    unsigned id = multiprocessor();
    if (threadIdx.x == 0 && id < multiprocessors) {
        table[2 * id] = cycles();
        table[2 * id + 1] = global_ns();
    }
}

// A well-mixed word for every index: the finalizer of SplitMix64 (Steele, Lea, Flood, 2014).
__device__ __forceinline__ u64 mixed(u64 x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

// Fills with normal values of deviation `scale` (a sum of twelve uniform ones, less six: no tails, and no function whose
// rounding differs from device to device); `rectify` sets the negative half to zero, as a ReLU does.
// `kind` is 0 for f32, 1 for f16, 2 for bf16.
extern "C" __global__ void locp_fill(void* buffer, u64 n, unsigned kind, unsigned rectify, u64 seed, float scale) {
    u64 step = (u64)gridDim.x * blockDim.x;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        unsigned sum = 0;
        for (u64 j = 0; j < 3; j++) {
            u64 word = mixed(seed ^ mixed(3 * i + j));
            sum += (unsigned)(word & 0xffff) + (unsigned)((word >> 16) & 0xffff);
            sum += (unsigned)((word >> 32) & 0xffff) + (unsigned)(word >> 48);
        }
        // Twelve 16-bit numbers: mean 6 * 65535, deviation 65536 to within 1e-5.
        float x = (float)((int)sum - 393210) * (scale / 65536.0f);
        if (rectify && x < 0.0f) {
            x = 0.0f;
        }
        if (kind == 0) {
            ((float*)buffer)[i] = x;
        } else if (kind == 1) {
            ((half_bits*)buffer)[i] = to_half(x);
        } else {
            ((half_bits*)buffer)[i] = to_bf16(x);
        }
    }
}
