// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_state.h"

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/json_lines.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/choice/mixture_choice.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/training/checkpoint.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

template <typename T>
void read_if_there(const json& stored, const char* key, std::optional<T>& value) {
  if (stored.contains(key)) value = stored.at(key).get<T>();
}

json to_json(const AutoState& state) {
  json stored = {{"course", state.course}, {"log", state.log}, {"cut_short", state.cut_short}};
  if (state.filter) stored["filter"] = filter_to_json(*state.filter);
  if (state.members) {
    stored["members"] = json::array();
    for (const ChosenMember& member : *state.members)
      stored["members"].push_back({{"number", member.number}, {"weight", member.weight}});
  }
  if (state.mixture) stored["mixture"] = state.mixture->to_json();
  if (state.repeats) stored["repeats"] = repeats_to_json(*state.repeats);
  if (state.links.weight != 0.0F) stored["links"] = links_to_json(state.links);
  if (state.distils) {
    stored["distils"] = *state.distils;
    stored["learns"] = state.learns;
  }
  if (state.new_items) stored["new_items"] = state.new_items->to_json();
  if (state.value) stored["value"] = *state.value;
  if (state.vectors_value) stored["vectors_value"] = *state.vectors_value;
  if (state.filter_alone) stored["filter_alone"] = *state.filter_alone;
  if (state.tried) stored["tried"] = *state.tried;
  return stored;
}

}  // namespace

std::string describe(const AutoState& state, const std::string& metric) {
  std::string text = describe(*state.mixture);
  if (state.mixture->filter_weight != 0.0) text += ": " + describe(*state.filter);
  if (const RepeatBlend& repeats = *state.repeats; repeats.weight != 0.0F) {
    text += fmt::format(", what users did before {:.4g} (decay {:g}, power {:g})", repeats.weight,
                        repeats.decay, repeats.power);
  }
  if (state.links.weight != 0.0F)
    text += fmt::format(", what friends had {:.4g}", state.links.weight);
  text += state.value ? fmt::format("; {} {:.4f} on validation", metric, *state.value)
                      : "; not chosen: there is no validation part";
  if (state.vectors_value) {
    const char* vectors = !*state.distils ? "the vectors"
                          : state.learns  ? "vectors that learnt it"
                                          : "vectors of its leading factors";
    text += fmt::format(", {} {:.4f}", vectors, *state.vectors_value);
  }
  if (state.tried && state.filter_alone) {
    text += fmt::format(", the filter alone {:.4f}, {} mixtures tried", *state.filter_alone,
                        *state.tried);
  } else if (state.cut_short) {
    text += "; the budget ended the search";
  }
  return text;
}

namespace {

json read_choice(const fs::path& file) {
  json stored = parse_json_line(graph::read_file(file));
  if (!stored.is_object() || !stored.contains("course") || !stored["course"].is_object())
    throw InputError(fmt::format("{}: damaged", file.string()));
  return stored;
}

AutoState state_of_choice(const fs::path& file, const json& stored) {
  AutoState state;
  take_values(file, [&] {
    state.course = stored["course"];
    stored.at("log").get_to(state.log);
    stored.at("cut_short").get_to(state.cut_short);
    if (stored.contains("filter")) state.filter = filter_from_json(stored["filter"]);
    if (stored.contains("members")) {
      state.members.emplace();
      for (const json& member : stored["members"]) {
        state.members->push_back({member.at("number").get<std::size_t>(),
                                  number_between(member, "weight", 0.0, kMostWeight)});
      }
    }
    if (stored.contains("mixture")) state.mixture = Mixture::from_json(stored["mixture"]);
    state.links = stored_links(stored);
    if (stored.contains("repeats")) state.repeats = repeats_from_json(stored["repeats"]);
    read_if_there(stored, "distils", state.distils);
    if (state.distils) stored.at("learns").get_to(state.learns);
    if (stored.contains("new_items")) {
      state.new_items = NewItemTeacher::from_json(stored["new_items"]);
      const bool vectors = state.members && state.mixture && state.mixture->vectors;
      const std::size_t members = vectors ? state.members->size() : 1;
      if (state.new_items->member >= members)
        throw InputError(
            fmt::format("new_items: member {} of {}", state.new_items->member, members));
    }
    read_if_there(stored, "value", state.value);
    read_if_there(stored, "vectors_value", state.vectors_value);
    read_if_there(stored, "filter_alone", state.filter_alone);
    read_if_there(stored, "tried", state.tried);
  });
  return state;
}

}  // namespace

AutoState read_auto_state(const fs::path& file, const json& course) {
  const json stored = read_choice(file);
  require_same_course(file, stored["course"], course);
  return state_of_choice(file, stored);
}

AutoState read_auto_state(const fs::path& file) { return state_of_choice(file, read_choice(file)); }

void write_auto_state(const fs::path& folder, const AutoState& state) {
  // The choice last: who goes on from it may have nothing left to decide, and write neither again.
  write_file_atomically(folder / kMetricsName, state.log);
  write_file_atomically(folder / kChoiceName, to_json(state).dump(1) + "\n");
}

}  // namespace penchant::pipeline
