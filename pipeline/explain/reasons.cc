// SPDX-License-Identifier: Apache-2.0
#include "pipeline/explain/reasons.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "pipeline/explain/left_out.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Items among which three are searched: of five, six and seven, all brought explanations of 20
/// other pairs of Gowalla about the same (docs/explain.md).
constexpr std::size_t kCandidates = 6;
constexpr std::size_t kReasons = 3;

/// How far the item stands before the mean of the others in a list of them; an other that is not
/// listed counts as the last that is.
double lead_in(const std::vector<ScoredItem>& list, NodeId item, std::size_t num_others) {
  double own = -std::numeric_limits<double>::infinity();
  double sum = 0.0;
  std::size_t listed = 0;
  for (const ScoredItem& scored : list) {
    if (scored.item == item) {
      own = static_cast<double>(scored.score);
    } else {
      sum += static_cast<double>(scored.score);
      ++listed;
    }
  }
  if (listed == 0) return own;
  const auto last = static_cast<double>(list.back().score);
  return own -
         (sum + static_cast<double>(num_others - listed) * last) / static_cast<double>(num_others);
}

/// Of places of the person's items, the largest lead first.
std::vector<std::size_t> decide_together(const Model& model, const Person& person,
                                         std::span<const std::size_t> by_lead,
                                         std::span<const NodeId> others,
                                         const Explanation& explanation) {
  const std::size_t count = std::min(by_lead.size(), kCandidates);
  std::vector<std::vector<std::size_t>> chosen;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i + 1; j < count; ++j) {
      for (std::size_t k = j + 1; k < count; ++k)
        chosen.push_back({by_lead[i], by_lead[j], by_lead[k]});
    }
  }
  ItemChoice choice;
  choice.allowed.emplace(others.begin(), others.end());
  choice.allowed->push_back(explanation.item);
  std::sort(choice.allowed->begin(), choice.allowed->end());
  const std::size_t at_once = people_at_once(model.dataset().num_items());
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> best;
  for (std::size_t first = 0; first < chosen.size(); first += at_once) {
    const std::size_t last = std::min(first + at_once, chosen.size());
    Histories people;
    for (std::size_t k = first; k < last; ++k) append(people, person.history(chosen[k]));
    const auto lists =
        model.recommend_for_people(people, static_cast<std::int64_t>(choice.allowed->size()),
                                   SeenItems::keep, explanation.ranking, choice);
    for (std::size_t k = first; k < last; ++k) {
      const double lead = lead_in(lists[k - first], explanation.item, others.size());
      if (best.empty() || lead < least) {
        least = lead;
        best = chosen[k];
      }
    }
  }
  return best;
}

}  // namespace

void put_reasons_first(const Model& model, const Person& person, std::span<const NodeId> others,
                       Explanation& explanation) {
  std::vector<HistoryShare>& history = explanation.history;
  std::vector<std::size_t> by_lead(history.size());
  std::iota(by_lead.begin(), by_lead.end(), 0);
  std::stable_sort(by_lead.begin(), by_lead.end(),
                   [&](std::size_t a, std::size_t b) { return history[a].lead > history[b].lead; });
  std::vector<std::size_t> reasons(
      by_lead.begin(),
      by_lead.begin() + static_cast<std::ptrdiff_t>(std::min(by_lead.size(), kReasons)));
  // Of three items all are reasons; without all that they had nobody has a score.
  if (by_lead.size() > kReasons && !others.empty() && explanation.method != ShareMethod::exact)
    reasons = decide_together(model, person, by_lead, others, explanation);
  for (const std::size_t place : reasons) history[place].reason = true;
  std::stable_sort(history.begin(), history.end(),
                   [](const HistoryShare& a, const HistoryShare& b) {
                     return a.reason != b.reason ? a.reason : a.lead > b.lead;
                   });
}

}  // namespace penchant::pipeline
