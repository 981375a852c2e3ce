// The library's one kind of object: typed attributes that are set, finalized, then read.
#define _GNU_SOURCE
#include "cudnn.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIVE 0xdecade01u
#define DEAD 0xdeadbeefu

// Destroyed descriptors are kept for a while, so that whoever still refers to one is found.
#define GRAVES 256

// Types of attributes.
enum {
    T_HANDLE,
    T_DATA_TYPE,
    T_BOOLEAN,
    T_INT64,
    T_FLOAT,
    T_DOUBLE,
    T_POINTER,
    T_CONV_MODE,
    T_HEUR_MODE,
    T_KNOB,
    T_NUMERICAL = 11,
    T_POINTWISE_MODE = 14,
    T_DESCRIPTOR = 15,
    T_BEHAVIOR = 19,
    T_CHAR = 24
};

// Which attributes may be set, of which type, how many values, and whether a descriptor is complete without.
static const struct {
    int kind, name, type;
    int64_t least, most;
    int is_needed;
} settable[] = {
    {POINTWISE, POINTWISE_MODE, T_POINTWISE_MODE, 1, 1, 1},
    {POINTWISE, POINTWISE_PRECISION, T_DATA_TYPE, 1, 1, 1},
    {POINTWISE, RELU_LOWER, T_DOUBLE, 1, 1, 0},
    {POINTWISE, RELU_UPPER, T_DOUBLE, 1, 1, 0},
    {POINTWISE, SWISH_BETA, T_DOUBLE, 1, 1, 0},
    {CONVOLUTION, CONV_COMP_TYPE, T_DATA_TYPE, 1, 1, 1},
    {CONVOLUTION, CONV_MODE, T_CONV_MODE, 1, 1, 1},
    {CONVOLUTION, CONV_DILATIONS, T_INT64, 2, 3, 1},
    {CONVOLUTION, CONV_STRIDES, T_INT64, 2, 3, 1},
    {CONVOLUTION, CONV_POST_PADDINGS, T_INT64, 2, 3, 1},
    {CONVOLUTION, CONV_PRE_PADDINGS, T_INT64, 2, 3, 1},
    {CONVOLUTION, CONV_SPATIAL_DIMS, T_INT64, 1, 1, 1},
    {HEURISTIC, HEUR_MODE, T_HEUR_MODE, 1, 1, 1},
    {HEURISTIC, HEUR_GRAPH, T_DESCRIPTOR, 1, 1, 1},
    {PLAN, PLAN_HANDLE, T_HANDLE, 1, 1, 1},
    {PLAN, PLAN_CONFIG, T_DESCRIPTOR, 1, 1, 1},
    {FORWARD, FORWARD_ALPHA, T_FLOAT, 1, 1, 1},
    {FORWARD, FORWARD_BETA, T_FLOAT, 1, 1, 1},
    {FORWARD, FORWARD_CONV, T_DESCRIPTOR, 1, 1, 1},
    {FORWARD, FORWARD_W, T_DESCRIPTOR, 1, 1, 1},
    {FORWARD, FORWARD_X, T_DESCRIPTOR, 1, 1, 1},
    {FORWARD, FORWARD_Y, T_DESCRIPTOR, 1, 1, 1},
    {OP_POINTWISE, OP_MODE, T_DESCRIPTOR, 1, 1, 1},
    {OP_POINTWISE, OP_X, T_DESCRIPTOR, 1, 1, 1},
    {OP_POINTWISE, OP_B, T_DESCRIPTOR, 1, 1, 0},
    {OP_POINTWISE, OP_Y, T_DESCRIPTOR, 1, 1, 1},
    {GRAPH, GRAPH_HANDLE, T_HANDLE, 1, 1, 1},
    {GRAPH, GRAPH_OPS, T_DESCRIPTOR, 1, 16, 1},
    {TENSOR, TENSOR_ALIGNMENT, T_INT64, 1, 1, 1},
    {TENSOR, TENSOR_TYPE, T_DATA_TYPE, 1, 1, 1},
    {TENSOR, TENSOR_DIMS, T_INT64, 3, 8, 1},
    {TENSOR, TENSOR_STRIDES, T_INT64, 3, 8, 1},
    {TENSOR, TENSOR_UID, T_INT64, 1, 1, 1},
    {TENSOR, TENSOR_IS_VIRTUAL, T_BOOLEAN, 1, 1, 0},
    {PACK, PACK_UIDS, T_INT64, 1, 64, 1},
    {PACK, PACK_POINTERS, T_POINTER, 1, 64, 1},
    {PACK, PACK_WORKSPACE, T_POINTER, 1, 1, 0},
    {DEVICE_PROPERTIES, PROPERTIES_HANDLE, T_HANDLE, 1, 1, 1},
};
#define N_SETTABLE ((int)(sizeof settable / sizeof settable[0]))

