// The virtual clock, the multiprocessors' clock, and the last-level cache.
#include "driver.h"
#include <string.h>
#include <time.h>

#define EXTENTS 4096

// The share of the rated clock that throttling leaves.
#define THROTTLED 0.5

static double now_ns = 1e6;
static double cycles;
static long reading = -1;
static uint64_t random_state = 0x9e3779b97f4a7c15ull;

// Load that the clocks want before a reading means something, and how much of it there was.
static double wanted_ns = 300e6, busy_ns;
static double left_at_ns = -1;

double fake_now(void) { return now_ns; }
double fake_cycles(void) { return cycles; }

static int is_throttled(void) {
    return set.throttle_period > 0 && reading >= 0 && reading % (long)set.throttle_period < (long)set.throttle_count;
}

void fake_advance(double ns, int is_work) {
    double share = is_throttled() ? THROTTLED : 1.0;
    if (is_work) {
        ns /= share;
        if (set.drift != 0 && now_ns > set.drift_after_ns) ns *= 1 + set.drift;
    }
    now_ns += ns;
    busy_ns += ns;
    cycles += ns * set.clock_mhz * share / 1e3;
}

double fake_noise(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return 1 + set.noise * ((double)(random_state >> 11) / (double)(1ull << 52) - 1);
}

static double real_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// A reading follows: were the clocks up? A busy machine may stop the host between its own look at the clock and its
// next call, so only long pauses say something.
void fake_reading_begins(void) {
    reading++;
    fake_count("readings", 1);
    if (wanted_ns > busy_ns + 200e6) {
        fake_violation("a reading began after %.0f of %.0f ms of load", busy_ns / 1e6, wanted_ns / 1e6);
    }
    wanted_ns = 0;
}

// The first work after a pause.
void fake_host_comes(void) {
    if (left_at_ns < 0) return;
    double idle = real_ns() - left_at_ns;
    left_at_ns = -1;
    if (idle > 1e9) {
        wanted_ns = 300e6;
        busy_ns = 0;
    }
}

void fake_host_leaves(void) {
    if (left_at_ns < 0) left_at_ns = real_ns();
}

// Extents that were used, the last one at the end; the cache holds as many of the last as fit.
static struct {
    uint64_t address, bytes;
} extents[EXTENTS];
static int n_extents;

void fake_cache_forget(void) { n_extents = 0; }

static void take_out(int i) {
    memmove(extents + i, extents + i + 1, (size_t)(n_extents - i - 1) * sizeof extents[0]);
    n_extents--;
}

void fake_cache_drop(uint64_t address) {
    for (int i = 0; i < n_extents; i++) {
        if (extents[i].address == address) {
            take_out(i);
            return;
        }
    }
}

int fake_is_cold(uint64_t address, uint64_t bytes) {
    int is_cold = 1;
    for (int i = 0; i < n_extents; i++) {
        if (extents[i].address != address) continue;
        is_cold = extents[i].bytes < bytes;
        if (!is_cold) bytes = extents[i].bytes;
        take_out(i);
        break;
    }
    if ((double)bytes > set.l2_bytes) {
        fake_cache_forget();
        return 1;
    }
    if (n_extents == EXTENTS) take_out(0);
    extents[n_extents].address = address;
    extents[n_extents++].bytes = bytes;
    double total = 0;
    for (int i = 0; i < n_extents; i++) total += (double)extents[i].bytes;
    while (total > set.l2_bytes) {
        total -= (double)extents[0].bytes;
        take_out(0);
    }
    return is_cold;
}
