// SPDX-License-Identifier: Apache-2.0
// What the issue of the CUDA backend asks to be measured, on one GPU: sparse products of the own
// kernels beside the best of cuSPARSE, LightGCN steps, top-k, recurrent layers.
//   gpu_bench [--data FOLDER] [--small] > results.json
//   gpu_bench --check    prints the device
// Needs no library but the module's: bench/gpu.sh carries it to machines that have only CUDA. Times
// are medians of rounds of calls back to back behind one wait, as in training: descriptors,
// workspaces and plans are made before, tables that fit stay in L2. Exits 3 without a usable GPU, 1
// if two variants disagree.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/normalize.h"
#include "graph/random.h"
#include "graph/rmat.h"
#include "kernels/backend.h"
#include "kernels/transfer.h"
#include "models/encoder.h"
#include "models/ranking_loss.h"

namespace penchant::bench {
namespace {

using graph::Csr;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::SpmmVariant;
using nlohmann::json;

constexpr int kRounds = 11;
constexpr double kRoundSeconds = 0.01;

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Median and spread of one call's time.
json time_ms(Backend& backend, const std::function<void()>& call) {
  for (int warm_up = 0; warm_up < 3; ++warm_up) call();
  backend.sync();
  auto start = Clock::now();
  call();
  backend.sync();
  const double once = seconds_since(start);
  const int calls = std::clamp(static_cast<int>(kRoundSeconds / std::max(once, 1e-6)), 1, 1000);
  std::vector<double> times;
  for (int round = 0; round < kRounds; ++round) {
    start = Clock::now();
    for (int k = 0; k < calls; ++k) call();
    backend.sync();
    times.push_back(seconds_since(start) / calls * 1e3);
  }
  std::sort(times.begin(), times.end());
  return {{"median", times[kRounds / 2]},
          {"min", times.front()},
          {"max", times.back()},
          {"rounds", kRounds},
          {"calls", calls}};
}

std::unique_ptr<Backend> gpu(SpmmVariant variant) {
  kernels::BackendOptions options;
  options.device = kernels::DeviceChoice::cuda;
  options.cuda.spmm = variant;
  return kernels::make_backend(options);
}

/// Uniform numbers in [-1, 1); from kDrawnRows on the rows repeat, as drawing them on the host
/// takes longer than measuring.
FloatMatrix random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed,
                          Backend& backend) {
  constexpr std::int64_t kDrawnRows = 65536;
  const std::int64_t drawn = std::min(rows, kDrawnRows);
  const graph::Random random(graph::Seed{seed}, graph::Stream::generator);
  std::vector<float> host(static_cast<std::size_t>(drawn * cols));
  for (std::size_t k = 0; k < host.size(); k += 4) {
    const auto words = random.words(k / 4);
    for (std::size_t word = 0; word < std::min<std::size_t>(4, host.size() - k); ++word)
      host[k + word] = static_cast<float>(words[word]) * 0x1p-31F - 1.0F;
  }
  FloatMatrix matrix = backend.matrix<float>(rows, cols);
  const kernels::FloatView view = matrix.view();
  backend.copy(ConstFloatView(host.data(), drawn, cols, cols, kernels::Device::cpu),
               view.rows_of(0, drawn));
  for (std::int64_t row = drawn; row < rows; row += drawn) {
    const std::int64_t count = std::min(drawn, rows - row);
    backend.copy(ConstFloatView(view.rows_of(0, count)), view.rows_of(row, count));
  }
  return matrix;
}

/// The user-item graph of LightGCN's text format as one symmetric normalised matrix; users first.
struct Interactions {
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  std::vector<NodeId> user, item;

  Csr adjacency() const {
    std::vector<graph::Entry> entries;
    for (std::size_t e = 0; e < user.size(); ++e) {
      const auto node = static_cast<NodeId>(num_users + item[e]);
      entries.push_back({user[e], node, 1.0F});
      entries.push_back({node, user[e], 1.0F});
    }
    const std::int64_t nodes = num_users + num_items;
    const Csr counts =
        graph::csr_from_entries(nodes, nodes, entries, graph::Duplicates::keep_first);
    return graph::normalize_symmetric(counts.view(), graph::SelfLoops::no);
  }
};

Interactions read_lightgcn(const std::string& path) {
  Interactions read;
  std::ifstream file(path);
  if (!file) throw InputError(path + " cannot be read");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    NodeId user = 0;
    words >> user;
    for (NodeId item = 0; words >> item;) {
      read.user.push_back(user);
      read.item.push_back(item);
      read.num_users = std::max<std::int64_t>(read.num_users, user + 1);
      read.num_items = std::max<std::int64_t>(read.num_items, item + 1);
    }
  }
  return read;
}