static _Thread_local char words[KNOB_TYPE];

int fake_fail(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return status;
}

FAKE_EXPORT void cudnnGetLastErrorString(char *to, size_t bytes) {
    snprintf(to, bytes, "%s", words);
    words[0] = 0;
}

// The driver that this process has loaded; the library itself is not linked to one.
const fake_api *fake_driver_api(void) {
    static const fake_api *api;
    if (!api) {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
        const fake_api *(*find)(void) = driver ? (const fake_api *(*)(void))dlsym(driver, "fake_driver") : NULL;
        if (!find) {
            fprintf(stderr, "fake device: the fake cuDNN needs the fake driver\n");
            abort();
        }
        api = find();
    }
    return api;
}

int fake_is_alive(const fake_descriptor *d, int kind) {
    if (!d) return 0;
    if (d->magic != ALIVE) {
        fake_driver_api()->violation("a descriptor was used after it was destroyed");
        return 0;
    }
    return d->kind == kind;
}

int64_t fake_type_bytes(int type) {
    switch (type) {
    case T_HANDLE:
    case T_INT64:
    case T_DOUBLE:
    case T_POINTER:
    case T_DESCRIPTOR: return 8;
    case T_BOOLEAN:
    case T_CHAR: return 1;
    default: return 4;
    }
}

static const fake_attribute *find(const fake_descriptor *d, int name) {
    for (int i = 0; i < d->n_attributes; i++) {
        if (d->attributes[i].name == name) return &d->attributes[i];
    }
    return NULL;
}

const void *fake_values(const fake_descriptor *d, int name) {
    const fake_attribute *found = find(d, name);
    return found ? found->values : NULL;
}

int64_t fake_values_count(const fake_descriptor *d, int name) {
    const fake_attribute *found = find(d, name);
    return found ? found->count : 0;
}

const fake_descriptor *fake_referred(const fake_descriptor *d, int name, int64_t i) {
    fake_descriptor *const *to = fake_values(d, name);
    return to && i < fake_values_count(d, name) ? to[i] : NULL;
}

FAKE_EXPORT int cudnnBackendCreateDescriptor(int kind, fake_descriptor **to) {
    int is_known = kind == ENGINE || kind == CONFIG || kind == KNOB_CHOICE;
    for (int i = 0; i < N_SETTABLE; i++) is_known |= settable[i].kind == kind;
    if (fake_driver_api()->is_to_fail()) return fake_fail(INTERNAL_ERROR, "on purpose");
    if (!is_known) return fake_fail(NOT_SUPPORTED, "there are no descriptors of kind %d", kind);
    fake_descriptor *d = calloc(1, sizeof *d);
    d->magic = ALIVE;
    d->kind = kind;
    fake_driver_api()->count("live descriptors", 1);
    *to = d;
    return SUCCESS;
}

