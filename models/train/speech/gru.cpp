// A GRU over time for training on a CPU: torch's own takes some ten passes over memory a step; here
// the states of a few sequences stay in the cache from the first step to the last. PyTorch's
// equations and order of gates (r, z, n); single precision. Built and called by gru.py.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace {

constexpr int LANES = 16;  // floats of a vector; without AVX-512 the compiler splits it
constexpr int CHUNK = 24;  // sequences that go through time together
typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4)));

struct Free {
    void operator()(float* p) const { std::free(p); }
};
using Buffer = std::unique_ptr<float[], Free>;

Buffer zeros(size_t count) {
    size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    float* p = static_cast<float*>(std::aligned_alloc(64, bytes));
    std::memset(p, 0, bytes);
    return Buffer(p);
}

Vector load(const float* p) {
    Vector v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

void store(float* p, Vector v) { std::memcpy(p, &v, sizeof v); }

// out[ROWS][VECTORS] += a[ROWS][depth] * b[depth][VECTORS], all in registers.
template <int ROWS, int VECTORS>
void tile(const float* a, long row_step, long depth_step, const float* b, long b_step, int depth,
          float* out, long out_step) {
    Vector sum[ROWS][VECTORS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++) sum[i][j] = load(out + i * out_step + j * LANES);
    for (int k = 0; k < depth; k++)
        for (int i = 0; i < ROWS; i++) {
            float factor = a[i * row_step + k * depth_step];
            for (int j = 0; j < VECTORS; j++) sum[i][j] += factor * load(b + k * b_step + j * LANES);
        }
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++) store(out + i * out_step + j * LANES, sum[i][j]);
}

template <int ROWS, int VECTORS>
void tiles(const float* a, long row_step, long depth_step, const float* b, long b_step, int depth,
           float* out, long out_step, int rows) {
    int i = 0;
    for (; i + ROWS <= rows; i += ROWS)
        tile<ROWS, VECTORS>(a + i * row_step, row_step, depth_step, b, b_step, depth,
                            out + i * out_step, out_step);
    for (; i < rows; i++)
        tile<1, VECTORS>(a + i * row_step, row_step, depth_step, b, b_step, depth,
                         out + i * out_step, out_step);
}

// out[rows][vectors] += a[rows][depth] * b[depth][vectors].
void multiply(const float* a, long row_step, long depth_step, const float* b, long b_step, int depth,
              float* out, long out_step, int rows, int vectors) {
    for (; vectors > 0; ) {
        int width = vectors % 3 == 0 || vectors > 4 ? 3 : vectors % 2 == 0 ? 2 : 1;
        auto call = width == 3 ? tiles<8, 3> : width == 2 ? tiles<12, 2> : tiles<16, 1>;
        call(a, row_step, depth_step, b, b_step, depth, out, out_step, rows);
        b += width * LANES, out += width * LANES, vectors -= width;
    }
}

int padded(int size) { return (size + LANES - 1) / LANES * LANES; }

// A gate's weight [size][inputs] into column `gate` of [inputs][gates][width].
void pack(const float* weight, int size, int inputs, float* out, int gate, int gates, int width) {
    for (int i = 0; i < size; i++)
        for (int k = 0; k < inputs; k++) out[(k * gates + gate) * width + i] = weight[i * inputs + k];
}

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

// `x` [count][steps][inputs] to `out` [count][steps][size]; backwards in time if `is_reversed`.
// `kept` [count][steps][4][size] is for the gradient: r, z, n and the state's part in n before r.
extern "C" void gru_forward(const float* x, const float* weight_in, const float* weight_state,
                            const float* bias_in, const float* bias_state, float* out, float* kept,
                            long count, int steps, int inputs, int size, int is_reversed) {
    int width = padded(size), gates = 4 * width;  // r, z, the state's part in n, the input's part in n
    Buffer from_in = zeros(size_t(inputs) * gates), from_state = zeros(size_t(size) * gates);
    Buffer bias = zeros(gates), sums = zeros(size_t(CHUNK) * gates), state = zeros(CHUNK * width);
    for (int gate = 0; gate < 3; gate++) {
        pack(weight_in + gate * size * inputs, size, inputs, from_in.get(), gate == 2 ? 3 : gate, 4, width);
        pack(weight_state + gate * size * size, size, size, from_state.get(), gate, 4, width);
        for (int i = 0; i < size; i++) {
            bias[(gate == 2 ? 3 : gate) * width + i] += bias_in[gate * size + i];
            bias[gate * width + i] += bias_state[gate * size + i];
        }
    }
    long in_row = long(steps) * inputs, out_row = long(steps) * size;
    for (long first = 0; first < count; first += CHUNK) {
        int rows = count - first < CHUNK ? count - first : CHUNK;
        std::memset(state.get(), 0, sizeof(float) * CHUNK * width);
        for (int step = 0; step < steps; step++) {
            int t = is_reversed ? steps - 1 - step : step;
            for (int row = 0; row < rows; row++)
                std::memcpy(&sums[row * gates], bias.get(), sizeof(float) * gates);
            // r and z; the state's part lies between them and the input's part.
            const float* now = x + first * in_row + long(t) * inputs;
            multiply(now, in_row, 1, from_in.get(), gates, inputs, sums.get(), gates, rows, 2 * width / LANES);
            multiply(now, in_row, 1, from_in.get() + 3 * width, gates, inputs, &sums[3 * width], gates,
                     rows, width / LANES);
            if (step > 0)
                multiply(state.get(), width, 1, from_state.get(), gates, size, sums.get(), gates, rows,
                         3 * width / LANES);
            for (int row = 0; row < rows; row++) {
                const float* sum = &sums[row * gates];
                float* held = &state[row * width];
                float* result = out + (first + row) * out_row + long(t) * size;
                float* keep = kept + 4 * ((first + row) * out_row + long(t) * size);
                for (int i = 0; i < size; i++) {
                    float r = sigmoid(sum[i]), z = sigmoid(sum[width + i]), part = sum[2 * width + i];
                    float n = 2 * sigmoid(2 * (sum[3 * width + i] + r * part)) - 1;
                    float next = n + z * (held[i] - n);
                    keep[i] = r, keep[size + i] = z, keep[2 * size + i] = n, keep[3 * size + i] = part;
                    held[i] = result[i] = next;
                }
            }
        }
    }
}

