// SPDX-License-Identifier: Apache-2.0
#include "pipeline/audience/audience.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/audience/user_table.h"
#include "pipeline/data/where.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

/// Ids of a file or a list, or of neither.
IdFile ids_of(const std::filesystem::path& file, const std::optional<std::vector<std::string>>& ids,
              const Dataset& dataset, const AudienceOptions& options, const char* name,
              Progress& progress) {
  if (file.empty() && !ids) return {};
  IdFile found =
      ids ? find_raw_ids(*ids, dataset.users, "user", options.unknown, name, options.key.get())
          : read_id_file(file, dataset.users, "user", options.unknown, options.key.get());
  if (!found.repeated.empty()) progress.warn(found.repeated);
  return found;
}

/// Who may be in the audience. Whoever is left out counts for one reason.
class Eligible {
 public:
  explicit Eligible(std::int64_t num_users) : may_(at(num_users), 1) {}
  bool operator[](std::size_t user) const { return may_[user] != 0; }
  template <typename Goes>
  void leave_out(const char* reason, AudienceReport& report, Goes goes) {
    std::int64_t count = 0;
    for (std::size_t user = 0; user < may_.size(); ++user) {
      if (may_[user] == 0 || !goes(user)) continue;
      may_[user] = 0;
      ++count;
    }
    report.left_out.emplace_back(reason, count);
  }
  std::vector<NodeId> users() const {
    std::vector<NodeId> users;
    for (std::size_t user = 0; user < may_.size(); ++user) {
      if (may_[user] != 0) users.push_back(static_cast<NodeId>(user));
    }
    return users;
  }

 private:
  std::vector<std::uint8_t> may_;
};

void check_options(const AudienceOptions& options, std::int64_t num_users) {
  const bool by_seed = options.seed || !options.seed_file.empty();
  if (by_seed == !options.interest.empty()) {
    throw InputError(
        fmt::format("audience: expected either --seed, or --interest or --interest-items, found {}",
                    by_seed ? "both" : "neither"));
  }
  if ((options.size != 0) == (options.share != 0.0)) {
    throw InputError(fmt::format("audience: expected either --size or --share, found {}",
                                 options.size != 0 ? "both" : "neither"));
  }
  if (options.size < 0)
    throw InputError(fmt::format("--size is {}, expected at least 1", options.size));
  if (options.size > num_users) {
    throw InputError(
        fmt::format("--size is {}, but the data set has {} users", options.size, num_users));
  }
  if (options.min_size < 1)
    throw InputError(fmt::format("--min-size is {}, expected at least 1", options.min_size));
  if (options.size != 0 && options.size < options.min_size) {
    throw InputError(
        fmt::format("--size is {}, and no audience of fewer than {} people is written (--min-size)",
                    options.size, options.min_size));
  }
  const int given = (options.user_table.empty() ? 0 : 1) + (options.user_key.empty() ? 0 : 1) +
                    (options.where_users.empty() ? 0 : 1);
  if (given != 0 && given != 3)
    throw InputError("audience: --user-table, --user-key and --where-users go together");
}

std::vector<NodeId> seed_of(const Dataset& dataset, const AudienceOptions& options,
                            AudienceReport& report, Progress& progress) {
  IdFile seed = ids_of(options.seed_file, options.seed, dataset, options, "seed", progress);
  const auto size = static_cast<std::int64_t>(seed.ids.size());
  if (size < kSmallestSeed) {
    throw InputError(fmt::format(
        "--seed: {} known users, expected at least {} to learn from{}", size, kSmallestSeed,
        seed.num_unknown == 0 ? "" : fmt::format("; {} ids are unknown", seed.num_unknown)));
  }
  if (size == dataset.num_users())
    throw InputError("--seed: it has every user of the data set, nobody is left to compare with");
  report.kind = "seed";
  report.about = fmt::format("{} users", size);
  report.num_seed = size;
  report.unknown_ids += seed.num_unknown;
  return std::move(seed.ids);
}

void limit_by_table(const Dataset& dataset, const AudienceOptions& options, Eligible& eligible,
                    AudienceReport& report) {
  if (options.user_table.empty()) return;
  const UserTable table = read_user_table(options.user_table, options.user_key, dataset.users,
                                          options.frames, options.key.get());
  report.unknown_rows = table.num_unknown;
  const std::vector<std::uint8_t> holds =
      where_holds(table.attributes, options.where_users, {"--where-users", "user", "users"});
  eligible.leave_out("not_in_user_table", report,
                     [&](std::size_t user) { return table.is_in[user] == 0; });
  eligible.leave_out("where_users", report, [&](std::size_t user) { return holds[user] == 0; });
}

/// "12 had the items, 3 were excluded"
std::string reasons(const AudienceReport& report) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : report.left_out)
    parts.push_back(fmt::format("{} {}", reason, count));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// The likeliest, and what is expected of them.
