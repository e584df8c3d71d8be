// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/lists.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/list_checks.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Csr;
using graph::NodeId;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

void require_list_length(std::int64_t k, std::int64_t limit, const char* what, const char* listed) {
  if (k < 1) throw InputError(fmt::format("k is {}, expected at least 1", k));
  if (k > limit) throw InputError(fmt::format("k is {}, but {} {} {}", k, what, limit, listed));
}

void require_finite_scores(const Model& model, ConstFloatView scores) {
  kernels::Download<float> download;
  const ConstFloatView values = download(scores, model.backend());
  bool finite = true;
  for (std::int64_t item = 0; item < values.rows; ++item) {
    for (std::int64_t b = 0; b < values.cols; ++b) finite &= std::isfinite(values(item, b));
  }
  if (finite) return;
  const fs::path& directory = model.directory();
  check_files(directory, kModelArtifact, read_manifest(directory, kModelArtifact));
  throw InputError(
      fmt::format("{}: damaged: its scores are not finite numbers", directory.string()));
}

namespace {

constexpr std::int64_t kUsersPerBlock = 4096;
/// Of a table with a score for every item and user of a block: so many bytes, and so many users at
/// most and at least. Two at least, because BLAS adds up the scores of one in another order.
constexpr std::int64_t kScoreTableBytes = std::int64_t{128} << 20;
constexpr std::int64_t kUsersPerScoreBlock = 512;
constexpr std::int64_t kFewestUsersScored = 2;

std::int64_t lists_memory(std::int64_t block, std::int64_t k, const ItemChoice& choice,
                          std::int64_t width) {
  const std::int64_t depth = choice.limits.empty() ? k : 4 * k;
  std::int64_t bytes = block * depth * 8 + block * k * 8;
  if (choice.allowed) bytes += static_cast<std::int64_t>(choice.allowed->size()) * width * 4;
  return bytes;
}

}  // namespace

/// Users' lists by vectors.
class UserVectorLists final : public ListMaker {
 public:
  UserVectorLists(const Model& model, const ListOptions& options, ItemChoice choice)
      : model_(model),
        block_(std::clamp<std::int64_t>(model.dataset().num_users(), 1, kUsersPerBlock)),
        memory_(lists_memory(block_, options.k, choice, model.layout().width()) +
                block_ * model.layout().width() * 4),
        selector_(model.dataset().num_items(), options.k, std::move(choice), model.backend()) {
    require_vectors(model, "recommend --ranking vectors");
    if (leaves_out_seen(model.dataset(), options.seen_items)) known_.emplace(model.dataset());
  }
  std::int64_t block_size() const override { return block_; }
  std::int64_t memory() const override { return memory_; }
  const char* score() const override { return "inner product"; }
  ListBlock make(std::span<const NodeId> users) override {
    for (const NodeId user : users) model_.require_finite_vector(user);
    const auto count = static_cast<std::int64_t>(users.size());
    kernels::Backend& backend = model_.backend();
    if (queries_.rows() < count) queries_ = backend.matrix<float>(count, model_.layout().width());
    const kernels::FloatView queries = queries_.view().rows_of(0, count);
    backend.gather_rows(model_.users(),
                        upload_({users.data(), count, kernels::Device::cpu}, backend), queries);
    const Csr known = known_ ? known_->of(users) : Csr{};
    return selector_.by_vectors(queries, model_.items(), known.view(), users);
  }

 private:
  const Model& model_;
  std::int64_t block_, memory_;
  ListSelector selector_;
  std::optional<KnownItems> known_;
  kernels::Upload<NodeId> upload_;
  FloatMatrix queries_;
};

