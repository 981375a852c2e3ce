// The arithmetic itself, as the descriptors say it: sums in f32, storage in the tensors' types.
#include "cudnn.h"

static int64_t place(const fake_tensor *t, const int64_t *at) {
    int64_t sum = 0;
    // A dimension of one is repeated.
    for (int i = 0; i < 4; i++) sum += t->dims[i] == 1 ? 0 : at[i] * t->strides[i];
    return sum;
}

static float follow(const fake_problem *p, const uint64_t *operands, float value, const int64_t *at) {
    for (int i = 0; i < p->n_nodes; i++) {
        const fake_node *node = &p->nodes[i];
        switch (node->mode) {
        case ADD: value += load(operands[i], node->operand.type, place(&node->operand, at)); break;
        case MIN: value = fminf(value, load(operands[i], node->operand.type, place(&node->operand, at))); break;
        case RELU: value = (float)fmin(fmax(value, node->lower), node->upper); break;
        case SIGMOID: value = 1 / (1 + expf(-value)); break;
        default: value = value / (1 + expf(-value));
        }
        if (node->result.is_virtual) value = as_stored(value, node->result.type);
    }
    return value;
}

void fake_convolve(const fake_problem *real, int rounds_inputs, const uint64_t *operands, uint64_t xa, uint64_t wa,
                   uint64_t ya) {
    // Mistakes on purpose, to see that they are found.
    const char *mistake = fake_driver_api()->text("FAKE_MISTAKE");
    fake_problem changed = *real;
    const fake_problem *p = &changed;
    if (strcmp(mistake, "padding") == 0) {
        memcpy(changed.before, real->after, sizeof changed.before);
        memcpy(changed.after, real->before, sizeof changed.after);
    }
    if (strcmp(mistake, "flip") == 0) changed.is_flipped = 1;
    if (strcmp(mistake, "dilation") == 0) changed.dilation[0] = changed.dilation[1] = 1;
    if (strcmp(mistake, "epilogue") == 0 && changed.n_nodes > 1) changed.nodes[0].mode = SIGMOID;
    int is_unwritten = strcmp(mistake, "unwritten") == 0;
    const fake_tensor *result = p->n_nodes ? &p->nodes[p->n_nodes - 1].result : &p->y;
    int64_t n_in = p->w.dims[1], groups = p->x.dims[1] / n_in, n_out = p->w.dims[0] / groups;
    int64_t rows = p->w.dims[2], columns = p->w.dims[3], at[4];
    for (at[0] = 0; at[0] < p->y.dims[0]; at[0]++)
        for (at[1] = 0; at[1] < p->y.dims[1]; at[1]++)
            for (at[2] = 0; at[2] < p->y.dims[2]; at[2]++)
                for (at[3] = 0; at[3] < p->y.dims[3]; at[3]++) {
                    float sum = 0;
                    for (int64_t r = 0; r < rows; r++) {
                        int64_t h = at[2] * p->stride[0] + r * p->dilation[0] - p->before[0];
                        if (h < 0 || h >= p->x.dims[2]) continue;
                        for (int64_t s = 0; s < columns; s++) {
                            int64_t w = at[3] * p->stride[1] + s * p->dilation[1] - p->before[1];
                            if (w < 0 || w >= p->x.dims[3]) continue;
                            int64_t kr = p->is_flipped ? rows - 1 - r : r, ks = p->is_flipped ? columns - 1 - s : s;
                            const int64_t *step = p->x.strides;
                            int64_t xp = at[0] * step[0] + at[1] / n_out * n_in * step[1] + h * step[2] + w * step[3];
                            int64_t wp = at[1] * p->w.strides[0] + kr * p->w.strides[2] + ks * p->w.strides[3];
                            for (int64_t c = 0; c < n_in; c++, xp += step[1], wp += p->w.strides[1]) {
                                float a = load(xa, p->x.type, xp), b = load(wa, p->w.type, wp);
                                if (rounds_inputs) a = round_bits(a, 10), b = round_bits(b, 10);
                                sum += a * b;
                            }
                        }
                    }
                    float value = p->alpha * sum;
                    if (p->y.is_virtual) value = as_stored(value, p->y.type);
                    if (is_unwritten && at[1] == p->y.dims[1] - 1 && at[2] == p->y.dims[2] - 1) continue;
                    store(ya, result->type, place(result, at), follow(p, operands, value, at));
                }
}
