// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/new_item_rehearsal.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/attribute_regression.h"
#include "models/new_item_scores.h"
#include "models/new_items.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/training/new_item_learning.h"
#include "pipeline/training/on_host.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using nlohmann::json;

namespace {

constexpr float kWeights[] = {0.0F, 0.25F, 0.5F, 2.0F};  ///< besides 1, the usual one
constexpr float kContentWeights[] = {0.0F, 0.5F, 2.0F};
constexpr std::int64_t kTenths = 4;  ///< that are hidden, one after the other
/// So many touched items are enough to hide some of and to regress on; more cost seconds.
constexpr std::int64_t kMostRehearsed = 32768;
/// Of a tenth; fewer leave no choice to a list of 20.
constexpr std::int64_t kFewestHidden = 100;
constexpr std::int64_t kMostJudges = 2048;    ///< users of a tenth
constexpr std::int64_t kEnoughJudges = 4096;  ///< over all tenths: no further one is hidden
constexpr std::int64_t kFewestJudges = 100;   ///< below, nothing is chosen
constexpr std::int64_t kCutoff = 20;
constexpr std::int64_t kTileOfJudges = 256;
/// Substreams of Stream::distillation, beside those of new_item_learning.cc.
constexpr std::uint64_t kRehearsedSubstream = std::uint64_t{1} << 36;
constexpr std::uint64_t kJudgesSubstream = kRehearsedSubstream + 1;

/// A user, and which of the hidden items they come to have.
struct HiddenTargets {
  NodeId user = 0;
  std::vector<std::size_t> places;
};

/// So many of `all`, ascending.
template <typename T>
std::vector<T> some_of(const std::vector<T>& all, std::int64_t count, graph::Seed seed,
                       std::uint64_t substream) {
  if (static_cast<std::int64_t>(all.size()) <= count) return all;
  const graph::Permutation order(seed, graph::Stream::distillation, substream, all.size());
  std::vector<std::size_t> chosen;
  for (std::int64_t i = 0; i < count; ++i) chosen.push_back(order(static_cast<std::uint64_t>(i)));
  std::sort(chosen.begin(), chosen.end());
  std::vector<T> result;
  for (const std::size_t place : chosen) result.push_back(all[place]);
  return result;
}

/// The rows of `user_items` of these users, without columns whose `hidden` is set.
graph::Csr rows_without(const graph::CsrView& user_items, const std::vector<HiddenTargets>& judges,
                        const std::vector<bool>& hidden) {
  graph::Csr rows;
  rows.num_rows = static_cast<std::int64_t>(judges.size());
  rows.num_cols = user_items.num_cols;
  for (const HiddenTargets& judge : judges) {
    for (const NodeId item : user_items.row(judge.user)) {
      if (!hidden[at(item)]) rows.columns.push_back(item);
    }
    rows.offsets.push_back(static_cast<graph::EdgeOffset>(rows.columns.size()));
  }
  return rows;
}

/// Of the user's hidden items, the share among the best kCutoff; of equal scores, the first ones.
double hidden_recall(const std::vector<float>& scores, const std::vector<std::size_t>& targets) {
  std::int64_t found = 0;
  for (const std::size_t target : targets) {
    const float score = scores[target];
    std::int64_t before = 0;
    for (std::size_t i = 0; i < scores.size(); ++i)
      before += scores[i] > score || (scores[i] == score && i < target) ? 1 : 0;
    found += before < kCutoff ? 1 : 0;
  }
  return static_cast<double>(found) / static_cast<double>(targets.size());
}

class Rehearsal {
 public:
  Rehearsal(std::span<const VectorViews> members, const std::vector<NewItemTeacher>& teachers,
            const graph::UserItemGraph& graph, const graph::Csr& links,
            const std::vector<bool>& landmarks, const std::vector<NodeId>& items, Backend& host)
      : members_(members),
        teachers_(teachers),
        graph_(graph),
        links_(graph::select_rows(links.view(), items)),
        items_(items),
        host_(host) {
    for (const NewItemTeacher& teacher : teachers) {
      if (!weighted_.contains(teacher.content))
        weighted_[teacher.content] = models::weighted_by_rarity(links, landmarks, teacher.content);
    }
    for (const VectorViews& member : members) {
      item_vectors_.push_back(
          host.matrix<float>(static_cast<std::int64_t>(items.size()), member.items.cols));
      host.gather_rows(member.items, ids(items), item_vectors_.back().view());
    }
  }

