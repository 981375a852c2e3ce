// Finalizing: what the descriptors say must fit together, and becomes a problem in plain numbers.
#include "cudnn.h"
#include <string.h>

static int64_t integer(const fake_descriptor *d, int name) { return *(const int64_t *)fake_values(d, name); }
static int number(const fake_descriptor *d, int name) { return *(const int *)fake_values(d, name); }

// Leaves the function with this status unless the condition holds.
#define NEED(condition, status, ...)                                                                                   \
    do {                                                                                                               \
        if (!(condition)) return fake_fail(status, __VA_ARGS__);                                                       \
    } while (0)

static int check_tensor(const fake_descriptor *d) {
    int64_t n = fake_values_count(d, TENSOR_DIMS), alignment = integer(d, TENSOR_ALIGNMENT);
    const int64_t *dims = fake_values(d, TENSOR_DIMS), *strides = fake_values(d, TENSOR_STRIDES);
    NEED(n == fake_values_count(d, TENSOR_STRIDES), BAD_PARAM, "as many strides as dimensions");
    for (int64_t i = 0; i < n; i++) NEED(dims[i] > 0 && strides[i] > 0, BAD_PARAM, "sizes and strides are positive");
    NEED(alignment > 0 && (alignment & (alignment - 1)) == 0, BAD_PARAM, "alignment is a power of two");
    int type = number(d, TENSOR_TYPE);
    NEED(type == FLOAT_DATA || type == HALF_DATA || type == BFLOAT16_DATA, NOT_SUPPORTED, "data type %d", type);
    return SUCCESS;
}

static int check_convolution(const fake_descriptor *d) {
    int64_t n = integer(d, CONV_SPATIAL_DIMS);
    for (int name = CONV_DILATIONS; name <= CONV_PRE_PADDINGS; name++) {
        NEED(fake_values_count(d, name) == n, BAD_PARAM, "attribute %d has a value for each dimension", name);
        const int64_t *values = fake_values(d, name);
        for (int64_t i = 0; i < n; i++)
            NEED(values[i] >= (name <= CONV_STRIDES), BAD_PARAM, "attribute %d is too small", name);
    }
    NEED(number(d, CONV_COMP_TYPE) == FLOAT_DATA, NOT_SUPPORTED, "sums are in f32");
    return SUCCESS;
}

static int64_t at(const fake_descriptor *d, int name, int i) { return ((const int64_t *)fake_values(d, name))[i]; }

static int check_forward(const fake_descriptor *d) {
    const fake_descriptor *by = fake_referred(d, FORWARD_CONV, 0), *tensors[3];
    NEED(fake_is_alive(by, CONVOLUTION), WRONG_DESCRIPTOR, "a convolution refers to a convolution");
    for (int i = 0; i < 3; i++) {
        tensors[i] = fake_referred(d, FORWARD_W + i, 0);
        NEED(fake_is_alive(tensors[i], TENSOR), WRONG_DESCRIPTOR, "a convolution refers to tensors");
        NEED(fake_values_count(tensors[i], TENSOR_DIMS) == 4, SHAPE_MISMATCH, "tensors of four dimensions");
    }
    const int64_t *w = fake_values(tensors[0], TENSOR_DIMS), *x = fake_values(tensors[1], TENSOR_DIMS),
                  *y = fake_values(tensors[2], TENSOR_DIMS);
    NEED(y[0] == x[0] && y[1] == w[0] && x[1] % w[1] == 0, SHAPE_MISMATCH, "batch or channels do not fit");
    NEED(y[1] % (x[1] / w[1]) == 0, SHAPE_MISMATCH, "groups do not fit");
    for (int i = 0; i < 2; i++) {
        int64_t reach = x[2 + i] + at(by, CONV_POST_PADDINGS, i) + at(by, CONV_PRE_PADDINGS, i) -
                        at(by, CONV_DILATIONS, i) * (w[2 + i] - 1) - 1;
        int fits = reach >= 0 && y[2 + i] == reach / at(by, CONV_STRIDES, i) + 1;
        NEED(fits, SHAPE_MISMATCH, "the output is not of the convolution's size");
    }
    NEED(number(tensors[0], TENSOR_TYPE) == number(tensors[1], TENSOR_TYPE), NOT_SUPPORTED,
         "input and weights of one type");
    return SUCCESS;
}