void choose(const Probabilities& probabilities, std::vector<NodeId> people, std::int64_t size,
            Audience& audience) {
  double sum = 0.0;
  for (const NodeId user : people) sum += static_cast<double>(probabilities.of_users[at(user)]);
  AudienceReport& report = audience.report;
  report.base_rate = sum / static_cast<double>(people.size());
  const auto likelier = [&](NodeId a, NodeId b) {
    const float first = probabilities.of_users[at(a)], second = probabilities.of_users[at(b)];
    return first != second ? first > second : a < b;
  };
  std::partial_sort(people.begin(), people.begin() + size, people.end(), likelier);
  people.resize(at(size));
  audience.users = std::move(people);
  for (const NodeId user : audience.users) {
    const float probability = probabilities.of_users[at(user)];
    audience.probability.push_back(probability);
    audience.lift.push_back(
        static_cast<float>(static_cast<double>(probability) / report.base_rate));
    report.expected += static_cast<double>(probability);
  }
}

}  // namespace

double parse_share(const std::string& text) {
  const bool percent = text.ends_with('%');
  const char* const last = text.data() + text.size() - (percent ? 1 : 0);
  double share = 0.0;
  const auto [end, error] = std::from_chars(text.data(), last, share);
  if (percent) share /= 100.0;
  if (text.empty() || error != std::errc() || end != last || !(share > 0.0 && share <= 1.0)) {
    throw InputError(
        fmt::format("--share is '{}', expected a share above 0 and at most 1, such as 5% or 0.05",
                    printable(text)));
  }
  return share;
}

nlohmann::json audience_json(const AudienceReport& report) {
  nlohmann::json left_out = nlohmann::json::object(), weights = nlohmann::json::object();
  for (const auto& [reason, count] : report.left_out) left_out[reason] = count;
  for (const auto& [name, weight] : report.regression.weights) weights[name] = weight;
  return {{"kind", report.kind},
          {"about", report.about},
          {"items", report.num_items},
          {"seed", report.num_seed},
          {"users_considered", report.considered},
          {"left_out", left_out},
          {"eligible", report.eligible},
          {"unknown_ids", report.unknown_ids},
          {"unknown_rows_of_user_table", report.unknown_rows},
          {"base_rate", report.base_rate},
          {"expected", report.expected},
          {"period_days", report.period_days},
          {"min_size", report.min_size},
          {"regression",
           {{"sets", report.regression.sets},
            {"examples", report.regression.examples},
            {"positives", report.regression.positives},
            {"weights", weights}}}};
}

Audience make_audience(const Model& model, const AudienceOptions& options, Progress& progress) {
  const Dataset& dataset = model.dataset();
  check_options(options, dataset.num_users());
  Audience audience;
  AudienceReport& report = audience.report;
  report.considered = dataset.num_users();
  report.min_size = options.min_size;
  // What is refused for its input is refused before anything is computed.
  const IdFile excluded =
      ids_of(options.exclude_file, options.exclude, dataset, options, "exclude", progress);
  report.unknown_ids += excluded.num_unknown;
  Eligible eligible(dataset.num_users());
  std::vector<std::uint8_t> is_excluded(at(dataset.num_users()), 0);
  for (const NodeId user : excluded.ids) is_excluded[at(user)] = 1;
  eligible.leave_out("exclude", report, [&](std::size_t user) { return is_excluded[user] != 0; });
  limit_by_table(dataset, options, eligible, report);

  const bool by_interest = !options.interest.empty();
  Probabilities probabilities;
  if (by_interest) {
    const ChosenItems chosen = chosen_items(dataset, options.interest);
    report.kind = "interest";
    report.about = chosen.set.name;
    report.num_items = static_cast<std::int64_t>(chosen.set.items.size());
    report.unknown_ids += chosen.num_unknown;
    probabilities = interest_probabilities(dataset, chosen.set, options.known, progress);
  } else {
    probabilities =
        seed_probabilities(model, seed_of(dataset, options, report, progress), progress);
  }
  report.regression = probabilities.facts;
  report.period_days = probabilities.period_days;
  if (options.known == KnownPeople::leave_out) {
    eligible.leave_out(by_interest ? "had_the_items" : "seed", report,
                       [&](std::size_t user) { return probabilities.known[user] != 0; });
  }
  std::vector<NodeId> people = eligible.users();
  report.eligible = static_cast<std::int64_t>(people.size());
  const std::int64_t asked =
      options.size != 0 ? options.size
                        : static_cast<std::int64_t>(
                              std::ceil(options.share * static_cast<double>(people.size())));
  const std::int64_t size = std::min(asked, report.eligible);
  if (size < options.min_size) {
    throw InputError(fmt::format(
        "the audience would have {} people, and none of fewer than {} is written (--min-size); of "
        "{} users {} may be in it; left out: {}",
        size, options.min_size, report.considered, report.eligible, reasons(report)));
  }
  if (size < asked) {
    progress.warn(
        fmt::format("--size is {}, but only {} people may be in the audience; left out: {}", asked,
                    size, reasons(report)));
  }
  choose(probabilities, std::move(people), size, audience);
  return audience;
}

}  // namespace penchant::pipeline
