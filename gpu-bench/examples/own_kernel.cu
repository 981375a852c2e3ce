// A convolution of one's own, as simple as can be: NHWC, f32, one thread for each output value.
extern "C" __global__ void my_conv(const float* x, const float* w, const float* bias, float* y, int n, int c_in, int height,
                                   int width, int c_out, int size, int pad) {
    int out_h = height + 2 * pad - size + 1, out_w = width + 2 * pad - size + 1;
    int id = blockIdx.x * blockDim.x + threadIdx.x;
    if (id >= n * out_h * out_w * c_out) {
        return;
    }
    int k = id % c_out, q = id / c_out % out_w, p = id / c_out / out_w % out_h, image = id / c_out / out_w / out_h;
    float sum = bias[k];
    for (int r = 0; r < size; r++) {
        for (int s = 0; s < size; s++) {
            int h = p + r - pad, v = q + s - pad;
            if (h < 0 || h >= height || v < 0 || v >= width) {
                continue;
            }
            for (int c = 0; c < c_in; c++) {
                // Weights are in the order output channel, row, column, input channel.
                sum += x[((image * height + h) * width + v) * c_in + c] * w[((k * size + r) * size + s) * c_in + c];
            }
        }
    }
    y[id] = sum > 0.0f ? sum : 0.0f;
}
