// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/interest_network.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "graph/error.h"
#include "graph/propagation_graph.h"
#include "kernels/transfer.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

using graph::at;

/// Histories encoded at a time outside training, by their number of events.
constexpr std::int64_t kInferenceEvents = 16384;

/// Item graph alone, normalised like the propagation graph.
graph::Csr item_adjacency(const graph::ItemGraph& item_graph, std::int64_t num_items,
                          bool use_relations) {
  const std::span<const graph::Relation> relations(item_graph.relations);
  return graph::build_propagation_graph({0, num_items},
                                        relations.first(use_relations ? relations.size() : 0))
      .adjacency;
}

/// Whether gaps say anything: formats without times number a user's events, and all gaps are equal.
bool gaps_differ(const Histories& histories) {
  std::uint8_t seen = 0;
  for (const std::uint8_t bucket : histories.gap_buckets) {
    if (bucket == 0) continue;
    if (seen != 0 && bucket != seen) return true;
    seen = bucket;
  }
  return false;
}

models::InterestSizes interest_sizes(const Dataset& dataset) {
  const Histories seen =
      make_histories(dataset.split.train, dataset, dataset.split.train.interactions.size() + 1);
  models::InterestSizes sizes;
  sizes.num_items = dataset.num_items();
  if (!seen.events.empty())
    sizes.num_events = static_cast<std::int64_t>(dataset.event_names.size());
  if (gaps_differ(seen)) sizes.num_gaps = kNumGapBuckets;
  const double sum = std::accumulate(seen.weights.begin(), seen.weights.end(), 0.0);
  if (!seen.weights.empty())
    sizes.mean_rating = static_cast<float>(sum / static_cast<double>(seen.weights.size()));
  return sizes;
}

/// Calls visit(first, last) for runs of histories with about kInferenceEvents events.
template <typename Visit>
void for_each_run(std::span<const Span> spans, Visit visit) {
  std::size_t first = 0;
  std::int64_t events = 0;
  for (std::size_t k = 0; k < spans.size(); ++k) {
    if (k > first && events + spans[k].length > kInferenceEvents) {
      visit(first, k);
      first = k;
      events = 0;
    }
    events += spans[k].length;
  }
  if (first < spans.size()) visit(first, spans.size());
}

/// The latest events of the rows that have any.
std::vector<Span> latest_events(const Histories& histories, std::int64_t max_length) {
  std::vector<Span> spans;
  for (std::int64_t row = 0; row < histories.size(); ++row) {
    const std::int64_t length = histories.length(row);
    const std::int64_t kept = std::min(length, max_length);
    if (kept > 0) spans.push_back({row, length - kept, kept});
  }
  return spans;
}

/// Writes `vector` [1 x D] into the rows, zeros so far, of users without history: a few calls,
/// however many there are.
void fill_empty_rows(const Histories& histories, ConstFloatView vector, Backend& backend,
                     kernels::FloatView users) {
  constexpr std::size_t kRowsAtOnce = 4096;
  std::vector<NodeId> empty;
  for (std::int64_t row = 0; row < histories.size(); ++row) {
    if (histories.length(row) == 0) empty.push_back(static_cast<NodeId>(row));
  }
  if (empty.empty()) return;
  const auto most = static_cast<std::int64_t>(std::min(empty.size(), kRowsAtOnce));
  FloatMatrix copies = backend.matrix<float>(most, vector.cols);
  const std::vector<NodeId> zeros(at(most), 0);
  models::DeviceArray<NodeId> ids;
  backend.gather_rows(vector, ids.upload(backend, std::span<const NodeId>(zeros)), copies.view());
  for (std::size_t first = 0; first < empty.size(); first += kRowsAtOnce) {
    const std::span<const NodeId> rows =
        std::span(empty).subspan(first, std::min(kRowsAtOnce, empty.size() - first));
    backend.scatter_add_rows(1.0F, copies.view().rows_of(0, static_cast<std::int64_t>(rows.size())),
                             ids.upload(backend, rows), users);
  }
}

}  // namespace

InterestNetwork::InterestNetwork(const Dataset& dataset, const graph::ItemGraph& item_graph,
                                 const models::ModelOptions& options, graph::Seed seed,
                                 Backend& backend)
    : options_(options),
      sizes_(interest_sizes(dataset)),
      adjacency_(item_adjacency(item_graph, dataset.num_items(), options.interest.item_graph)),
      sparse_(backend.sparse(adjacency_.view())),
      model_(std::make_unique<models::InterestModel>(options, sizes_, *sparse_, seed, backend)) {
  if (options.interest.max_length < 1) throw InputError("model.max_length must be at least 1");
}

