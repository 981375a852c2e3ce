// Halves, and what the lanes of a warp do together with matrices of them, by NVIDIA's PTX ISA manual (sections on
// `ldmatrix` and on fragments of `mma.m16n8k16`).
#pragma once

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace emulator {

const unsigned WARP = 32;

// What one lane brings.
struct Part {
    unsigned* loaded = nullptr;
    const void* row = nullptr;
    float* sum = nullptr;
    const unsigned *left = nullptr, *right = nullptr;
};

// Halves, by IEEE 754: sign, five bits of exponent, ten of fraction.
inline float half_value(unsigned short h) {
    static const std::vector<float> table = [] {
        std::vector<float> values(1 << 16);
        for (unsigned bits = 0; bits < 1 << 16; bits++) {
            int exponent = bits >> 10 & 31, fraction = bits & 1023;
            float x = exponent == 0    ? std::ldexp((float)fraction, -24)
                      : exponent < 31  ? std::ldexp((float)(fraction + 1024), exponent - 25)
                      : fraction == 0  ? INFINITY
                                       : NAN;
            values[bits] = bits >> 15 ? -x : x;
        }
        return values;
    }();
    return table[h];
}

// The nearest half, ties to even, by trying both neighbors.
inline unsigned short half_nearest(float x) {
    unsigned short sign = std::signbit(x) ? 0x8000 : 0;
    double size = std::fabs((double)x);
    if (std::isnan(x)) {
        return 0x7fff;
    }
    // The largest half that is not above it; halves without sign are ordered as their bits are.
    unsigned low = 0, high = 0x7c00;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        (half_value(middle) <= size ? low : high) = middle;
    }
    // Above the largest half, infinity stands for the next one there would be.
    double up = high == 0x7c00 ? 65536.0 : half_value(high), down = half_value(low);
    bool is_up = size - down > up - size || (size - down == up - size && low % 2 == 1);
    return sign | (is_up ? high : low);
}

// ldmatrix.x4: row r of matrix i is at the address of lane 8 * i + r, eight halves; lane l receives of each matrix the
// two halves at row l / 4, columns l % 4 * 2 and the next.
inline void load_all(const Part* const* lanes) {
    for (unsigned lane = 0; lane < WARP; lane++) {
        for (unsigned matrix = 0; matrix < 4; matrix++) {
            const unsigned char* row = (const unsigned char*)lanes[8 * matrix + lane / 4]->row;
            memcpy(&lanes[lane]->loaded[matrix], row + lane % 4 * 4, 4);
        }
    }
}

// Half `i` of a fragment's registers, the lower one first.
inline float element(const unsigned* registers, unsigned i) {
    return half_value((unsigned short)(registers[i / 2] >> (i % 2 * 16)));
}

// mma.m16n8k16, by the manual's figures: with group = lane / 4 and place = lane % 4,
// a[i] is at row group + (0 for i = 0, 1, 4, 5; else 8), column 2 * place + i % 2 + (8 for i >= 4),
// b[i] at row 2 * place + i % 2 + (8 for i >= 2), column group,
// c[i] at row group + (8 for i >= 2), column 2 * place + i % 2.
inline void multiply_all(const Part* const* lanes) {
    float a[16][16], b[8][16];
    for (unsigned lane = 0; lane < WARP; lane++) {
        unsigned group = lane / 4, place = lane % 4;
        for (unsigned i = 0; i < 8; i++) {
            bool is_upper = i == 0 || i == 1 || i == 4 || i == 5;
            a[group + (is_upper ? 0 : 8)][2 * place + i % 2 + (i >= 4 ? 8 : 0)] = element(lanes[lane]->left, i);
        }
        for (unsigned i = 0; i < 4; i++) {
            b[group][2 * place + i % 2 + (i >= 2 ? 8 : 0)] = element(lanes[lane]->right, i);
        }
    }
    for (unsigned lane = 0; lane < WARP; lane++) {
        unsigned group = lane / 4, place = lane % 4;
        for (unsigned i = 0; i < 4; i++) {
            const float *row = a[group + (i >= 2 ? 8 : 0)], *column = b[2 * place + i % 2];
            float sum = lanes[lane]->sum[i];
            for (unsigned k = 0; k < 16; k++) {
                sum += row[k] * column[k];
            }
            lanes[lane]->sum[i] = sum;
        }
    }
}

} // namespace emulator
