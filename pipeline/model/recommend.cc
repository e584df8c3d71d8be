// SPDX-License-Identifier: Apache-2.0
// Lists of a model: the best items of one user, the nearest of one item.
#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using kernels::ConstFloatView;

namespace {

void require_k(std::int64_t k, std::int64_t limit, const char* what) {
  if (k < 1) throw InputError(fmt::format("k is {}, expected at least 1", k));
  if (k > limit) throw InputError(fmt::format("k is {}, but {} {} items", k, what, limit));
}

/// The best k items of one tile; `topk(excluded, ids, scores)` selects them.
template <typename Topk>
std::vector<ScoredItem> rank(std::int64_t num_items, std::vector<NodeId> excluded, std::int64_t k,
                             kernels::Backend& backend, Topk topk) {
  std::sort(excluded.begin(), excluded.end());
  excluded.erase(std::unique(excluded.begin(), excluded.end()), excluded.end());
  const std::vector<graph::EdgeOffset> offsets = {0,
                                                  static_cast<graph::EdgeOffset>(excluded.size())};
  kernels::Matrix<NodeId> ids = backend.matrix<NodeId>(1, k);
  kernels::FloatMatrix scores = backend.matrix<float>(1, k);
  topk(graph::CsrView{1, num_items, offsets, excluded, {}}, ids.view(), scores.view());
  kernels::Download<NodeId> download_ids;
  kernels::Download<float> download_scores;
  const auto best = download_ids(kernels::MatrixView<const NodeId>(ids.view()), backend);
  const auto best_scores = download_scores(ConstFloatView(scores.view()), backend);
  std::vector<ScoredItem> result;
  for (std::int64_t j = 0; j < k && best(0, j) != graph::kNoNode; ++j)
    result.push_back({best(0, j), best_scores(0, j)});
  return result;
}

std::vector<ScoredItem> rank_vectors(ConstFloatView query, ConstFloatView items,
                                     std::vector<NodeId> excluded, std::int64_t k,
                                     kernels::Backend& backend) {
  return rank(items.rows, std::move(excluded), k, backend,
              [&](const graph::CsrView& masked, kernels::MatrixView<NodeId> ids,
                  kernels::FloatView scores) { backend.topk(query, items, masked, ids, scores); });
}

/// A look-up maps singular vectors without a look at them; what is damaged shows in the scores.
void require_finite_scores(const Model& model, const kernels::FloatMatrix& scores) {
  kernels::Download<float> download;
  const ConstFloatView values = download(scores.view(), model.backend());
  bool finite = true;
  for (std::int64_t item = 0; item < values.rows; ++item) finite &= std::isfinite(values(item, 0));
  if (finite) return;
  const fs::path& directory = model.directory();
  check_files(directory, kModelArtifact, read_manifest(directory, kModelArtifact));
  throw InputError(
      fmt::format("{}: damaged: its scores are not finite numbers", directory.string()));
}

/// Mean of the items' embeddings, as long as they are on average; 1 in the column of popularity,
/// 0 in those of new items.
kernels::FloatMatrix mean_vector(const Model& model, std::span<const NodeId> items) {
  kernels::Backend& backend = model.backend();
  const auto count = static_cast<std::int64_t>(items.size());
  const std::int64_t dim = model.layout().embedding_dim;
  const std::int64_t width = model.items().cols;
  kernels::FloatMatrix vectors = backend.matrix<float>(count, dim);
  kernels::Upload<graph::NodeId> upload;
  backend.gather_rows(model.items().cols_of(0, dim),
                      upload({items.data(), count, kernels::Device::cpu}, backend), vectors.view());
  std::vector<float> table(items.size() * static_cast<std::size_t>(dim));
  backend.copy(vectors.view(),
               kernels::FloatView(table.data(), count, dim, dim, kernels::Device::cpu));
  backend.sync();
  std::vector<double> sum(static_cast<std::size_t>(dim), 0.0);
  double length = 0.0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    double squares = 0.0;
    for (std::size_t j = 0; j < sum.size(); ++j) {
      const auto value = static_cast<double>(table[i * sum.size() + j]);
      sum[j] += value;
      squares += value * value;
    }
    length += std::sqrt(squares) / static_cast<double>(count);
  }
  double squares = 0.0;
  for (const double value : sum) squares += value * value;
  std::vector<float> mean(static_cast<std::size_t>(width), 0.0F);
  if (model.layout().popularity_column) mean.back() = 1.0F;
  for (std::size_t j = 0; j < sum.size(); ++j)
    mean[j] = squares > 0.0 ? static_cast<float>(sum[j] * length / std::sqrt(squares)) : 0.0F;
  kernels::FloatMatrix query = backend.matrix<float>(1, width);
  backend.copy(ConstFloatView(mean.data(), 1, width, width, kernels::Device::cpu), query.view());
  return query;
}

}  // namespace

