// Streams: work is queued, and runs on the virtual clock when somebody looks.
#include "queue.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STREAM 0x57e4a301u

// How far a stream got.
enum { DONE, HELD, HUNG };

static fake_stream by_default = {.magic = STREAM};
static fake_stream *streams = &by_default;

fake_stream *fake_find_stream(void *handle) {
    if (!handle) return &by_default;
    for (fake_stream *s = streams; s; s = s->next) {
        if (s == handle) return s;
    }
    return NULL;
}

int fake_is_stream(void *handle) { return fake_find_stream(handle) != NULL; }

void fake_append(fake_list *list, fake_item *item) {
    item->next = NULL;
    if (list->last) list->last->next = item;
    else list->first = item;
    list->last = item;
}

static void drop(fake_item *item) {
    if (item->blob && --item->blob->users == 0) free(item->blob);
    free(item);
}

void fake_clear(fake_list *list) {
    for (fake_item *item = list->first, *next; item; item = next) {
        next = item->next;
        drop(item);
    }
    *list = (fake_list){0};
}

fake_item *fake_copy_item(const fake_item *item) {
    fake_item *copy = malloc(sizeof *copy);
    *copy = *item;
    if (copy->blob) copy->blob->users++;
    return copy;
}

static double real_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// Work on memory that is gone is what a real device calls an illegal address.
static int leaves_memory(const fake_item *item) {
    for (int i = 0; i < item->n_ranges; i++) {
        if (fake_room(item->ranges[i].address) < item->ranges[i].bytes) {
            fake_violation("%s: operand %d of %llu bytes is not in an allocation", item->name, i,
                           (unsigned long long)item->ranges[i].bytes);
            return 1;
        }
    }
    return 0;
}

static int run(fake_item *item) {
    double start = fake_now();
    switch (item->kind) {
    case EVENT:
        item->event->is_pending--;
        item->event->at_ns = start;
        return DONE;
    case GRAPH: fake_advance(item->cost_ns, 0); return DONE;
    case SPIN:
        if (item->begun_ns == 0) item->begun_ns = real_ns();
        if (*item->flag == 0 && real_ns() - item->begun_ns > item->limit_ns) *item->flag = 2;
        if (*item->flag == 0) return HELD;
        // One that was released before it was queued holds nothing back.
        if (item->is_held) {
            fake_trace_add(item->name, start, 0);
            fake_reading_begins();
        }
        return DONE;
    default: break;
    }
    if (!fake_sticky && leaves_memory(item)) fake_sticky = CUDA_ILLEGAL_ADDRESS;
    if (fake_sticky) return DONE;
    fake_advance(item->is_node ? set.node_ns : set.launch_ns, 0);
    start = fake_now();
    double ns = item->run(item->blob ? item->blob->data : NULL);
    if (ns == FAKE_HANGS) return HUNG;
    if (ns == FAKE_FAULTS) {
        fake_sticky = CUDA_ILLEGAL_ADDRESS;
        return DONE;
    }
    // What keeps the device busy counts its own time.
    fake_advance(ns, strcmp(item->name, "locp_busy") != 0);
    fake_trace_add(item->name, start, fake_now() - start);
    return DONE;
}

// Runs what can run, but nothing behind an event that is asked about: a real device may be no further.
static int pump(fake_stream *stream, const fake_event *until) {
    while (stream->queue.first && !(until && !until->is_pending)) {
        fake_item *item = stream->queue.first;
        int how = run(item);
        if (how != DONE) return how;
        stream->queue.first = item->next;
        if (!item->next) stream->queue.last = NULL;
        drop(item);
    }
    if (!stream->queue.first) fake_host_leaves();
    return DONE;
}

static void drain(fake_stream *stream, const char *call) {
    int how = pump(stream, NULL);
    if (how == DONE) return;
    // A real process would stand still here for ever, or until the spinning kernel gives up.
    fprintf(stderr, "fake device: deadlock: %s waits for a stream that is %s\n", call, how == HELD ? "held" : "hung");
    fflush(stderr);
    _Exit(86);
}

void fake_drain(const char *call) {
    for (fake_stream *s = streams; s; s = s->next) drain(s, call);
}

void fake_pump(const fake_event *until) {
    for (fake_stream *s = streams; s; s = s->next) pump(s, until);
}

