// The heuristics' answers: a list with everything in it that a caller has to cope with.
#include "cudnn.h"
#include <stdio.h>
#include <string.h>

// Notes by the numbers of the library's headers.
enum { TENSOR_CORE = 0, DOWN_CONVERTS = 1, REDUCED_SUMS = 2, NONDETERMINISTIC = 4 };
enum { COMPILES = 0, NATIVE_GRAPHS = 3 };

static int add(fake_engine *into, int n, int most, fake_engine engine) {
    if (into && n < most) into[n] = engine;
    return n + 1;
}

// How many there are, or minus the status.
int fake_engines(const fake_problem *p, fake_engine *into, int most, int mode) {
    const fake_api *api = fake_driver_api();
    char key[64];
    snprintf(key, sizeof key, "%lld>%lld", (long long)p->x.dims[1], (long long)p->y.dims[1]);
    const char *which = api->text("FAKE_ENGINES");
    if (strcmp(key, api->text("FAKE_UNSUPPORTED")) == 0)
        return -fake_fail(NOT_SUPPORTED_SHAPE, "no engine takes %s", key);
    if (strcmp(which, "none") == 0) return 0;
    if (strcmp(which, "broken") == 0) return -fake_fail(INTERNAL_ERROR, "the heuristics broke");
    int is_float = p->x.type == FLOAT_DATA;
    int is_depthwise = p->w.dims[1] == 1 && p->x.dims[1] > 1;
    double rival = api->number("FAKE_RIVAL", 0.99);
    // By tensor cores: the library's usual choice, which rounds f32 to TF32.
    fake_engine usual = {.index = 12,
                         .knobs = {{2, 3}, {24, 1}},
                         .n_knobs = 2,
                         .workspace = 4096,
                         .factor = 1,
                         .numerical = {TENSOR_CORE},
                         .n_numerical = 1};
    fake_engine compiled = {.index = 34,
                            .knobs = {{3, 7}},
                            .n_knobs = 1,
                            .factor = rival,
                            .n_numerical = 1,
                            .numerical = {TENSOR_CORE},
                            .behavior = {COMPILES, NATIVE_GRAPHS},
                            .n_behavior = 2};
    fake_engine refused = {.index = 7, .is_refused = 1, .factor = 0.1};
    fake_engine hungry = {.index = 45, .workspace = (int64_t)1 << 30, .factor = 0.5};
    fake_engine sloppy = {.index = 5, .factor = 0.4, .numerical = {TENSOR_CORE, REDUCED_SUMS}, .n_numerical = 2};
    fake_engine plain = {.index = 0, .factor = 3, .workspace = 1 << 10};
    fake_engine scattered = {.index = 1, .factor = 3 * rival, .numerical = {NONDETERMINISTIC}, .n_numerical = 1};
    refused.is_refused = 1;
    int n = 0;
    // Mode A is 3, fallback is 2.
    if (mode == 2) {
        plain.is_refused = scattered.is_refused = strcmp(which, "refuse") == 0 || strcmp(which, "hungry") == 0;
        n = add(into, n, most, plain);
        return add(into, n, most, scattered);
    }
    if (mode != 3) return -fake_fail(NOT_SUPPORTED, "heuristic mode %d", mode);
    if (strcmp(which, "fallback") == 0) return -fake_fail(NOT_SUPPORTED, "mode A knows nothing of it");
    if (strcmp(which, "refuse") == 0) return add(into, n, most, refused);
    n = add(into, n, most, refused);
    n = add(into, n, most, hungry);
    if (strcmp(which, "hungry") == 0) return n;
    n = add(into, n, most, sloppy);
    n = add(into, n, most, is_depthwise ? compiled : usual);
    n = add(into, n, most, is_depthwise ? usual : compiled);
    return add(into, n, most, usual);
}