static int check_pointwise(const fake_descriptor *d) {
    const fake_descriptor *by = fake_referred(d, OP_MODE, 0), *x = fake_referred(d, OP_X, 0),
                          *b = fake_referred(d, OP_B, 0), *y = fake_referred(d, OP_Y, 0);
    NEED(fake_is_alive(by, POINTWISE), WRONG_DESCRIPTOR, "a pointwise node refers to a pointwise descriptor");
    int are_tensors = fake_is_alive(x, TENSOR) && fake_is_alive(y, TENSOR) && (!b || fake_is_alive(b, TENSOR));
    NEED(are_tensors, WRONG_DESCRIPTOR, "a pointwise node refers to tensors");
    int mode = number(by, POINTWISE_MODE);
    int is_binary = mode == ADD || mode == MIN;
    NEED(is_binary == (b != NULL), BAD_PARAM, "mode %d and its operands do not fit", mode);
    NEED(is_binary || mode == RELU || mode == SIGMOID || mode == SWISH, NOT_SUPPORTED, "mode %d", mode);
    const int64_t *xd = fake_values(x, TENSOR_DIMS), *yd = fake_values(y, TENSOR_DIMS),
                  *bd = b ? fake_values(b, TENSOR_DIMS) : xd;
    for (int i = 0; i < 4; i++) {
        NEED(xd[i] == yd[i] && (bd[i] == 1 || bd[i] == xd[i]), SHAPE_MISMATCH, "operands of a pointwise node");
    }
    return SUCCESS;
}

static fake_tensor tensor(const fake_descriptor *d) {
    fake_tensor t = {
        .uid = integer(d, TENSOR_UID), .alignment = integer(d, TENSOR_ALIGNMENT), .type = number(d, TENSOR_TYPE)};
    memcpy(t.dims, fake_values(d, TENSOR_DIMS), sizeof t.dims);
    memcpy(t.strides, fake_values(d, TENSOR_STRIDES), sizeof t.strides);
    const char *is_virtual = fake_values(d, TENSOR_IS_VIRTUAL);
    t.is_virtual = is_virtual && *is_virtual;
    return t;
}

// How many tensors of the problem have this number.
static int uses(const fake_problem *p, int64_t uid) {
    int n = (p->x.uid == uid) + (p->w.uid == uid) + (p->y.uid == uid);
    for (int i = 0; i < p->n_nodes; i++) {
        n += p->nodes[i].has_operand && p->nodes[i].operand.uid == uid;
        n += p->nodes[i].result.uid == uid;
    }
    return n;
}

static int is_handle(const fake_descriptor *d, int name) {
    return fake_is_handle(*(void *const *)fake_values(d, name));
}

