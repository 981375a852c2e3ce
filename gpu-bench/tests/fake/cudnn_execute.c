// Handles, and running a plan: its time is planted, its result computed where that is asked for.
#include "cudnn.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLE 0x4a4d1e00u

FAKE_EXPORT size_t cudnnGetVersion(void) {
    // Asked before there is a driver, so the environment answers.
    const char *version = getenv("FAKE_CUDNN");
    return version ? (size_t)atol(version) : 91400;
}

FAKE_EXPORT int cudnnCreate(fake_handle **to) {
    const fake_api *api = fake_driver_api();
    int code = api->context();
    if (code) {
        api->violation("cudnnCreate without a live context: %d", code);
        return fake_fail(NOT_INITIALIZED, "no context is current");
    }
    if (api->is_to_fail()) return fake_fail(INTERNAL_ERROR, "on purpose");
    *to = calloc(1, sizeof **to);
    (*to)->magic = HANDLE;
    api->count("live handles", 1);
    api->count("handles", 1);
    return SUCCESS;
}

int fake_is_handle(const void *handle) { return handle && ((const fake_handle *)handle)->magic == HANDLE; }

FAKE_EXPORT int cudnnDestroy(fake_handle *handle) {
    const fake_api *api = fake_driver_api();
    if (!fake_is_handle(handle)) {
        fprintf(stderr, "fake device: a handle was destroyed twice\n");
        abort();
    }
    if (api->context()) api->violation("cudnnDestroy without a live context: %d", api->context());
    handle->magic = 0;
    api->count("live handles", -1);
    return SUCCESS;
}

FAKE_EXPORT int cudnnSetStream(fake_handle *handle, void *stream) {
    if (!fake_is_handle(handle)) return fake_fail(NOT_INITIALIZED, "the handle is gone");
    if (!fake_driver_api()->is_stream(stream)) return fake_fail(BAD_PARAM, "the stream is gone");
    if (fake_driver_api()->is_to_fail()) return fake_fail(INTERNAL_ERROR, "on purpose");
    handle->stream = stream;
    return SUCCESS;
}

typedef struct {
    fake_problem problem;
    fake_engine engine;
    uint64_t x, w, y, operands[MOST_NODES];
    char key[32];
} conv_run;

static uint64_t bytes(const fake_tensor *t) {
    uint64_t last = 1;
    for (int i = 0; i < 4; i++) last += (uint64_t)(t->dims[i] - 1) * (uint64_t)t->strides[i];
    return last * (t->type == FLOAT_DATA ? 4 : 2);
}

// The planted staircase: steps of 32 output and 8 input channels of each group.
static double arithmetic_ns(const fake_problem *p) {
    int64_t groups = p->x.dims[1] / p->w.dims[1], out = p->w.dims[0] / groups, in = p->w.dims[1];
    double tiles = (double)(groups * ((out + 31) / 32) * ((in + 7) / 8));
    double places = (double)(p->w.dims[2] * p->w.dims[3] * p->y.dims[0] * p->y.dims[2] * p->y.dims[3]);
    return tiles * places * fake_driver_api()->number("FAKE_UNIT_NS", 0.01);
}

static double run(const void *data) {
    const conv_run *of = data;
    const fake_api *api = fake_driver_api();
    const fake_problem *p = &of->problem;
    if (strcmp(of->key, api->text("FAKE_FAULT_CONV")) == 0) return FAKE_FAULTS;
    if (strcmp(of->key, api->text("FAKE_HANG_CONV")) == 0) return FAKE_HANGS;
    double bandwidth = api->number("FAKE_BANDWIDTH", 1000);
    double ns = 1500 + arithmetic_ns(p);
    if (api->is_cold(of->w, bytes(&p->w))) ns += (double)bytes(&p->w) / bandwidth;
    if (api->is_cold(of->x, bytes(&p->x))) ns += (double)bytes(&p->x) / bandwidth;
    const fake_tensor *result = p->n_nodes ? &p->nodes[p->n_nodes - 1].result : &p->y;
    // What is written needs no reading first, but is in the cache afterwards.
    api->is_cold(of->y, bytes(result));
    for (int i = 0; i < p->n_nodes; i++) {
        const fake_node *node = &p->nodes[i];
        if (!node->has_operand) continue;
        if (api->is_cold(of->operands[i], bytes(&node->operand))) ns += (double)bytes(&node->operand) / bandwidth;
    }
    if (api->number("FAKE_COMPUTE", 0) != 0) {
        int rounds = 0;
        for (int i = 0; i < of->engine.n_numerical; i++) rounds |= of->engine.numerical[i] == 0;
        fake_convolve(p, rounds && p->x.type == FLOAT_DATA, of->operands, of->x, of->w, of->y);
    }
    return ns * of->engine.factor * api->noise();
}

