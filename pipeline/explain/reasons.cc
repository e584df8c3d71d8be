// SPDX-License-Identifier: Apache-2.0
#include "pipeline/explain/reasons.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/transfer.h"
#include "pipeline/explain/left_out.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Items among which three are searched: of five, six and seven, all brought explanations of 20
/// other pairs of Gowalla about the same (docs/explain.md).
constexpr std::size_t kCandidates = 6;
constexpr std::size_t kReasons = 3;

/// How far the first of some items stands before the mean of the others, for each of some people.
class Leads {
 public:
  Leads(const Model& model, std::span<const NodeId> items, Ranking ranking)
      : model_(model), items_(items), full_(ranking == Ranking::full && model.has_scorer()) {
    if (full_) return;
    for (const NodeId item : items)
      vectors_.push_back(row_of_table(model.items(), item, model.backend()));
  }
  std::vector<double> of(const Histories& people) const {
    std::vector<double> leads;
    const kernels::FloatMatrix table =
        full_ ? model_.history_scores(people) : model_.history_vectors(people);
    kernels::Download<float> download;
    const kernels::ConstFloatView numbers = download(table.view(), model_.backend());
    for (std::int64_t person = 0; person < people.size(); ++person) {
      double lead = 0.0;
      for (std::size_t k = 0; k < items_.size(); ++k) {
        const double score =
            full_ ? static_cast<double>(numbers(items_[k], person))
                  : inner_product({numbers.row(person), vectors_[k].size()}, vectors_[k]);
        lead += k == 0 ? score : -score / static_cast<double>(items_.size() - 1);
      }
      leads.push_back(lead);
    }
    return leads;
  }

 private:
  const Model& model_;
  std::span<const NodeId> items_;
  bool full_;
  std::vector<std::vector<float>> vectors_;
};

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
  std::vector<NodeId> items = {explanation.item};
  items.insert(items.end(), others.begin(), others.end());
  const Leads leads(model, items, explanation.ranking);
  const std::size_t at_once = people_at_once(model.dataset().num_items());
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> best;
  for (std::size_t first = 0; first < chosen.size(); first += at_once) {
    const std::size_t last = std::min(first + at_once, chosen.size());
    Histories people;
    for (std::size_t k = first; k < last; ++k) append(people, person.history(chosen[k]));
    const std::vector<double> found = leads.of(people);
    for (std::size_t k = first; k < last; ++k) {
      if (!best.empty() && found[k - first] >= least) continue;
      least = found[k - first];
      best = chosen[k];
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