int fake_is_pending(uint64_t address, uint64_t bytes) {
    for (fake_stream *s = streams; s; s = s->next) {
        for (fake_item *item = s->queue.first; item; item = item->next) {
            for (int i = 0; i < item->n_ranges; i++) {
                fake_range r = item->ranges[i];
                if (r.address < address + bytes && address < r.address + r.bytes) return 1;
            }
        }
    }
    return 0;
}

int fake_forbid_in_capture(const char *call) {
    for (fake_stream *s = streams; s; s = s->next) {
        if (s->is_capturing && pthread_equal(s->thread, pthread_self())) {
            s->is_broken = 1;
            fake_count("forbidden in capture", 1);
            fprintf(stderr, "fake device: %s while this thread captures\n", call);
            return CUDA_CAPTURE_UNSUPPORTED;
        }
    }
    return CUDA_OK;
}

int fake_put(void *handle, fake_item *item) {
    fake_stream *stream = fake_find_stream(handle);
    if (!stream) {
        fake_violation("%s was queued on a stream that is gone", item->name);
        drop(item);
        return CUDA_INVALID_HANDLE;
    }
    if (stream->context && stream->context != fake_current()) {
        fake_violation("%s was queued on a stream of another context", item->name);
        drop(item);
        return CUDA_INVALID_HANDLE;
    }
    if (!stream->is_capturing && !stream->queue.first) fake_host_comes();
    fake_append(stream->is_capturing ? &stream->captured : &stream->queue, item);
    return CUDA_OK;
}

int fake_enqueue(void *handle, const fake_work *work) {
    fake_item *item = calloc(1, sizeof *item);
    snprintf(item->name, sizeof item->name, "%s", work->name);
    item->run = work->run;
    memcpy(item->ranges, work->ranges, sizeof item->ranges);
    item->n_ranges = work->n_ranges;
    if (work->data_bytes) {
        item->blob = malloc(sizeof *item->blob + work->data_bytes);
        item->blob->users = 1;
        item->blob->bytes = work->data_bytes;
        memcpy(item->blob->data, work->data, work->data_bytes);
    }
    fake_lock();
    int code = fake_sticky ? fake_sticky : fake_put(handle, item);
    fake_unlock();
    return code;
}

int fake_enqueue_spin(void *handle, volatile uint32_t *flag, uint64_t limit_ns) {
    fake_item *item = calloc(1, sizeof *item);
    snprintf(item->name, sizeof item->name, "locp_spin");
    item->kind = SPIN;
    item->is_held = *flag == 0;
    item->flag = flag;
    item->limit_ns = (double)limit_ns;
    if (set.late_spins > 0) {
        set.late_spins--;
        *flag = 2;
    }
    return fake_put(handle, item);
}

FAKE_EXPORT int cuStreamCreate(void **handle, unsigned flags) {
    int code = fake_enter();
    if (code) return code;
    if (flags > 1) return CUDA_INVALID_VALUE;
    fake_lock();
    fake_stream *stream = calloc(1, sizeof *stream);
    stream->magic = STREAM;
    stream->context = fake_current();
    stream->next = streams->next;
    streams->next = stream;
    fake_count("live streams", 1);
    fake_unlock();
    *handle = stream;
    return CUDA_OK;
}

FAKE_EXPORT int cuStreamDestroy_v2(void *handle) {
    int code = fake_enter_to_free();
    if (code) return code;
    fake_lock();
    fake_stream *stream = handle ? fake_find_stream(handle) : NULL;
    if (!stream) {
        fprintf(stderr, "fake device: a stream was destroyed twice\n");
        abort();
    }
    if (stream->is_capturing) fake_violation("a stream was destroyed while it captures");
    drain(stream, "cuStreamDestroy");
    for (fake_stream *s = streams; s; s = s->next) {
        if (s->next == stream) s->next = stream->next;
    }
    fake_clear(&stream->captured);
    free(stream);
    fake_count("live streams", -1);
    fake_unlock();
    return CUDA_OK;
}

FAKE_EXPORT int cuStreamSynchronize(void *handle) {
    int code = fake_enter();
    if (code) return code;
    fake_lock();
    fake_stream *stream = fake_find_stream(handle);
    code = !stream ? CUDA_INVALID_HANDLE : fake_forbid_in_capture("cuStreamSynchronize");
    if (!code) {
        drain(stream, "cuStreamSynchronize");
        code = fake_sticky;
    }
    fake_unlock();
    return code;
}