Histories InterestNetwork::histories(Histories all) const {
  if (sizes_.num_events == 0) all.events.clear();
  if (sizes_.num_gaps == 0) all.gap_buckets.clear();
  return all;
}

FloatMatrix InterestNetwork::user_vectors(const Histories& histories, ConstFloatView empty,
                                          Backend& backend) {
  const std::int64_t width = options_.embedding_dim;
  FloatMatrix users = backend.matrix<float>(histories.size(), width);
  std::vector<Span> spans = latest_events(histories, options_.interest.max_length);
  HistoryBatch batch;
  models::Workspace vectors;
  models::DeviceArray<NodeId> rows;
  for_each_run(spans, [&](std::size_t first, std::size_t last) {
    const std::span<const Span> run(spans.data() + first, last - first);
    batch.assign(histories, run, options_.interest.history_decay);
    const auto found = vectors.view(backend, static_cast<std::int64_t>(run.size()), width);
    model_->user_vectors(backend, batch.upload(backend), found);
    std::vector<NodeId> to;
    for (const std::int64_t place : batch.order())
      to.push_back(static_cast<NodeId>(run[at(place)].row));
    backend.scatter_add_rows(1.0F, found, rows.upload(backend, std::span<const NodeId>(to)),
                             users.view());
  });
  if (empty.cols == width) fill_empty_rows(histories, empty, backend, users.view());
  return users;
}

std::vector<kernels::RecurrentRanges> InterestNetwork::activation_ranges(const Histories& histories,
                                                                         Backend& backend) {
  std::vector<kernels::RecurrentRanges> ranges;
  const std::vector<Span> spans = latest_events(histories, options_.interest.max_length);
  HistoryBatch batch;
  for_each_run(spans, [&](std::size_t first, std::size_t last) {
    batch.assign(histories, std::span(spans).subspan(first, last - first),
                 options_.interest.history_decay);
    model_->widen_ranges(backend, batch.upload(backend), ranges);
  });
  return ranges;
}

FloatMatrix InterestNetwork::embeddings(const Histories& histories, Backend& backend,
                                        FloatMatrix& users, FloatMatrix& items) {
  const ConstFloatView vectors = model_->forward_items(backend);
  items = backend.matrix<float>(vectors.rows, vectors.cols);
  backend.copy(vectors, items.view());
  users = user_vectors(histories, {}, backend);
  // The mean of the users that have a history; rows of the others are zero.
  std::int64_t known = 0;
  for (std::int64_t row = 0; row < histories.size(); ++row) known += histories.length(row) > 0;
  FloatMatrix mean_user = backend.matrix<float>(1, users.cols());
  backend.add_column_sums(users.view(), kernels::VectorView<float>(mean_user.view().data,
                                                                   users.cols(), backend.device()));
  const float share = known > 0 ? 1.0F / static_cast<float>(known) : 0.0F;
  backend.axpby(share, mean_user.view(), 0.0F, mean_user.view());
  fill_empty_rows(histories, mean_user.view(), backend, users.view());
  return mean_user;
}