/// Users and items of Zipf-like popularity.
Interactions power_law(std::int64_t users, std::int64_t items, std::int64_t events) {
  Interactions drawn{users, items, {}, {}};
  const graph::Random random(graph::Seed{3}, graph::Stream::generator);
  const auto pick = [&](std::uint64_t position, std::int64_t count) {
    const double u = random.uniform(position);  // density falls as rank^-0.75
    return static_cast<NodeId>(static_cast<double>(count) * u * u * u * u);
  };
  for (std::int64_t e = 0; e < events; ++e) {
    const auto position = static_cast<std::uint64_t>(2 * e);
    drawn.user.push_back(
        static_cast<NodeId>(random.below(position, static_cast<std::uint64_t>(users))));
    drawn.item.push_back(pick(position + 1, items));
  }
  return drawn;
}

Csr rmat(int scale, std::int64_t edge_factor) {
  graph::RmatOptions options;
  options.scale = scale;
  options.edge_factor = edge_factor;
  Csr matrix = graph::generate_rmat(options);
  return graph::normalize_symmetric(matrix.view(), graph::SelfLoops::no);
}

/// Largest difference over the first rows, on the scale of the values; infinite for NaN.
double disagreement(ConstFloatView a, Backend& on_a, ConstFloatView b, Backend& on_b) {
  const std::int64_t rows = std::min<std::int64_t>(a.rows, 100'000);
  kernels::Download<float> download_a, download_b;
  const ConstFloatView x = download_a(a.rows_of(0, rows), on_a);
  const ConstFloatView y = download_b(b.rows_of(0, rows), on_b);
  double largest = 1e-30;
  double difference = 0.0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      const double apart = std::abs(static_cast<double>(x(i, j)) - static_cast<double>(y(i, j)));
      if (!(apart < 1e30)) return HUGE_VAL;
      difference = std::max(difference, apart);
      largest = std::max(largest, std::abs(static_cast<double>(x(i, j))));
    }
  }
  return difference / largest;
}

const std::map<SpmmVariant, const char*> kVariants = {{SpmmVariant::own, "own"},
                                                      {SpmmVariant::cusparse_alg1, "alg1"},
                                                      {SpmmVariant::cusparse_alg2, "alg2"},
                                                      {SpmmVariant::cusparse_alg3, "alg3"}};

json spmm(const std::string& name, const Csr& matrix, bool& agree) {
  json results = json::array();
  for (const std::int64_t width : {32, 64, 128, 256}) {
    json result = {{"graph", name},
                   {"nodes", matrix.num_rows},
                   {"entries", matrix.columns.size()},
                   {"d", width}};
    const auto own = gpu(SpmmVariant::own);
    const auto own_sparse = own->sparse(matrix.view());
    const FloatMatrix x = random_matrix(matrix.num_cols, width, 1, *own);
    FloatMatrix own_y = own->matrix<float>(matrix.num_rows, width);
    double best_vendor = 1e30;
    for (const auto& [variant, label] : kVariants) {
      const auto backend = gpu(variant);
      const auto sparse = backend->sparse(matrix.view());
      const FloatMatrix table = random_matrix(matrix.num_cols, width, 1, *backend);
      FloatMatrix y = backend->matrix<float>(matrix.num_rows, width);
      const json time =
          time_ms(*backend, [&] { backend->spmm(*sparse, table.view(), y.view(), {}); });
      if (variant == SpmmVariant::own) {
        own->spmm(*own_sparse, x.view(), own_y.view(), {});
      } else {
        best_vendor = std::min(best_vendor, time["median"].get<double>());
        const double apart = disagreement(own_y.view(), *own, y.view(), *backend);
        result[label + std::string("_disagreement")] = apart;
        if (!(apart < 1e-4)) agree = false;
      }
      result[label] = time;
    }
    kernels::Matrix<kernels::Bf16> narrow = own->matrix<kernels::Bf16>(matrix.num_cols, width);
    own->convert(x.view(), narrow.view());
    const kernels::MatrixView<const kernels::Bf16> table = narrow.view();
    result["own_bf16"] = time_ms(*own, [&] { own->spmm(*own_sparse, table, own_y.view(), {}); });
    const double own_ms = result["own"]["median"].get<double>();
    const double terms = static_cast<double>(matrix.columns.size()) * static_cast<double>(width);
    result["gathered_tb_per_s"] = terms * 4.0 / (own_ms * 1e-3) / 1e12;
    result["speed_up"] = best_vendor / own_ms;
    result["bf16_speed_up"] = own_ms / result["own_bf16"]["median"].get<double>();
    std::fprintf(stderr, "spmm %s d=%d: own %.3f ms, best cuSPARSE %.3f ms, %.2fx\n", name.c_str(),
                 static_cast<int>(width), own_ms, best_vendor, best_vendor / own_ms);
    results.push_back(result);
  }
  return results;
}

