// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/many_lists.h"

#include <utility>

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/artifact/version.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/tables/frames.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

void add_facts(ManyLists& many, const Model& model, const ItemFilterOptions& filter,
               const char* verb) {
  many.facts = {{"penchant.lists", verb},
                {"penchant.version", kVersion},
                {"penchant.score", many.lists->score()},
                {"penchant.k", fmt::format("{}", many.k)},
                {"penchant.model", model.name()},
                {"penchant.model_hash", model.hash()},
                {"penchant.data_hash", model.dataset().hash}};
  const auto add = [&](const char* key, const std::string& text) {
    if (!text.empty()) many.facts.emplace_back(key, text);
  };
  const auto ids = [](const fs::path& file, const auto& given) {
    return given ? fmt::format("{} ids", given->size()) : file.string();
  };
  add("penchant.only_items", ids(filter.only_items, filter.only_ids));
  add("penchant.exclude", ids(filter.exclude, filter.exclude_ids));
  add("penchant.where", filter.where);
  std::string limits;
  for (const std::string& text : filter.at_most) limits += (limits.empty() ? "" : " ") + text;
  add("penchant.at_most", limits);
}

ListCounts write_owners(ManyLists& many, const Dataset& dataset, RankedFile& file,
                        Progress& progress) {
  if (!many.owners.repeated.empty()) progress.warn(many.owners.repeated);
  progress.note(fmt::format("lists of {} for {} {}s, up to {} at a time: about {} beside the model",
                            many.k, many.owners.ids.size(), many.kind, many.lists->block_size(),
                            bytes_text(many.lists->memory())));
  const auto ids_of = [&](const std::string& kind) -> const graph::Dictionary& {
    return kind == "user" ? dataset.users : dataset.items;
  };
  return write_lists(*many.lists, {ids_of(many.kind), many.owners.ids}, ids_of(many.listed), file,
                     progress);
}

RankedColumns columns_of(const ManyLists& many) {
  const bool near = many.kind == many.listed;
  return {fmt::format("{}{}_id", near ? "target_" : "", many.kind),
          fmt::format("{}_id", many.listed)};
}

}  // namespace

ManyLists lists_of_users(const Model& model, const ListOptions& options,
                         const ItemFilterOptions& filter, IdFile users) {
  ManyLists many = {user_lists(model, options, choose_items(model.dataset(), filter)),
                    std::move(users),
                    "user",
                    "item",
                    options.k,
                    {}};
  add_facts(many, model, filter, "recommend");
  many.facts.emplace_back("penchant.ranking", enum_name(options.ranking));
  const bool masks = leaves_out_seen(model.dataset(), options.seen_items);
  many.facts.emplace_back("penchant.seen_items", masks ? "mask" : "keep");
  return many;
}

ManyLists lists_near_items(const Model& model, std::int64_t k, const ItemFilterOptions& filter,
                           IdFile items) {
  ManyLists many = {similar_lists(model, k, choose_items(model.dataset(), filter)),
                    std::move(items),
                    "item",
                    "item",
                    k,
                    {}};
  add_facts(many, model, filter, "similar");
  return many;
}

ManyLists lists_near_users(const Model& model, std::int64_t k, IdFile users) {
  ManyLists many = {similar_user_lists(model, k), std::move(users), "user", "user", k, {}};
  add_facts(many, model, {}, "similar");
  return many;
}

ListCounts write_many(ManyLists& many, const Dataset& dataset, const fs::path& out,
                      Progress& progress) {
  progress.begin("lists");
  const auto file = make_ranked_file(out, columns_of(many), many.facts);
  const ListCounts counts = write_owners(many, dataset, *file, progress);
  progress.end(fmt::format("{} lists, {} rows, in {}", counts.lists, counts.rows, out.string()));
  return counts;
}

ListCounts write_many(ManyLists& many, const Dataset& dataset, Frame& out, Progress& progress) {
  progress.begin("lists");
  const auto file = make_ranked_frame(out, columns_of(many), many.facts);
  const ListCounts counts = write_owners(many, dataset, *file, progress);
  progress.end(fmt::format("{} lists, {} rows", counts.lists, counts.rows));
  return counts;
}

nlohmann::json many_json(const ManyLists& many, const ListCounts& counts, const fs::path& out) {
  return {{"out", out.string()},
          {"score", many.lists->score()},
          {"lists", counts.lists},
          {"rows", counts.rows},
          {"short_lists", counts.short_lists},
          {"unknown", many.owners.num_unknown},
          {"repeated", many.owners.num_repeated},
          {"memory_bytes", many.lists->memory()}};
}

}  // namespace penchant::pipeline
