// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/explain_calls.h"

#include <string_view>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/workflow/given_key.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

void check_flags(const ExplainFlags& flags) {
  const int given =
      (flags.user.empty() ? 0 : 1) + (flags.by_history ? 1 : 0) + (flags.similar.empty() ? 0 : 1);
  if (given != 1) throw InputError("explain: expected either --user, --history or --similar");
  if (!flags.similar.empty() && !flags.ranking.empty())
    throw InputError("explain: --ranking has no effect with --similar");
  if (flags.top < 1) throw InputError(fmt::format("--top is {}, expected at least 1", flags.top));
}

Explained explain_by(Explainer& explainer, const Dataset& dataset, const ExplainFlags& given,
                     const Config& config) {
  check_flags(given);
  ExplainFlags flags = given;
  const auto key = given_key(flags.key, flags.data);
  flags.user = known_id(dataset.users, flags.user, "user", key.get());
  for (std::string* item : {&flags.item, &flags.similar}) {
    if (!item->empty()) *item = known_id(dataset.items, *item, "item", key.get());
  }
  for (std::string& item : flags.history) item = known_id(dataset.items, item, "item", key.get());
  const auto told = [&](const auto& explanation) {
    return Explained{explanation_json(explanation, dataset, flags.top),
                     explanation_text(explanation, dataset, flags.top)};
  };
  if (!flags.similar.empty()) return told(explainer.of_similar(flags.item, flags.similar));
  if (!flags.by_history)
    return told(explainer.of_user(flags.user, flags.item, chosen_ranking(flags.ranking, config)));
  const std::vector<std::string_view> raw(flags.history.begin(), flags.history.end());
  return told(explainer.of_history(raw, flags.item, chosen_history_ranking(flags.ranking, config)));
}

Explained explain_by(const ExplainFlags& flags, const Config& config) {
  check_flags(flags);
  return answer_by_one_version(flags.data, flags.model, [&] {
    const Loaded loaded(config, flags.data, flags.model,
                        use_of_explaining(model_folder(flags.model)));
    Explainer explainer(loaded.model);
    return explain_by(explainer, loaded.dataset, flags, config);
  });
}

}  // namespace penchant::pipeline