  /// Hides the items at these ascending places, and hears the judges.
  void hide(const std::vector<NodeId>& places, const std::vector<HiddenTargets>& judges) {
    std::vector<float> known(items_.size(), 1.0F);
    std::vector<bool> hidden(at(graph_.num_items), false);
    std::vector<NodeId> hidden_items;
    for (const NodeId place : places) {
      known[at(place)] = 0.0F;
      hidden_items.push_back(items_[at(place)]);
      hidden[at(hidden_items.back())] = true;
    }
    const graph::Csr rows = rows_without(graph_.user_items.view(), judges, hidden);
    std::map<float, models::FitByProfile> profiles;  // by content
    for (const auto& [content, weighted] : weighted_)
      profiles.try_emplace(content, rows.view(), weighted, hidden_items, host_);
    std::vector<models::FitByRegression> regressions;
    for (std::size_t member = 0; member < members_.size(); ++member) {
      regressions.emplace_back(links_, known, places, members_[member].users,
                               item_vectors_[member].view(), host_);
    }
    const auto num_judges = static_cast<std::int64_t>(judges.size());
    for (std::int64_t first = 0; first < num_judges; first += kTileOfJudges) {
      const std::int64_t count = std::min(kTileOfJudges, num_judges - first);
      hear({judges.data() + first, at(count)}, first, places.size(), profiles, regressions);
    }
  }

  std::int64_t num_judges() const { return static_cast<std::int64_t>(heard_.size()); }

  std::vector<NewItemRehearsal::Trial> trials() const {
    std::vector<NewItemRehearsal::Trial> trials;
    const auto count = static_cast<double>(heard_.size());
    for (std::size_t t = 0; t < teachers_.size(); ++t) {
      double sum = 0.0;
      double gain = 0.0;
      double squares = 0.0;
      for (const auto& [user, heard] : heard_) {
        const double tenths = static_cast<double>(heard.tenths);
        const double more = (heard.recall[t] - heard.recall[0]) / tenths;
        sum += heard.recall[t] / tenths;
        gain += more;
        squares += more * more;
      }
      gain /= count;
      const double variance = std::max(0.0, squares / count - gain * gain);
      trials.push_back({teachers_[t], sum / count, gain, std::sqrt(variance / count)});
    }
    return trials;
  }

 private:
  struct Heard {
    std::vector<double> recall;  ///< of each teacher, summed over the tenths
    std::int64_t tenths = 0;
  };

  static kernels::IdView ids(const std::vector<NodeId>& of) {
    return {of.data(), static_cast<std::int64_t>(of.size()), kernels::Device::cpu};
  }

  /// Judges that are rows `first` and on of the profiles.
  void hear(std::span<const HiddenTargets> judges, std::int64_t first, std::size_t num_hidden,
            std::map<float, models::FitByProfile>& profiles,
            std::vector<models::FitByRegression>& regressions) {
    std::vector<NodeId> rows(judges.size());
    std::iota(rows.begin(), rows.end(), static_cast<NodeId>(first));
    std::vector<NodeId> users;
    for (const HiddenTargets& judge : judges) users.push_back(judge.user);
    const auto tile = [&] {
      return host_.matrix<float>(static_cast<std::int64_t>(num_hidden),
                                 static_cast<std::int64_t>(users.size()));  // zeros
    };
    std::map<float, FloatMatrix> by_profile;  // by content
    for (auto& [content, profile] : profiles) {
      const auto [at_content, is_new] = by_profile.emplace(content, tile());
      profile.add(ids(rows), at_content->second.view());
    }
    std::vector<FloatMatrix> by_regression;
    for (models::FitByRegression& regression : regressions) {
      by_regression.push_back(tile());
      regression.add(ids(users), 1.0F, by_regression.back().view());
    }
    std::vector<float> scores(num_hidden);
    for (std::size_t b = 0; b < judges.size(); ++b) {
      Heard& heard = heard_[judges[b].user];
      heard.recall.resize(teachers_.size(), 0.0);
      ++heard.tenths;
      for (std::size_t t = 0; t < teachers_.size(); ++t) {
        const ConstFloatView regression = by_regression[teachers_[t].member].view();
        const ConstFloatView profile = by_profile.at(teachers_[t].content).view();
        for (std::size_t i = 0; i < num_hidden; ++i) {
          const auto row = static_cast<std::int64_t>(i);
          const auto col = static_cast<std::int64_t>(b);
          scores[i] = teachers_[t].weight * regression(row, col) + profile(row, col);
        }
        heard.recall[t] += hidden_recall(scores, judges[b].places);
      }
    }
  }

