// The kernels of this crate that work on a convolution's tensors, computed naively from the arguments of the launch.
#include "driver.h"
#include "number.h"

typedef struct {
    uint64_t x, w, bias, residual, y, n;
    int type, is_depthwise;
    unsigned channels, inner, activation;
    // Batch, input and output channels, then pairs: input, output, kernel, stride, padding, dilation.
    int batch, n_in, n_out, in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} conv;

static float activate(float x, unsigned activation) {
    switch (activation) {
    case 1: return x > 0 ? x : 0;
    case 2: return x > 6 ? 6 : x > 0 ? x : 0;
    case 3: return x / (1 + expf(-x));
    case 4: return 1 / (1 + expf(-x));
    case 5: return x * fminf(fmaxf(x / 6 + 0.5f, 0), 1);
    default: return x;
    }
}

// Bias of a channel, residual of a place, activation.
static void finish(const conv *of, int64_t at, int64_t channel, float sum) {
    if (of->residual) sum += load(of->residual, of->type, at);
    if (of->bias) sum += load(of->bias, of->type, channel);
    store(of->y, of->type, at, activate(sum, of->activation));
}

static double epilogue(const void *data) {
    const conv *of = data;
    for (uint64_t i = 0; set.computes && i < of->n; i++) {
        finish(of, (int64_t)i, (int64_t)(i / of->inner % of->channels), load(of->y, of->type, (int64_t)i));
    }
    return fake_number("FAKE_EPILOGUE_NS", 800) * fake_noise();
}

static double convolve(const void *data) {
    const conv *of = data;
    int64_t wide = of->is_depthwise ? 1 : of->n_in;
    for (int64_t at = 0; set.computes && at < (int64_t)of->n; at++) {
        int64_t k = at % of->n_out, q = at / of->n_out % of->out[1], p = at / of->n_out / of->out[1] % of->out[0];
        int64_t b = at / of->n_out / of->out[1] / of->out[0];
        float sum = 0;
        for (int64_t r = 0; r < of->kernel[0]; r++) {
            int64_t h = p * of->stride[0] + r * of->dilation[0] - of->padding[0];
            for (int64_t s = 0; s < of->kernel[1] && h >= 0 && h < of->in[0]; s++) {
                int64_t v = q * of->stride[1] + s * of->dilation[1] - of->padding[1];
                if (v < 0 || v >= of->in[1]) continue;
                int64_t x = ((b * of->in[0] + h) * of->in[1] + v) * of->n_in + (of->is_depthwise ? k : 0);
                int64_t w = ((k * of->kernel[0] + r) * of->kernel[1] + s) * wide;
                for (int64_t c = 0; c < wide; c++) sum += load(of->x, of->type, x + c) * load(of->w, of->type, w + c);
            }
        }
        finish(of, at, k, sum);
    }
    return set.kernel_ns * fake_noise();
}

static void use(fake_work *work, uint64_t address, uint64_t elements, int type) {
    if (address) work->ranges[work->n_ranges++] = (fake_range){address, elements * (type == FLOAT_DATA ? 4 : 2)};
}

int fake_launch_conv(const char *name, void *stream, void **parameters, int *code) {
    static const int types[3] = {FLOAT_DATA, HALF_DATA, BFLOAT16_DATA};
    conv of = {0};
    fake_work work = {"kernel", convolve, &of, sizeof of, {{0}}, 0};
#define U64(i) (*(uint64_t *)parameters[i])
#define U32(i) (*(unsigned *)parameters[i])
    if (strcmp(name, "locp_epilogue") == 0) {
        of = (conv){.y = U64(0),
                    .bias = U64(1),
                    .residual = U64(2),
                    .n = U64(3),
                    .channels = U32(5),
                    .inner = U32(6),
                    .activation = U32(7)};
        if (U32(4) > 2 || !of.channels || !of.inner) return *code = CUDA_INVALID_VALUE, 1;
        of.type = types[U32(4)];
        work.name = "locp_epilogue";
        work.run = epilogue;
        use(&work, of.bias, of.channels, of.type);
    } else if (strstr(name, "locp_depthwise") || strstr(name, "locp_igemm")) {
        of = (conv){.x = U64(0), .w = U64(1), .bias = U64(2), .residual = U64(3), .y = U64(4)};
        of.is_depthwise = strstr(name, "locp_depthwise") != NULL;
        of.type = strstr(name, "float") ? FLOAT_DATA : HALF_DATA;
        const int *fields = parameters[5];
        of.batch = *fields++;
        of.n_in = *fields++;
        of.n_out = of.is_depthwise ? of.n_in : *fields++;
        for (int *to = of.in; to < of.dilation + 2; to++) *to = *fields++;
        of.activation = (unsigned)*fields;
        of.n = (uint64_t)of.batch * (uint64_t)of.n_out * (uint64_t)(of.out[0] * of.out[1]);
        int64_t wide = of.is_depthwise ? 1 : of.n_in;
        use(&work, of.x, (uint64_t)of.batch * (uint64_t)of.n_in * (uint64_t)(of.in[0] * of.in[1]), of.type);
        use(&work, of.w, (uint64_t)(of.n_out * wide * of.kernel[0] * of.kernel[1]), of.type);
        use(&work, of.bias, (uint64_t)of.n_out, of.type);
    } else {
        return 0;
    }
    use(&work, of.residual, of.n, of.type);
    use(&work, of.y, of.n, of.type);
    fake_count("launches", 1);
    *code = fake_enqueue(stream, &work);
    return 1;
}
