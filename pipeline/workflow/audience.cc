// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/audience.h"

#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/artifact/version.h"
#include "pipeline/tables/columns_file.h"
#include "pipeline/tables/frames.h"
#include "pipeline/workflow/given_key.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

namespace {

RankedFacts facts_of(const Audience& audience, const Model& model) {
  const AudienceReport& report = audience.report;
  return {{"penchant.audience", report.kind},
          {"penchant.about", report.about},
          {"penchant.version", kVersion},
          {"penchant.model", model.name()},
          {"penchant.model_hash", model.hash()},
          {"penchant.data_hash", model.dataset().hash},
          {"penchant.base_rate", fmt::format("{}", report.base_rate)},
          {"penchant.period_days", fmt::format("{}", report.period_days)}};
}

}  // namespace

nlohmann::json audience_by(const AudienceFlags& flags, const Config& config, Frame* frame,
                           Progress& progress) {
  AudienceOptions options = flags.options;
  if (!flags.share.empty()) options.share = parse_share(flags.share);
  if (frame == nullptr && !is_ranked_name(flags.out)) {
    throw InputError(
        fmt::format("--out is '{}', expected a name that ends in .parquet, .arrow, .csv or .jsonl",
                    printable(flags.out)));
  }
  options.key = options.interest.key = given_key(flags.key, flags.data);
  const Loaded loaded(config, flags.data, flags.model, DatasetUse::everything);
  progress.begin("audience");
  const Audience audience = make_audience(loaded.model, options, progress);
  const auto size = static_cast<std::int64_t>(audience.users.size());
  std::vector<std::string_view> ids;
  for (const graph::NodeId user : audience.users) ids.push_back(loaded.dataset.users.raw(user));
  std::vector<std::int64_t> ranks(audience.users.size());
  std::iota(ranks.begin(), ranks.end(), std::int64_t{1});
  const std::vector<OutputColumn> columns = {{"user_id", std::move(ids)},
                                             {"rank", Int64Column{ranks, 0}},
                                             {"probability", audience.probability},
                                             {"lift", audience.lift}};
  const RankedFacts facts = facts_of(audience, loaded.model);
  if (frame != nullptr) {
    *frame = frame_of_columns(size, columns, facts);
  } else {
    write_columns(flags.out, size, columns, facts);
  }
  progress.end(fmt::format("{} of {} people", size, audience.report.eligible));
  nlohmann::json said = audience_json(audience.report);
  said["out"] = flags.out;
  said["size"] = size;
  return said;
}

std::string audience_text(const nlohmann::json& said) {
  std::string text = fmt::format(
      "{}: {} people of {} users, by {}\n", said.at("out").get<std::string>(),
      said.at("size").get<std::int64_t>(), said.at("users_considered").get<std::int64_t>(),
      said.at("about").get<std::string>());
  for (const auto& [reason, count] : said.at("left_out").items())
    text += fmt::format("  left out: {:<20} {}\n", reason, count.get<std::int64_t>());
  text +=
      fmt::format("  may be in it                   {}\n", said.at("eligible").get<std::int64_t>());
  const bool by_interest = said.at("kind") == "interest";
  const double days = said.at("period_days").get<double>();
  text +=
      fmt::format("  probability of one at random   {:.4f}{}\n", said.at("base_rate").get<double>(),
                  !by_interest ? ""
                  : days > 0.0 ? fmt::format(", within {:.1f} days", days)
                               : ", in a part such as the validation part");
  text +=
      fmt::format("  expected in the audience       {:.1f}\n", said.at("expected").get<double>());
  if (const auto unknown = said.at("unknown_ids").get<std::int64_t>(); unknown > 0)
    text += fmt::format("  unknown ids left out           {}\n", unknown);
  return text;
}

}  // namespace penchant::pipeline