  std::span<const VectorViews> members_;
  const std::vector<NewItemTeacher>& teachers_;
  const graph::UserItemGraph& graph_;
  graph::Csr links_;                      ///< of items_
  std::map<float, graph::Csr> weighted_;  ///< of all items, by content
  const std::vector<NodeId>& items_;
  Backend& host_;
  std::vector<FloatMatrix> item_vectors_;  ///< of each member, of items_
  std::map<NodeId, Heard> heard_;          ///< by user
};

/// The usual one first.
std::vector<NewItemTeacher> teachers_of(std::size_t num_members, std::size_t usual,
                                        bool has_landmarks) {
  std::vector<NewItemTeacher> teachers = {{usual, 1.0F}};
  if (has_landmarks) {
    for (const float content : kContentWeights) teachers.push_back({usual, 1.0F, content});
  }
  for (const float weight : kWeights) teachers.push_back({usual, weight});
  for (std::size_t member = 0; member < num_members; ++member) {
    if (member == usual) continue;
    teachers.push_back({member, 1.0F});
    for (const float weight : kWeights) {
      if (weight > 0.0F) teachers.push_back({member, weight});
    }
  }
  return teachers;
}

/// Of each tenth, by what place an item has in it, the users with a held-out row that is not among
/// those of the graph; ascending.
std::vector<std::vector<HiddenTargets>> judges_of(const std::vector<std::vector<NodeId>>& tenths,
                                                  const graph::UserItemGraph& graph,
                                                  const graph::Interactions& held_out) {
  std::vector<std::pair<std::int32_t, NodeId>> where(at(graph.num_items), {-1, 0});
  for (std::size_t tenth = 0; tenth < tenths.size(); ++tenth) {
    for (std::size_t place = 0; place < tenths[tenth].size(); ++place)
      where[at(tenths[tenth][place])] = {static_cast<std::int32_t>(tenth),
                                         static_cast<NodeId>(place)};
  }
  std::vector<std::tuple<std::int32_t, NodeId, NodeId>> targets;  // tenth, user, place
  for (std::int64_t row = 0; row < held_out.size(); ++row) {
    const NodeId user = held_out.user[at(row)];
    const NodeId item = held_out.item[at(row)];
    const auto [tenth, place] = where[at(item)];
    if (tenth < 0) continue;
    const auto had = graph.user_items.view().row(user);
    if (!std::binary_search(had.begin(), had.end(), item)) targets.emplace_back(tenth, user, place);
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  std::vector<std::vector<HiddenTargets>> judges(tenths.size());
  for (const auto& [tenth, user, place] : targets) {
    std::vector<HiddenTargets>& of_tenth = judges[at(tenth)];
    if (of_tenth.empty() || of_tenth.back().user != user) of_tenth.push_back({user, {}});
    of_tenth.back().places.push_back(at(place));
  }
  return judges;
}

}  // namespace

json NewItemTeacher::to_json() const {
  return {{"member", member}, {"weight", weight}, {"content", content}};
}

NewItemTeacher NewItemTeacher::from_json(const json& stored) {
  return {stored.at("member").get<std::size_t>(),
          static_cast<float>(number_between(stored, "weight", 0.0, kMostWeight)),
          stored.contains("content")  // older programs wrote none
              ? static_cast<float>(number_between(stored, "content", 0.0, kMostWeight))
              : 1.0F};
}

NewItemTeacher best_teacher(std::span<const NewItemRehearsal::Trial> trials) {
  PENCHANT_ASSERT(!trials.empty());
  const auto best =
      std::max_element(trials.begin(), trials.end(),
                       [](const auto& a, const auto& b) { return a.recall < b.recall; });
  return (best->gain > best->standard_error ? *best : trials.front()).teacher;
}

std::optional<NewItemRehearsal> rehearse_new_items(std::span<const VectorViews> members,
                                                   std::size_t usual, const Graphs& graphs,
                                                   const graph::Interactions& held_out,
                                                   graph::Seed seed, Backend& backend,
                                                   Progress& progress) {
  PENCHANT_ASSERT(usual < members.size());
  NewItemRehearsal result;
  result.chosen = {usual, 1.0F};
  const graph::Csr links = models::attribute_links(graphs.item);
  const models::Touched touched = models::touched_items(graphs.user_item, links);
  if (std::count(touched.fresh.begin(), touched.fresh.end(), 1.0F) < kFewestTaught) return result;
  std::vector<NodeId> known;
  for (NodeId item = 0; item < static_cast<NodeId>(links.num_rows); ++item) {
    if (touched.yes[at(item)] == 1.0F && links.view().row_size(item) > 0) known.push_back(item);
  }
  const std::vector<NodeId> items = some_of(known, kMostRehearsed, seed, kRehearsedSubstream);
  const auto tenth_size = static_cast<std::int64_t>(items.size()) / 10;
  if (tenth_size < kFewestHidden) return result;

  const graph::Permutation order(seed, graph::Stream::distillation, kRehearsedSubstream,
                                 items.size());
  std::vector<std::vector<NodeId>> places(at(kTenths));  // of items
  std::vector<std::vector<NodeId>> tenths(at(kTenths));  // of the catalogue
  for (std::int64_t tenth = 0; tenth < kTenths; ++tenth) {
    for (std::int64_t i = tenth * tenth_size; i < (tenth + 1) * tenth_size; ++i)
      places[at(tenth)].push_back(static_cast<NodeId>(order(static_cast<std::uint64_t>(i))));
    std::sort(places[at(tenth)].begin(), places[at(tenth)].end());
    for (const NodeId place : places[at(tenth)]) tenths[at(tenth)].push_back(items[at(place)]);
  }
  const auto judges = judges_of(tenths, graphs.user_item, held_out);

  const OnHost on_host(backend);
  std::vector<kernels::Download<float>> downloads(2 * members.size());
  std::vector<VectorViews> on_cpu;
  for (const VectorViews& member : members) {
    const std::size_t next = 2 * on_cpu.size();
    on_cpu.push_back({downloads[next](member.users, backend),
                      downloads[next + 1](member.items, backend), member.layout});
  }
  const std::vector<bool> landmarks = models::landmark_values(graphs.item);
  const bool has_landmarks = std::find(landmarks.begin(), landmarks.end(), true) != landmarks.end();
  const std::vector<NewItemTeacher> teachers = teachers_of(members.size(), usual, has_landmarks);
  Rehearsal rehearsal(on_cpu, teachers, graphs.user_item, links, landmarks, items,
                      on_host.backend());
  std::int64_t heard = 0;
  for (std::int64_t tenth = 0; tenth < kTenths && heard < kEnoughJudges; ++tenth) {
    if (progress.stop_requested()) return std::nullopt;
    progress.update(tenth, kTenths, "how new items are taught best");
    const std::vector<HiddenTargets> asked = some_of(
        judges[at(tenth)], kMostJudges, seed, kJudgesSubstream + static_cast<std::uint64_t>(tenth));
    if (asked.empty()) continue;
    rehearsal.hide(places[at(tenth)], asked);
    heard += static_cast<std::int64_t>(asked.size());
  }
  result.num_users = rehearsal.num_judges();
  if (result.num_users < kFewestJudges) return result;
  result.trials = rehearsal.trials();
  result.chosen = best_teacher(result.trials);
  return result;
}

}  // namespace penchant::pipeline
