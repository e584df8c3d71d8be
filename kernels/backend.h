// SPDX-License-Identifier: Apache-2.0
// The operations that models are written against. One virtual call per op; CpuBackend and
// CudaBackend implement it. Contract of every op unless its comment says otherwise:
//   - operands live on the backend's device and have the stated shapes; both are checked first
//   (InputError)
//   - outputs are overwritten and never read; outputs do not alias inputs
//   - the result does not depend on the number of threads and is the same in every run, bit by bit
//   - zero-size operands return at once
//   - what a backend prepares (SparseMatrix, PairSource, RecurrentState, RepeatedStep) does not
//   outlive it; its matrices and vectors may
//   - arithmetic and accumulation are float32; sums over rows of a batch are accumulated in a fixed
//   order
// Letters: N rows of a table, D embedding width, B batch rows, M shared negatives, K cut-off, F
// in-, H out-features.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/csr.h"
#include "graph/enum_names.h"
#include "graph/ids.h"
#include "kernels/cuda_options.h"
#include "kernels/matrix.h"
#include "kernels/pair_source.h"
#include "kernels/row_set.h"

namespace penchant::kernels {

enum class Transpose : bool { no, yes };
enum class TimeOrder : bool { forward, backward };
enum class Activation : std::uint8_t { identity, relu, leaky_relu, sigmoid, tanh };
constexpr auto enum_words(Activation) {
  return std::to_array<EnumWord<Activation>>({{Activation::identity, "identity"},
                                              {Activation::relu, "relu"},
                                              {Activation::leaky_relu, "leaky_relu"},
                                              {Activation::sigmoid, "sigmoid"},
                                              {Activation::tanh, "tanh"}});
}

/// A sparse operand prepared for one backend: device arrays or views, and the work division of its
/// rows. On the CPU it refers to the caller's CSR arrays, which must outlive it.
class SparseMatrix {
 public:
  virtual ~SparseMatrix() = default;
  virtual std::int64_t rows() const = 0;
  virtual std::int64_t cols() const = 0;
  virtual std::int64_t num_entries() const = 0;
};

/// y_i = act(alpha * row_scale_i * sum_j a_ij * x_j  (+ beta * y_i) (+ delta * addend_i) (+ bias)),
/// and, if layer_sum is given, layer_sum_i += gamma * y_i. Stored values of `a` are used where it
/// has them, else a_ij = 1: with row_scale = 1 / degree this is the normalised propagation without
/// a value array.
/// The row sets leave work out where little of a product is wanted or little of its table is not
/// zero; what is computed has the bits of the whole product of a table with zeros in the rows that
/// are not in the set, but for the sign of a zero.
struct SpmmOptions {
  float alpha = 1.0F;
  float beta = 0.0F;                  ///< 0: y is not read
  VectorView<const float> row_scale;  ///< [rows] or empty
  FloatView layer_sum;                ///< [rows x D] or empty
  float gamma = 1.0F;
  ConstFloatView addend;  ///< [rows x D] or empty; may be x, not y
  float delta = 1.0F;
  VectorView<const float> bias;  ///< [D] or empty
  Activation activation = Activation::identity;
  RowSet wanted;          ///< of [rows]: the others of y and layer_sum keep what they hold
  RowSet nonzero;         ///< of [C]: the others of x count as zero and are not read
  RowSet nonzero_addend;  ///< of [rows]: the same of the addend
};

/// Adam (Kingma and Ba 2015, algorithm 1), with L2 regularisation l2 * parameter added to the
/// gradient.
struct AdamOptions {
  float learning_rate = 1e-3F;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
  float l2 = 0.0F;
  std::int64_t step = 1;  ///< counts from 1; enters the bias correction
};

/// Options of sampled_softmax. `positive_ids` [B] and `negative_ids` [M] (or both empty): a shared
/// negative that equals the row's own positive is left out of its sum. `negative_bias` [M] (or
/// empty) is added to the scaled negative scores (logQ correction: -log(expected count), Bengio and
/// Senecal 2008), `positive_bias` [B] likewise to the positives.
struct SampledSoftmaxOptions {
  float temperature = 0.1F;
  IdView positive_ids;
  IdView negative_ids;
  VectorView<const float> positive_bias;
  VectorView<const float> negative_bias;
};

/// Sequences of one batch, packed by time step, longest sequence first (the order that PyTorch and
/// cuDNN pack in): rows step_offsets[t] .. step_offsets[t + 1] are step t of the sequences longer
/// than t, always in the same order. T = step_offsets.size() - 1 steps, B = step_offsets[1]
/// sequences, S = step_offsets[T] rows. Host memory; the number of rows of a step never grows.
struct PackedSequences {
  std::span<const std::int64_t> step_offsets;
};

/// Sequences one after another: rows offsets[b] .. offsets[b + 1] are sequence b in time order,
/// which may be empty. B = offsets.size() - 1 sequences, S = offsets[B] rows. Host memory.
struct Segments {
  std::span<const std::int64_t> offsets;
};

/// rnn    h_t = act(x_t W_x + h_(t-1) W_h + b) (Elman 1990)
/// lstm   z = x_t W_x + h_(t-1) W_h + b, four blocks of H columns in the order i, f, g, o;
///        c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g), h_t = sigmoid(o) tanh(c_t) (Hochreiter and
///        Schmidhuber 1997 with the forget gate of Gers et al. 2000); one bias; h_(-1) = c_(-1) = 0
enum class Cell : std::uint8_t { rnn, lstm };

struct RecurrentOptions {
  Cell cell = Cell::lstm;
  Activation activation = Activation::tanh;  ///< of the rnn: tanh, relu or sigmoid
  std::int64_t input_dim = 0;                ///< F
  std::int64_t hidden_dim = 0;               ///< H
  /// Columns of W_x, W_h and b.
  std::int64_t gate_dim() const { return (cell == Cell::lstm ? 4 : 1) * hidden_dim; }
};

/// Weights of one recurrent layer, G = gate_dim().
struct RecurrentWeights {
  ConstFloatView input;          ///< W_x [F x G]
  ConstFloatView hidden;         ///< W_h [H x G]
  VectorView<const float> bias;  ///< [G]
};
/// Their gradients: accumulate.
struct RecurrentGradients {
  FloatView input;
  FloatView hidden;
  VectorView<float> bias;
};

/// What a backend keeps of one recurrent layer between forward and backward (gates, cell states,
/// library plans). Grown by the first batches, then reused.
class RecurrentState {
 public:
  virtual ~RecurrentState() = default;
};

/// Which elements a dropout keeps: element (i, j) of an [N x D] matrix is decided by word
/// (i D + j) % 4 of position (i D + j) / 4 in graph::Stream::dropout of `seed`, `substream`
/// (graph/random.h), and dropped if that word is below rate * 2^32.
struct DropoutOptions {
  float rate = 0.0F;  ///< share of elements that become 0, in [0, 1)
  graph::Seed seed;
  std::uint64_t substream = 0;  ///< a new one for each layer and training step
};

/// A step that is enqueued again and again, with other numbers but mostly with the same shapes. A
/// backend may record it and submit it in one piece (the CUDA backend: as a graph).
class RepeatedStep {
 public:
  virtual ~RepeatedStep() = default;
  /// Enqueues what `enqueue` enqueues, which calls ops of the backend only, no copy from or to the
  /// host, and may be called twice, the first time for nothing.
  virtual void run(const std::function<void()>& enqueue) { enqueue(); }
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual Device device() const = 0;
  /// One line for people: instruction set and thread count, or the device's name and memory.
  virtual std::string description() const = 0;

