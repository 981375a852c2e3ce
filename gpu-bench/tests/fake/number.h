// Values in the types that tensors have, read and written one by one.
#ifndef LOCP_FAKE_NUMBER_H
#define LOCP_FAKE_NUMBER_H

#include <math.h>
#include <stdint.h>
#include <string.h>

// Data types by cuDNN's numbers.
enum { FLOAT_DATA = 0, HALF_DATA = 2, BFLOAT16_DATA = 9 };

// The nearest value with so many bits behind the first, ties to even.
static inline float round_bits(float value, int bits) {
    uint32_t u;
    memcpy(&u, &value, 4);
    int drop = 23 - bits;
    u += ((1u << (drop - 1)) - 1) + ((u >> drop) & 1);
    u &= ~((1u << drop) - 1);
    memcpy(&value, &u, 4);
    return value;
}

static inline float from_half(uint16_t h) {
    int exponent = h >> 10 & 31, fraction = h & 1023;
    float value = ldexpf((float)(1024 + fraction), exponent - 25);
    if (exponent == 0) value = ldexpf((float)fraction, -24);
    if (exponent == 31) value = fraction ? NAN : INFINITY;
    return h & 0x8000 ? -value : value;
}

static inline uint16_t to_half(float value) {
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    float size = fabsf(value);
    if (isnan(size)) return sign | 0x7e00;
    if (size >= 65520) return sign | 0x7c00;
    if (size < ldexpf(1, -14)) return sign | (uint16_t)nearbyintf(ldexpf(size, 24));
    size = round_bits(size, 10);
    uint32_t u;
    memcpy(&u, &size, 4);
    return sign | (uint16_t)((u >> 13) - (112 << 10));
}

static inline float load(uint64_t base, int type, int64_t at) {
    const char *p = (const char *)(uintptr_t)base;
    if (type == FLOAT_DATA) return ((const float *)p)[at];
    uint16_t h = ((const uint16_t *)p)[at];
    if (type == HALF_DATA) return from_half(h);
    uint32_t u = (uint32_t)h << 16;
    float value;
    memcpy(&value, &u, 4);
    return value;
}

static inline void store(uint64_t base, int type, int64_t at, float value) {
    char *p = (char *)(uintptr_t)base;
    if (type == FLOAT_DATA) {
        ((float *)p)[at] = value;
    } else if (type == HALF_DATA) {
        ((uint16_t *)p)[at] = to_half(value);
    } else {
        uint32_t u;
        float rounded = isnan(value) ? value : round_bits(value, 7);
        memcpy(&u, &rounded, 4);
        ((uint16_t *)p)[at] = (uint16_t)(u >> 16) | (isnan(value) ? 0x40 : 0);
    }
}

static inline float as_stored(float value, int type) {
    char at[4];
    store((uint64_t)(uintptr_t)at, type, 0, value);
    return load((uint64_t)(uintptr_t)at, type, 0);
}

#endif
