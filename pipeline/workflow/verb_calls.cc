// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/verb_calls.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/artifact/library_versions.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/version.h"
#include "pipeline/artifact/versions.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/evaluation/evaluation_report.h"
#include "pipeline/export/apply.h"
#include "pipeline/export/delta.h"
#include "pipeline/export/embed.h"
#include "pipeline/tables/account.h"
#include "pipeline/tables/tables.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/node_order.h"
#include "pipeline/workflow/given_key.h"
#include "pipeline/workflow/private_calls.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

Loaded::Loaded(Config given, const fs::path& data, const fs::path& directory, DatasetUse use,
               KnownPart known)
    : config(std::move(given)),
      backend(kernels::make_backend(config.backend)),
      dataset(read_dataset(data_of_model(data, directory), use)),
      model(Model::open(directory, dataset, *backend, known)) {}

Ranking chosen_ranking(const std::string& text, const Config& config) {
  return text.empty() ? config.evaluate.ranking : parse_enum<Ranking>(text, "--ranking");
}

Ranking chosen_history_ranking(const std::string& text, const Config& config) {
  const bool asked = !text.empty() || config.given.contains("evaluate.ranking");
  return asked ? chosen_ranking(text, config) : Ranking::full;
}

json ingest_json(const IngestReport& report, const fs::path& out) {
  return {{"out", out.string()},
          {"rows", to_json(report.rows)},
          {"item_rows", to_json(report.item_rows)},
          {"link_rows", to_json(report.link_rows)},
          {"vector_rows", to_json(report.vector_rows)},
          {"num_links", report.num_links},
          {"num_users", report.num_users},
          {"num_items", report.num_items},
          {"num_items_without_interactions", report.num_items_without_interactions},
          {"num_items_without_row", report.num_items_without_row},
          {"repeated_share", report.repeated_share},
          {"repeats_allowed", report.repeats_allowed},
          {"num_train", report.num_train},
          {"num_validation", report.num_validation},
          {"num_test", report.num_test},
          {"files", to_json(report.files)}};
}