  // --- memory
  template <typename T>
  Matrix<T> matrix(std::int64_t rows, std::int64_t cols) {
    const std::int64_t stride = padded_stride(cols, sizeof(T));
    return {allocate(bytes_of(rows, stride, sizeof(T))), rows, cols, stride, device()};
  }
  template <typename T>
  Vector<T> vector(std::int64_t size) {
    return {allocate(bytes_of(size, 1, sizeof(T))), size, device()};
  }
  /// Copies between host and device or within either; shapes must agree, strides may differ.
  virtual void copy(ConstFloatView from, FloatView to) = 0;
  virtual void copy(VectorView<const float> from, VectorView<float> to) = 0;
  virtual void copy(IdView from, VectorView<graph::NodeId> to) = 0;
  /// float32 -> bf16 storage, round to nearest even; NaN stays NaN.
  virtual void convert(ConstFloatView from, MatrixView<Bf16> to) = 0;
  virtual void convert(MatrixView<const Bf16> from, FloatView to) = 0;
  virtual void fill(FloatView y, float value) = 0;
  /// Fills the rows of y that are in the set; the others keep what they hold.
  virtual void fill_rows(RowSet rows, float value, FloatView y) = 0;
  /// Waits for everything enqueued.
  virtual void sync() = 0;
  virtual std::unique_ptr<RepeatedStep> repeated_step() { return std::make_unique<RepeatedStep>(); }

