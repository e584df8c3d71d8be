// SPDX-License-Identifier: Apache-2.0
// penchant._core.Model: a model that is kept open, and its lists.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/enum_names.h"
#include "kernels/transfer.h"
#include "pipeline/tables/ranked_file.h"
#include "pipeline/workflow/explain_calls.h"
#include "pipeline/workflow/given_key.h"
#include "pipeline/workflow/many_lists.h"
#include "pipeline/workflow/verb_calls.h"
#include "python/bindings.h"
#include "python/python_progress.h"

namespace nb = nanobind;

namespace penchant::python {

namespace {

using pipeline::Config;
using pipeline::ConfigSources;
using pipeline::Frame;
using pipeline::Progress;
using pipeline::ScoredItem;

/// What lists are asked for.
struct ListFlags {
  std::int64_t k = 20;
  std::string seen, ranking, only_items, exclude, where, out, unknown = "error", key;
  std::vector<std::string> at_most;
  std::optional<std::vector<std::string>> only_ids, exclude_ids;  ///< instead of files of them

  /// `data`: the data set whose pseudonyms the key is of, if there is one.
  pipeline::ItemFilterOptions filter(const std::filesystem::path& data) const {
    return {.only_items = only_items,
            .exclude = exclude,
            .where = where,
            .at_most = at_most,
            .only_ids = only_ids,
            .exclude_ids = exclude_ids,
            .unknown = parse_enum<pipeline::UnknownRawIds>(unknown, "--unknown"),
            .key = pipeline::given_key(key, data)};
  }
};

/// A model beside its data set, opened for look-ups. One call at a time.
class OpenModel {
 public:
  OpenModel(const ConfigSources& sources, const std::string& data, const std::string& model,
            nb::object sink) {
    without_lock(std::move(sink), [&](Progress&) {
      loaded_ = std::make_unique<pipeline::Loaded>(
          sources.config(), data, pipeline::model_folder(model), pipeline::DatasetUse::lookup);
      return 0;
    });
  }

  std::int64_t num_users() const { return loaded_->dataset.num_users(); }
  std::int64_t num_items() const { return loaded_->dataset.num_items(); }
  TableInMemory user_ids() const { return ids_of(loaded_->dataset.users); }
  TableInMemory item_ids() const { return ids_of(loaded_->dataset.items); }
  bool has_vectors() const { return loaded_->model.layout().width() > 0; }

  /// Rows of [N x (D + R + P)] floats that the model holds: they live as long as `owner`.
  nb::ndarray<nb::numpy, const float, nb::ndim<2>> vectors(bool of_users, nb::handle owner) {
    require_vectors(loaded_->model, "vectors");
    const std::lock_guard lock(mutex_);
    kernels::Download<float>& copy = of_users ? user_copy_ : item_copy_;
    const kernels::ConstFloatView view =
        copy(of_users ? loaded_->model.users() : loaded_->model.items(), *loaded_->backend);
    return {view.data,
            {static_cast<std::size_t>(view.rows), static_cast<std::size_t>(view.cols)},
            owner,
            {view.stride, 1}};
  }

  /// Lists of these users, or of all: a table (user_id, item_id, score, rank), or with flags.out what
  /// the file holds, as JSON.
  ListsMade recommend(const std::optional<std::vector<std::string>>& users, const ListFlags& flags,
                      const ConfigSources& sources, nb::object sink) {
    return without_lock(std::move(sink), [&](Progress& progress) {
      const Config config = config_for(sources, "recommend", progress);
      const pipeline::ListOptions options = {flags.k, seen_of(flags.seen, config),
                                             pipeline::chosen_ranking(flags.ranking, config)};
      const std::lock_guard lock(mutex_);
      const pipeline::ItemFilterOptions filter = flags.filter(loaded_->dataset.directory);
      auto many = lists_of_users(loaded_->model, options, filter, owners_of(users, "user", filter));
      return made(many, flags, progress);
    });
  }

  /// Rows of someone's list who is new: user_id is empty.
  TableInMemory recommend_for_history(const std::vector<std::string>& history,
                                      const ListFlags& flags, const ConfigSources& sources,
                                      nb::object sink) {
    return without_lock(std::move(sink), [&](Progress& progress) {
      const Config config = config_for(sources, "recommend", progress);
      const auto by = pipeline::chosen_history_ranking(flags.ranking, config);
      const std::lock_guard lock(mutex_);
      const pipeline::ItemFilterOptions filter = flags.filter(loaded_->dataset.directory);
      std::vector<std::string> known;
      for (const std::string& item : history)
        known.push_back(known_id(loaded_->dataset.items, item, "item", filter.key.get()));
      const std::vector<std::string_view> raw(known.begin(), known.end());
      const pipeline::ItemChoice choice = choose_items(loaded_->dataset, filter);
      const auto list = loaded_->model.recommend_for_history(
          raw, flags.k, seen_of(flags.seen, config), by, choice);
      const std::vector<std::string_view> owners(list.size());
      std::vector<std::string_view> items;
      std::vector<float> scores;
      std::vector<std::int32_t> ranks;
      for (const ScoredItem& scored : list) {
        items.push_back(loaded_->dataset.items.raw(scored.item));
        scores.push_back(scored.score);
        ranks.push_back(static_cast<std::int32_t>(ranks.size()) + 1);
      }
      auto frame = std::make_shared<Frame>();
      const auto rows = pipeline::make_ranked_frame(*frame, {"user_id"}, {});
      rows->write({owners, items, scores, ranks});
      rows->commit();
      return TableInMemory{frame};
    });
  }