namespace {

/// Gives `sources`, as the data set keeps them, the files that are named, and leaves out the others.
void name_vector_files(const AppendFlags& flags, std::vector<VectorSource>& sources) {
  const auto set = [&](const char* option, const std::string& text, fs::path VectorSource::*file) {
    const std::size_t mark = text.find('=');
    const auto source = std::find_if(sources.begin(), sources.end(), [&](const VectorSource& each) {
      return mark != std::string::npos && each.name == text.substr(0, mark) && each.text.empty();
    });
    if (source != sources.end() && mark + 1 < text.size()) {
      (*source).*file = text.substr(mark + 1);
      return;
    }
    std::vector<std::string> names;
    for (const VectorSource& each : sources) {
      if (each.text.empty()) names.push_back(each.name);
    }
    throw InputError(fmt::format(
        "append: {} '{}', expected NAME=FILE with the name of an attribute that is made of a file "
        "of "
        "vectors; the data set has {}",
        option, text, names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  };
  for (const std::string& text : flags.vectors) set("--vectors", text, &VectorSource::file);
  for (const std::string& text : flags.vector_ids) set("--vector-ids", text, &VectorSource::ids);
  std::erase_if(sources, [](const VectorSource& each) { return each.file.empty(); });
}

}  // namespace

IngestOptions append_options(const AppendFlags& flags,
                             const std::shared_ptr<const Frames>& frames) {
  if (flags.log.empty() && flags.item_table.empty() && flags.events.empty() &&
      flags.vectors.empty()) {
    throw InputError(
        "append: nothing to append was given (--log FILE, --events DIR, --item-table FILE, "
        "--vectors NAME=FILE)");
  }
  if (!flags.log.empty() && !flags.events.empty())
    throw InputError("append: --log and --events are read in different ways, expected one of them");
  Config config = config_of_log(kept_settings(flags.data), flags.data + ": settings of its log");
  IngestOptions& options = config.ingest;
  options.log.files.assign(flags.log.begin(), flags.log.end());
  options.log.text.frames = frames;
  if (!flags.item_table.empty()) {
    if (!options.item_table) options.item_table.emplace();
    options.item_table->files.assign(flags.item_table.begin(), flags.item_table.end());
    options.item_table->text.frames = frames;
  }
  name_vector_files(flags, options.vectors);
  options.strict = flags.strict;
  PrivacyOptions& privacy = options.privacy;
  if (!flags.key.empty() && privacy.pseudonymise.empty()) {
    throw InputError(
        fmt::format("--key has no effect: {} has no pseudonyms (data.pseudonymise)", flags.data));
  }
  if (!flags.key.empty()) privacy.pseudonym_key = flags.key;
  if (!flags.same_user.empty()) privacy.same_user = flags.same_user;
  if (!flags.events.empty()) options = event_log_options(std::move(options), flags.events);
  return options;
}

AppendReport append_by(const AppendFlags& flags, const std::shared_ptr<const Frames>& frames,
                       Progress& progress) {
  return append(append_options(flags, frames), flags.data,
                flags.out.empty() ? flags.data : flags.out, progress);
}

json append_json(const AppendReport& report, const AppendFlags& flags) {
  return {{"out", flags.out.empty() ? flags.data : flags.out},
          {"rows", to_json(report.rows)},
          {"item_rows", to_json(report.item_rows)},
          {"vector_rows", to_json(report.vector_rows)},
          {"files", to_json(report.files)},
          {"known_files", report.known_files},
          {"num_new_users", report.num_new_users},
          {"num_new_items", report.num_new_items},
          {"num_users", report.num_users},
          {"num_items", report.num_items},
          {"new_train", report.new_train},
          {"new_validation", report.new_validation},
          {"new_test", report.new_test},
          {"num_older_rows", report.num_older_rows},
          {"num_users_from_before", report.num_users_from_before},
          {"num_items_from_before", report.num_items_from_before}};
}

ForgetReport forget_by(const ForgetFlags& flags, Progress& progress) {
  return forget({flags.users_file, flags.items_file, flags.users, flags.items,
                 given_key(flags.key, flags.data)},
                flags.data, flags.out.empty() ? flags.data : flags.out, progress);
}

json forget_json(const ForgetReport& report, const ForgetFlags& flags) {
  json remaining = json::array();
  for (const RemainingPlace& place : report.remaining)
    remaining.push_back({{"path", place.path.string()}, {"kind", place.kind}});
  return {{"out", flags.out.empty() ? flags.data : flags.out},
          {"num_forgotten_users", report.num_forgotten_users},
          {"num_forgotten_items", report.num_forgotten_items},
          {"num_unknown_users", report.num_unknown_users},
          {"num_unknown_items", report.num_unknown_items},
          {"num_items_of_theirs", report.num_items_of_theirs},
          {"forgotten_train", report.rows[0]},
          {"forgotten_validation", report.rows[1]},
          {"forgotten_test", report.rows[2]},
          {"num_users", report.num_users},
          {"num_items", report.num_items},
          {"num_users_left_without_rows", report.num_users_left_without_rows},
          {"remaining", remaining}};
}

void apply_flags(const TrainFlags& flags, Config& config) {
  const auto given = [&](bool is_given, const char* key, const char* flag) {
    if (is_given) mark_given(config, key, flag);
    return is_given;
  };
  if (given(!flags.out.empty(), "model.out", "--out")) config.model_out = flags.out;
  if (config.model_out.empty())
    throw InputError("train: no output given (--out X.model, or model.out in the configuration)");
  if (given(flags.seed.has_value(), "train.seed", "--seed")) {
    if (*flags.seed < 0)
      throw InputError(
          fmt::format("--seed is {}, expected a number that is not negative", *flags.seed));
    config.train.seed = static_cast<graph::Seed>(*flags.seed);
  }
  const auto private_share = [&](const std::optional<double>& value, const char* key,
                                 const char* flag, double& to) {
    if (!given(value.has_value(), key, flag)) return;
    check_bounds(key, *value, flag);
    to = *value;
    if (config.given.contains("model.kind") &&
        config.train.model.kind != models::ModelKind::private_items) {
      throw InputError(fmt::format(
          "{}: model.kind is {}, which cannot be made private (its vectors, and all that validation "
          "chooses, depend on single rows); expected model.kind private, or none",
          flag, enum_name(config.train.model.kind)));
    }
    if (config.train.model.kind != models::ModelKind::private_items)
      apply_setting(config, "model.kind=private");
  };
  private_share(flags.epsilon, "privacy.epsilon", "--epsilon", config.train.privacy.epsilon);
  private_share(flags.delta, "privacy.delta", "--delta", config.train.privacy.delta);
  if (given(!flags.budget.empty(), "train.budget", "--budget"))
    config.train.budget = parse_budget(flags.budget, "--budget");
}

Trained train_on(const TrainFlags& flags, Config config, Progress& progress) {
  if (config.train.model.kind == models::ModelKind::private_items)
    return train_private_on(flags, std::move(config), progress);
  if (flags.resume && config.train.model.kind == models::ModelKind::graph_filter)
    throw InputError("train: --resume has no effect: a graph filter keeps no checkpoint");
  config.train.resume = flags.resume;
  const auto backend = kernels::make_backend(config.backend);
  const Dataset dataset = read_dataset(flags.data);
  const Graphs graphs = load_or_build_graphs(flags.data, dataset, config.graph, progress);
  load_metis_order(flags.data, dataset, graphs, config.partition, config.train, progress);
  return {train(dataset, graphs, config.train, effective_toml(config), config.model_out, *backend,
                progress),
          backend->description()};
}

json trained_json(const Trained& trained, const fs::path& out) {
  const TrainReport& report = trained.report;
  return {{"out", out.string()},
          {"device", trained.device},
          {"epochs_run", report.epochs_run},
          {"best_epoch", report.best_epoch},
          {"validation_metric", report.validation_metric},
          {"best_validation", report.best_validation},
          {"final_loss", report.final_loss},
          {"chosen", report.chosen},
          {"seconds", report.seconds},
          {"interrupted", report.interrupted}};
}

Evaluated evaluate_by(const EvaluateFlags& flags, Config config, Progress& progress) {
  check_widths(flags.widths, "--widths");
  if (flags.part != "test" && flags.part != "validation")
    throw InputError(fmt::format("--split is '{}', expected test or validation", flags.part));
  const HeldOut part = flags.part == "test" ? HeldOut::test : HeldOut::validation;
  const Loaded loaded(std::move(config), flags.data, flags.model, DatasetUse::everything,
                      part == HeldOut::test ? KnownPart::train_and_validation : KnownPart::train);
  EvaluateOptions options = loaded.config.evaluate.fitted(loaded.dataset.num_items(), progress);
  options.part = part;
  options.ranking = chosen_ranking(flags.ranking, loaded.config);
  // What the curve tends to.
  if (!flags.widths.empty() && loaded.model.has_scorer()) options.ranking = Ranking::full;
  Evaluated result;
  result.part = flags.part;
  result.report = evaluate(loaded.model, options, progress);
  if (flags.baselines)
    result.baselines = evaluate_baselines(loaded.dataset, options, *loaded.backend, progress);
  else
    result.baselines.push_back(
        {"popularity", evaluate_popularity(loaded.dataset, options, *loaded.backend, progress)});
  if (!flags.widths.empty()) {
    result.widths =
        width_curve(loaded.model, flags.widths, options, result.report, graph::Seed{42}, progress);
  }
  return result;
}

json evaluated_json(const Evaluated& evaluated) {
  json report = evaluation_to_json(evaluated.report);
  report["part"] = evaluated.part;
  for (const Baseline& baseline : evaluated.baselines)
    report[baseline.name + "_metrics"] = baseline.report.metrics;
  if (!evaluated.widths.empty()) report["widths"] = width_curve_to_json(evaluated.widths);
  return report;
}

std::string evaluated_text(const Evaluated& evaluated) {
  std::string text = evaluation_table(evaluated.report, evaluated.baselines, evaluated.part);
  if (!evaluated.widths.empty())
    text.append(1, '\n').append(
        width_curve_table(evaluated.widths, evaluated.report, evaluated.part));
  return text;
}

void apply_flags(const EmbedFlags& flags, Config& config) {
  if (!flags.type.empty()) mark_given(config, "embeddings.type", "--type");
  if (!flags.formats.empty()) mark_given(config, "embeddings.formats", "--format");
  if (!flags.out.empty()) config.embeddings_out = flags.out;
}

json embed_by(const EmbedFlags& flags, Config config, Progress& progress) {
  const Loaded loaded(std::move(config), flags.data, flags.model, DatasetUse::everything);
  EmbedOptions options = loaded.config.embed;
  const std::string out = loaded.config.embeddings_out.string();
  if (out.empty())
    throw InputError(
        "embed: no output given (--out X.embeddings, or embeddings.out in the configuration)");
  if (!flags.type.empty()) options.type = parse_enum<EmbeddingType>(flags.type, "--type");
  if (!flags.formats.empty()) options.formats = embedding_formats(flags.formats, "--format");
  embed(loaded.model, options, out, progress);
  return {{"out", out},
          {"num_items", loaded.dataset.num_items()},
          {"num_users", loaded.dataset.num_users()},
          {"dimension", loaded.model.layout().width()}};
}

json delta_by(const DeltaFlags& flags, Config config, Progress& progress) {
  if (flags.out.empty()) throw InputError("embed: no output given for the delta (--out X.delta)");
  const Loaded loaded(std::move(config), flags.data, flags.model, DatasetUse::lookup);
  json done =
      write_delta(loaded.model, {.since = flags.since, .moved = flags.moved}, flags.out, progress);
  done["out"] = flags.out;
  return done;
}

json apply_by(const ApplyFlags& flags, Progress& progress) {
  if (flags.out.empty()) throw InputError("apply: no output given (--out X.embeddings)");
  json done = apply_delta(flags.old, flags.delta, flags.out, progress);
  done["out"] = flags.out;
  return done;
}

VerifyReport verify_by(const VerifyFlags& flags, Config config, Progress& progress) {
  const Loaded loaded(std::move(config), flags.data, flags.model, DatasetUse::lookup);
  return verify_vectors(loaded.model, flags.path, {.sample = flags.sample}, progress);
}

ScoreOptions score_options(const ScoreFlags& flags, const Config& config) {
  ScoreOptions options;
  options.user_column = flags.user_column;
  options.item_column = flags.item_column;
  options.unknown = parse_enum<UnknownIds>(flags.unknown, "--unknown");
  options.text.separator = parse_separator(flags.separator, "--separator");
  options.text.quote = parse_mark(flags.quote, "--quote");
  options.text.escape = parse_mark(flags.escape, "--escape");
  options.text.encoding = parse_enum<TextEncoding>(flags.encoding, "--encoding");
  options.ranking = chosen_ranking(flags.ranking, config);
  return options;
}

Installation installation_for(const Config& config) {
  const auto backend = kernels::make_backend(config.backend);
  return {{{"penchant", kVersion},
           {"compiler", kCompilerVersion},
           {"device", backend->description()},
           {"cuda", kernels::cuda_status()},
           {"arrow", arrow_version()},
           {"openblas", kOpenblasVersion},
           {"metis", kMetisVersion},
           {"boost", kBoostVersion},
           {"highway", kHighwayVersion}},
          kernels::cuda_devices()};
}

json installation_json(const Installation& installation) {
  json output;
  for (const auto& [name, value] : installation.facts) output[name] = value;
  output["gpus"] = installation.gpus;
  return output;
}

fs::path model_folder(const fs::path& given) {
  const fs::path folder = given.lexically_normal();
  return folder.has_filename() ? folder : folder.parent_path();
}

void check_flags(const ReportFlags& flags) {
  if (flags.options.max_users < 0) throw InputError("report: --users must not be negative");
  if (flags.options.max_map_items < 1 || flags.options.max_map_items > 20000)
    throw InputError(
        fmt::format("report: --map-items is {}, expected 1 to 20000", flags.options.max_map_items));
}

void apply_flags(const ReportFlags& flags, Config& config) {
  const auto apply = [&](const std::optional<std::int64_t>& flag, const char* key, const char* name,
                         std::int64_t& member) {
    if (!flag) return;
    check_option(name, key, *flag);
    mark_given(config, key, name);
    member = *flag;
  };
  apply(flags.lookup_items, "report.lookup_items", "--lookup-items", config.lookup.max_items);
  apply(flags.lookup_users, "report.lookup_users", "--lookup-users", config.lookup.max_users);
}

WrittenReport report_by(const ReportFlags& flags, const Config& config, Progress& progress) {
  const fs::path directory = model_folder(flags.model);
  read_manifest(directory, "model");
  const fs::path data = flags.data.empty() ? find_data_of(directory) : fs::path(flags.data);
  fs::path out = flags.out;
  if (out.empty()) out = fs::path(directory).replace_extension(".html");
  const Loaded loaded(config, data, directory, DatasetUse::everything);
  ReportOptions options = flags.options;
  options.lookup = config.lookup;
  options.seen_items = config.evaluate.seen_items;
  options.ranking = config.evaluate.ranking;
  const json facts = report_facts(loaded.model, options, progress);
  const std::string page = report_page(facts);
  write_file_atomically(out, page);
  return {out, page.size()};
}

}  // namespace penchant::pipeline
