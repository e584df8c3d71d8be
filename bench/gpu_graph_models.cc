// SPDX-License-Identifier: Apache-2.0
// LightGCN's training step, a catalogue's vectors, and the ranking behind them.
#include <chrono>
#include <filesystem>
#include <fstream>

#include "bench/gpu_bench.h"
#include "graph/error.h"
#include "graph/npy.h"
#include "kernels/cuda_loader.h"
#include "models/encoder.h"
#include "models/lightgcn.h"
#include "models/loss_log.h"
#include "models/ranking_loss.h"

namespace penchant::bench {

using graph::Csr;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// LightGCN as bench/peers/gpu.py trains it: BPR, three layers, d = 64, exact propagation.
json lightgcn_step(const Interactions& data, std::int64_t batch_size, bool graphs) {
  kernels::CudaOptions cuda;
  cuda.graphs = graphs;
  const auto backend = gpu(cuda);
  const Csr adjacency = data.adjacency();
  const auto sparse = backend->sparse(adjacency.view());
  models::ModelOptions options;
  options.loss = models::LossKind::bpr;
  options.normalize = false;
  options.initializer = models::Initializer::normal;
  options.own_share = 1.0F;
  const auto encoder = models::make_encoder(options, *sparse, {}, graph::Seed{1}, *backend);
  models::RankingLoss loss(options);
  FloatMatrix d_final = backend->matrix<float>(adjacency.num_rows, options.embedding_dim);
  kernels::Vector<std::uint32_t> batch_nodes =
      backend->vector<std::uint32_t>(kernels::row_set_words(adjacency.num_rows));

  // The adjacency's first rows are the users, its columns items behind the users.
  std::vector<graph::EdgeOffset> offsets(
      adjacency.offsets.begin(),
      adjacency.offsets.begin() + static_cast<std::ptrdiff_t>(data.num_users) + 1);
  std::vector<NodeId> items(adjacency.columns.begin(), adjacency.columns.begin() + offsets.back());
  for (NodeId& item : items) item -= static_cast<NodeId>(data.num_users);
  const auto num_items = static_cast<std::size_t>(data.num_items);
  const std::vector<double> thresholds(num_items, 1.0);  // uniform negatives
  const std::vector<NodeId> aliases(num_items, 0);
  std::vector<NodeId> nodes;
  for (NodeId node = 0; node < data.num_users + data.num_items; ++node) nodes.push_back(node);
  const auto pairs = backend->pair_source({{data.num_users, data.num_items, offsets, items, {}},
                                           thresholds,
                                           aliases,
                                           nodes,
                                           {},
                                           graph::Seed{2}});
  kernels::Vector<NodeId> ids = backend->vector<NodeId>(3 * batch_size);
  kernels::PairDraw draw;
  draw.users = ids.view().sub(0, batch_size);
  draw.positives = ids.view().sub(batch_size, batch_size);
  draw.negatives = ids.view().sub(2 * batch_size, batch_size);
  const std::int64_t steps = pairs->num_pairs() / batch_size;

  models::LossLog losses;
  double loss_sum = 0.0;
  kernels::AdamOptions adam;
  const auto repeated = backend->repeated_step();
  const auto step = [&] {
    draw.first_pair = adam.step % steps * batch_size;
    draw.epoch = static_cast<std::uint64_t>(adam.step / steps);
    const auto step_losses = losses.next(*backend, batch_size);
    repeated->run([&] {
      backend->draw_pairs(*pairs, draw);
      backend->fill_rows(batch_nodes.view(), 0.0F, d_final.view());
      const kernels::IdView lists[] = {draw.users, draw.positives, draw.negatives};
      backend->mark_rows(lists, adjacency.num_rows, batch_nodes.view());
      const ConstFloatView final = encoder->forward(*backend, batch_nodes.view());
      loss.add_gradients(*backend, final, {draw.users, draw.positives, draw.negatives, {}, {}},
                         d_final.view(), step_losses);
      encoder->backward(*backend, d_final.view(), batch_nodes.view(), models::Gradients::overwrite);
      encoder->visit_parameters([&](models::Parameter& p) {
        backend->adam_step(adam, p.gradient.view(), p.value.view(), p.first_moment.view(),
                           p.second_moment.view());
      });
    });
    if (adam.step++ % 16 == 0) losses.add_to(loss_sum, *backend);
  };
  return time_ms(*backend, step);
}

template <typename T>
void write_array(const std::filesystem::path& path, const std::vector<T>& values) {
  std::ofstream file(path, std::ios::binary);
  const std::int64_t shape[] = {static_cast<std::int64_t>(values.size())};
  graph::write_npy<T>(file, values, shape);
  file.flush();
  if (!file) throw InputError(path.string() + ": cannot write");
}

}  // namespace

