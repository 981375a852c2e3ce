// Device memory: the host's, with guarded ends, so that what does not belong to an allocation is never touched.
#include "driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 4096
#define ALIGN 256
#define GUARD 0xa5

typedef struct {
    char *block;
    uint64_t address, bytes;
} allocation;

static allocation all[MOST];
static int n_all;
static double total;
static struct {
    void *at;
    uint64_t bytes;
} hosts[MOST];
static int n_hosts;

static allocation *find(uint64_t address) {
    for (int i = 0; i < n_all; i++) {
        if (address >= all[i].address && address < all[i].address + all[i].bytes) return &all[i];
    }
    return NULL;
}

uint64_t fake_room(uint64_t address) {
    fake_lock();
    allocation *of = find(address);
    uint64_t room = of ? of->address + of->bytes - address : 0;
    fake_unlock();
    return room;
}

int fake_is_host_word(uint64_t address) {
    for (int i = 0; i < n_hosts; i++) {
        if ((uint64_t)(uintptr_t)hosts[i].at == address && hosts[i].bytes >= 4) return 1;
    }
    return 0;
}

FAKE_EXPORT int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    int code = fake_enter();
    if (!code) code = fake_forbid_in_capture("cuMemAlloc");
    if (code) return code;
    if (!bytes) return CUDA_INVALID_VALUE;
    fake_lock();
    fake_count("allocations", 1);
    if (total + (double)bytes > set.memory_bytes || n_all == MOST) {
        fake_unlock();
        return CUDA_OUT_OF_MEMORY;
    }
    // Fresh zero pages cost nothing until they are written, so timing may use large buffers.
    char *block = calloc(1, bytes + 3 * ALIGN);
    if (!block) {
        fake_unlock();
        return CUDA_OUT_OF_MEMORY;
    }
    uint64_t start = ((uint64_t)(uintptr_t)block + 2 * ALIGN - 1) / ALIGN * ALIGN;
    memset((char *)(uintptr_t)start - 64, GUARD, 64);
    memset((char *)(uintptr_t)start + bytes, GUARD, 64);
    // What was never written is no number, so that a result which depends on it is none either.
    if (set.computes) memset((void *)(uintptr_t)start, 0xff, bytes);
    all[n_all++] = (allocation){block, start, bytes};
    total += (double)bytes;
    fake_count("live allocations", 1);
    fake_unlock();
    *address = start;
    return CUDA_OK;
}

static int is_guarded(const char *at) {
    for (int i = 0; i < 64; i++) {
        if ((unsigned char)at[i] != GUARD) return 0;
    }
    return 1;
}

FAKE_EXPORT int cuMemFree_v2(uint64_t address) {
    int code = fake_enter_to_free();
    if (!code) code = fake_forbid_in_capture("cuMemFree");
    if (code) return code;
    fake_lock();
    fake_drain("cuMemFree");
    allocation *of = find(address);
    if (!of || of->address != address) {
        fprintf(stderr, "fake device: freed twice, or never allocated: %llx\n", (unsigned long long)address);
        abort();
    }
    if (!is_guarded((char *)(uintptr_t)address - 64) || !is_guarded((char *)(uintptr_t)address + of->bytes)) {
        fake_violation("somebody wrote past an allocation of %llu bytes", (unsigned long long)of->bytes);
    }
    total -= (double)of->bytes;
    fake_cache_drop(address);
    free(of->block);
    *of = all[--n_all];
    fake_count("live allocations", -1);
    fake_unlock();
    return CUDA_OK;
}

static int copy(const char *call, uint64_t device, size_t bytes) {
    int code = fake_enter();
    if (!code) code = fake_forbid_in_capture(call);
    if (code) return code;
    if (fake_room(device) < bytes) {
        fake_violation("%s of %zu bytes leaves its allocation", call, bytes);
        return CUDA_INVALID_VALUE;
    }
    // A copy does not wait for streams that were made not to block.
    if (fake_is_pending(device, bytes)) fake_violation("%s while queued work still uses the memory", call);
    return CUDA_OK;
}

typedef struct {
    uint64_t to, bytes;
    void *staged;
} arrival;

static double arrive(const void *data) {
    const arrival *of = data;
    memcpy((void *)(uintptr_t)of->to, of->staged, of->bytes);
    free(of->staged);
    return (double)of->bytes / set.bandwidth;
}

// Pageable memory is staged at once and arrives in the stream's order.
FAKE_EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
    int code = copy("cuMemcpyHtoDAsync", to, bytes);
    if (code) return code;
    arrival of = {to, bytes, malloc(bytes ? bytes : 1)};
    memcpy(of.staged, from, bytes);
    fake_work work = {"copy", arrive, &of, sizeof of, {{to, bytes}}, 1};
    return fake_enqueue(stream, &work);
}

FAKE_EXPORT int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
    int code = copy("cuMemcpyDtoH", from, bytes);
    if (!code) memcpy(to, (void *)(uintptr_t)from, bytes);
    return code;
}

typedef struct {
    uint64_t at, bytes;
    int byte;
} filling;

static double fill(const void *data) {
    const filling *of = data;
    memset((void *)(uintptr_t)of->at, of->byte, of->bytes);
    return (double)of->bytes / set.bandwidth;
}

FAKE_EXPORT int cuMemsetD8Async(uint64_t to, unsigned char byte, size_t bytes, void *stream) {
    int code = fake_enter();
    if (code) return code;
    filling of = {to, bytes, byte};
    fake_work work = {"memset", fill, &of, sizeof of, {{to, bytes}}, 1};
    return fake_enqueue(stream, &work);
}

FAKE_EXPORT int cuMemHostAlloc(void **at, size_t bytes, unsigned flags) {
    (void)flags;
    int code = fake_enter();
    if (!code) code = fake_forbid_in_capture("cuMemHostAlloc");
    if (code) return code;
    fake_lock();
    void *memory = n_hosts < MOST ? aligned_alloc(4096, (bytes + 4095) / 4096 * 4096) : NULL;
    if (memory) {
        memset(memory, 0xff, bytes);
        hosts[n_hosts].at = memory;
        hosts[n_hosts++].bytes = bytes;
        fake_count("live host allocations", 1);
    }
    fake_unlock();
    *at = memory;
    return memory ? CUDA_OK : CUDA_OUT_OF_MEMORY;
}

FAKE_EXPORT int cuMemHostGetDevicePointer_v2(uint64_t *address, void *at, unsigned flags) {
    int code = fake_enter();
    if (code) return code;
    if (flags || !fake_is_host_word((uint64_t)(uintptr_t)at)) return CUDA_INVALID_VALUE;
    *address = (uint64_t)(uintptr_t)at;
    return CUDA_OK;
}

FAKE_EXPORT int cuMemFreeHost(void *at) {
    int code = fake_enter_to_free();
    if (!code) code = fake_forbid_in_capture("cuMemFreeHost");
    if (code) return code;
    fake_lock();
    fake_drain("cuMemFreeHost");
    int i = 0;
    while (i < n_hosts && hosts[i].at != at) i++;
    if (i == n_hosts) {
        fprintf(stderr, "fake device: host memory freed twice, or never allocated\n");
        abort();
    }
    free(at);
    hosts[i] = hosts[--n_hosts];
    fake_count("live host allocations", -1);
    fake_unlock();
    return CUDA_OK;
}
