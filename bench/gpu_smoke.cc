// SPDX-License-Identifier: Apache-2.0
// gpu_bench --smoke: what a first minute on a device should tell. Each kind of work that a library
// or a kernel does is called once, by name before and with a wait behind, and its result stands
// beside the CPU's. A fault of the device ends all later calls of a process: the name printed last
// is the one that matters.
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/gpu_bench.h"
#include "kernels/cuda_loader.h"

namespace penchant::bench {

using graph::Csr;
using graph::NodeId;
using kernels::Activation;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::CudaOptions;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::SpmmVariant;
using kernels::Transpose;

namespace {

/// Makes the result of one call on any backend.
using Call = std::function<FloatMatrix(Backend&)>;

/// Rounded sums of a few hundred terms on two machines.
constexpr double kTolerance = 1e-3;

kernels::Vector<NodeId> ids(std::int64_t count, std::int64_t bound, Backend& backend) {
  std::vector<NodeId> host;
  for (std::int64_t k = 0; k < count; ++k) host.push_back(static_cast<NodeId>(k * k % bound));
  kernels::Vector<NodeId> made = backend.vector<NodeId>(count);
  backend.copy(kernels::IdView(host.data(), count, kernels::Device::cpu), made.view());
  return made;
}

const Csr& small_graph() {
  static const Csr matrix = rmat(8, 12);
  return matrix;
}

FloatMatrix product(Backend& backend) {
  const FloatMatrix a = random_matrix(70, 33, 1, backend);
  const FloatMatrix b = random_matrix(90, 33, 2, backend);
  FloatMatrix c = backend.matrix<float>(70, 90);
  backend.gemm(Transpose::no, Transpose::yes, 1.0F, a.view(), b.view(), 0.0F, c.view());
  return c;
}

FloatMatrix dense_layer(Backend& backend, Activation act, bool aligned) {
  FloatMatrix x = random_matrix(70, 33, 1, backend);
  FloatMatrix weight = random_matrix(32, 49, 2, backend);
  const FloatMatrix bias = random_matrix(1, 49, 3, backend);
  FloatMatrix y = backend.matrix<float>(70, 49);
  const std::int64_t shift = aligned ? 0 : 1;
  backend.linear(ConstFloatView(x.view().cols_of(shift, 32)),
                 ConstFloatView(weight.view().cols_of(shift, 48)),
                 {bias.view().data + shift, 48, bias.device()}, act, y.view().cols_of(shift, 48));
  return y;
}

FloatMatrix sparse_product(Backend& backend) {
  const auto sparse = backend.sparse(small_graph().view());
  const FloatMatrix x = random_matrix(small_graph().num_cols, 64, 1, backend);
  FloatMatrix y = backend.matrix<float>(small_graph().num_rows, 64);
  backend.spmm(*sparse, x.view(), y.view(), {});
  return y;
}

FloatMatrix scatter(Backend& backend) {
  const FloatMatrix x = random_matrix(500, 20, 1, backend);
  const kernels::Vector<NodeId> rows = ids(500, 37, backend);
  FloatMatrix table = backend.matrix<float>(37, 20);
  backend.scatter_add_rows(1.0F, x.view(), rows.view(), table.view());
  return table;
}

FloatMatrix recurrence(Backend& backend, kernels::Cell cell, Activation act) {
  kernels::RecurrentOptions options;
  options.cell = cell;
  options.activation = act;
  options.input_dim = 24;
  options.hidden_dim = 16;
  const std::vector<std::int64_t> offsets = {0, 5, 9, 12};
  const FloatMatrix x = random_matrix(12, 24, 1, backend);
  const FloatMatrix input = random_matrix(24, options.gate_dim(), 2, backend);
  const FloatMatrix hidden = random_matrix(16, options.gate_dim(), 3, backend);
  const FloatMatrix d_h = random_matrix(12, 16, 4, backend);
  const kernels::Vector<float> bias = backend.vector<float>(options.gate_dim());
  FloatMatrix h = backend.matrix<float>(12, 16);
  FloatMatrix d_x = backend.matrix<float>(12, 24);
  FloatMatrix d_input = backend.matrix<float>(24, options.gate_dim());
  FloatMatrix d_hidden = backend.matrix<float>(16, options.gate_dim());
  kernels::Vector<float> d_bias = backend.vector<float>(options.gate_dim());
  const auto state = backend.recurrent_state(options);
  const kernels::RecurrentWeights weights{input.view(), hidden.view(), bias.view()};
  backend.recurrent_forward(*state, {offsets}, x.view(), weights, h.view());
  backend.recurrent_backward(*state, {offsets}, x.view(), weights, h.view(), d_h.view(), d_x.view(),
                             {d_input.view(), d_hidden.view(), d_bias.view()});
  backend.sync();
  return d_hidden;
}

FloatMatrix convolved(Backend& backend) {
  const std::vector<std::int64_t> offsets = {0, 7, 7, 30};
  const FloatMatrix x = random_matrix(30, 16, 1, backend);
  const FloatMatrix weight = random_matrix(3 * 16, 24, 2, backend);
  const FloatMatrix d_y = random_matrix(30, 24, 3, backend);
  const kernels::Vector<float> bias = backend.vector<float>(24);
  FloatMatrix y = backend.matrix<float>(30, 24);
  FloatMatrix d_x = backend.matrix<float>(30, 16);
  FloatMatrix d_weight = backend.matrix<float>(3 * 16, 24);
  kernels::Vector<float> d_bias = backend.vector<float>(24);
  backend.convolution_forward({offsets}, 3, x.view(), weight.view(), bias.view(), y.view());
  backend.convolution_backward({offsets}, 3, x.view(), weight.view(), d_y.view(), d_x.view(),
                               d_weight.view(), d_bias.view());
  backend.sync();
  return d_weight;
}

/// Eigenvalues; eigenvectors have no sign of their own.
FloatMatrix eigenvalues(Backend& backend) {
  const FloatMatrix a = random_matrix(40, 40, 1, backend);
  FloatMatrix values = backend.matrix<float>(1, 40);
  FloatMatrix vectors = backend.matrix<float>(40, 40);
  backend.symmetric_eigen(a.view(), {values.view().data, 40, values.device()}, vectors.view());
  return values;
}

FloatMatrix best(Backend& backend) {
  const FloatMatrix queries = random_matrix(30, 16, 1, backend);
  const FloatMatrix items = random_matrix(9000, 16, 2, backend);
  kernels::Matrix<NodeId> found = backend.matrix<NodeId>(30, 20);
  FloatMatrix scores = backend.matrix<float>(30, 20);
  const std::vector<std::int64_t> offsets(31, 0);
  backend.topk(queries.view(), items.view(), {30, 9000, offsets, {}, {}}, found.view(),
               scores.view());
  backend.sync();
  return scores;
}

FloatMatrix softmax(Backend& backend) {
  const FloatMatrix users = random_matrix(60, 32, 1, backend);
  const FloatMatrix positives = random_matrix(60, 32, 2, backend);
  const FloatMatrix negatives = random_matrix(200, 32, 3, backend);
  kernels::Vector<float> losses = backend.vector<float>(60);
  FloatMatrix d_users = backend.matrix<float>(60, 32);
  FloatMatrix d_positives = backend.matrix<float>(60, 32);
  FloatMatrix d_negatives = backend.matrix<float>(200, 32);
  backend.sampled_softmax(users.view(), positives.view(), negatives.view(), {}, losses.view(),
                          d_users.view(), d_positives.view(), d_negatives.view());
  backend.sync();
  return d_users;
}

/// Three runs of a recorded step: made, updated, launched again.
FloatMatrix recorded(Backend& backend) {
  const FloatMatrix gradient = random_matrix(50, 20, 1, backend);
  FloatMatrix parameter = random_matrix(50, 20, 2, backend);
  FloatMatrix first = backend.matrix<float>(50, 20);
  FloatMatrix second = backend.matrix<float>(50, 20);
  const auto repeated = backend.repeated_step();
  kernels::AdamOptions adam;
  for (; adam.step <= 3; ++adam.step) {
    repeated->run([&] {
      backend.adam_step(adam, gradient.view(), parameter.view(), first.view(), second.view());
    });
  }
  return parameter;
}

/// Copies of a narrow column of a wide matrix, and up and down.
FloatMatrix column_copies(Backend& backend) {
  FloatMatrix wide = random_matrix(2000, 16, 1, backend);
  FloatMatrix column = backend.matrix<float>(2000, 1);
  backend.copy(ConstFloatView(wide.view().cols_of(3, 1)), column.view());
  backend.copy(ConstFloatView(column.view()), wide.view().cols_of(7, 1));
  backend.sync();
  return wide;
}

struct Step {
  const char* name;
  CudaOptions options;
  Call call;
};

std::vector<Step> steps() {
  const auto with = [](auto member, auto value) {
    CudaOptions options;
    options.*member = value;
    return options;
  };
  const auto rnn = [](Backend& backend) {
    return recurrence(backend, kernels::Cell::rnn, Activation::tanh);
  };
  return {
      {"copies of columns", {}, column_copies},
      {"product (cuBLASLt)", {}, product},
      {"dense layer (cuBLASLt with bias)",
       {},
       [](Backend& b) { return dense_layer(b, Activation::identity, true); }},
      {"dense layer, relu", {}, [](Backend& b) { return dense_layer(b, Activation::relu, true); }},
      {"dense layer, one float off alignment",
       {},
       [](Backend& b) { return dense_layer(b, Activation::identity, false); }},
      {"sparse product, own", {}, sparse_product},
      {"sparse product, streamed", with(&CudaOptions::sparse_bytes, 4096), sparse_product},
      {"sparse product, cuSPARSE alg1", with(&CudaOptions::spmm, SpmmVariant::cusparse_alg1),
       sparse_product},
      {"sparse product, cuSPARSE alg2", with(&CudaOptions::spmm, SpmmVariant::cusparse_alg2),
       sparse_product},
      {"sparse product, cuSPARSE alg3", with(&CudaOptions::spmm, SpmmVariant::cusparse_alg3),
       sparse_product},
      {"matrix in pinned memory", with(&CudaOptions::table_bytes, 64), product},
      {"scatter-add (radix sort)", {}, scatter},
      {"sampled softmax", {}, softmax},
      {"top-k over three tiles", {}, best},
      {"LSTM (cuDNN)",
       {},
       [](Backend& b) { return recurrence(b, kernels::Cell::lstm, Activation::tanh); }},
      {"RNN with tanh (cuDNN)", {}, rnn},
      {"RNN with sigmoid",
       {},
       [](Backend& b) { return recurrence(b, kernels::Cell::rnn, Activation::sigmoid); }},
      {"convolution, unfolded", {}, convolved},
      {"convolution (cuDNN)", with(&CudaOptions::convolution, kernels::ConvolutionVariant::cudnn),
       convolved},
      {"eigenvalues (cuSOLVER)", {}, eigenvalues},
      {"recorded step (CUDA graph)", with(&CudaOptions::graphs, true), recorded},
  };
}

/// Runs `work` under its name; it returns what is wrong, or "".
bool say(const char* name, const std::function<std::string()>& work) {
  std::printf("%s... ", name);
  std::fflush(stdout);
  std::string wrong;
  try {
    wrong = work();
  } catch (const std::exception& error) {
    wrong = error.what();
  }
  std::printf("%s\n", wrong.empty() ? "ok" : ("FAILED: " + wrong).c_str());
  std::fflush(stdout);
  return wrong.empty();
}

std::string graph_build() {
  const kernels::CudaModule& module = *kernels::load_cuda_module().module;
  const Interactions drawn = power_law(300, 200, 3000);
  const Csr want = drawn.adjacency();
  const std::vector<graph::Entry> entries = drawn.entries();
  const Csr counts = module.csr_from_entries(500, 500, entries, graph::Duplicates::keep_first);
  const Csr made = module.normalize_symmetric(counts.view());
  return made.columns == want.columns && made.values == want.values ? "" : "not the host's graph";
}

}  // namespace

bool smoke() {
  kernels::BackendOptions cpu;
  cpu.device = kernels::DeviceChoice::cpu;
  const auto host = kernels::make_backend(cpu);
  bool all = true;
  for (const Step& step : steps()) {
    all &= say(step.name, [&]() -> std::string {
      const auto device = gpu(step.options);
      const FloatMatrix got = step.call(*device);
      device->sync();
      const FloatMatrix want = step.call(*host);
      const double apart = disagreement(want.view(), *host, got.view(), *device);
      return apart < kTolerance ? "" : "differs from the CPU by " + std::to_string(apart);
    });
  }
  all &= say("graph build (Thrust)", graph_build);
  return all;
}

}  // namespace penchant::bench