/// LightGCN as bench/peers/gpu.py trains it: BPR, three layers, d = 64, exact propagation.
json lightgcn_step(const Interactions& data, std::int64_t batch_size) {
  const auto backend = gpu(SpmmVariant::own);
  const Csr adjacency = data.adjacency();
  const auto sparse = backend->sparse(adjacency.view());
  models::ModelOptions options;
  options.kind = models::ModelKind::lightgcn;
  options.embedding_dim = 64;
  options.num_layers = 3;
  options.loss = models::LossKind::bpr;
  options.normalize = false;
  options.initializer = models::Initializer::normal;
  options.own_share = 1.0F;
  const auto encoder = models::make_encoder(options, *sparse, {}, graph::Seed{1}, *backend);
  models::RankingLoss loss(options);
  FloatMatrix d_final = backend->matrix<float>(adjacency.num_rows, options.embedding_dim);
  const graph::Random random(graph::Seed{2}, graph::Stream::negatives);
  std::uint64_t position = 0;
  std::vector<NodeId> users, positives, negatives;
  kernels::Upload<NodeId> upload_users, upload_positives, upload_negatives;
  kernels::AdamOptions adam;
  const auto step = [&] {
    users.clear(), positives.clear(), negatives.clear();
    for (std::int64_t b = 0; b < batch_size; ++b) {
      const auto row = static_cast<std::size_t>(random.below(position++, data.user.size()));
      users.push_back(data.user[row]);
      positives.push_back(static_cast<NodeId>(data.num_users + data.item[row]));
      negatives.push_back(static_cast<NodeId>(
          data.num_users + static_cast<std::int64_t>(random.below(
                               position++, static_cast<std::uint64_t>(data.num_items)))));
    }
    const models::Batch batch{upload_users(users, *backend),
                              upload_positives(positives, *backend),
                              upload_negatives(negatives, *backend),
                              {},
                              {}};
    const ConstFloatView final = encoder->forward(*backend);
    backend->fill(d_final.view(), 0.0F);
    loss.add_gradients(*backend, final, batch, d_final.view());
    encoder->visit_parameters(
        [&](models::Parameter& p) { backend->fill(p.gradient.view(), 0.0F); });
    encoder->backward(*backend, d_final.view());
    encoder->visit_parameters([&](models::Parameter& p) {
      backend->adam_step(adam, p.gradient.view(), p.value.view(), p.first_moment.view(),
                         p.second_moment.view());
    });
    ++adam.step;
  };
  return {{"batch", batch_size},
          {"steps_an_epoch",
           (static_cast<std::int64_t>(data.user.size()) + batch_size - 1) / batch_size},
          {"step", time_ms(*backend, step)}};
}

json topk(std::int64_t users, std::int64_t items) {
  const auto backend = gpu(SpmmVariant::own);
  const FloatMatrix queries = random_matrix(users, 64, 5, *backend);
  const FloatMatrix table = random_matrix(items, 64, 6, *backend);
  kernels::Matrix<NodeId> ids = backend->matrix<NodeId>(users, 20);
  FloatMatrix scores = backend->matrix<float>(users, 20);
  return {{"users", users}, {"items", items}, {"time", time_ms(*backend, [&] {
                                                 backend->topk(queries.view(), table.view(), {},
                                                               ids.view(), scores.view());
                                               })}};
}

