// A device that is not there: what the fake driver, cuDNN and compiler share.
//
// Only what the tested crate calls is here, declared by the public references; no header of NVIDIA's is needed.
// Time is virtual: queued work runs when somebody looks, and a clock says how long it would have taken.
#ifndef LOCP_FAKE_H
#define LOCP_FAKE_H

#include <stddef.h>
#include <stdint.h>

#define FAKE_EXPORT __attribute__((visibility("default")))

// Results of the driver, by the numbers of its reference.
enum {
    CUDA_OK = 0,
    CUDA_INVALID_VALUE = 1,
    CUDA_OUT_OF_MEMORY = 2,
    CUDA_NOT_INITIALIZED = 3,
    CUDA_NO_DEVICE = 100,
    CUDA_INVALID_DEVICE = 101,
    CUDA_INVALID_IMAGE = 200,
    CUDA_INVALID_CONTEXT = 201,
    CUDA_INVALID_HANDLE = 400,
    CUDA_NOT_FOUND = 500,
    CUDA_NOT_READY = 600,
    CUDA_ILLEGAL_ADDRESS = 700,
    CUDA_CONTEXT_IS_DESTROYED = 709,
    CUDA_CAPTURE_UNSUPPORTED = 900,
    CUDA_CAPTURE_INVALIDATED = 901,
    CUDA_CAPTURE_UNMATCHED = 903,
    CUDA_UNKNOWN = 999,
};

// What a piece of work answers in place of its length where it did not end well.
#define FAKE_FAULTS (-1.0)
#define FAKE_HANGS (-2.0)

// Bytes on the device that a piece of work reads or writes.
typedef struct {
    uint64_t address, bytes;
} fake_range;

#define FAKE_RANGES 8

// Something to be queued: `run` gets a copy of `data` and answers how many nanoseconds it takes.
typedef struct {
    const char *name;
    double (*run)(const void *data);
    const void *data;
    size_t data_bytes;
    fake_range ranges[FAKE_RANGES];
    int n_ranges;
} fake_work;

// What the driver offers to the other two libraries.
typedef struct {
    double (*number)(const char *name, double otherwise);
    const char *(*text)(const char *name);
    void (*violation)(const char *format, ...);
    // Zero where this thread has a live current context, else what the driver would answer.
    int (*context)(void);
    int (*is_stream)(void *stream);
    int (*enqueue)(void *stream, const fake_work *work);
    // Whether these bytes are not in the cache; they are afterwards.
    int (*is_cold)(uint64_t address, uint64_t bytes);
    // A factor of mean one.
    double (*noise)(void);
    // Bytes from the address to the end of its allocation, zero where there is none.
    uint64_t (*room)(uint64_t address);
    void (*count)(const char *what, int change);
    // Whether a test wants this call to fail.
    int (*is_to_fail)(void);
} fake_api;

#endif
