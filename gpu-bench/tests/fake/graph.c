// Capture and graphs: what would have been queued is kept, and queued again at each launch at less cost a piece.
#include "queue.h"
#include <stdlib.h>

typedef struct {
    fake_list nodes;
    int launches, users;
} fake_graph;

FAKE_EXPORT int cuStreamBeginCapture_v2(void *handle, int mode) {
    int code = fake_enter();
    if (code) return code;
    fake_lock();
    fake_stream *stream = handle ? fake_find_stream(handle) : NULL;
    if (!stream || mode < 0 || mode > 2) code = CUDA_INVALID_VALUE;
    else if (stream->is_capturing) code = CUDA_INVALID_VALUE;
    else {
        stream->is_capturing = 1;
        stream->is_broken = 0;
        stream->thread = pthread_self();
        fake_clear(&stream->captured);
    }
    fake_unlock();
    return code;
}

FAKE_EXPORT int cuStreamEndCapture(void *handle, void **graph) {
    *graph = NULL;
    int code = fake_enter_to_free();
    if (code) return code;
    fake_lock();
    fake_stream *stream = handle ? fake_find_stream(handle) : NULL;
    if (!stream || !stream->is_capturing) code = CUDA_CAPTURE_UNMATCHED;
    else {
        stream->is_capturing = 0;
        if (stream->is_broken) {
            fake_clear(&stream->captured);
            code = CUDA_CAPTURE_INVALIDATED;
        } else {
            fake_graph *captured = calloc(1, sizeof *captured);
            captured->nodes = stream->captured;
            stream->captured = (fake_list){0};
            fake_count("live graphs", 1);
            *graph = captured;
        }
    }
    fake_unlock();
    return code;
}

FAKE_EXPORT int cuGraphInstantiateWithFlags(void **exec, void *handle, unsigned long long flags) {
    int code = fake_enter();
    if (!code) code = fake_forbid_in_capture("cuGraphInstantiate");
    if (code) return code;
    if (!handle || flags) return CUDA_INVALID_VALUE;
    fake_lock();
    fake_graph *graph = handle, *made = calloc(1, sizeof *made);
    for (fake_item *item = graph->nodes.first; item; item = item->next) {
        fake_item *node = fake_copy_item(item);
        node->is_node = 1;
        fake_append(&made->nodes, node);
    }
    fake_count("live executable graphs", 1);
    fake_count("graphs", 1);
    fake_unlock();
    *exec = made;
    return CUDA_OK;
}

static int destroy(fake_graph *graph, const char *what) {
    if (!graph) return CUDA_INVALID_VALUE;
    fake_lock();
    fake_clear(&graph->nodes);
    free(graph);
    fake_count(what, -1);
    fake_unlock();
    return CUDA_OK;
}

FAKE_EXPORT int cuGraphDestroy(void *graph) {
    int code = fake_enter_to_free();
    return code ? code : destroy(graph, "live graphs");
}

FAKE_EXPORT int cuGraphExecDestroy(void *exec) {
    int code = fake_enter_to_free();
    return code ? code : destroy(exec, "live executable graphs");
}

FAKE_EXPORT int cuGraphLaunch(void *exec, void *stream) {
    int code = fake_enter();
    if (code) return code;
    fake_lock();
    fake_graph *graph = exec;
    fake_item *start = calloc(1, sizeof *start);
    start->kind = GRAPH;
    // The first launch uploads the graph.
    start->cost_ns = set.graph_ns + (graph->launches++ == 0 ? set.upload_ns : 0);
    code = fake_put(stream, start);
    for (fake_item *node = graph->nodes.first; node && !code; node = node->next) {
        code = fake_put(stream, fake_copy_item(node));
    }
    fake_count("graph launches", 1);
    fake_unlock();
    return code;
}