FAKE_EXPORT int cudnnBackendDestroyDescriptor(fake_descriptor *d) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static fake_descriptor *graves[GRAVES];
    static int next;
    if (!d) return SUCCESS;
    if (d->magic != ALIVE) {
        fprintf(stderr, "fake device: a descriptor was destroyed twice\n");
        abort();
    }
    for (int i = 0; i < d->n_attributes; i++) free(d->attributes[i].values);
    d->magic = DEAD;
    pthread_mutex_lock(&mutex);
    free(graves[next]);
    graves[next] = d;
    next = (next + 1) % GRAVES;
    pthread_mutex_unlock(&mutex);
    fake_driver_api()->count("live descriptors", -1);
    return SUCCESS;
}

FAKE_EXPORT int cudnnBackendSetAttribute(fake_descriptor *d, int name, int type, int64_t count, const void *values) {
    if (!d || (count > 0 && !values)) return fake_fail(NULL_POINTER, "a null pointer");
    if (!fake_is_alive(d, d->kind)) return BAD_PARAM;
    if (fake_driver_api()->is_to_fail()) return fake_fail(INTERNAL_ERROR, "on purpose");
    if (d->is_finalized) return fake_fail(BAD_PARAM, "attribute %d was set after the descriptor was finalized", name);
    for (int i = 0; i < N_SETTABLE; i++) {
        if (settable[i].kind != d->kind || settable[i].name != name) continue;
        if (settable[i].type != type) {
            return fake_fail(WRONG_TYPE, "attribute %d is of type %d, not %d", name, settable[i].type, type);
        }
        if (count < settable[i].least || count > settable[i].most) {
            return fake_fail(BAD_PARAM, "attribute %d has no %lld values", name, (long long)count);
        }
        for (int64_t j = 0; type == T_DESCRIPTOR && j < count; j++) {
            const fake_descriptor *to = ((fake_descriptor *const *)values)[j];
            if (!to || !fake_is_alive(to, to->kind))
                return fake_fail(NULL_POINTER, "attribute %d refers to nothing", name);
            if (!to->is_finalized) return fake_fail(NOT_FINALIZED, "attribute %d refers to what is not final", name);
        }
        fake_attribute *slot = (fake_attribute *)find(d, name);
        if (!slot) slot = &d->attributes[d->n_attributes++];
        free(slot->values);
        size_t bytes = (size_t)(count * fake_type_bytes(type));
        *slot = (fake_attribute){name, type, count, malloc(bytes)};
        memcpy(slot->values, values, bytes);
        return SUCCESS;
    }
    return fake_fail(BAD_PARAM, "descriptors of kind %d have no attribute %d to set", d->kind, name);
}

FAKE_EXPORT int cudnnBackendFinalize(fake_descriptor *d) {
    if (!d) return fake_fail(NULL_POINTER, "a null pointer");
    if (!fake_is_alive(d, d->kind)) return BAD_PARAM;
    if (d->is_finalized) return fake_fail(BAD_PARAM, "a descriptor was finalized twice");
    if (fake_driver_api()->is_to_fail()) return fake_fail(INTERNAL_ERROR, "on purpose");
    for (int i = 0; i < N_SETTABLE; i++) {
        if (settable[i].kind == d->kind && settable[i].is_needed && !find(d, settable[i].name)) {
            return fake_fail(BAD_PARAM, "attribute %d is missing", settable[i].name);
        }
    }
    int status = fake_finalize(d);
    d->is_finalized = status == SUCCESS;
    return status;
}

// Answers plain values: as many as are asked for at most, and how many there are.
static int give(int64_t room, int64_t *count, void *to, const void *values, int64_t n, int type) {
    *count = n;
    if (room > 0) memcpy(to, values, (size_t)((n < room ? n : room) * fake_type_bytes(type)));
    return SUCCESS;
}

#define MOST_CONFIGS 24

