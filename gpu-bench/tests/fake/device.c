// The device, its primary context, and what a lost context answers.
#include "driver.h"
#include <stdio.h>
#include <string.h>

int fake_sticky;

static int is_initialized;
// One primary context for each device; a pointer to the count of its users is its handle.
static int users[2];
static _Thread_local int *current;

// Zero where this thread may call, else what it is answered.
int fake_context(void) {
    if (!is_initialized) return CUDA_NOT_INITIALIZED;
    if (!current) return CUDA_INVALID_CONTEXT;
    return *current > 0 ? CUDA_OK : CUDA_CONTEXT_IS_DESTROYED;
}

const void *fake_current(void) { return current; }

int fake_enter_to_free(void) {
    if (fake_sticky) return fake_sticky;
    int code = fake_context();
    if (code) fake_violation("a call without a live context: %d", code);
    return code;
}

int fake_enter(void) {
    int code = fake_enter_to_free();
    return !code && fake_is_to_fail() ? CUDA_UNKNOWN : code;
}

int fake_is_to_fail(void) {
    fake_lock();
    fake_count("calls", 1);
    int is_to_fail = set.fail_after > 0 && --set.fail_after == 0;
    if (is_to_fail) fake_count("failed on purpose", 1);
    fake_unlock();
    return is_to_fail;
}

static int check(int device) {
    if (!is_initialized) return CUDA_NOT_INITIALIZED;
    return device >= 0 && device < set.devices && device < 2 ? CUDA_OK : CUDA_INVALID_DEVICE;
}

FAKE_EXPORT int cuInit(unsigned flags) {
    if (flags) return CUDA_INVALID_VALUE;
    int code = (int)fake_number("FAKE_INIT", 0);
    if (code) return code;
    is_initialized = 1;
    // Some drivers say so at once, others answer a count of zero.
    if (set.devices == 0) return (int)fake_number("FAKE_NO_DEVICE_CODE", CUDA_NO_DEVICE);
    return CUDA_OK;
}

FAKE_EXPORT int cuDriverGetVersion(int *version) {
    *version = set.cuda;
    return CUDA_OK;
}

FAKE_EXPORT int cuDeviceGetCount(int *count) {
    if (!is_initialized) return CUDA_NOT_INITIALIZED;
    *count = set.devices;
    return CUDA_OK;
}

FAKE_EXPORT int cuDeviceGet(int *device, int index) {
    int code = check(index);
    if (!code) *device = index;
    return code;
}

FAKE_EXPORT int cuDeviceGetAttribute(int *value, int attribute, int device) {
    int code = check(device);
    if (code) return code;
    switch (attribute) {
    case 13: *value = (int)(set.clock_mhz * 1e3); break;
    case 16: *value = set.multiprocessors; break;
    case 38: *value = (int)set.l2_bytes; break;
    case 75: *value = 9; break;
    case 76: *value = 0; break;
    // What a device may be asked for besides: 227 KiB of shared memory by choice, 228 on a multiprocessor, and so on.
    case 97: *value = 232448; break;
    case 81: *value = 233472; break;
    case 39: *value = 2048; break;
    default: *value = (int)fake_number("FAKE_ATTRIBUTE", 0);
    }
    return CUDA_OK;
}

FAKE_EXPORT int cuDeviceGetName(char *name, int bytes, int device) {
    int code = check(device);
    if (!code) snprintf(name, (size_t)bytes, "Fake GPU %d", device);
    return code;
}

FAKE_EXPORT int cuDeviceGetPCIBusId(char *id, int bytes, int device) {
    int code = check(device);
    if (!code) snprintf(id, (size_t)bytes, "0000:0%d:00.0", device + 1);
    return code;
}

FAKE_EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    int code = check(device);
    if (!code) *bytes = (size_t)set.memory_bytes;
    return code;
}

FAKE_EXPORT int cuDevicePrimaryCtxRetain(int **context, int device) {
    int code = fake_sticky ? fake_sticky : check(device);
    if (!code && fake_is_to_fail()) code = CUDA_UNKNOWN;
    if (code) return code;
    fake_lock();
    users[device]++;
    fake_count("live contexts", 1);
    fake_unlock();
    *context = &users[device];
    return CUDA_OK;
}

FAKE_EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
    int code = check(device);
    if (code) return code;
    fake_lock();
    if (users[device] <= 0) {
        fake_violation("a context was released more often than retained");
    } else {
        users[device]--;
        fake_count("live contexts", -1);
        char alive[300];
        extern long fake_alive(char *, size_t);
        // The context takes everything with it; whoever still holds something then calls with what is gone.
        if (!users[0] && !users[1] && !fake_sticky && fake_alive(alive, sizeof alive)) {
            fake_violation("the context went before %s", alive);
        }
    }
    fake_unlock();
    return fake_sticky;
}

FAKE_EXPORT int cuCtxSetCurrent(int *context) {
    if (fake_sticky && set.sticky_bind) return fake_sticky;
    if (!is_initialized) return CUDA_NOT_INITIALIZED;
    if (context && *context <= 0) return CUDA_CONTEXT_IS_DESTROYED;
    current = context;
    return CUDA_OK;
}

FAKE_EXPORT int cuGetErrorName(int code, const char **name) {
    static const struct {
        int code;
        const char *name;
    } all[] = {
        {CUDA_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
        {CUDA_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
        {CUDA_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"},
        {CUDA_NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
        {CUDA_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
        {CUDA_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE"},
        {CUDA_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
        {CUDA_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
        {CUDA_NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
        {CUDA_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
        {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
        {CUDA_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
        {CUDA_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
        {CUDA_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED"},
        {CUDA_UNKNOWN, "CUDA_ERROR_UNKNOWN"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].code != code) continue;
        *name = all[i].name;
        return CUDA_OK;
    }
    *name = NULL;
    return CUDA_INVALID_VALUE;
}
