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

/// The best k by `scores` [I x 1].
std::vector<ScoredItem> rank_scores(const Model& model, const kernels::FloatMatrix& all_scores,
                                    std::vector<NodeId> seen, std::int64_t k) {
  require_finite_scores(model, all_scores);
  return rank(all_scores.rows(), std::move(seen), k, model.backend(),
              [&](const graph::CsrView& masked, kernels::MatrixView<NodeId> ids,
                  kernels::FloatView scores) {
                model.backend().topk_scores(all_scores.view(), masked, ids, scores);
              });
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
    return rank_scores(*this, all_scores, std::move(seen), k);
  }
  require_vectors(*this, "recommend --ranking vectors");
  return rank_vectors(vector_of(user), items(), std::move(seen), k, backend());
}

std::vector<ScoredItem> Model::recommend_for_history(std::span<const std::string_view> raw_items,
                                                     std::int64_t k, SeenItems seen_items,
                                                     Ranking ranking) const {
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
  std::vector<NodeId> seen;
  if (leaves_out_seen(data, seen_items)) seen = history;
  const Histories one = history_of_items(history);
  if (ranking == Ranking::full && has_scorer())
    return rank_scores(*this, history_scores(one), std::move(seen), k);
  require_vectors(*this, "recommend --history --ranking vectors");
  const kernels::FloatMatrix query = history_vectors(one);
  return rank_vectors(query.view(), items(), std::move(seen), k, backend());
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