  // --- sparse
  virtual std::unique_ptr<SparseMatrix> sparse(const graph::CsrView& matrix) = 0;
  /// See SpmmOptions. a [N x C], x [C x D], y [N x D]. The bf16 form reads a table stored in bf16.
  virtual void spmm(const SparseMatrix& a, ConstFloatView x, FloatView y,
                    const SpmmOptions& options) = 0;
  virtual void spmm(const SparseMatrix& a, MatrixView<const Bf16> x, FloatView y,
                    const SpmmOptions& options) = 0;

  // --- dense
  /// c = alpha * op(a) * op(b) + beta * c; beta = 0 does not read c.
  virtual void gemm(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
                    ConstFloatView b, float beta, FloatView c) = 0;
  /// y = act(x weight + bias), of a dense layer. x [B x F], weight [F x H], bias [H], y [B x H].
  virtual void linear(ConstFloatView x, ConstFloatView weight, VectorView<const float> bias,
                      Activation act, FloatView y) = 0;
  /// Eigenvalues of the symmetric matrix a [N x N], largest first, and orthonormal eigenvectors as
  /// columns of vectors [N x N]; only the lower triangle of a is read. Meant for N up to a few
  /// thousand. Throws InputError if an element is not finite.
  virtual void symmetric_eigen(ConstFloatView a, VectorView<float> values, FloatView vectors) = 0;
  /// y = alpha * x + beta * y; beta = 0 does not read y. x may alias y.
  virtual void axpby(float alpha, ConstFloatView x, float beta, FloatView y) = 0;
  /// y_ij = x_ij + bias_j. x may alias y.
  virtual void add_bias(ConstFloatView x, VectorView<const float> bias, FloatView y) = 0;
  /// sums_j += sum_i x_ij (gradient of a bias: accumulates).
  virtual void add_column_sums(ConstFloatView x, VectorView<float> sums) = 0;
  /// y_ij = scale_i * x_ij. x may alias y.
  virtual void scale_rows(ConstFloatView x, VectorView<const float> scale, FloatView y) = 0;
  /// dots_i += sum_j x_ij * y_ij (gradient of a row scale: accumulates).
  virtual void add_row_dots(ConstFloatView x, ConstFloatView y, VectorView<float> dots) = 0;
  /// y = act(x). x may alias y. leaky_relu has slope 0.2 below zero.
  virtual void activation(Activation act, ConstFloatView x, FloatView y) = 0;
  /// d_x = d_y * act'(x), from the forward's output y = act(x). d_y may alias d_x.
  virtual void activation_backward(Activation act, ConstFloatView y, ConstFloatView d_y,
                                   FloatView d_x) = 0;
  /// y_i = x_i / max(|x_i|, 1e-12), inverse_norms_i = 1 / max(|x_i|, 1e-12). x may alias y.
  virtual void normalize_rows(ConstFloatView x, FloatView y, VectorView<float> inverse_norms) = 0;
  /// d_x_i = inverse_norm_i * (d_y_i - y_i <y_i, d_y_i>), from the forward's output y. d_y may
  /// alias d_x.
  virtual void normalize_rows_backward(ConstFloatView y, VectorView<const float> inverse_norms,
                                       ConstFloatView d_y, FloatView d_x) = 0;

