// SPDX-License-Identifier: Apache-2.0
// What stands beside the inner products of vectors in a model's scores: a linear filter, and what a
// user did with an item before, as a score of its own. Where people buy the same things again,
// counting that is hard to beat by vectors alone (docs/decisions/0022-repeats.md):
//   s_ui = (sum over u's events e with item i of decay^(number of u's events after e))^power
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "graph/csr.h"
#include "graph/enum_names.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/blended_scorer.h"
#include "models/linear_filter.h"
#include "models/link_scorer.h"
#include "models/scorer.h"
#include "models/sparse_scorer.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/histories.h"

namespace penchant::pipeline {

struct FilterBlend {
  models::LinearFilterOptions options;
  float weight = 0.0F;  ///< of the filter's scores; 0: the vectors alone were best
};

struct RepeatBlend {
  float decay = 1.0F;   ///< in (0, 1]; 1 counts events
  float power = 1.0F;   ///< above 0
  float weight = 0.0F;  ///< in the scores; 0: without
};

/// What those had whom a user is linked to (models/link_scorer.h).
struct LinkBlend {
  float weight = 0.0F;  ///< in the scores; 0: without
};

/// Part of a model's scores.
enum class TermKind { vectors, popularity, filter, repeats, links };
constexpr auto enum_words(TermKind) {
  return std::to_array<EnumWord<TermKind>>({{TermKind::vectors, "vectors"},
                                            {TermKind::popularity, "popularity"},
                                            {TermKind::filter, "filter"},
                                            {TermKind::repeats, "repeats"},
                                            {TermKind::links, "links"}});
}
struct ScoreTerm {
  TermKind kind;
  double weight;
};
inline bool has_term(const std::vector<ScoreTerm>& terms, TermKind kind) {
  return std::any_of(terms.begin(), terms.end(),
                     [&](const ScoreTerm& term) { return term.kind == kind; });
}

/// The s_ui above [histories x I], with values.
graph::Csr repeat_scores(const Histories& histories, std::int64_t num_items, float decay,
                         float power);

/// The s_ui above of all users, and of people by their events.
class RepeatScorer final : public models::Scorer {
 public:
  /// `histories` are those of all users. Throws InputError as repeat_scores does.
  RepeatScorer(const Histories& histories, std::int64_t num_items, float decay, float power);
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;
  void score_people(const models::People& people, kernels::Backend& backend,
                    kernels::FloatView scores) override;

 private:
  models::SparseScorer known_;
  std::int64_t num_items_;
  float decay_, power_;
};

/// What is known of links between users, each kind with the weight that `options` give it; null where
/// no kind has one.
std::shared_ptr<models::LinkScorer> link_scorer(const Dataset& dataset, const GraphOptions& options,
                                                const graph::UserItemGraph& graph);
/// The same as a term, where it has a weight.
std::vector<models::WeightedScorer> link_terms(const LinkBlend& blend, const Dataset& dataset,
                                               const GraphOptions& options,
                                               const graph::UserItemGraph& graph);

/// What is added to the vectors' scores: the filter and the repeats that have a weight.
/// `histories` are those of all users.
std::vector<models::WeightedScorer> blended_terms(const graph::UserItemGraph& graph,
                                                  const Histories& histories,
                                                  const FilterBlend& filter,
                                                  const RepeatBlend& repeats,
                                                  kernels::Backend& backend);

}  // namespace penchant::pipeline
