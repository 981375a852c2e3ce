// Events: marks in a stream that note the virtual time.
#include "queue.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

FAKE_EXPORT int cuEventCreate(void **handle, unsigned flags) {
    int code = fake_enter();
    if (code) return code;
    if (flags & 2) fake_violation("an event without timing");
    *handle = calloc(1, sizeof(fake_event));
    fake_count("live events", 1);
    return CUDA_OK;
}

FAKE_EXPORT int cuEventDestroy_v2(void *handle) {
    int code = fake_enter_to_free();
    if (code) return code;
    fake_event *event = handle;
    fake_lock();
    if (event->is_pending) fake_drain("cuEventDestroy");
    free(event);
    fake_count("live events", -1);
    fake_unlock();
    return CUDA_OK;
}

FAKE_EXPORT int cuEventRecord(void *handle, void *stream) {
    int code = fake_enter();
    if (code) return code;
    fake_lock();
    fake_stream *on = fake_find_stream(stream);
    if (on && on->is_capturing) {
        on->is_broken = 1;
        code = CUDA_CAPTURE_UNSUPPORTED;
    } else {
        fake_event *event = handle;
        event->recordings++;
        event->is_pending++;
        fake_item *item = calloc(1, sizeof *item);
        snprintf(item->name, sizeof item->name, "event");
        item->kind = EVENT;
        item->event = event;
        code = fake_put(stream, item);
    }
    fake_unlock();
    return code;
}

FAKE_EXPORT int cuEventQuery(void *handle) {
    int code = fake_enter();
    if (code) return code;
    fake_lock();
    fake_event *event = handle;
    fake_pump(event);
    code = fake_sticky ? fake_sticky : event->is_pending ? CUDA_NOT_READY : CUDA_OK;
    fake_unlock();
    return code;
}

FAKE_EXPORT int cuEventElapsedTime(float *ms, void *from, void *to) {
    int code = fake_enter();
    if (code) return code;
    const fake_event *start = from, *end = to;
    if (!start->recordings || !end->recordings) return CUDA_INVALID_HANDLE;
    if (start->is_pending || end->is_pending) return CUDA_NOT_READY;
    double ns = end->at_ns - start->at_ns;
    // Real events stand on a raster.
    if (set.event_ns > 0) ns = (floor(end->at_ns / set.event_ns) - floor(start->at_ns / set.event_ns)) * set.event_ns;
    *ms = (float)(ns / 1e6);
    return CUDA_OK;
}