// A convolution, then pointwise nodes, each on the last one's result.
static int read_graph(fake_descriptor *d) {
    fake_problem *p = &d->problem;
    const fake_descriptor *first = fake_referred(d, GRAPH_OPS, 0);
    int64_t n = fake_values_count(d, GRAPH_OPS);
    NEED(is_handle(d, GRAPH_HANDLE), NOT_INITIALIZED, "the handle is gone");
    NEED(fake_is_alive(first, FORWARD) && n - 1 <= MOST_NODES, NOT_SUPPORTED, "graphs begin with a convolution");
    const fake_descriptor *by = fake_referred(first, FORWARD_CONV, 0);
    NEED(fake_is_alive(by, CONVOLUTION), BAD_PARAM, "a graph outlives what it refers to");
    p->x = tensor(fake_referred(first, FORWARD_X, 0));
    p->w = tensor(fake_referred(first, FORWARD_W, 0));
    p->y = tensor(fake_referred(first, FORWARD_Y, 0));
    p->alpha = *(const float *)fake_values(first, FORWARD_ALPHA);
    p->beta = *(const float *)fake_values(first, FORWARD_BETA);
    memcpy(p->dilation, fake_values(by, CONV_DILATIONS), sizeof p->dilation);
    memcpy(p->stride, fake_values(by, CONV_STRIDES), sizeof p->stride);
    memcpy(p->after, fake_values(by, CONV_POST_PADDINGS), sizeof p->after);
    memcpy(p->before, fake_values(by, CONV_PRE_PADDINGS), sizeof p->before);
    p->is_flipped = number(by, CONV_MODE) == 0;
    const fake_tensor *last = &p->y;
    for (int64_t i = 1; i < n; i++) {
        const fake_descriptor *op = fake_referred(d, GRAPH_OPS, i);
        NEED(fake_is_alive(op, OP_POINTWISE), NOT_SUPPORTED, "only pointwise nodes follow");
        fake_node *node = &p->nodes[p->n_nodes++];
        const fake_descriptor *mode = fake_referred(op, OP_MODE, 0), *operand = fake_referred(op, OP_B, 0);
        int follows = tensor(fake_referred(op, OP_X, 0)).uid == last->uid && last->is_virtual;
        NEED(follows, NOT_SUPPORTED, "node %lld does not follow the last one", (long long)i);
        node->mode = number(mode, POINTWISE_MODE);
        node->lower = fake_values(mode, RELU_LOWER) ? *(const double *)fake_values(mode, RELU_LOWER) : 0;
        node->upper = fake_values(mode, RELU_UPPER) ? *(const double *)fake_values(mode, RELU_UPPER) : INFINITY;
        node->has_operand = operand != NULL;
        if (operand) node->operand = tensor(operand);
        node->result = tensor(fake_referred(op, OP_Y, 0));
        last = &node->result;
    }
    NEED(!last->is_virtual, BAD_PARAM, "the last result is virtual");
    for (int i = -1; i < p->n_nodes; i++) {
        NEED(uses(p, i < 0 ? p->y.uid : p->nodes[i].result.uid) == 1, DUPLICATED, "two tensors have one number");
    }
    return SUCCESS;
}

static int check_heuristic(fake_descriptor *d) {
    const fake_descriptor *graph = fake_referred(d, HEUR_GRAPH, 0);
    NEED(fake_is_alive(graph, GRAPH), WRONG_DESCRIPTOR, "heuristics are asked about a graph");
    d->problem = graph->problem;
    int n = fake_engines(&d->problem, NULL, 0, number(d, HEUR_MODE));
    return n < 0 ? -n : SUCCESS;
}

static int check_plan(fake_descriptor *d) {
    const fake_descriptor *config = fake_referred(d, PLAN_CONFIG, 0);
    NEED(is_handle(d, PLAN_HANDLE), NOT_INITIALIZED, "the handle is gone");
    NEED(fake_is_alive(config, CONFIG), WRONG_DESCRIPTOR, "a plan is made from a configuration");
    d->problem = config->problem;
    d->engine = config->engine;
    fake_driver_api()->count("plans", 1);
    long long index = d->engine.index;
    NEED(!d->engine.is_refused, NOT_SUPPORTED_SHAPE, "engine %lld does not take this shape", index);
    return SUCCESS;
}

int fake_finalize(fake_descriptor *d) {
    switch (d->kind) {
    case TENSOR: return check_tensor(d);
    case CONVOLUTION: return check_convolution(d);
    case FORWARD: return check_forward(d);
    case OP_POINTWISE: return check_pointwise(d);
    case GRAPH: return read_graph(d);
    case HEURISTIC: return check_heuristic(d);
    case PLAN: return check_plan(d);
    case POINTWISE:
        NEED(number(d, POINTWISE_PRECISION) == FLOAT_DATA, NOT_SUPPORTED, "pointwise in f32");
        return SUCCESS;
    case PACK:
        NEED(fake_values_count(d, PACK_UIDS) == fake_values_count(d, PACK_POINTERS), BAD_PARAM,
             "a pointer for each number");
        return SUCCESS;
    case DEVICE_PROPERTIES:
        NEED(is_handle(d, PROPERTIES_HANDLE), NOT_INITIALIZED, "the handle is gone");
        return SUCCESS;
    default: return fake_fail(BAD_PARAM, "descriptors of kind %d are not finalized by their users", d->kind);
    }
}
