// Direct depthwise convolution, NHWC, sums in f32: each thread computes one output pixel of `WIDE` neighboring channels.
// It is bound by memory, so the loads are what matters: 16 bytes a thread where channels allow it.

struct Depthwise {
    int batch, channels, height, width, out_h, out_w;
    int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    int activation; // 0 none, 1 relu, 2 relu6
};

__device__ __forceinline__ float load(const float* p) { return *p; }
__device__ __forceinline__ float load(const half_bits* p) { return from_half(*p); }
__device__ __forceinline__ void store(float* p, float x) { *p = x; }
__device__ __forceinline__ void store(half_bits* p, float x) { *p = to_half(x); }

// Copies neighboring channels, in one access where they fill one.
template <int WIDE, typename T>
__device__ __forceinline__ void copy_channels(T* to, const T* from) {
    if (WIDE * sizeof(T) == sizeof(uint4)) {
        *(uint4*)to = *(const uint4*)from;
    } else {
#pragma unroll
        for (int i = 0; i < WIDE; i++) {
            to[i] = from[i];
        }
    }
}

template <typename T, int WIDE>
__global__ void locp_depthwise(const T* x, const T* w, const T* bias, const T* residual, T* y, Depthwise d) {
    long long groups = d.channels / WIDE;
    long long total = (long long)d.batch * d.out_h * d.out_w * groups;
    long long id = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (id >= total) {
        return;
    }
    int c = (int)(id % groups) * WIDE;
    long long pixel = id / groups;
    int q = (int)(pixel % d.out_w);
    int p = (int)(pixel / d.out_w % d.out_h);
    int n = (int)(pixel / d.out_w / d.out_h);
    // Weights are laid out as output channel, row, column, for one input channel each.
    int positions = d.kernel_h * d.kernel_w;
    float sum[WIDE];
#pragma unroll
    for (int i = 0; i < WIDE; i++) {
        sum[i] = bias ? load(bias + c + i) : 0.0f;
    }
    alignas(16) T values[WIDE];
    for (int r = 0; r < d.kernel_h; r++) {
        int h = p * d.stride_h - d.pad_h + r * d.dilation_h;
        if (h < 0 || h >= d.height) {
            continue;
        }
        for (int s = 0; s < d.kernel_w; s++) {
            int v = q * d.stride_w - d.pad_w + s * d.dilation_w;
            if (v < 0 || v >= d.width) {
                continue;
            }
            copy_channels<WIDE>(values, x + (((long long)n * d.height + h) * d.width + v) * d.channels + c);
            const T* by = w + (long long)c * positions + r * d.kernel_w + s;
#pragma unroll
            for (int i = 0; i < WIDE; i++) {
                sum[i] += load(values + i) * load(by + (long long)i * positions);
            }
        }
    }
    long long at = pixel * d.channels + c;
    if (residual) {
        copy_channels<WIDE>(values, residual + at);
#pragma unroll
        for (int i = 0; i < WIDE; i++) {
            sum[i] += load(values + i);
        }
    }
#pragma unroll
    for (int i = 0; i < WIDE; i++) {
        store(values + i, activate(sum[i], d.activation));
    }
    copy_channels<WIDE>(y + at, values);
}
