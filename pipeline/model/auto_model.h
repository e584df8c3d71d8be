// SPDX-License-Identifier: Apache-2.0
// A model of kind "auto": a graph filter, the vectors of trained models, or the sum of both and of
// popularity.
//   score(u, i) = sqrt(d_u) (<users_u, items_i> + a log(1 + users of i)) + w filter(u, i)
//               + v repeats(u, i) + l links(u, i)
// where <users_u, items_i> is the weighted sum of the trained models' inner products. The root of
// the user's degree d_u brings both terms to one scale for all users: a filter's scores grow with it. Where held-out rows repeat training rows, what users did before has a say
// (pipeline/choice/repeat_blend.h), and where users are linked what those had whom they are linked to
// (pipeline/choice/link_choice.h).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/blended_scorer.h"
#include "models/model_options.h"
#include "models/safetensors.h"
#include "models/scorer.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/histories.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

/// A trained model whose vectors stand in the mixture.
struct MixtureMember {
  std::string folder;  ///< in X.model
  models::ModelKind kind = models::ModelKind::lightgcn;
  double weight = 1.0;  ///< of its inner products
};
/// Of the member of this number, from 0: "trained", "trained2" and so on.
std::string member_folder(std::size_t number);
nlohmann::json members_to_json(std::span<const MixtureMember> members);
/// Those of a model's manifest; none of a filter alone. Throws InputError,
/// nlohmann::json::exception.
std::vector<MixtureMember> members_of(const nlohmann::json& model);
/// The member whose network makes vectors of histories; null: there is none.
const MixtureMember* network_of(std::span<const MixtureMember> members);

struct WeightedVectors {
  VectorViews vectors;
  double weight = 1.0;
};
/// Vectors whose inner products are the weighted sum of these; columns of popularity are left out.
/// At least one; several have no new-item columns.
FinishedVectors joined(std::span<const WeightedVectors> members, kernels::Backend& backend);

/// What the scores are made of.
struct Mixture {
  bool vectors = false;
  double popularity_weight = 0.0;  ///< a
  double filter_weight = 0.0;      ///< w; 1 without vectors

  nlohmann::json to_json() const;
  /// Throws InputError for what is no mixture, nlohmann::json::exception for what is missing.
  static Mixture from_json(const nlohmann::json& stored);
};

/// The sum of the head comment without the repeats; `filter` may be null. Owns its vectors.
class MixedScorer final : public models::Scorer {
 public:
  MixedScorer(kernels::ConstFloatView users, kernels::ConstFloatView items,
              const graph::UserItemGraph& graph, const Mixture& mixture,
              std::shared_ptr<models::Scorer> filter, kernels::Backend& backend);
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override {
    blended_->score(users, backend, scores);
  }
  /// The people's vectors are as wide as the users', or wider: further columns do not count.
  void score_people(const models::People& people, kernels::Backend& backend,
                    kernels::FloatView scores) override;

 private:
  double popularity_weight_;
  kernels::FloatMatrix users_, items_;
  std::unique_ptr<models::BlendedScorer> blended_;
};

/// Vectors and a filter that is there already, what users did before, and further terms: any may be
/// missing.
std::unique_ptr<models::Scorer> mixed_scorer(const VectorViews& trained, const Mixture& mixture,
                                             std::shared_ptr<models::Scorer> filter,
                                             const RepeatBlend& repeats,
                                             std::vector<models::WeightedScorer> further,
                                             const graph::UserItemGraph& graph,
                                             const Histories& histories, kernels::Backend& backend);

/// Vectors that were trained to rank as all of this does (training/distillation.h), as the weights
/// of the model: before users and items of whom nothing is known have theirs.
inline constexpr const char* kDistilledWeights = "distilled.safetensors";
void write_distilled(const std::filesystem::path& file, kernels::ConstFloatView users,
                     kernels::ConstFloatView items, kernels::Backend& backend);

bool is_distilled(const nlohmann::json& model);
/// What write_distilled wrote, in host memory: users [U x D] and items [I x D]. Throws InputError.
struct DistilledFile {
  models::TensorFile file;
  kernels::ConstFloatView users, items;
};
DistilledFile read_distilled(const std::filesystem::path& file, std::int64_t num_users,
                             std::int64_t num_items, std::int64_t width);

/// The finished vectors of what train_auto wrote: the distilled ones if it has them, else by its
/// weights and those of its first member. `known` is what a network knows of users.
FinishedVectors auto_vectors(const std::filesystem::path& model_directory,
                             const nlohmann::json& manifest, const Dataset& dataset,
                             const Graphs& graphs, kernels::Backend& backend,
                             KnownPart known = KnownPart::train_and_validation);
/// Whether its scores are more than the inner products of the vectors that it stores: there is a
/// filter, are repeats, several members, or vectors that learnt all of it.
bool has_auto_scorer(const nlohmann::json& model);
/// Its scores where has_auto_scorer. `trained` are the members' vectors, `joined`, if the mixture
/// has some; `histories` is what repeats are counted in.
std::unique_ptr<models::Scorer> auto_scorer(const std::filesystem::path& model_directory,
                                            const nlohmann::json& model, const Dataset& dataset,
                                            const GraphOptions& options,
                                            const graph::UserItemGraph& graph,
                                            const VectorViews& trained, const Histories& histories,
                                            kernels::Backend& backend);
/// What they are made of.
std::vector<ScoreTerm> auto_terms(const nlohmann::json& model);

}  // namespace penchant::pipeline