/// Users' lists by the full score.
class UserScoreLists final : public ListMaker {
 public:
  UserScoreLists(const Model& model, const ListOptions& options, ItemChoice choice)
      : model_(model),
        block_(std::clamp(
            std::min(kScoreTableBytes / column_bytes(model.dataset()), model.dataset().num_users()),
            kFewestUsersScored, kUsersPerScoreBlock)),
        memory_(lists_memory(block_, options.k, choice, block_) +
                block_ * column_bytes(model.dataset())),
        selector_(model.dataset().num_items(), options.k, std::move(choice), model.backend()) {
    if (leaves_out_seen(model.dataset(), options.seen_items)) known_.emplace(model.dataset());
  }
  std::int64_t block_size() const override { return block_; }
  std::int64_t memory() const override { return memory_; }
  const char* score() const override { return "full score"; }
  ListBlock make(std::span<const NodeId> users) override {
    const auto count = static_cast<std::int64_t>(users.size());
    std::vector<NodeId> scored(users.begin(), users.end());
    while (std::cmp_less(scored.size(), kFewestUsersScored)) scored.push_back(scored.back());
    const auto width = static_cast<std::int64_t>(scored.size());
    kernels::Backend& backend = model_.backend();
    if (scores_.cols() < width)
      scores_ = backend.matrix<float>(model_.dataset().num_items(), width);
    const kernels::FloatView scores = scores_.view().cols_of(0, width);
    models::Scorer* const scorer =
        users.size() == 1 ? model_.scorer_of(users.front()) : model_.scorer();
    scorer->score({scored.data(), width, kernels::Device::cpu}, backend, scores);
    require_finite_scores(model_, scores);
    const Csr known = known_ ? known_->of(users) : Csr{};
    return selector_.by_scores(scores.cols_of(0, count), known.view(), users);
  }

 private:
  static std::int64_t column_bytes(const Dataset& dataset) {
    return 4 * std::max<std::int64_t>(dataset.num_items(), 1);
  }

  const Model& model_;
  std::int64_t block_, memory_;
  ListSelector selector_;
  std::optional<KnownItems> known_;
  FloatMatrix scores_;
};

namespace {

/// By the cosine of the embeddings proper, without the columns behind them.
class SimilarLists final : public ListMaker {
 public:
  /// `vectors`: of all users or of all items.
  SimilarLists(const Model& model, ConstFloatView vectors, std::int64_t k, ItemChoice choice)
      : block_(std::clamp<std::int64_t>(vectors.rows, 1, kUsersPerBlock)),
        memory_(lists_memory(block_, k, choice, model.layout().embedding_dim) +
                (block_ + vectors.rows) * model.layout().embedding_dim * 4),
        selector_(vectors.rows, k, std::move(choice), model.backend()),
        backend_(model.backend()) {
    const ConstFloatView embeddings = vectors.cols_of(0, model.layout().embedding_dim);
    units_ = backend_.matrix<float>(embeddings.rows, embeddings.cols);
    kernels::Vector<float> norms = backend_.vector<float>(embeddings.rows);
    backend_.normalize_rows(embeddings, units_.view(), norms.view());
  }
  std::int64_t block_size() const override { return block_; }
  std::int64_t memory() const override { return memory_; }
  const char* score() const override { return "cosine"; }
  ListBlock make(std::span<const NodeId> items) override {
    const auto count = static_cast<std::int64_t>(items.size());
    if (queries_.rows() < count) queries_ = backend_.matrix<float>(count, units_.cols());
    const kernels::FloatView queries = queries_.view().rows_of(0, count);
    const ConstFloatView units = std::as_const(units_).view();
    backend_.gather_rows(units, upload_({items.data(), count, kernels::Device::cpu}, backend_),
                         queries);
    Csr itself{count, units.rows, {0}, {items.begin(), items.end()}, {}};
    for (std::int64_t row = 1; row <= count; ++row) itself.offsets.push_back(row);
    return selector_.by_vectors(queries, units, itself.view(), items);
  }

 private:
  std::int64_t block_, memory_;
  ListSelector selector_;
  kernels::Backend& backend_;
  FloatMatrix units_, queries_;
  kernels::Upload<NodeId> upload_;
};

}  // namespace

std::unique_ptr<ListMaker> user_lists(const Model& model, const ListOptions& options,
                                      ItemChoice choice) {
  require_list_length(options.k, model.dataset().num_items(), "the catalogue has");
  if (options.ranking == Ranking::full && model.has_scorer())
    return std::make_unique<UserScoreLists>(model, options, std::move(choice));
  return std::make_unique<UserVectorLists>(model, options, std::move(choice));
}

std::unique_ptr<ListMaker> similar_lists(const Model& model, std::int64_t k, ItemChoice choice) {
  require_list_length(k, model.dataset().num_items() - 1, "there are besides this one");
  require_vectors(model, "similar");
  return std::make_unique<SimilarLists>(model, model.items(), k, std::move(choice));
}

std::unique_ptr<ListMaker> similar_user_lists(const Model& model, std::int64_t k) {
  require_list_length(k, model.dataset().num_users() - 1, "there are besides this one", "users");
  require_vectors(model, "similar --user");
  model.require_finite_users();
  return std::make_unique<SimilarLists>(model, model.users(), k, ItemChoice{});
}

}  // namespace penchant::pipeline
