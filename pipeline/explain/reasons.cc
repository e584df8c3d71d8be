// SPDX-License-Identifier: Apache-2.0
#include "pipeline/explain/reasons.h"

#include <algorithm>
#include <numeric>

#include "kernels/transfer.h"
#include "pipeline/explain/left_out.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

/// Items among which three are searched. Five, six and seven did about the same on other pairs of
/// Gowalla than those judged (docs/explain.md).
constexpr std::size_t kCandidates = 6;
constexpr std::size_t kReasons = 3;
/// Items that are left out alone.
constexpr std::size_t kMostAlone = 256;

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

/// The choice of places of the person's items without which the item stands farthest behind.
class Search {
 public:
  Search(const Model& model, const Person& person, const Leads& leads)
      : model_(model), person_(person), leads_(leads) {}

  /// What is left of the lead without each of some choices.
  std::vector<double> without(std::span<const std::vector<std::size_t>> choices) const {
    const std::size_t at_once = people_at_once(model_.dataset().num_items());
    std::vector<double> left;
    for (std::size_t first = 0; first < choices.size(); first += at_once) {
      Histories people;
      for (const auto& gone : choices.subspan(first, std::min(at_once, choices.size() - first)))
        append(people, person_.history(gone));
      const std::vector<double> found = leads_.of(people);
      left.insert(left.end(), found.begin(), found.end());
    }
    return left;
  }
  /// The latest items, that which is missed most when it goes alone first.
  std::vector<std::size_t> by_loss() const {
    const std::size_t count = person_.items.size();
    std::vector<std::vector<std::size_t>> alone;
    for (std::size_t place = count - std::min(count, kMostAlone); place < count; ++place)
      alone.push_back({place});
    const std::vector<double> left = without(alone);
    std::vector<std::size_t> order(alone.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return left[a] < left[b]; });
    for (std::size_t& place : order) place = alone[place].front();
    return order;
  }
  std::vector<std::size_t> decide_together(std::span<const std::size_t> candidates) const {
    std::vector<std::vector<std::size_t>> threes;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      for (std::size_t j = i + 1; j < candidates.size(); ++j) {
        for (std::size_t k = j + 1; k < candidates.size(); ++k)
          threes.push_back({candidates[i], candidates[j], candidates[k]});
      }
    }
    const std::vector<double> left = without(threes);
    return threes[graph::at(std::min_element(left.begin(), left.end()) - left.begin())];
  }

 private:
  const Model& model_;
  const Person& person_;
  const Leads& leads_;
};

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
  if (by_lead.size() > kReasons && !others.empty() && explanation.method != ShareMethod::exact) {
    std::vector<NodeId> items = {explanation.item};
    items.insert(items.end(), others.begin(), others.end());
    const Leads leads(model, items, explanation.ranking);
    const Search search(model, person, leads);
    // Gradients say what a network read, not what it would say without it.
    std::vector<std::size_t> candidates =
        explanation.method == ShareMethod::integrated_gradients ? search.by_loss() : by_lead;
    candidates.resize(std::min(candidates.size(), kCandidates));
    reasons = search.decide_together(candidates);
  }
  for (const std::size_t place : reasons) history[place].reason = true;
  std::stable_sort(history.begin(), history.end(),
                   [](const HistoryShare& a, const HistoryShare& b) {
                     return a.reason != b.reason ? a.reason : a.lead > b.lead;
                   });
}

}  // namespace penchant::pipeline