// From the gradient of `out`, those of `x` and, added up, of the weights and biases.
extern "C" void gru_backward(const float* x, const float* weight_in, const float* weight_state,
                             const float* out, const float* kept, const float* grad_out, float* grad_x,
                             float* grad_weight_in, float* grad_weight_state, float* grad_bias_in,
                             float* grad_bias_state, long count, int steps, int inputs, int size,
                             int is_reversed) {
    int width = padded(size), in_width = padded(inputs);
    // Rows of [gate][size], columns as in the weights, padded.
    Buffer to_in = zeros(size_t(3) * size * in_width), to_state = zeros(size_t(3) * size * width);
    Buffer sum_in = zeros(size_t(3) * size * in_width), sum_state = zeros(size_t(3) * size * width);
    Buffer sum_bias = zeros(4 * size);
    for (int i = 0; i < 3 * size; i++) {
        std::memcpy(&to_in[i * in_width], weight_in + i * inputs, sizeof(float) * inputs);
        std::memcpy(&to_state[i * width], weight_state + i * size, sizeof(float) * size);
    }
    // Of r, z, n (the input's part) and of the state's part in n, which takes the place of n.
    int gates = 4 * size;
    Buffer grad = zeros(size_t(CHUNK) * gates), carry = zeros(CHUNK * width);
    Buffer in_padded = zeros(CHUNK * in_width), before = zeros(CHUNK * width), result = zeros(CHUNK * in_width);
    Buffer by_state = zeros(size_t(CHUNK) * 3 * size);
    long in_row = long(steps) * inputs, out_row = long(steps) * size;
    for (long first = 0; first < count; first += CHUNK) {
        int rows = count - first < CHUNK ? count - first : CHUNK;
        std::memset(carry.get(), 0, sizeof(float) * CHUNK * width);
        for (int step = steps - 1; step >= 0; step--) {
            int t = is_reversed ? steps - 1 - step : step, previous = is_reversed ? t + 1 : t - 1;
            for (int row = 0; row < rows; row++) {
                long at = (first + row) * out_row + long(t) * size;
                const float *keep = kept + 4 * at, *from = grad_out + at;
                float *g = &grad[row * gates], *s = &by_state[row * 3 * size], *c = &carry[row * width];
                float* held = &before[row * width];
                if (step > 0)
                    std::memcpy(held, out + (first + row) * out_row + long(previous) * size, sizeof(float) * size);
                else
                    std::memset(held, 0, sizeof(float) * size);
                for (int i = 0; i < size; i++) {
                    float r = keep[i], z = keep[size + i], n = keep[2 * size + i], part = keep[3 * size + i];
                    float whole = from[i] + c[i];
                    float dn = whole * (1 - z) * (1 - n * n);
                    float dr = dn * part * r * (1 - r), dz = whole * (held[i] - n) * z * (1 - z);
                    g[i] = s[i] = dr, g[size + i] = s[size + i] = dz, g[2 * size + i] = dn;
                    s[2 * size + i] = g[3 * size + i] = dn * r;
                    c[i] = whole * z;
                }
                std::memcpy(&in_padded[row * in_width], x + (first + row) * in_row + long(t) * inputs,
                            sizeof(float) * inputs);
            }
            for (int row = 0; row < rows; row++)
                for (int i = 0; i < gates; i++) sum_bias[i] += grad[row * gates + i];
            // The gradients of the weights: sums over the rows.
            multiply(grad.get(), 1, gates, in_padded.get(), in_width, rows, sum_in.get(), in_width, 3 * size,
                     in_width / LANES);
            multiply(by_state.get(), 1, 3 * size, before.get(), width, rows, sum_state.get(), width, 3 * size,
                     width / LANES);
            std::memset(result.get(), 0, sizeof(float) * rows * in_width);
            multiply(grad.get(), gates, 1, to_in.get(), in_width, 3 * size, result.get(), in_width, rows,
                     in_width / LANES);
            multiply(by_state.get(), 3 * size, 1, to_state.get(), width, 3 * size, carry.get(), width, rows,
                     width / LANES);
            for (int row = 0; row < rows; row++)
                std::memcpy(grad_x + (first + row) * in_row + long(t) * inputs, &result[row * in_width],
                            sizeof(float) * inputs);
        }
    }
    for (int i = 0; i < 3 * size; i++) {
        std::memcpy(grad_weight_in + i * inputs, &sum_in[i * in_width], sizeof(float) * inputs);
        std::memcpy(grad_weight_state + i * size, &sum_state[i * width], sizeof(float) * size);
        grad_bias_in[i] = sum_bias[i];
        grad_bias_state[i] = sum_bias[i < 2 * size ? i : i + size];
    }
}