// Fills descriptors that the caller has made.
static int give_descriptors(const fake_descriptor *d, int kind, int64_t room, int64_t *count, fake_descriptor **to) {
    fake_engine engines[MOST_CONFIGS];
    int64_t n = 1;
    if (d->kind == HEURISTIC)
        n = fake_engines(&d->problem, engines, MOST_CONFIGS, *(const int *)fake_values(d, HEUR_MODE));
    if (kind == KNOB_CHOICE) n = d->engine.n_knobs;
    if (n < 0) return (int)-n;
    // Asked without room the real library says zero for knobs, as of 9.28.
    *count = kind == KNOB_CHOICE && room == 0 ? 0 : n;
    for (int64_t i = 0; i < n && i < room; i++) {
        if (!fake_is_alive(to[i], kind)) return fake_fail(WRONG_DESCRIPTOR, "a descriptor of another kind");
        if (to[i]->is_finalized) return fake_fail(BAD_PARAM, "a descriptor that is in use");
        to[i]->problem = d->problem;
        to[i]->engine = d->kind == HEURISTIC ? engines[i] : d->engine;
        if (kind == KNOB_CHOICE) memcpy(to[i]->knob, d->engine.knobs[i], sizeof to[i]->knob);
        to[i]->is_finalized = 1;
    }
    return SUCCESS;
}

FAKE_EXPORT int cudnnBackendGetAttribute(fake_descriptor *d, int name, int type, int64_t room, int64_t *count,
                                         void *to) {
    if (!d || !count || (room > 0 && !to)) return fake_fail(NULL_POINTER, "a null pointer");
    if (!fake_is_alive(d, d->kind)) return BAD_PARAM;
    if (!d->is_finalized) return fake_fail(NOT_FINALIZED, "attribute %d was asked for too early", name);
    if (fake_driver_api()->is_to_fail()) return fake_fail(INTERNAL_ERROR, "on purpose");
    const fake_engine *e = &d->engine;
    static const char json[] = "{\"version\": 1, \"deviceVer\": 900, \"name\": \"Fake GPU\"}";
#define IS(k, n, t) (d->kind == (k) && name == (n) && (type == (t) || (wrong = 1, 0)))
    int wrong = 0;
    if (IS(HEURISTIC, HEUR_RESULTS, T_DESCRIPTOR)) return give_descriptors(d, CONFIG, room, count, to);
    if (IS(CONFIG, CONFIG_ENGINE, T_DESCRIPTOR)) return give_descriptors(d, ENGINE, room, count, to);
    if (IS(CONFIG, CONFIG_KNOB_CHOICES, T_DESCRIPTOR)) return give_descriptors(d, KNOB_CHOICE, room, count, to);
    if (IS(PLAN, PLAN_WORKSPACE, T_INT64)) return give(room, count, to, &e->workspace, 1, type);
    if (IS(KNOB_CHOICE, KNOB_TYPE, T_KNOB)) return give(room, count, to, (int[]){(int)d->knob[0]}, 1, type);
    if (IS(KNOB_CHOICE, KNOB_VALUE, T_INT64)) return give(room, count, to, &d->knob[1], 1, type);
    if (IS(ENGINE, ENGINE_INDEX, T_INT64)) return give(room, count, to, &e->index, 1, type);
    if (IS(ENGINE, ENGINE_NUMERICAL, T_NUMERICAL)) return give(room, count, to, e->numerical, e->n_numerical, type);
    if (IS(ENGINE, ENGINE_BEHAVIOR, T_BEHAVIOR)) return give(room, count, to, e->behavior, e->n_behavior, type);
    if (IS(DEVICE_PROPERTIES, PROPERTIES_JSON, T_CHAR)) return give(room, count, to, json, sizeof json, type);
    if (wrong) return fake_fail(WRONG_TYPE, "attribute %d is not of type %d", name, type);
    return fake_fail(BAD_PARAM, "descriptors of kind %d have no attribute %d to read", d->kind, name);
}
