// Convolution as a matrix product on tensor cores, without ever building the matrix: f16 in, sums in f32, NHWC.
//
// Rows are output pixels (M), columns output channels (N), and the sum runs over kernel positions and input channels (K),
// the latter in steps of TILE_K for each kernel position. A block of threads computes TILE_M x TILE_N outputs; operands
// pass through STAGES buffers of shared memory, filled ahead by asynchronous copies; each warp multiplies its own part.
// What it takes is therefore a staircase that can be computed: blocks, waves and steps of K (see `edges` in Rust).

struct Gemm {
    int batch, c_in, c_out, height, width, out_h, out_w;
    int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    int has_bias, activation; // 0 none, 1 relu
};

// Where a 16-byte chunk of a row lies: rows of 64 bytes, chunks turned so that the eight rows that one matrix load reads
// lie in eight different groups of banks.
__device__ __forceinline__ int place(int row, int chunk) {
    return row * 64 + ((chunk ^ ((row >> 1) & 3)) << 4);
}

template <int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int STAGES, bool ALIGNED>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N)
    locp_igemm(const half_bits* x, const half_bits* w, const half_bits* bias, half_bits* y, Gemm g) {
    const int TILE_K = 32, CHUNKS = TILE_K / 8, THREADS = 32 * WARPS_M * WARPS_N;
    const int WARP_M = TILE_M / WARPS_M, WARP_N = TILE_N / WARPS_N;
    const int MM = WARP_M / 16, NN = WARP_N / 8;
    const int LOADS_A = TILE_M * CHUNKS / THREADS, LOADS_B = TILE_N * CHUNKS / THREADS;
    const int STAGE = (TILE_M + TILE_N) * 64;
    LOCP_SHARED(shared);
    int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    int warp_m = warp % WARPS_M * WARP_M, warp_n = warp / WARPS_M * WARP_N;
    int tiles_n = (g.c_out + TILE_N - 1) / TILE_N;
    // Neighboring blocks share their rows, so the input is read from memory once for all output channels.
    int first_n = (int)(blockIdx.x % tiles_n) * TILE_N;
    int pixels = g.batch * g.out_h * g.out_w;
    int first_m = (int)(blockIdx.x / tiles_n) * TILE_M;

    // The rows that this thread copies stay the same; what changes is the kernel position and the channels.
    int chunk = thread % CHUNKS;
    int top[LOADS_A], left[LOADS_A];
    const half_bits* image[LOADS_A];
#pragma unroll
    for (int i = 0; i < LOADS_A; i++) {
        int m = first_m + thread / CHUNKS + i * (THREADS / CHUNKS);
        // A row past the last pixel lies far outside of the image and so reads zeros.
        bool is_pixel = m < pixels;
        int pixel = is_pixel ? m : 0;
        int q = pixel % g.out_w, p = pixel / g.out_w % g.out_h, n = pixel / g.out_w / g.out_h;
        top[i] = is_pixel ? p * g.stride_h - g.pad_h : -0x40000000;
        left[i] = q * g.stride_w - g.pad_w;
        image[i] = x + (long long)n * g.height * g.width * g.c_in;
    }
    int c_blocks = (g.c_in + TILE_K - 1) / TILE_K;
    int steps = g.kernel_h * g.kernel_w * c_blocks;
    int row_k = g.kernel_h * g.kernel_w * g.c_in;

    // The position that is copied next.
    int r = 0, s = 0, c_block = 0;
    auto copy = [&](int stage) {
        unsigned char* to = shared + stage * STAGE;
        int c = c_block * TILE_K + chunk * 8;
#pragma unroll
        for (int i = 0; i < LOADS_A; i++) {
            int row = thread / CHUNKS + i * (THREADS / CHUNKS);
            int h = top[i] + r * g.dilation_h, v = left[i] + s * g.dilation_w;
            bool inside = h >= 0 && h < g.height && v >= 0 && v < g.width;
            const half_bits* from = image[i] + ((long long)h * g.width + v) * g.c_in + c;
            if (ALIGNED) {
                bool valid = inside && c < g.c_in;
                copy16(to + place(row, chunk), valid ? from : x, valid);
            } else {
                half_bits* at = (half_bits*)(to + place(row, chunk));
#pragma unroll
                for (int j = 0; j < 8; j++) {
                    at[j] = inside && c + j < g.c_in ? from[j] : (half_bits)0;
                }
            }
        }
#pragma unroll
        for (int i = 0; i < LOADS_B; i++) {
            int row = thread / CHUNKS + i * (THREADS / CHUNKS);
            int n = first_n + row;
            const half_bits* from = w + (long long)n * row_k + (r * g.kernel_w + s) * g.c_in + c;
            unsigned char* base = to + TILE_M * 64;
            if (ALIGNED) {
                bool valid = n < g.c_out && c < g.c_in;
                copy16(base + place(row, chunk), valid ? from : w, valid);
            } else {
                half_bits* at = (half_bits*)(base + place(row, chunk));
#pragma unroll
                for (int j = 0; j < 8; j++) {
                    at[j] = n < g.c_out && c + j < g.c_in ? from[j] : (half_bits)0;
                }
            }
        }
        if (++c_block == c_blocks) {
            c_block = 0;
            if (++s == g.kernel_w) {
                s = 0;
                r++;
            }
        }
    };

    float sums[MM][NN][4];
#pragma unroll
    for (int i = 0; i < MM; i++) {
#pragma unroll
        for (int j = 0; j < NN; j++) {
#pragma unroll
            for (int k = 0; k < 4; k++) {
                sums[i][j][k] = 0.0f;
            }
        }
    }
    for (int stage = 0; stage < STAGES - 1; stage++) {
        if (stage < steps) {
            copy(stage);
        }
        copies_commit();
    }
    for (int step = 0; step < steps; step++) {
        // The oldest group has arrived, for every thread; and everyone is done with the buffer that is filled next.
        copies_wait<STAGES - 2>();
        __syncthreads();
        if (step + STAGES - 1 < steps) {
            copy((step + STAGES - 1) % STAGES);
        }
        copies_commit();
        const unsigned char* a = shared + step % STAGES * STAGE;
        const unsigned char* b = a + TILE_M * 64;
#pragma unroll
        for (int k = 0; k < TILE_K / 16; k++) {
            unsigned left_part[MM][4], right_part[NN][2];
#pragma unroll
            for (int i = 0; i < MM; i++) {
                // Matrices: rows 0-7 and 8-15 of the first eight channels, then of the next eight.
                load_matrices(left_part[i], a + place(warp_m + i * 16 + lane % 16, 2 * k + lane / 16));
            }
#pragma unroll
            for (int j = 0; j < NN; j += 2) {
                // Matrices: both halves of the channels for columns 0-7, then for columns 8-15.
                unsigned both[4];
                load_matrices(both, b + place(warp_n + j * 8 + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
                right_part[j][0] = both[0];
                right_part[j][1] = both[1];
                right_part[j + 1][0] = both[2];
                right_part[j + 1][1] = both[3];
            }
#pragma unroll
            for (int i = 0; i < MM; i++) {
#pragma unroll
                for (int j = 0; j < NN; j++) {
                    multiply_add(sums[i][j], left_part[i], right_part[j]);
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < MM; i++) {
#pragma unroll
        for (int j = 0; j < NN; j++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int m = first_m + warp_m + i * 16 + lane / 4 + half * 8;
                int n = first_n + warp_n + j * 8 + lane % 4 * 2;
                if (m >= pixels || n >= g.c_out) {
                    continue;
                }
                bool both = n + 1 < g.c_out;
                float u = sums[i][j][2 * half], v = sums[i][j][2 * half + 1];
                if (g.has_bias) {
                    u += from_half(bias[n]);
                    v += both ? from_half(bias[n + 1]) : 0.0f;
                }
                if (g.activation == 1) {
                    u = u > 0.0f ? u : 0.0f;
                    v = v > 0.0f ? v : 0.0f;
                }
                half_bits* to = y + (long long)m * g.c_out + n;
                if (both && g.c_out % 2 == 0) {
                    *(unsigned*)to = (unsigned)to_half(u) | (unsigned)to_half(v) << 16;
                } else {
                    to[0] = to_half(u);
                    if (both) {
                        to[1] = to_half(v);
                    }
                }
            }
        }
    }
}