  // --- sequences
  /// Makes the state of one recurrent layer.
  virtual std::unique_ptr<RecurrentState> recurrent_state(const RecurrentOptions& options) = 0;
  /// Outputs of all steps. x [S x F], h [S x H]; saves what the backward needs in `state`.
  virtual void recurrent_forward(RecurrentState& state, const PackedSequences& sequences,
                                 ConstFloatView x, const RecurrentWeights& weights,
                                 FloatView h) = 0;
  /// From dLoss/dh of all steps [S x H], for the sequences, x, weights and h of the last forward
  /// with this state, once: d_x [S x F] is overwritten, the gradients of the weights accumulate.
  virtual void recurrent_backward(RecurrentState& state, const PackedSequences& sequences,
                                  ConstFloatView x, const RecurrentWeights& weights,
                                  ConstFloatView h, ConstFloatView d_h, FloatView d_x,
                                  const RecurrentGradients& gradients) = 0;
  /// Causal convolution over time: y_t = bias + sum_(k < width) x_(t-k) W_k; rows before the start
  /// of a sequence count as zero. x [S x F], weight [width F x H] with W_k in rows k F .. (k + 1)
  /// F, y [S x H].
  virtual void convolution_forward(const Segments& segments, std::int64_t width, ConstFloatView x,
                                   ConstFloatView weight, VectorView<const float> bias,
                                   FloatView y) = 0;
  /// d_x [S x F] is overwritten; d_weight and d_bias accumulate.
  virtual void convolution_backward(const Segments& segments, std::int64_t width, ConstFloatView x,
                                    ConstFloatView weight, ConstFloatView d_y, FloatView d_x,
                                    FloatView d_weight, VectorView<float> d_bias) = 0;
  /// Largest value of each column of a sequence, and the row (of x) that has it, the first of equal
  /// ones: y, rows [B x H]. An empty sequence gets 0 and kNoNode.
  virtual void segment_max(const Segments& segments, ConstFloatView x, FloatView y,
                           MatrixView<graph::NodeId> rows) = 0;
  /// d_x [S x H] = d_y [B x H] at `rows`, 0 elsewhere.
  virtual void segment_max_backward(MatrixView<const graph::NodeId> rows, ConstFloatView d_y,
                                    FloatView d_x) = 0;
  /// Running sums over time within each sequence: y_t = x_t + decay y_(t-1), or from the end, y_t =
  /// x_t + decay y_(t+1). Each is the backward of the other. x, y [S x D]; x may alias y.
  virtual void running_sum(TimeOrder order, const Segments& segments, float decay, ConstFloatView x,
                           FloatView y) = 0;
  /// y_ij = x_ij / (1 - rate), or 0 where DropoutOptions drops it (Srivastava et al. 2014,
  /// inverted). The backward is the same call on gradients. x may alias y.
  virtual void dropout(const DropoutOptions& options, ConstFloatView x, FloatView y) = 0;
  /// Layer normalisation (Ba et al. 2016): unit_i = (x_i - mean_i) inverse_deviation_i with
  /// inverse_deviation_i = 1 / sqrt(var_i + 1e-5), y_ij = gain_j unit_ij + bias_j. unit, y [N x D].
  virtual void layer_norm(ConstFloatView x, VectorView<const float> gain,
                          VectorView<const float> bias, FloatView unit,
                          VectorView<float> inverse_deviations, FloatView y) = 0;
  /// d_x is overwritten and may alias d_y; d_gain and d_bias accumulate.
  virtual void layer_norm_backward(ConstFloatView unit, VectorView<const float> inverse_deviations,
                                   VectorView<const float> gain, ConstFloatView d_y, FloatView d_x,
                                   VectorView<float> d_gain, VectorView<float> d_bias) = 0;
  /// z_ij = alpha x_ij y_ij + beta z_ij; beta = 0 does not read z.
  virtual void multiply(float alpha, ConstFloatView x, ConstFloatView y, float beta,
                        FloatView z) = 0;