// The address that a pack gives to a tensor, which must reach over all of it.
static int address(const fake_descriptor *pack, const fake_tensor *t, uint64_t *to, fake_work *work) {
    const int64_t *uids = fake_values(pack, PACK_UIDS);
    void *const *pointers = fake_values(pack, PACK_POINTERS);
    for (int64_t i = 0; i < fake_values_count(pack, PACK_UIDS); i++) {
        if (uids[i] != t->uid) continue;
        *to = (uint64_t)(uintptr_t)pointers[i];
        if (!*to) return fake_fail(NULL_POINTER, "tensor %lld is null", (long long)t->uid);
        if (*to % (uint64_t)t->alignment) return fake_fail(MISALIGNED, "tensor %lld is not aligned", (long long)t->uid);
        if (work->n_ranges == FAKE_RANGES) return fake_fail(NOT_SUPPORTED, "more tensors than the fake has room for");
        work->ranges[work->n_ranges++] = (fake_range){*to, bytes(t)};
        return SUCCESS;
    }
    return fake_fail(BAD_PARAM, "no pointer for tensor %lld", (long long)t->uid);
}

FAKE_EXPORT int cudnnBackendExecute(fake_handle *handle, const fake_descriptor *plan, const fake_descriptor *pack) {
    const fake_api *api = fake_driver_api();
    if (!fake_is_handle(handle) || api->context()) return fake_fail(NOT_INITIALIZED, "no handle or no context");
    if (!fake_is_alive(plan, PLAN) || !fake_is_alive(pack, PACK))
        return fake_fail(WRONG_DESCRIPTOR, "a plan and a pack");
    if (!plan->is_finalized || !pack->is_finalized) return fake_fail(NOT_FINALIZED, "a plan and a pack, finalized");
    conv_run of = {.problem = plan->problem, .engine = plan->engine};
    const fake_problem *p = &of.problem;
    snprintf(of.key, sizeof of.key, "%lld>%lld", (long long)p->x.dims[1], (long long)p->w.dims[0]);
    fake_work work = {"conv", run, &of, sizeof of, {{0}}, 0};
    int status = address(pack, &p->x, &of.x, &work);
    if (!status) status = address(pack, &p->w, &of.w, &work);
    for (int i = 0; i < p->n_nodes && !status; i++) {
        if (p->nodes[i].has_operand) status = address(pack, &p->nodes[i].operand, &of.operands[i], &work);
    }
    if (!status) status = address(pack, p->n_nodes ? &p->nodes[p->n_nodes - 1].result : &p->y, &of.y, &work);
    if (status) return status;
    if (of.engine.workspace > 0) {
        void *const *workspace = fake_values(pack, PACK_WORKSPACE);
        uint64_t at = workspace ? (uint64_t)(uintptr_t)*workspace : 0;
        if (!at) return fake_fail(NULL_POINTER, "the plan needs a workspace");
        if (work.n_ranges == FAKE_RANGES) return fake_fail(NOT_SUPPORTED, "more tensors than the fake has room for");
        work.ranges[work.n_ranges++] = (fake_range){at, (uint64_t)of.engine.workspace};
    }
    api->count("executions", 1);
    int code = api->enqueue(handle->stream, &work);
    return code ? fake_fail(EXECUTION_FAILED, "the driver answered %d", code) : SUCCESS;
}