void lightgcn(const Interactions& data, std::int64_t batch_size) {
  const auto events = static_cast<std::int64_t>(data.user.size());
  // Plain before recorded: if recording fails, the plain step is known.
  for (const bool graphs : {false, true}) {
    emit({{"part", "lightgcn"},
          {"graphs", graphs},
          {"batch", batch_size},
          {"steps_an_epoch", (events + batch_size - 1) / batch_size},
          {"step", lightgcn_step(data, batch_size, graphs)}});
  }
}

void catalogue(std::int64_t events, const std::string& folder) {
  const kernels::CudaModule& module = *kernels::load_cuda_module().module;
  const std::filesystem::path work = folder;
  std::filesystem::create_directories(work);
  json result = {{"part", "catalogue"}};
  {
    const Interactions drawn = power_law(events / 25, events / 100, events);
    const std::int64_t nodes = drawn.num_users + drawn.num_items;
    const std::vector<graph::Entry> entries = drawn.entries();
    const auto start = Clock::now();
    const Csr counts =
        module.csr_from_entries(nodes, nodes, entries, graph::Duplicates::keep_first);
    const Csr adjacency = module.normalize_symmetric(counts.view());
    result["graph_build_s"] = seconds_since(start);
    result["nodes"] = nodes;
    result["entries"] = adjacency.columns.size();
    write_array(work / "offsets.npy", adjacency.offsets);
    write_array(work / "columns.npy", adjacency.columns);
    write_array(work / "values.npy", adjacency.values);
  }
  const auto backend = gpu();
  const auto start = Clock::now();
  Csr matrix;
  matrix.offsets = graph::read_npy<graph::EdgeOffset>(work / "offsets.npy");
  matrix.columns = graph::read_npy<NodeId>(work / "columns.npy");
  matrix.values = graph::read_npy<float>(work / "values.npy");
  matrix.num_rows = matrix.num_cols = static_cast<std::int64_t>(matrix.offsets.size()) - 1;
  const auto sparse = backend->sparse(matrix.view());
  models::LightGcn encoder(3, 1.0F, 64, *sparse, *backend);
  encoder.visit_parameters(
      [&](models::Parameter& p) { p.value = random_matrix(matrix.num_rows, 64, 1, *backend); });
  encoder.forward(*backend);
  backend->sync();
  result["from_disk_s"] = seconds_since(start);
  result["time"] = time_ms(*backend, [&] { encoder.forward(*backend); });
  emit(std::move(result));
}

void topk(std::int64_t users, std::int64_t items) {
  const auto backend = gpu();
  const FloatMatrix queries = random_matrix(users, 64, 5, *backend);
  const FloatMatrix table = random_matrix(items, 64, 6, *backend);
  kernels::Matrix<NodeId> ids = backend->matrix<NodeId>(users, 20);
  FloatMatrix scores = backend->matrix<float>(users, 20);
  emit({{"part", "topk"}, {"users", users}, {"items", items}, {"time", time_ms(*backend, [&] {
                                                                 backend->topk(
                                                                     queries.view(), table.view(),
                                                                     {}, ids.view(), scores.view());
                                                               })}});
}

}  // namespace penchant::bench