void require_vectors(const Model& model, const char* verb) {
  if (model.layout().width() == 0) {
    throw InputError(
        fmt::format("{}: the model has no vectors; train it with filter.rank of at least 1", verb));
  }
}

std::vector<ScoredItem> Model::recommend(std::string_view raw_user, std::int64_t k,
                                         SeenItems seen_items, Ranking ranking) const {
  const Dataset& data = dataset();
  require_k(k, data.num_items(), "the catalogue has");
  const NodeId user = find_raw(data.users, raw_user, "user");
  std::vector<NodeId> seen;
  if (leaves_out_seen(data, seen_items)) seen = known_items(data, user);
  if (ranking == Ranking::full && has_scorer()) {
    kernels::FloatMatrix all_scores = backend().matrix<float>(data.num_items(), 1);
    scorer_of(user)->score({&user, 1, kernels::Device::cpu}, backend(), all_scores.view());
    require_finite_scores(*this, all_scores);
    return rank(data.num_items(), std::move(seen), k, backend(),
                [&](const graph::CsrView& masked, kernels::MatrixView<NodeId> ids,
                    kernels::FloatView scores) {
                  backend().topk_scores(all_scores.view(), masked, ids, scores);
                });
  }
  require_vectors(*this, "recommend --ranking vectors");
  return rank_vectors(vector_of(user), items(), std::move(seen), k, backend());
}

std::vector<ScoredItem> Model::recommend_for_history(std::span<const std::string_view> raw_items,
                                                     std::int64_t k, SeenItems seen_items) const {
  const Dataset& data = dataset();
  require_k(k, data.num_items(), "the catalogue has");
  if (raw_items.empty())
    throw InputError("--history is empty, expected raw item ids separated by commas");
  if (static_cast<std::int64_t>(raw_items.size()) > kLongestHistory) {
    throw InputError(fmt::format("--history has {} items, expected at most {}", raw_items.size(),
                                 kLongestHistory));
  }
  std::vector<NodeId> history;
  for (const std::string_view raw : raw_items) history.push_back(find_raw(data.items, raw, "item"));
  kernels::FloatMatrix query;
  kernels::ConstFloatView table;
  if (InterestScorer* const network = interest()) {
    query = network->user_vectors(history_of_items(history), backend());
    table = network->items().rows > 0 ? network->items() : items();
  } else {
    require_vectors(*this, "recommend --history");
    query = mean_vector(*this, history);
    table = items();
  }
  std::vector<NodeId> seen;
  if (leaves_out_seen(data, seen_items)) seen = history;
  return rank_vectors(query.view(), table, std::move(seen), k, backend());
}

std::vector<ScoredItem> Model::similar(std::string_view raw_item, std::int64_t k) const {
  require_k(k, dataset().num_items() - 1, "there are besides this one");
  require_vectors(*this, "similar");
  const NodeId item = find_raw(dataset().items, raw_item, "item");
  // Cosine of the embeddings proper, without the columns behind them.
  const ConstFloatView embeddings = items().cols_of(0, layout().embedding_dim);
  kernels::FloatMatrix units = backend().matrix<float>(embeddings.rows, embeddings.cols);
  kernels::Vector<float> norms = backend().vector<float>(embeddings.rows);
  backend().normalize_rows(embeddings, units.view(), norms.view());
  return rank_vectors(units.view().rows_of(item, 1), units.view(), {item}, k, backend());
}

}  // namespace penchant::pipeline
