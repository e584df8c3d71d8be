// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/term_choice.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "models/blended_scorer.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/choice/filter_blend.h"
#include "pipeline/choice/judge.h"
#include "pipeline/choice/link_choice.h"
#include "pipeline/choice/popularity_trial.h"
#include "pipeline/choice/repeat_blend.h"
#include "pipeline/choice/validation_choice.h"

namespace penchant::pipeline {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

/// Validation users that a filter beside the vectors is chosen on.
constexpr std::int64_t kBlendUsers = 4096;
/// Weights of popularity that are tried to an octave around the best power of 2.
constexpr int kFineSteps = 6;

class TermChoice {
 public:
  TermChoice(const Dataset& dataset, const Graphs& graphs, PopularityTrial& vectors, double value,
             const RankingTask& task, const TermOptions& options, Backend& backend,
             Progress& progress)
      : dataset_(dataset),
        graph_(graphs.user_item),
        graph_options_(graphs.options),
        vectors_(vectors),
        task_(task),
        options_(options),
        backend_(backend),
        muted_(progress),
        judge_(task, dataset.item_statistics.count, options.metric, backend, muted_),
        tolerance_(popularity_tolerance(dataset.split)) {
    chosen_.value = value;
  }

  ChosenTerms run() {
    if (options_.popularity) choose_popularity_weight();
    chosen_.vectors = chosen_.value;
    if (options_.filter) choose_filter();
    if (options_.links) choose_links();
    if (options_.repeats) choose_repeats();
    return chosen_;
  }

 private:
  Judgement judge_vectors(double popularity_weight) {
    vectors_.set_weight(popularity_weight);
    return judge_(vectors_.users(), vectors_.items());
  }

  /// The vectors with these terms and the links beside them.
  Judgement judge_blend(ConstFloatView users, ConstFloatView items, const Histories& histories,
                        const FilterBlend& filter, const RepeatBlend& repeats) {
    std::vector<models::WeightedScorer> terms =
        blended_terms(graph_, histories, filter, repeats, backend_);
    if (chosen_.links.weight != 0.0F) terms.push_back({links_, chosen_.links.weight});
    models::BlendedScorer scorer(users, items, std::move(terms));
    return judge_(scorer);
  }

  /// 0 included: powers of 2, then a finer step around the best of them.
  void choose_popularity_weight() {
    const double unit = options_.popularity_unit;
    std::vector<double> weights;
    std::vector<Judgement> judgements;
    const auto judge = [&](double weight) {
      weights.push_back(weight);
      judgements.push_back(judge_vectors(weight));
      return judgements.back().value;
    };
    for (const double share : {0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0}) judge(share * unit);
    const std::size_t coarse = choose(judgements, 0.0);
    const double best = judgements[coarse].value;
    const double around = weights[coarse];
    const double step = std::exp2(1.0 / kFineSteps);
    for (int k = 1; around > 0.0 && k < kFineSteps; ++k) judge(around * std::pow(step, -k));
    for (int k = 1; around > 0.0 && k < 3 * kFineSteps; ++k) {
      if (judge(around * std::pow(step, k)) < (1.0 - tolerance_) * best) break;
    }
    const std::size_t taken = choose(judgements, tolerance_);
    chosen_.value = judgements[taken].value;
    chosen_.popularity_weight = weights[taken];
  }

  /// Takes the blend that a sample of the validation users likes best, if all of them prefer it to
  /// the vectors with popularity.
  void choose_filter() {
    const RankingTask sample = sample_task(task_, kBlendUsers, kJudgesSeed);
    const Judge judge(sample, dataset_.item_statistics.count, options_.metric, backend_);
    const FilterBlend blend = choose_filter_blend(
        graph_, vectors_.plain_users(), vectors_.plain_items(), judge, tolerance_, backend_);
    if (blend.weight == 0.0F) return;
    const Judgement judgements[] = {
        judge_vectors(chosen_.popularity_weight),
        judge_blend(vectors_.plain_users(), vectors_.plain_items(), {}, blend, {})};
    if (choose(judgements, tolerance_) == 0) return;
    chosen_.value = judgements[1].value;
    chosen_.filter = blend;
  }

  /// Beside the vectors with popularity, or with the filter if there is one, which knows of that.
  void choose_links() {
    links_ = link_scorer(dataset_, graph_options_, graph_);
    if (links_ == nullptr) return;
    vectors_.set_weight(chosen_.filter.weight == 0.0F ? chosen_.popularity_weight : 0.0);
    const RankingTask sample = sample_task(task_, kBlendUsers, kJudgesSeed);
    const LinkBlend links = choose_link_blend(
        beside_filter(), links_,
        Judge(sample, dataset_.item_statistics.count, options_.metric, backend_), backend_);
    if (links.weight == 0.0F) return;
    chosen_.links = links;
    const double value =
        judge_blend(vectors_.users(), vectors_.items(), {}, chosen_.filter, {}).value;
    if (value > chosen_.value)
      chosen_.value = value;
    else
      chosen_.links = {};
  }

  /// Makes the vectors with the filter and these terms beside them.
  MakeScorer beside_filter() {
    const std::vector<models::WeightedScorer> without =
        blended_terms(graph_, {}, chosen_.filter, {}, backend_);
    return [this, without](const std::vector<models::WeightedScorer>& further) {
      std::vector<models::WeightedScorer> terms = without;
      terms.insert(terms.end(), further.begin(), further.end());
      if (chosen_.links.weight != 0.0F) terms.push_back({links_, chosen_.links.weight});
      return std::make_unique<models::BlendedScorer>(vectors_.users(), vectors_.items(),
                                                     std::move(terms));
    };
  }

  /// The same for what users did before. A filter knows of popularity itself.
  void choose_repeats() {
    vectors_.set_weight(chosen_.filter.weight == 0.0F ? chosen_.popularity_weight : 0.0);
    const graph::TrainingPart& train = dataset_.split.train;
    const Histories histories = make_histories(train, dataset_, train.interactions.size() + 1);
    const RankingTask sample = sample_task(task_, kBlendUsers, kJudgesSeed);
    const RepeatBlend repeats = choose_repeat_blend(
        beside_filter(), histories,
        Judge(sample, dataset_.item_statistics.count, options_.metric, backend_), backend_);
    if (repeats.weight == 0.0F) return;
    const double value =
        judge_blend(vectors_.users(), vectors_.items(), histories, chosen_.filter, repeats).value;
    if (value <= chosen_.value) return;
    chosen_.value = value;
    chosen_.repeats = repeats;
  }

  const Dataset& dataset_;
  const graph::UserItemGraph& graph_;
  const GraphOptions& graph_options_;
  PopularityTrial& vectors_;
  const RankingTask& task_;
  const TermOptions& options_;
  Backend& backend_;
  MutedProgress muted_;
  Judge judge_;
  double tolerance_;
  ChosenTerms chosen_;
  std::shared_ptr<models::Scorer> links_;  ///< null: there are none
};

}  // namespace

ChosenTerms choose_terms(const Dataset& dataset, const Graphs& graphs, FloatMatrix users,
                         FloatMatrix items, double value, const RankingTask& task,
                         const TermOptions& options, Backend& backend, Progress& progress) {
  PopularityTrial vectors(graphs.user_item, users, items, backend);
  users = FloatMatrix();  // the trial has a copy
  items = FloatMatrix();
  return TermChoice(dataset, graphs, vectors, value, task, options, backend, progress).run();
}

}  // namespace penchant::pipeline
