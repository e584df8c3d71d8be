// SPDX-License-Identifier: Apache-2.0
// A finished model: X.model opened beside its data set, ready to answer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "models/scorer.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/histories.h"
#include "pipeline/data/item_filter.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/interest.h"
#include "pipeline/model/ranking.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

struct ScoredItem {
  graph::NodeId item;
  float score;
};

/// What the validation part said of the vectors when choosing ended, before any refit on that part.
struct VectorValidation {
  std::string metric;
  double value;
};

/// Items that a history given by hand may have.
inline constexpr std::int64_t kLongestHistory = 10'000;

/// Vectors, scores and lists of one trained model, in the data set's dense ids. The vectors lie in
/// X.model and are mapped; graphs, filters and networks are made when something first needs them.
/// The data set and the backend must outlive it. Not for several threads at once.
class Model {
 public:
  /// A model in memory.
  struct Parts {
    FinishedVectors vectors;
    std::shared_ptr<models::Scorer> scorer;    ///< null: the vectors' inner products
    std::unique_ptr<InterestScorer> interest;  ///< null: users are known by their vectors alone
    std::string name, hash;
  };
  Model(const Dataset& dataset, Parts parts, kernels::Backend& backend);
  /// Throws InputError: unfinished or damaged, trained on another data set, of an older format
  /// (`penchant upgrade` rewrites it). With everything of the data set read, the hashes of the
  /// model's files are compared, and its vectors are finite; for look-ups only the sizes and headers
  /// of its vectors are looked at, and what they answer from later. `known` is what is known of
  /// users: where the validation part must not be, an interest model makes their vectors anew.
  static Model open(const std::filesystem::path& directory, const Dataset& dataset,
                    kernels::Backend& backend, KnownPart known = KnownPart::train_and_validation);
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const Dataset& dataset() const;
  kernels::Backend& backend() const;
  const std::filesystem::path& directory() const;  ///< empty of a model in memory
  const std::string& name() const;
  /// Users' vectors are made of their rows and stand in no file: pipeline/model/private_model.h.
  bool is_private() const;
  const std::string& hash() const;            ///< of all that a score depends on
  bool saw_validation() const;                ///< it was trained on train + validation
  const GraphOptions& graph_options() const;  ///< of the graphs that it was trained on

  const VectorLayout& layout() const;
  kernels::ConstFloatView users() const;  ///< [U x (D + R + P)] on the backend's device
  kernels::ConstFloatView items() const;  ///< [I x (D + R + P)]
  /// Of a look-up: throws InputError if the row of any user is not finite.
  void require_finite_users() const;
  /// Of its vectors alone, where it is known.
  const std::optional<VectorValidation>& validation() const;
  /// What its scores are made of, as far as it is known.
  std::span<const ScoreTerm> terms() const;
  /// Its full score; null: the inner products of its vectors are all.
  models::Scorer* scorer() const;
  bool has_scorer() const;  ///< without making it
  /// Users by their histories, and probabilities of pairs; null if the model has no such network.
  InterestScorer* interest() const;
  bool has_interest() const;

  /// The k best items of a user, of those that `choice` allows; many users at once: lists.h. Throws
  /// InputError: unknown raw id (with the nearest known ones), k < 1, k > items, no vectors to rank
  /// by.
  std::vector<ScoredItem> recommend(std::string_view raw_user, std::int64_t k,
                                    SeenItems seen_items = SeenItems::automatic,
                                    Ranking ranking = Ranking::vectors,
                                    const ItemChoice& choice = {}) const;
  /// The k best items for someone who is not in the data set but had these items, oldest first;
  /// what the history holds is left out as `seen_items` says. Throws InputError: no item, an unknown
  /// one, more than kLongestHistory, no vectors to rank by, k as in `recommend`.
  std::vector<ScoredItem> recommend_for_history(std::span<const std::string_view> raw_items,
                                                std::int64_t k,
                                                SeenItems seen_items = SeenItems::automatic,
                                                Ranking ranking = Ranking::full,
                                                const ItemChoice& choice = {}) const;
  /// The same of people by events with what is known of them; nobody's row is empty. A list has the
  /// same bits whoever else is asked for. Throws InputError as above.
  std::vector<std::vector<ScoredItem>> recommend_for_people(
      const Histories& people, std::int64_t k, SeenItems seen_items = SeenItems::automatic,
      Ranking ranking = Ranking::full, const ItemChoice& choice = {}) const;
  /// What has_scorer() stands for, [I x B] on the device, of people by what they had, whether or not
  /// they are in the data set; each has an event. But for the vectors it is what is said of a user
  /// of the data with the same rows.
  kernels::FloatMatrix history_scores(const Histories& people) const;
  /// [B x (D + R + P)] vectors of such people for inner products with `items`: an interest model's
  /// network gives them, a graph filter as of its users; others are folded in (models/fold_in.h) by
  /// what people had, or where the model's vectors were taught to rank as a mixture does, by the
  /// lists that the mixture has for them.
  kernels::FloatMatrix history_vectors(const Histories& people) const;
  /// The same, whose bits do not depend on who else is asked for, which takes longer.
  kernels::FloatMatrix history_vectors_one_by_one(const Histories& people) const;
  /// The k users nearest to a user by cosine, themselves left out: `item` of each is a user.
  std::vector<ScoredItem> similar_users(std::string_view raw_user, std::int64_t k) const;
  /// The k items nearest to an item by cosine, itself left out.
  std::vector<ScoredItem> similar(std::string_view raw_item, std::int64_t k,
                                  const ItemChoice& choice = {}) const;

  /// One score for each pair of dense ids, by what the model offers: probabilities or ratings of an
  /// interest model (users by their training and validation events), else what `ranking` says.
  std::vector<float> score(std::span<const graph::NodeId> users,
                           std::span<const graph::NodeId> items,
                           Ranking ranking = Ranking::vectors) const;
  /// "probability", "rating", "full score" or "inner product".
  std::string score_meaning(Ranking ranking = Ranking::vectors) const;

 private:
  friend class UserVectorLists;
  friend class UserScoreLists;
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  /// scorer(), of which only this user's scores are asked.
  models::Scorer* scorer_of(graph::NodeId user) const;
  /// history_scores() whose bits do not depend on who else is asked for.
  kernels::FloatMatrix history_scores_one_by_one(const Histories& people) const;
  /// Of a look-up: throws InputError if the user's row or one of an item is not finite.
  void require_finite_vector(graph::NodeId user) const;
  /// The training and validation events of all users.
  const Histories& histories() const;

  std::unique_ptr<Impl> impl_;
};

/// Throws InputError for a model without vectors.
void require_vectors(const Model& model, const char* verb);

}  // namespace penchant::pipeline