  // --- indexing
  /// y_i = table[ids_i]. Ids in [0, N) are checked on the CPU.
  virtual void gather_rows(ConstFloatView table, IdView ids, FloatView y) = 0;
  /// table[ids_i] += alpha * x_i: accumulates, repeated ids in ascending i, deterministic.
  virtual void scatter_add_rows(float alpha, ConstFloatView x, IdView ids, FloatView table) = 0;
  /// rows [row_set_words(num_rows)] = the set of all rows that the lists name. Ids in [0, num_rows)
  /// are checked on the CPU.
  virtual void mark_rows(std::span<const IdView> lists, std::int64_t num_rows,
                         VectorView<std::uint32_t> rows) = 0;

  // --- sampling
  /// Throws InputError where the arrays' sizes do not fit together.
  virtual std::unique_ptr<PairSource> pair_source(const PairSourceOptions& options) = 0;
  /// See PairDraw; first_pair + B may not exceed the source's pairs.
  virtual void draw_pairs(const PairSource& source, const PairDraw& draw) = 0;

  // --- losses: per-row losses and the gradients of their mean over B
  /// Bayesian personalised ranking (Rendle et al. 2009): losses_b = softplus(-<u_b, p_b - n_b>).
  /// All [B x D].
  virtual void bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                   VectorView<float> losses, FloatView d_users, FloatView d_positives,
                   FloatView d_negatives) = 0;
  /// Softmax over the row's positive and M shared negatives (Wu et al. 2022, "On the effectiveness
  /// of sampled softmax loss for item recommendation"): s = <u, i> / temperature, losses_b =
  /// logsumexp(s_bp, s_b1 .. s_bM) - s_bp. users, positives [B x D], negatives [M x D].
  virtual void sampled_softmax(ConstFloatView users, ConstFloatView positives,
                               ConstFloatView negatives, const SampledSoftmaxOptions& options,
                               VectorView<float> losses, FloatView d_users, FloatView d_positives,
                               FloatView d_negatives) = 0;
  /// Binary cross entropy of sigmoid(logit) and a label in [0, 1]: losses_b = softplus(logit_b) -
  /// label_b logit_b, d_logits_b = (sigmoid(logit_b) - label_b) / B. All [B].
  virtual void binary_cross_entropy(VectorView<const float> logits, VectorView<const float> labels,
                                    VectorView<float> losses, VectorView<float> d_logits) = 0;
  /// losses_b = (x_b - target_b)^2 / 2, d_x_b = (x_b - target_b) / B. All [B].
  virtual void squared_error(VectorView<const float> x, VectorView<const float> targets,
                             VectorView<float> losses, VectorView<float> d_x) = 0;

  // --- optimiser
  /// Updates parameter and both moments in place (all of one shape).
  virtual void adam_step(const AdamOptions& options, ConstFloatView gradient, FloatView parameter,
                         FloatView first_moment, FloatView second_moment) = 0;