  /// Lists near these items, or near all: as recommend, with target_item_id.
  ListsMade similar(const std::optional<std::vector<std::string>>& items, const ListFlags& flags,
                    nb::object sink) {
    return without_lock(std::move(sink), [&](Progress& progress) {
      const std::lock_guard lock(mutex_);
      const pipeline::ItemFilterOptions filter = flags.filter(loaded_->dataset.directory);
      auto many =
          lists_near_items(loaded_->model, flags.k, filter, owners_of(items, "item", filter));
      return made(many, flags, progress);
    });
  }

  /// Users near these users, or near all: target_user_id, user_id.
  ListsMade similar_users(const std::optional<std::vector<std::string>>& users,
                          const ListFlags& flags, nb::object sink) {
    return without_lock(std::move(sink), [&](Progress& progress) {
      const std::lock_guard lock(mutex_);
      const pipeline::ItemFilterOptions filter = flags.filter(loaded_->dataset.directory);
      auto many = lists_near_users(loaded_->model, flags.k, owners_of(users, "user", filter));
      return made(many, flags, progress);
    });
  }

  /// Why an item has the score that it has, as JSON, and for people.
  std::pair<std::string, std::string> explain(const pipeline::ExplainFlags& flags,
                                              const ConfigSources& sources, nb::object sink) {
    return without_lock(std::move(sink), [&](Progress& progress) {
      const Config config = config_for(sources, "explain", progress);
      const std::lock_guard lock(mutex_);
      if (explainer_ == nullptr) explainer_ = std::make_unique<pipeline::Explainer>(loaded_->model);
      pipeline::ExplainFlags asked = flags;
      asked.data = loaded_->dataset.directory.string();
      const auto explained = explain_by(*explainer_, loaded_->dataset, asked, config);
      return std::pair(explained.answer.dump(), explained.text);
    });
  }

 private:
  static pipeline::SeenItems seen_of(const std::string& text, const Config& config) {
    return text.empty() ? config.evaluate.seen_items
                        : parse_enum<pipeline::SeenItems>(text, "--seen");
  }

  pipeline::IdFile owners_of(const std::optional<std::vector<std::string>>& given,
                             const std::string& kind,
                             const pipeline::ItemFilterOptions& filter) const {
    const pipeline::Dataset& dataset = loaded_->dataset;
    const graph::Dictionary& ids = kind == "user" ? dataset.users : dataset.items;
    return given ? find_raw_ids(*given, ids, kind.c_str(), filter.unknown, kind + "s",
                                filter.key.get())
                 : pipeline::all_ids(ids);
  }

  ListsMade made(pipeline::ManyLists& many, const ListFlags& flags, Progress& progress) const {
    if (!flags.out.empty()) {
      const auto counts = write_many(many, loaded_->dataset, flags.out, progress);
      return {many_json(many, counts, flags.out).dump(), std::nullopt};
    }
    auto frame = std::make_shared<Frame>();
    const auto counts = write_many(many, loaded_->dataset, *frame, progress);
    return {many_json(many, counts, {}).dump(), TableInMemory{frame}};
  }

  std::mutex mutex_;
  std::unique_ptr<pipeline::Loaded> loaded_;
  std::unique_ptr<pipeline::Explainer> explainer_;  ///< null until something is asked
  kernels::Download<float> user_copy_, item_copy_;  ///< of vectors on another device
};

}  // namespace

void bind_models(nb::module_& module) {
  using Flags = ListFlags;
#define PENCHANT_FIELD(member) .def_rw(#member, &Flags::member)
#define PENCHANT_MAYBE(member) .def_rw(#member, &Flags::member, nb::arg().none())
  nb::class_<Flags>(module, "ListFlags")
      .def(nb::init<>()) PENCHANT_FIELD(k) PENCHANT_FIELD(seen) PENCHANT_FIELD(ranking)
          PENCHANT_FIELD(only_items) PENCHANT_FIELD(exclude) PENCHANT_FIELD(where)
              PENCHANT_FIELD(out) PENCHANT_FIELD(unknown) PENCHANT_FIELD(at_most)
                  PENCHANT_FIELD(key) PENCHANT_MAYBE(only_ids) PENCHANT_MAYBE(exclude_ids);
#undef PENCHANT_FIELD
#undef PENCHANT_MAYBE

  const auto progress = nb::arg("progress").none() = nb::none();
  nb::class_<OpenModel>(module, "Model")
      .def(nb::init<const ConfigSources&, const std::string&, const std::string&, nb::object>(),
           nb::arg("sources"), nb::arg("data"), nb::arg("model"), progress)
      .def_prop_ro("num_users", &OpenModel::num_users)
      .def_prop_ro("num_items", &OpenModel::num_items)
      .def_prop_ro("has_vectors", &OpenModel::has_vectors)
      .def("user_ids", &OpenModel::user_ids)
      .def("item_ids", &OpenModel::item_ids)
      .def("user_vectors",
           [](nb::handle self) { return nb::cast<OpenModel&>(self).vectors(true, self); })
      .def("item_vectors",
           [](nb::handle self) { return nb::cast<OpenModel&>(self).vectors(false, self); })
      .def("recommend", &OpenModel::recommend, nb::arg("users").none(), nb::arg("flags"),
           nb::arg("sources"), progress)
      .def("recommend_for_history", &OpenModel::recommend_for_history, nb::arg("history"),
           nb::arg("flags"), nb::arg("sources"), progress)
      .def("similar", &OpenModel::similar, nb::arg("items").none(), nb::arg("flags"), progress)
      .def("similar_users", &OpenModel::similar_users, nb::arg("users").none(), nb::arg("flags"),
           progress)
      .def("explain", &OpenModel::explain, nb::arg("flags"), nb::arg("sources"), progress);
}

}  // namespace penchant::python
