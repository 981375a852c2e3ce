// What the parts of the fake cuDNN share: descriptors, and the problem that a finalized graph stands for.
#ifndef LOCP_FAKE_CUDNN_H
#define LOCP_FAKE_CUDNN_H

#include "fake.h"
#include "number.h"

// Statuses by the numbers of the library's reference.
enum {
    SUCCESS = 0,
    NOT_INITIALIZED = 1001,
    BAD_PARAM = 2000,
    NULL_POINTER = 2002,
    MISALIGNED = 2003,
    NOT_FINALIZED = 2004,
    SIZE_INSUFFICIENT = 2006,
    SHAPE_MISMATCH = 2008,
    DUPLICATED = 2009,
    WRONG_TYPE = 2010,
    WRONG_DESCRIPTOR = 2012,
    NOT_SUPPORTED = 3000,
    NOT_SUPPORTED_SHAPE = 3002,
    INTERNAL_ERROR = 4000,
    DEVICE_ALLOCATION_FAILED = 4004,
    EXECUTION_FAILED = 5000,
};

// Kinds of descriptors.
enum {
    POINTWISE = 0,
    CONVOLUTION = 1,
    ENGINE = 2,
    CONFIG = 3,
    HEURISTIC = 4,
    PLAN = 5,
    KNOB_CHOICE = 7,
    FORWARD = 10,
    OP_POINTWISE = 13,
    GRAPH = 15,
    PACK = 16,
    TENSOR = 17,
    DEVICE_PROPERTIES = 38,
};

// Attributes by the same numbers, under shorter names.
enum {
    POINTWISE_MODE = 0,
    POINTWISE_PRECISION = 1,
    RELU_LOWER = 3,
    RELU_UPPER = 4,
    SWISH_BETA = 8,
    CONV_COMP_TYPE = 100,
    CONV_MODE = 101,
    CONV_DILATIONS = 102,
    CONV_STRIDES = 103,
    CONV_POST_PADDINGS = 104,
    CONV_PRE_PADDINGS = 105,
    CONV_SPATIAL_DIMS = 106,
    HEUR_MODE = 200,
    HEUR_GRAPH = 201,
    HEUR_RESULTS = 202,
    CONFIG_ENGINE = 300,
    CONFIG_KNOB_CHOICES = 302,
    PLAN_HANDLE = 400,
    PLAN_CONFIG = 401,
    PLAN_WORKSPACE = 402,
    KNOB_TYPE = 600,
    KNOB_VALUE = 601,
    FORWARD_ALPHA = 700,
    FORWARD_BETA = 701,
    FORWARD_CONV = 702,
    FORWARD_W = 703,
    FORWARD_X = 704,
    FORWARD_Y = 705,
    OP_MODE = 750,
    OP_X = 751,
    OP_B = 752,
    OP_Y = 753,
    GRAPH_HANDLE = 800,
    GRAPH_OPS = 801,
    TENSOR_ALIGNMENT = 900,
    TENSOR_TYPE = 901,
    TENSOR_DIMS = 902,
    TENSOR_STRIDES = 903,
    TENSOR_UID = 906,
    TENSOR_IS_VIRTUAL = 907,
    PACK_UIDS = 1000,
    PACK_POINTERS = 1001,
    PACK_WORKSPACE = 1003,
    ENGINE_INDEX = 1301,
    ENGINE_NUMERICAL = 1303,
    ENGINE_BEHAVIOR = 1305,
    PROPERTIES_HANDLE = 2701,
    PROPERTIES_JSON = 2702,
};

// Modes of a pointwise node.
enum { ADD = 0, MIN = 2, RELU = 100, SIGMOID = 102, SWISH = 106 };

#define MOST_NODES 4

typedef struct {
    int64_t uid, dims[4], strides[4], alignment;
    int type, is_virtual;
} fake_tensor;

typedef struct {
    int mode;
    double lower, upper;
    int has_operand;
    fake_tensor operand, result;
} fake_node;

// A convolution with what follows, as the descriptors say it.
typedef struct {
    fake_tensor x, w, y;
    int64_t before[2], after[2], stride[2], dilation[2];
    float alpha, beta;
    int is_flipped, n_nodes;
    fake_node nodes[MOST_NODES];
} fake_problem;

typedef struct {
    int64_t index, knobs[4][2], workspace;
    int n_knobs, is_refused;
    int numerical[4], n_numerical, behavior[4], n_behavior;
    double factor;
} fake_engine;

#define MOST_ATTRIBUTES 12

typedef struct {
    int name, type;
    int64_t count;
    void *values;
} fake_attribute;

typedef struct {
    unsigned magic;
    int kind, is_finalized;
    fake_attribute attributes[MOST_ATTRIBUTES];
    int n_attributes;
    // What a graph, and whatever was made from one, stands for.
    fake_problem problem;
    fake_engine engine;
    int64_t knob[2];
} fake_descriptor;

typedef struct {
    unsigned magic;
    void *stream;
} fake_handle;

// cudnn_descriptor.c
int fake_fail(int status, const char *format, ...);
const fake_api *fake_driver_api(void);
int fake_is_alive(const fake_descriptor *d, int kind);
// Values of an attribute that was set, or NULL.
const void *fake_values(const fake_descriptor *d, int name);
int64_t fake_values_count(const fake_descriptor *d, int name);
const fake_descriptor *fake_referred(const fake_descriptor *d, int name, int64_t i);
int64_t fake_type_bytes(int type);

// cudnn_graph.c
int fake_finalize(fake_descriptor *d);

// cudnn_engines.c
int fake_engines(const fake_problem *problem, fake_engine *into, int most, int mode);

// cudnn_execute.c
int fake_is_handle(const void *handle);

// cudnn_conv.c
void fake_convolve(const fake_problem *problem, int rounds_inputs, const uint64_t *operands, uint64_t x, uint64_t w,
                   uint64_t y);

#endif