  // --- ranking
  /// For each query row the K items of highest score <query, item>, best first, ties by the lower
  /// item id; items in the row of `excluded` (CSR [B x N] in host memory, columns ascending;
  /// num_rows = 0: none) are left out, and so are those whose score is NaN or -infinity. Fewer than
  /// K left: ids are filled with kNoNode, scores with -infinity. ids, scores [B x K]. Never stores
  /// B x N scores.
  virtual void topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                    MatrixView<graph::NodeId> ids, FloatView scores) = 0;
  /// For every entry (b, i) of `targets` (CSR [B x N] in host memory): higher = number of items not
  /// in row b of `excluded` nor in row b of `targets` whose score is above that of i, equal = the
  /// same for equal scores. A score of NaN ranks last: as a target behind all such items, as one of
  /// these neither above nor equal. [targets.num_entries()].
  virtual void rank_counts(ConstFloatView queries, ConstFloatView items,
                           const graph::CsrView& excluded, const graph::CsrView& targets,
                           VectorView<graph::NodeId> higher, VectorView<graph::NodeId> equal) = 0;
  /// topk and rank_counts of scores that are there already: all_scores [N x B], one row an item.
  virtual void topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                           MatrixView<graph::NodeId> ids, FloatView scores) = 0;
  virtual void rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                                  const graph::CsrView& targets, VectorView<graph::NodeId> higher,
                                  VectorView<graph::NodeId> equal) = 0;

 protected:
  /// 64-byte aligned, zeroed; throws std::bad_alloc.
  virtual Memory allocate(std::int64_t bytes) = 0;
  /// Smallest stride >= cols whose rows start on 64-byte boundaries.
  static std::int64_t padded_stride(std::int64_t cols, std::size_t element_bytes) {
    const auto per_line = static_cast<std::int64_t>(64 / element_bytes);
    if (cols < 0 || cols > std::numeric_limits<std::int64_t>::max() - per_line)
      throw std::bad_array_new_length();
    return (cols + per_line - 1) / per_line * per_line;
  }
  /// Sizes come from options and files: what no memory could hold must not wrap around to little.
  static std::int64_t bytes_of(std::int64_t rows, std::int64_t stride, std::size_t element_bytes) {
    std::int64_t bytes = 0;
    if (rows < 0 || stride < 0 || __builtin_mul_overflow(rows, stride, &bytes) ||
        __builtin_mul_overflow(bytes, static_cast<std::int64_t>(element_bytes), &bytes))
      throw std::bad_array_new_length();
    return bytes;
  }
};

enum class DeviceChoice : std::uint8_t { automatic, cpu, cuda };
constexpr auto enum_words(DeviceChoice) {
  return std::to_array<EnumWord<DeviceChoice>>({{DeviceChoice::automatic, "auto"},
                                                {DeviceChoice::cpu, "cpu"},
                                                {DeviceChoice::cuda, "cuda"}});
}

struct BackendOptions {
  DeviceChoice device = DeviceChoice::automatic;
  int device_index = 0;                  ///< which of the GPUs, in the driver's order
  int num_threads = 0;                   ///< of a CPU backend; 0: all cores
  std::optional<CudaOptions> cuda = {};  ///< absent: cuda_options_from_environment()
};

/// Makes the backend asked for. DeviceChoice::cuda without a usable GPU throws DeviceError that
/// says why; `automatic` takes the GPU where there is one, and the reason otherwise stands in
/// `cuda_status()`. A GPU that the driver does not list: InputError. A thread's calls go to the
/// device that its last CUDA backend was made on: one on another GPU belongs to one thread.
std::unique_ptr<Backend> make_backend(const BackendOptions& options = {});

/// "available", or why the GPU is not used.
std::string cuda_status();

/// One line a GPU that the driver lists: name, architecture, memory. Empty without module or
/// driver.
std::vector<std::string> cuda_devices();

/// Instruction set that the CPU kernels run with on this machine, such as "AVX2".
std::string cpu_instruction_set();

}  // namespace penchant::kernels