std::vector<float> InterestNetwork::pair_outputs(const Histories& histories,
                                                 std::span<const NodeId> history_rows,
                                                 std::span<const NodeId> items, float empty,
                                                 Backend& backend) {
  PENCHANT_ASSERT(history_rows.size() == items.size());
  std::vector<float> outputs(items.size(), empty);
  const std::vector<Span> spans = latest_events(histories, options_.interest.max_length);
  // Pairs by their history, in order.
  std::vector<std::int64_t> by_row(items.size());
  std::iota(by_row.begin(), by_row.end(), 0);
  std::stable_sort(by_row.begin(), by_row.end(), [&](std::int64_t a, std::int64_t b) {
    return history_rows[at(a)] < history_rows[at(b)];
  });
  HistoryBatch batch;
  models::DeviceArray<NodeId> device_rows, device_items;
  models::DeviceArray<float> device_logits;
  std::size_t next = 0;
  for_each_run(spans, [&](std::size_t first, std::size_t last) {
    const std::span<const Span> run(spans.data() + first, last - first);
    std::vector<std::int64_t> event_of_place(run.size());
    std::vector<std::int64_t> pairs;
    std::vector<NodeId> events, candidates;
    batch.assign(histories, run, options_.interest.history_decay);
    for (std::size_t k = 0; k < run.size(); ++k)
      event_of_place[at(batch.order()[k])] = batch.offsets()[k + 1] - 1;
    for (std::size_t k = 0; k < run.size(); ++k) {
      while (next < by_row.size() && history_rows[at(by_row[next])] < run[k].row) ++next;
      for (; next < by_row.size() && history_rows[at(by_row[next])] == run[k].row; ++next) {
        pairs.push_back(by_row[next]);
        events.push_back(static_cast<NodeId>(event_of_place[k]));
        candidates.push_back(items[at(by_row[next])]);
      }
    }
    if (pairs.empty()) return;
    const models::InterestBatch uploaded = batch.upload(backend);
    models::Workspace users;
    model_->user_vectors(
        backend, uploaded,
        users.view(backend, static_cast<std::int64_t>(run.size()), options_.embedding_dim));
    const kernels::VectorView<float> logits =
        device_logits.view(backend, static_cast<std::int64_t>(pairs.size()));
    model_->pair_logits(backend, uploaded,
                        device_rows.upload(backend, std::span<const NodeId>(events)),
                        device_items.upload(backend, std::span<const NodeId>(candidates)), logits);
    std::vector<float> host(pairs.size());
    backend.copy(kernels::VectorView<const float>(logits),
                 kernels::VectorView<float>(host.data(), logits.size, kernels::Device::cpu));
    for (std::size_t k = 0; k < pairs.size(); ++k) outputs[at(pairs[k])] = host[k];
  });
  return outputs;
}

void TrainedInterest::embeddings(Backend& backend, FloatMatrix& users, FloatMatrix& items) {
  mean_user_ = network_->embeddings(network_->histories(known_()), backend, users, items);
  if (head_ != nullptr) head_->model().forward_items(backend);
}

void TrainedInterest::forward_items(Backend& backend) {
  network_->model().forward_items(backend);
  if (head_ != nullptr) head_->model().forward_items(backend);
}

NetworkRanges TrainedInterest::activation_ranges(const Histories& histories, Backend& backend) {
  NetworkRanges ranges;
  ranges.network = network_->activation_ranges(network_->histories(histories), backend);
  if (head_ != nullptr)
    ranges.head = head_->activation_ranges(head_->histories(histories), backend);
  return ranges;
}

FloatMatrix TrainedInterest::user_vectors(const Histories& histories, Backend& backend) {
  bool all_have_events = true;
  for (std::int64_t row = 0; row < histories.size(); ++row)
    all_have_events &= histories.length(row) > 0;
  // The mean is that of all users: a look-up by a history goes without.
  if (!all_have_events && mean_user_.rows() == 0) {
    FloatMatrix users, items;
    embeddings(backend, users, items);
  }
  FloatMatrix users =
      network_->user_vectors(network_->histories(histories), mean_user_.view(), backend);
  if (!popularity_column_) return users;
  FloatMatrix wide = backend.matrix<float>(users.rows(), users.cols() + 1);
  backend.copy(ConstFloatView(users.view()), wide.view().cols_of(0, users.cols()));
  backend.fill(wide.view().cols_of(users.cols(), 1), 1.0F);
  return wide;
}

PairScore TrainedInterest::pair_score() const {
  const models::InterestOptions& options = network_->options_.interest;
  if (!options.ranking_head) return PairScore::none;
  return options.ranking_target == models::RankingTarget::rating ? PairScore::rating
                                                                 : PairScore::probability;
}

std::vector<float> TrainedInterest::pair_scores(const Histories& histories,
                                                std::span<const NodeId> history_rows,
                                                std::span<const NodeId> items, Backend& backend) {
  if (pair_score() == PairScore::none)
    throw InputError("the model has no ranking head (model.ranking_head = false)");
  const bool ratings = pair_score() == PairScore::rating;
  InterestNetwork& network = head_ != nullptr ? *head_ : *network_;
  std::vector<float> scores =
      network.pair_outputs(network.histories(histories), history_rows, items,
                           ratings ? network.sizes_.mean_rating : 0.0F, backend);
  if (ratings) return scores;
  for (float& score : scores) score = calibrated_probability(calibration_, score);
  return scores;
}

}  // namespace penchant::pipeline
