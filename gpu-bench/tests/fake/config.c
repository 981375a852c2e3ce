// Settings, counts and what went wrong: everything that a test asks the fake driver for.
#include "driver.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64
#define TRACED 65536

fake_settings set;

static struct {
    char name[40], text[160];
} changed[MOST];
static int n_changed;
static struct {
    char name[32];
    long value;
} counts[MOST];
static int n_counts;
static struct {
    char name[32];
    double start, ns;
} traced[TRACED];
static long n_traced;
static long n_violations;
static char first_violation[400];
static pthread_mutex_t mutex;

void fake_lock(void) { pthread_mutex_lock(&mutex); }
void fake_unlock(void) { pthread_mutex_unlock(&mutex); }

__attribute__((constructor)) static void begin(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&mutex, &attributes);
    fake_load_settings();
}

const char *fake_text(const char *name) {
    for (int i = 0; i < n_changed; i++) {
        if (strcmp(changed[i].name, name) == 0) return changed[i].text;
    }
    const char *text = getenv(name);
    return text ? text : "";
}

double fake_number(const char *name, double otherwise) {
    const char *text = fake_text(name);
    return *text ? atof(text) : otherwise;
}

void fake_load_settings(void) {
    set.devices = (int)fake_number("FAKE_DEVICES", 1);
    set.cuda = (int)fake_number("FAKE_CUDA", 13000);
    set.multiprocessors = (int)fake_number("FAKE_SMS", 132);
    set.l2_bytes = fake_number("FAKE_L2", 8 << 20);
    set.clock_mhz = fake_number("FAKE_CLOCK_MHZ", 1980);
    set.memory_bytes = fake_number("FAKE_MEMORY", 8e9);
    set.launch_ns = fake_number("FAKE_LAUNCH_NS", 2000);
    set.node_ns = fake_number("FAKE_NODE_NS", 500);
    set.graph_ns = fake_number("FAKE_GRAPH_NS", 7000);
    set.upload_ns = fake_number("FAKE_UPLOAD_NS", 40000);
    set.event_ns = fake_number("FAKE_EVENT_NS", 0);
    set.kernel_ns = fake_number("FAKE_KERNEL_NS", 5000);
    set.bandwidth = fake_number("FAKE_BANDWIDTH", 1000);
    set.timer_ns = fake_number("FAKE_TIMER_NS", 32);
    set.noise = fake_number("FAKE_NOISE", 0);
    // Of so many readings in a row, the first so many are throttled.
    set.throttle_period = fake_number("FAKE_THROTTLE_PERIOD", 0);
    set.throttle_count = fake_number("FAKE_THROTTLE_COUNT", 0);
    set.drift_after_ns = fake_number("FAKE_DRIFT_AFTER_NS", 0);
    set.drift = fake_number("FAKE_DRIFT", 0);
    // Spinning kernels that give up at once, as if the host had been slow.
    set.late_spins = (int)fake_number("FAKE_LATE_SPINS", 0);
    // Whether making a lost context current fails too.
    set.sticky_bind = (int)fake_number("FAKE_STICKY_BIND", 0);
    set.computes = (int)fake_number("FAKE_COMPUTE", 0);
    // The call that fails, counted from the moment at which this is set.
    set.fail_after = (long)fake_number("FAKE_FAIL_AFTER", 0);
}

FAKE_EXPORT void fake_set(const char *name, const char *text) {
    fake_lock();
    int i = 0;
    while (i < n_changed && strcmp(changed[i].name, name) != 0) i++;
    if (i == n_changed && n_changed < MOST) n_changed++;
    if (i < MOST) {
        snprintf(changed[i].name, sizeof changed[i].name, "%s", name);
        snprintf(changed[i].text, sizeof changed[i].text, "%s", text);
    }
    fake_load_settings();
    fake_unlock();
}

// Something that a real device would punish later, or in silence; tests end by asking that there was none.
void fake_violation(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char text[400];
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "fake device: %s\n", text);
    if (n_violations++ == 0) memcpy(first_violation, text, sizeof text);
}

FAKE_EXPORT long fake_violations(char *first, size_t bytes) {
    snprintf(first, bytes, "%s", first_violation);
    return n_violations;
}

FAKE_EXPORT void fake_forgive(void) {
    n_violations = 0;
    first_violation[0] = 0;
}

void fake_count(const char *what, int change) {
    fake_lock();
    int i = 0;
    while (i < n_counts && strcmp(counts[i].name, what) != 0) i++;
    if (i == n_counts && n_counts < MOST) snprintf(counts[n_counts++].name, sizeof counts[i].name, "%s", what);
    if (i < MOST) counts[i].value += change;
    fake_unlock();
}

FAKE_EXPORT long fake_counted(const char *what) {
    for (int i = 0; i < n_counts; i++) {
        if (strcmp(counts[i].name, what) == 0) return counts[i].value;
    }
    return 0;
}

// Names starting with "live " are of things that should be gone at the end; writes those that are not.
FAKE_EXPORT long fake_alive(char *text, size_t bytes) {
    long all = 0;
    size_t at = 0;
    *text = 0;
    for (int i = 0; i < n_counts; i++) {
        if (strncmp(counts[i].name, "live ", 5) != 0 || counts[i].value == 0) continue;
        all += labs(counts[i].value);
        if (at < bytes) at += (size_t)snprintf(text + at, bytes - at, "%ld %s, ", counts[i].value, counts[i].name + 5);
    }
    return all;
}

void fake_trace_add(const char *name, double start, double ns) {
    long i = n_traced++ % TRACED;
    snprintf(traced[i].name, sizeof traced[i].name, "%s", name);
    traced[i].start = start;
    traced[i].ns = ns;
}

// How many things ran so far; `name`, `start` and `ns` of the i-th are written, unless it is forgotten already.
FAKE_EXPORT long fake_trace(long i, char *name, size_t bytes, double *start, double *ns) {
    if (i >= 0 && i < n_traced && i + TRACED >= n_traced) {
        snprintf(name, bytes, "%s", traced[i % TRACED].name);
        *start = traced[i % TRACED].start;
        *ns = traced[i % TRACED].ns;
    }
    return n_traced;
}
