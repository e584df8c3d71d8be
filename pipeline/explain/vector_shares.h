// SPDX-License-Identifier: Apache-2.0
// Shares of what a person had in the inner product of their vector with an item's, for every kind of
// model, and in linear filters.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/csr.h"
#include "models/graph_filter.h"
#include "models/scorer.h"
#include "pipeline/data/histories.h"
#include "pipeline/explain/encoder_hop.h"
#include "pipeline/explain/explanation.h"
#include "pipeline/model/model.h"
#include "pipeline/model/model_facts.h"

namespace penchant::pipeline {

/// Who is explained: a user of the data set, or somebody by what they had.
struct Person {
  graph::NodeId user = graph::kNoNode;
  std::vector<PersonEvent> events = {};  ///< oldest first
  KnownOfEvents known = {};
  std::vector<HistoryShare> items;   ///< distinct, the latest last; shares are 0
  std::vector<std::size_t> item_of;  ///< [events] place of each event's item in `items`

  /// One row of the events, without those of some places of `items`.
  Histories history(std::span<const std::size_t> without = {}) const;
};

/// What one item puts into a term of the score.
struct TermShares {
  std::vector<double> items;  ///< [items of the person]
  std::array<double, kNumPartKinds> parts = {};
  std::vector<PathShare> paths = {};
  ShareMethod method = ShareMethod::exact;
  std::int64_t num_unexplained = 0;

  double& part(PartKind kind) { return parts[static_cast<std::size_t>(kind)]; }
};

/// Row `id` of a table on a backend's device, in host memory.
std::vector<float> row_of_table(kernels::ConstFloatView table, graph::NodeId id,
                                kernels::Backend& backend);
double inner_product(std::span<const float> x, std::span<const float> y);

class LeftOut;

/// Of the vectors of one model; what it needs is made once.
class VectorShares {
 public:
  /// The model must outlive it.
  explicit VectorShares(const Model& model);
  ~VectorShares();
  VectorShares(const VectorShares&) = delete;
  VectorShares& operator=(const VectorShares&) = delete;

  const Model& model() const { return model_; }
  const nlohmann::json& manifest() const { return manifest_; }
  const ModelFacts& facts() const { return facts_; }
  /// Whether its vectors are a graph encoder's, whose hops divide them.
  bool is_encoder() const;
  const EncoderHops& hops();

  /// <user, item> of the person without the column of popularity, which is a part of its own.
  enum class Paths : bool { no, yes };
  TermShares of(const Person& person, graph::NodeId item, Paths paths = Paths::yes);

 private:
  void add_hops(const Person& person, graph::NodeId item, std::span<const float> user,
                std::span<const float> vector, Paths paths, TermShares& shares);
  void add_gradients(const Person& person, std::span<const float> vector, TermShares& shares);
  void add_filter_vectors(const Person& person, std::span<const float> vector, TermShares& shares);
  void add_left_out(const Person& person, std::span<const float> vector, TermShares& shares);

  const Model& model_;
  nlohmann::json manifest_;
  ModelFacts facts_;
  std::optional<EncoderHops> hops_;
  graph::NodeId projected_ = graph::kNoNode;  ///< the user asked for last
  EncoderHops::Projection on_user_;
  std::unique_ptr<models::GraphFilter> filter_;  ///< whose singular vectors are the model's
  graph::Csr user_items_;                        ///< that it was made of
  std::optional<Model> member_;  ///< of a mixture whose vectors are its first member's
  std::unique_ptr<VectorShares> of_member_;
  std::unique_ptr<LeftOut> left_out_;  ///< of the person asked for last
};

/// Ways to the item by a graph encoder's last hop: `share` times what each neighbour gives.
std::vector<PathShare> paths_of(const EncoderHops& hops, const Hop& hop, double share,
                                graph::NodeId beside = graph::kNoNode);

/// Shares of the columns of one row [1 x I] in a linear filter's score of each of some items. A filter scores
/// s_i = f_i sum_j K_ij g_j x_j with a symmetric K and powers f, g of the items' degrees d, so that
/// applied once to the item alone, instead of to each x_j, it says f_j K_ij g_i of all j at once:
/// share_j is x_j (d_i / d_j)^power times that, where f_i g_j / (f_j g_i) = (d_i / d_j)^power.
std::vector<std::vector<double>> filter_shares(models::Scorer& filter, const graph::CsrView& row,
                                               std::span<const graph::NodeId> items,
                                               std::span<const double> item_degrees, double power,
                                               kernels::Backend& backend);

}  // namespace penchant::pipeline
