// What follows a convolution, in place: y = activation(y + bias + residual), every sum in f32.
// It is for convolutions that the library does not fuse; a network that is deployed without fusion does the same.

__device__ __forceinline__ float load_kind(const void* p, u64 i, unsigned kind) {
    if (kind == 0) {
        return ((const float*)p)[i];
    }
    half_bits h = ((const half_bits*)p)[i];
    return kind == 1 ? from_half(h) : __uint_as_float((unsigned)h << 16);
}

__device__ __forceinline__ void store_kind(void* p, u64 i, unsigned kind, float x) {
    if (kind == 0) {
        ((float*)p)[i] = x;
    } else if (kind == 1) {
        ((half_bits*)p)[i] = to_half(x);
    } else {
        ((half_bits*)p)[i] = to_bf16(x);
    }
}

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// Those of `activate`, and 3 silu, 4 sigmoid, 5 hardswish.
__device__ __forceinline__ float activate_any(float x, unsigned activation) {
    switch (activation) {
    case 3: return x * sigmoid(x);
    case 4: return sigmoid(x);
    case 5: return x * fminf(fmaxf(x / 6.0f + 0.5f, 0.0f), 1.0f);
    default: return activate(x, (int)activation);
    }
}

// `kind` is 0 for f32, 1 for f16, 2 for bf16; a channel's value stands in `inner` neighboring elements.
extern "C" __global__ void locp_epilogue(void* y, const void* bias, const void* residual, u64 n, unsigned kind,
                                         unsigned channels, unsigned inner, unsigned activation) {
    u64 step = (u64)gridDim.x * blockDim.x;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        float x = load_kind(y, i, kind);
        if (residual) {
            x += load_kind(residual, i, kind);
        }
        if (bias) {
            x += load_kind(bias, i / inner % channels, kind);
        }
        store_kind(y, i, kind, activate_any(x, activation));
    }
}
