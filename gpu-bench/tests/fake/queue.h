// What is queued, for the files that queue, capture and run it.
#ifndef LOCP_FAKE_QUEUE_H
#define LOCP_FAKE_QUEUE_H

#include "driver.h"
#include <pthread.h>

enum fake_kind { WORK, EVENT, SPIN, GRAPH };

typedef struct fake_event {
    double at_ns;
    int recordings, is_pending;
} fake_event;

// Data that several items share: a graph's nodes and every launch of it.
typedef struct {
    int users;
    size_t bytes;
    _Alignas(16) char data[];
} fake_blob;

typedef struct fake_item {
    enum fake_kind kind;
    int is_node;
    char name[32];
    double (*run)(const void *data);
    fake_blob *blob;
    fake_range ranges[FAKE_RANGES];
    int n_ranges;
    fake_event *event;
    volatile uint32_t *flag;
    double limit_ns, begun_ns, cost_ns;
    int is_held;
    struct fake_item *next;
} fake_item;

typedef struct {
    fake_item *first, *last;
} fake_list;

typedef struct fake_stream {
    unsigned magic;
    fake_list queue, captured;
    int is_capturing, is_broken;
    pthread_t thread;
    const void *context;
    struct fake_stream *next;
} fake_stream;

fake_stream *fake_find_stream(void *handle);
void fake_append(fake_list *list, fake_item *item);
void fake_clear(fake_list *list);
fake_item *fake_copy_item(const fake_item *item);
// Runs what can run on all streams until the event is passed.
void fake_pump(const fake_event *until);
// Puts an item on the stream, or into what it captures.
int fake_put(void *stream, fake_item *item);

#endif