/// Forward and backward of one LSTM layer; sequence b of B has LONGEST B / (B + 8 b) steps, as in
/// the peers.
json lstm(std::int64_t batch, std::int64_t longest) {
  const auto backend = gpu(SpmmVariant::own);
  kernels::RecurrentOptions options;
  options.input_dim = 64;
  options.hidden_dim = 128;
  std::vector<std::int64_t> offsets = {0};
  for (std::int64_t t = 0; t < longest; ++t) {
    std::int64_t rows = 0;
    for (std::int64_t b = 0; b < batch; ++b) rows += longest * batch / (batch + 8 * b) > t ? 1 : 0;
    offsets.push_back(offsets.back() + rows);
  }
  const std::int64_t rows = offsets.back();
  const FloatMatrix x = random_matrix(rows, options.input_dim, 1, *backend);
  const FloatMatrix input = random_matrix(options.input_dim, options.gate_dim(), 2, *backend);
  const FloatMatrix hidden = random_matrix(options.hidden_dim, options.gate_dim(), 3, *backend);
  const FloatMatrix d_h = random_matrix(rows, options.hidden_dim, 4, *backend);
  const kernels::Vector<float> bias = backend->vector<float>(options.gate_dim());
  FloatMatrix h = backend->matrix<float>(rows, options.hidden_dim);
  FloatMatrix d_x = backend->matrix<float>(rows, options.input_dim);
  FloatMatrix d_input = backend->matrix<float>(options.input_dim, options.gate_dim());
  FloatMatrix d_hidden = backend->matrix<float>(options.hidden_dim, options.gate_dim());
  kernels::Vector<float> d_bias = backend->vector<float>(options.gate_dim());
  const auto state = backend->recurrent_state(options);
  const kernels::RecurrentWeights weights{input.view(), hidden.view(), bias.view()};
  const kernels::RecurrentGradients gradients{d_input.view(), d_hidden.view(), d_bias.view()};
  return {{"rows", rows},
          {"time", time_ms(*backend, [&] {
             backend->recurrent_forward(*state, {offsets}, x.view(), weights, h.view());
             backend->recurrent_backward(*state, {offsets}, x.view(), weights, h.view(), d_h.view(),
                                         d_x.view(), gradients);
           })}};
}

double copy_tb_per_s(std::int64_t bytes) {
  const auto backend = gpu(SpmmVariant::own);
  kernels::Vector<float> from = backend->vector<float>(bytes / 4);
  kernels::Vector<float> to = backend->vector<float>(bytes / 4);
  const json time = time_ms(
      *backend, [&] { backend->copy(kernels::VectorView<const float>(from.view()), to.view()); });
  return 2.0 * static_cast<double>(bytes) / (time["median"].get<double>() * 1e-3) / 1e12;
}

int run(const std::string& data, bool small, bool check_only) {
  if (kernels::cuda_status() != "available") {
    std::fprintf(stderr, "gpu_bench: no device: %s\n", kernels::cuda_status().c_str());
    return 3;
  }
  if (check_only) {
    std::printf("%s\n", gpu(SpmmVariant::own)->description().c_str());
    return 0;
  }
  bool agree = true;
  json results = {{"device", gpu(SpmmVariant::own)->description()}, {"spmm", json::array()}};
  results["copy_tb_per_s"] = copy_tb_per_s(std::int64_t{1} << (small ? 24 : 30));
  const auto add = [&](const std::string& name, const Csr& matrix) {
    for (json& result : spmm(name, matrix, agree)) results["spmm"].push_back(std::move(result));
  };
  const Interactions gowalla =
      data.empty() ? power_law(29858, 40981, 810128) : read_lightgcn(data + "/gowalla/train.txt");
  add(data.empty() ? "like Gowalla" : "Gowalla", gowalla.adjacency());
  add("R-MAT 1.6 M", rmat(16, 12));
  add("bipartite 10 M", power_law(500'000, 200'000, small ? 50'000 : 5'000'000).adjacency());
  if (!small) {
    add("R-MAT 30 M", rmat(20, 16));
    add("bipartite 100 M", power_law(4'000'000, 1'000'000, 50'000'000).adjacency());
  }
  results["lightgcn"] = lightgcn_step(gowalla, 2048);
  results["topk"] = topk(50'000, 90'000);
  results["lstm"] = lstm(256, 50);
  results["variants_agree"] = agree;
  std::printf("%s\n", results.dump(2).c_str());
  if (!agree) std::fprintf(stderr, "gpu_bench: own kernels and cuSPARSE disagree\n");
  return agree ? 0 : 1;
}

}  // namespace
}  // namespace penchant::bench

int main(int argc, char** argv) {
  std::string data;
  bool small = false;
  bool check_only = false;
  for (int k = 1; k < argc; ++k) {
    const std::string word = argv[k];
    if (word == "--small") {
      small = true;
    } else if (word == "--check") {
      check_only = true;
    } else if (word == "--data" && k + 1 < argc) {
      data = argv[++k];
    } else {
      std::fprintf(stderr, "usage: gpu_bench [--data FOLDER] [--small] [--check] > results.json\n");
      return 2;
    }
  }
  try {
    return penchant::bench::run(data, small, check_only);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_bench: %s\n", error.what());
    return 3;
  }
}
