// Convolution as a matrix product on tensor cores, without ever building the matrix: f16 in, sums in f32, NHWC.
//
// Rows are output pixels (M), columns output channels (N), and the sum runs over input channels in steps of TILE_K and,
// within each, over kernel positions (K). A block of threads computes TILE_M x TILE_N outputs; operands pass through
// STAGES buffers of shared memory, filled ahead by asynchronous copies; each warp multiplies its own part.
// What it takes is therefore a staircase that can be computed: blocks, waves and steps of K (see `staircase` in Rust).

struct Gemm {
    int batch, c_in, c_out, height, width, out_h, out_w;
    int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    int activation; // 0 none, 1 relu, 2 relu6
};

const int TILE_K = 32, CHUNKS = TILE_K / 8;

// Where a 16-byte chunk of a row lies: rows of 64 bytes, chunks turned so that the eight rows that one matrix load reads
// lie in eight different groups of banks.
__device__ __forceinline__ int place(int row, int chunk) {
    return row * (TILE_K * 2) + ((chunk ^ ((row >> 1) & 3)) << 4);
}

// One 16-byte chunk where rows of the operand begin at multiples of 16 bytes: eight channels, of which `channels` exist.
template <bool ALIGNED>
__device__ __forceinline__ void copy_chunk(unsigned char* to, const half_bits* from, bool valid, int channels,
                                           bool reused) {
    if (ALIGNED) {
        copy16(to, from, valid && channels > 0, reused);
    } else {
        uint4 chunk;
        unsigned* words = (unsigned*)&chunk;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            unsigned low = valid && 2 * i < channels ? from[2 * i] : 0;
            unsigned high = valid && 2 * i + 1 < channels ? from[2 * i + 1] : 0;
            words[i] = low | high << 16;
        }
        *(uint4*)to = chunk;
    }
}

// Stores eight neighboring channels of a pixel, of which `channels` exist; `wide` where they lie at a multiple of 16
// bytes.
__device__ __forceinline__ void finish(const float* sums, const half_bits* bias, const half_bits* residual, half_bits* y,
                                       int channels, bool wide, int activation) {
    uint4 result, more = make_uint4(0, 0, 0, 0);
    half_bits *values = (half_bits*)&result, *added = (half_bits*)&more;
    if (residual && wide) {
        more = *(const uint4*)residual;
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
        bool exists = i < channels;
        half_bits from_bias = bias && exists ? bias[i] : 0;
        half_bits from_residual = residual && exists && !wide ? residual[i] : added[i];
        values[i] = to_half(activate(sums[i] + from_half(from_bias) + from_half(from_residual), activation));
    }
    if (wide) {
        *(uint4*)y = result;
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (i < channels) {
                y[i] = values[i];
            }
        }
    }
}

