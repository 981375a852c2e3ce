// What the parts of the fake driver share among themselves.
#ifndef LOCP_FAKE_DRIVER_H
#define LOCP_FAKE_DRIVER_H

#include "fake.h"

// Settings as numbers, read again whenever one changes.
typedef struct {
    int devices, cuda, multiprocessors, late_spins, sticky_bind;
    double l2_bytes, clock_mhz, memory_bytes;
    double launch_ns, node_ns, graph_ns, upload_ns, event_ns, kernel_ns, bandwidth, timer_ns;
    double noise, throttle_period, throttle_count, drift_after_ns, drift;
    int computes;
    long fail_after;
} fake_settings;

extern fake_settings set;

// config.c
void fake_load_settings(void);
double fake_number(const char *name, double otherwise);
const char *fake_text(const char *name);
void fake_violation(const char *format, ...);
void fake_count(const char *what, int change);
long fake_counted(const char *what);
void fake_trace_add(const char *name, double start, double ns);
void fake_lock(void);
void fake_unlock(void);

// clock.c
double fake_now(void);
// Goes forward by this much device time; `is_work` time is longer where the clock is low.
void fake_advance(double ns, int is_work);
double fake_cycles(void);
double fake_noise(void);
void fake_reading_begins(void);
void fake_host_comes(void);
void fake_host_leaves(void);
int fake_is_cold(uint64_t address, uint64_t bytes);
void fake_cache_forget(void);
void fake_cache_drop(uint64_t address);

// memory.c
uint64_t fake_room(uint64_t address);
int fake_is_host_word(uint64_t address);

// device.c
extern int fake_sticky;
int fake_context(void);
// What is current on this thread, to be compared only.
const void *fake_current(void);
// Zero where a call may go on, else what it answers.
int fake_enter(void);
// The same for calls that free or end something, which are never made to fail on purpose.
int fake_enter_to_free(void);
// Whether this call is the one that a test wants to fail.
int fake_is_to_fail(void);

// kernels_conv.c
// Whether the kernel is one that works on a convolution's tensors; then it was queued, and `code` says how.
int fake_launch_conv(const char *name, void *stream, void **parameters, int *code);

// stream.c
int fake_is_stream(void *stream);
int fake_enqueue(void *stream, const fake_work *work);
int fake_enqueue_spin(void *stream, volatile uint32_t *flag, uint64_t limit_ns);
// Zero, or CUDA_CAPTURE_UNSUPPORTED after breaking the capture that this thread is in.
int fake_forbid_in_capture(const char *call);
void fake_drain(const char *call);
int fake_is_pending(uint64_t address, uint64_t bytes);

#endif
