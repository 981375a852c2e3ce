// Modules and kernels: the helpers are known by their names and do what the device would.
#include "driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// An image as the fake compiler writes it: these bytes, then a name a line.
static const char MAGIC[] = "\177ELF fake\n";

typedef struct module module;
typedef struct {
    module *of;
    char name[160];
    int shared_limit;
} function;
struct module {
    char *names;
    function functions[32];
    int n_functions;
};

FAKE_EXPORT int cuModuleLoadData(void **handle, const char *image) {
    int code = fake_enter();
    if (!code) code = fake_forbid_in_capture("cuModuleLoadData");
    if (code) return code;
    if (strncmp(image, MAGIC, sizeof MAGIC - 1) != 0) return CUDA_INVALID_IMAGE;
    module *made = calloc(1, sizeof *made);
    made->names = strdup(image + sizeof MAGIC - 1);
    fake_count("live modules", 1);
    *handle = made;
    return CUDA_OK;
}

FAKE_EXPORT int cuModuleUnload(void *handle) {
    int code = fake_enter_to_free();
    if (code) return code;
    fake_lock();
    fake_drain("cuModuleUnload");
    module *of = handle;
    free(of->names);
    free(of);
    fake_count("live modules", -1);
    fake_unlock();
    return CUDA_OK;
}

FAKE_EXPORT int cuModuleGetFunction(void **handle, void *in, const char *name) {
    int code = fake_enter();
    if (code) return code;
    module *of = in;
    size_t length = strlen(name);
    for (const char *at = of->names; *at; at = strchr(at, '\n') + 1) {
        if (strncmp(at, name, length) != 0 || at[length] != '\n') continue;
        fake_lock();
        int i = 0;
        while (i < of->n_functions && strcmp(of->functions[i].name, name) != 0) i++;
        if (i == of->n_functions) {
            of->n_functions++;
            of->functions[i].of = of;
            of->functions[i].shared_limit = 48 << 10;
            snprintf(of->functions[i].name, sizeof of->functions[i].name, "%s", name);
        }
        fake_unlock();
        *handle = &of->functions[i];
        return CUDA_OK;
    }
    return CUDA_NOT_FOUND;
}

FAKE_EXPORT int cuFuncSetAttribute(void *handle, int attribute, int value) {
    int code = fake_enter();
    if (code) return code;
    // The one attribute that is used: the most dynamic shared memory, of which a block may have 227 KiB.
    if (attribute != 8 || value < 0 || value > 232448) return CUDA_INVALID_VALUE;
    ((function *)handle)->shared_limit = value;
    return CUDA_OK;
}

FAKE_EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *handle, int threads, size_t shared) {
    (void)handle;
    int code = fake_enter();
    if (code) return code;
    if (threads <= 0 || threads > 1024) return CUDA_INVALID_VALUE;
    int by_threads = 2048 / threads, by_shared = (int)(233472 / (shared + 1024));
    *blocks = by_threads < by_shared ? by_threads : by_shared;
    return CUDA_OK;
}

typedef struct {
    uint64_t a, b;
    unsigned c;
    char name[160];
} arguments;

static double flush(const void *data) {
    const arguments *of = data;
    fake_cache_forget();
    fake_is_cold(of->a, of->b * 16);
    return (double)of->b * 16 / set.bandwidth;
}

static double touch(const void *data) {
    const arguments *of = data;
    fake_is_cold(of->a, of->b * 16);
    return (double)of->b * 16 / set.bandwidth;
}

static double busy(const void *data) { return (double)((const arguments *)data)->a; }

static double clocks(const void *data) {
    static long calls;
    const arguments *of = data;
    uint64_t *table = (uint64_t *)(uintptr_t)of->a;
    unsigned left_out = (unsigned)(calls++ % set.multiprocessors);
    for (unsigned id = 0; id < of->c && id < (unsigned)set.multiprocessors; id++) {
        // Blocks do not spread evenly: now and then a multiprocessor gets none.
        if (id == left_out && set.multiprocessors > 1) continue;
        table[2 * id] = (uint64_t)fake_cycles() + 1000 * id;
        table[2 * id + 1] = (uint64_t)(fake_now() / set.timer_ns) * (uint64_t)set.timer_ns;
    }
    return 1000;
}

static double fill(const void *data) {
    const arguments *of = data;
    uint64_t bytes = of->b * (of->c == 0 ? 4 : 2);
    if (set.computes) memset((void *)(uintptr_t)of->a, 0, bytes);
    fake_is_cold(of->a, bytes);
    return (double)bytes / set.bandwidth;
}

static double other(const void *data) {
    const arguments *of = data;
    if (strcmp(of->name, fake_text("FAKE_FAULT_ENTRY")) == 0) return FAKE_FAULTS;
    if (strcmp(of->name, fake_text("FAKE_HANG_ENTRY")) == 0) return FAKE_HANGS;
    return set.kernel_ns * fake_noise();
}

FAKE_EXPORT int cuLaunchKernel(void *handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                               unsigned bz, unsigned shared, void *stream, void **parameters, void **extra) {
    int code = fake_enter();
    if (code) return code;
    function *of = handle;
    if (!gx || !gy || !gz || !bx || !by || !bz || (uint64_t)bx * by * bz > 1024 || gy > 65535 || gz > 65535 || extra) {
        return CUDA_INVALID_VALUE;
    }
    if ((int)shared > of->shared_limit) return CUDA_INVALID_VALUE;
    if (fake_launch_conv(of->name, stream, parameters, &code)) return code;
    arguments data = {0};
    snprintf(data.name, sizeof data.name, "%s", of->name);
    fake_work work = {of->name, other, &data, sizeof data, {{0}}, 0};
#define U64(i) (*(uint64_t *)parameters[i])
#define U32(i) (*(unsigned *)parameters[i])
    if (strcmp(of->name, "locp_spin") == 0) {
        if (!fake_is_host_word(U64(0))) fake_violation("the flag is not in host memory");
        fake_lock();
        code = fake_enqueue_spin(stream, (volatile uint32_t *)(uintptr_t)U64(0), U64(1));
        fake_unlock();
        return code;
    } else if (strcmp(of->name, "locp_busy") == 0) {
        data.a = U64(0);
        work.run = busy;
        work.n_ranges = 1;
        work.ranges[0] = (fake_range){U64(1), 4};
    } else if (strcmp(of->name, "locp_flush") == 0 || strcmp(of->name, "locp_touch") == 0) {
        data.a = U64(0);
        data.b = U64(1);
        work.run = strcmp(of->name, "locp_flush") == 0 ? flush : touch;
        work.n_ranges = 1;
        work.ranges[0] = (fake_range){data.a, data.b * 16};
    } else if (strcmp(of->name, "locp_clocks") == 0) {
        data.a = U64(0);
        data.c = U32(1);
        work.run = clocks;
        work.n_ranges = 1;
        work.ranges[0] = (fake_range){data.a, (uint64_t)data.c * 16};
    } else if (strcmp(of->name, "locp_fill") == 0) {
        data.a = U64(0);
        data.b = U64(1);
        data.c = U32(2);
        work.run = fill;
        work.n_ranges = 1;
        work.ranges[0] = (fake_range){data.a, data.b * (data.c == 0 ? 4 : 2)};
    }
    fake_count("launches", 1);
    return fake_enqueue(stream, &work);
}

FAKE_EXPORT const fake_api *fake_driver(void) {
    static const fake_api api = {fake_number,  fake_text,  fake_violation, fake_context, fake_is_stream, fake_enqueue,
                                 fake_is_cold, fake_noise, fake_room,      fake_count,   fake_is_to_fail};
    return &api;
}