template <int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int STAGES, bool ALIGNED>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N)
    locp_igemm(const half_bits* x, const half_bits* w, const half_bits* bias, const half_bits* residual, half_bits* y,
               Gemm g) {
    const int THREADS = 32 * WARPS_M * WARPS_N, ROWS = THREADS / CHUNKS;
    const int WARP_M = TILE_M / WARPS_M, WARP_N = TILE_N / WARPS_N;
    const int MM = WARP_M / 16, NN = WARP_N / 8, KK = TILE_K / 16;
    const int LOADS_A = TILE_M / ROWS, LOADS_B = TILE_N / ROWS;
    const int STAGE = place(TILE_M + TILE_N, 0);
    LOCP_SHARED(shared);
    int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    int warp_m = warp % WARPS_M * WARP_M, warp_n = warp / WARPS_M * WARP_N;
    int tiles_n = (g.c_out + TILE_N - 1) / TILE_N;
    // Neighboring blocks share their pixels, so the input is read from memory once for all output channels.
    int first_n = (int)(blockIdx.x % tiles_n) * TILE_N;
    int first_m = (int)(blockIdx.x / tiles_n) * TILE_M;
    int pixels = g.batch * g.out_h * g.out_w;

    // Each thread copies one chunk of several rows, ROWS apart. For each of its pixels it knows where the kernel's first
    // position lies, and which rows (low half) and columns (high half) of the kernel are inside of the image, a bit each.
    int chunk = thread % CHUNKS, row = thread / CHUNKS;
    int from_a[LOADS_A];
    unsigned inside[LOADS_A];
#pragma unroll
    for (int i = 0; i < LOADS_A; i++) {
        int m = first_m + row + i * ROWS;
        bool is_pixel = m < pixels;
        int pixel = is_pixel ? m : 0;
        int q = pixel % g.out_w, p = pixel / g.out_w % g.out_h, n = pixel / g.out_w / g.out_h;
        int top = p * g.stride_h - g.pad_h, left = q * g.stride_w - g.pad_w;
        from_a[i] = ((n * g.height + top) * g.width + left) * g.c_in + chunk * 8;
        inside[i] = 0;
        for (int r = 0; r < g.kernel_h; r++) {
            int h = top + r * g.dilation_h;
            inside[i] |= (unsigned)(is_pixel && h >= 0 && h < g.height) << r;
        }
        for (int s = 0; s < g.kernel_w; s++) {
            int v = left + s * g.dilation_w;
            inside[i] |= (unsigned)(v >= 0 && v < g.width) << (16 + s);
        }
    }
    int positions = g.kernel_h * g.kernel_w;
    int from_b = (first_n + row) * positions * g.c_in + chunk * 8;

    // What is copied next, and how far its input and weights lie behind those of the first step.
    int r = 0, s = 0, c = 0, offset_a = 0, offset_b = 0;
    auto copy = [&](int stage) {
        unsigned char* to = shared + stage * STAGE;
        int channels = g.c_in - c - chunk * 8;
#pragma unroll
        for (int i = 0; i < LOADS_A; i++) {
            bool valid = inside[i] >> r & inside[i] >> (16 + s) & 1;
            copy_chunk<ALIGNED>(to + place(row + i * ROWS, chunk), x + (offset_a + from_a[i]), valid, channels, true);
        }
#pragma unroll
        for (int i = 0; i < LOADS_B; i++) {
            bool valid = first_n + row + i * ROWS < g.c_out;
            const half_bits* from = w + (offset_b + from_b + i * ROWS * positions * g.c_in);
            copy_chunk<ALIGNED>(to + place(TILE_M + row + i * ROWS, chunk), from, valid, channels, false);
        }
        // Kernel positions come before channels: neighboring ones read almost the same pixels, while these are cached.
        if (++s == g.kernel_w) {
            s = 0;
            if (++r == g.kernel_h) {
                r = 0;
                c += TILE_K;
            }
        }
        offset_a = (r * g.dilation_h * g.width + s * g.dilation_w) * g.c_in + c;
        offset_b = (r * g.kernel_w + s) * g.c_in + c;
    };

    // Two sets of fragments: while one is multiplied, the other is loaded.
    unsigned part_a[2][MM][4], part_b[2][NN][2];
    auto load = [&](int set, int stage, int k) {
        const unsigned char* a = shared + stage * STAGE;
#pragma unroll
        for (int i = 0; i < MM; i++) {
            // Matrices: rows 0-7 and 8-15 of the first eight channels, then of the next eight.
            load_matrices(part_a[set][i], a + place(warp_m + i * 16 + lane % 16, 2 * k + lane / 16));
        }
#pragma unroll
        for (int j = 0; j < NN; j += 2) {
            // Matrices: both halves of the channels for columns 0-7, then for columns 8-15.
            unsigned both[4];
            load_matrices(both, a + place(TILE_M + warp_n + j * 8 + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
            part_b[set][j][0] = both[0];
            part_b[set][j][1] = both[1];
            part_b[set][j + 1][0] = both[2];
            part_b[set][j + 1][1] = both[3];
        }
    };

    float sums[MM][NN][4];
#pragma unroll
    for (int i = 0; i < MM * NN * 4; i++) {
        sums[i / 4 / NN][i / 4 % NN][i % 4] = 0.0f;
    }
    int steps = positions * ((g.c_in + TILE_K - 1) / TILE_K);
    for (int stage = 0; stage < STAGES - 1; stage++) {
        if (stage < steps) {
            copy(stage);
        }
        copies_commit();
    }
    copies_wait<STAGES - 2>();
    __syncthreads();
    load(0, 0, 0);
    int stage = 0, filled = STAGES - 1;
    for (int step = 0; step < steps; step++) {
#pragma unroll
        for (int k = 0; k < KK; k++) {
            if (k < KK - 1) {
                load((k + 1) % 2, stage, k + 1);
            } else {
                // The next step's copies have arrived for every thread. After the last step nothing did, and what is
                // loaded then is not used.
                copies_wait<STAGES - 2>();
                __syncthreads();
                stage = stage + 1 == STAGES ? 0 : stage + 1;
                load((k + 1) % 2, stage, 0);
            }
            if (k == 0) {
                // Everyone has read what the last step multiplied, so its buffer can be filled.
                if (step + STAGES - 1 < steps) {
                    copy(filled);
                }
                copies_commit();
                filled = filled + 1 == STAGES ? 0 : filled + 1;
            }
#pragma unroll
            for (int i = 0; i < MM; i++) {
#pragma unroll
                for (int j = 0; j < NN; j++) {
                    multiply_add(sums[i][j], part_a[k % 2][i], part_b[k % 2][j]);
                }
            }
        }
    }

    // Sums lie in fragments, two neighbors to a lane. Each warp hands sixteen pixels at a time through its own part of
    // shared memory, so that eight channels of a pixel are stored at once; rows are set off by eight banks. The barrier
    // keeps the loads after the last step, which nobody uses, apart from what is written now.
    const int PITCH = WARP_N + 8;
    float* slice = (float*)shared + warp * 16 * PITCH;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < MM; i++) {
#pragma unroll
        for (int j = 0; j < NN; j++) {
            float* to = slice + lane / 4 * PITCH + j * 8 + lane % 4 * 2;
            to[0] = sums[i][j][0];
            to[1] = sums[i][j][1];
            to[8 * PITCH] = sums[i][j][2];
            to[8 * PITCH + 1] = sums[i][j][3];
        }
        __syncwarp();
#pragma unroll 1
        for (int piece = lane; piece < 16 * NN; piece += 32) {
            int m = first_m + warp_m + i * 16 + piece / NN, n = first_n + warp_n + piece % NN * 8;
            if (m < pixels && n < g.c_out) {
                long long at = (long long)m * g.c_out + n;
                finish(slice + piece / NN * PITCH + piece % NN * 8, bias ? bias + n : bias,
                       residual ? residual + at : residual, y + at, g.c_out - n, g.c_out % 8 == 0, g.activation);
            }
        }
        __syncwarp();
    }
}
