// SPDX-License-Identifier: Apache-2.0
// The extension module penchant._core: the library's functions with Python's types. What is pleasant to
// call is written in Python above it (python/penchant/).
#include <arrow/c/abi.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "graph/error.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/artifact/version.h"
#include "pipeline/config/config_sources.h"
#include "pipeline/config/ingest_flags.h"
#include "pipeline/config/setting_uses.h"
#include "pipeline/tables/frames.h"
#include "pipeline/workflow/audience.h"
#include "pipeline/workflow/compress_calls.h"
#include "pipeline/workflow/explain_calls.h"
#include "pipeline/workflow/given_key.h"
#include "pipeline/workflow/tag_calls.h"
#include "pipeline/workflow/update.h"
#include "pipeline/workflow/verb_calls.h"
#include "python/bindings.h"
#include "python/python_progress.h"

namespace nb = nanobind;

namespace penchant::python {

namespace {

namespace fs = std::filesystem;
using pipeline::Config;
using pipeline::ConfigSources;
using pipeline::Frame;
using pipeline::Frames;
using pipeline::OutputColumn;
using pipeline::Progress;

// --- verbs ---

template <typename Flags>
Config config_with(const ConfigSources& sources, const Flags& flags, std::string_view verb,
                   Progress& progress) {
  Config config = sources.config();
  apply_flags(flags, config);
  pipeline::check_settings(config, verb, progress);
  return config;
}

std::string ingest(const ConfigSources& sources, const pipeline::IngestFlags& flags,
                   const GivenFrames& given, nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    Config config = config_with(sources, flags, "ingest", progress);
    if (config.data_out.empty())
      throw InputError("ingest: no output given (--out X.data, or data.out in the configuration)");
    config.ingest.log.text.frames = given.frames;
    if (config.ingest.item_table) config.ingest.item_table->text.frames = given.frames;
    const auto report =
        pipeline::ingest(pipeline::ingest_options(config), config.data_out, progress);
    return ingest_json(report, config.data_out).dump();
  });
}

std::string append(const ConfigSources& sources, const pipeline::AppendFlags& flags,
                   const GivenFrames& given, nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    config_for(sources, "append", progress);
    return append_json(append_by(flags, given.frames, progress), flags).dump();
  });
}

std::string update(const ConfigSources& sources, const pipeline::UpdateFlags& flags,
                   const GivenFrames& given, nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    const Config config = config_for(sources, "update", progress);
    return updated_json(update_by(flags, config, given.frames, progress), flags).dump();
  });
}

std::string forget(const ConfigSources& sources, const pipeline::ForgetFlags& flags,
                   nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    config_for(sources, "forget", progress);
    return forget_json(forget_by(flags, progress), flags).dump();
  });
}

std::string train(const ConfigSources& sources, const pipeline::TrainFlags& flags,
                  nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    const Config config = config_with(sources, flags, "train", progress);
    return trained_json(train_on(flags, config, progress), config.model_out).dump();
  });
}

std::pair<std::string, std::string> evaluate(const ConfigSources& sources,
                                             const pipeline::EvaluateFlags& flags,
                                             nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    const auto evaluated = evaluate_by(flags, config_for(sources, "evaluate", progress), progress);
    return std::pair(evaluated_json(evaluated).dump(), evaluated_text(evaluated));
  });
}

std::string embed(const ConfigSources& sources, const pipeline::EmbedFlags& flags,
                  nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    return embed_by(flags, config_with(sources, flags, "embed", progress), progress).dump();
  });
}

std::string delta(const ConfigSources& sources, const pipeline::DeltaFlags& flags,
                  nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    return delta_by(flags, config_for(sources, "embed", progress), progress).dump();
  });
}

std::string apply(const pipeline::ApplyFlags& flags, nb::object sink) {
  return without_lock(std::move(sink),
                      [&](Progress& progress) { return apply_by(flags, progress).dump(); });
}

/// The report, and what is wrong in one message: empty if it all agrees.
std::pair<std::string, std::string> verify(const ConfigSources& sources,
                                           const pipeline::VerifyFlags& flags, nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    const auto checked = verify_by(flags, config_for(sources, "embed", progress), progress);
    const bool agrees = checked.problems().empty();
    return std::pair(verify_json(checked).dump(),
                     agrees ? std::string() : verify_failure(checked, flags.path));
  });
}

std::string report(const ConfigSources& sources, const pipeline::ReportFlags& flags,
                   nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    check_flags(flags);
    return report_by(flags, config_for(sources, "report", progress), progress).out.string();
  });
}

std::string info(const ConfigSources& sources, nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    return installation_json(installation_for(config_for(sources, "info", progress))).dump();
  });
}

/// Facts as JSON, and the table unless it went into a file.
std::pair<std::string, std::optional<TableInMemory>> tag(const ConfigSources& sources,
                                                         const pipeline::TagFlags& flags,
                                                         const std::string& data,
                                                         const std::string& model,
                                                         nb::object sink) {
  using Answer = std::pair<std::string, std::optional<TableInMemory>>;
  return without_lock(std::move(sink), [&](Progress& progress) {
    const Config config = config_for(sources, "tag", progress);
    return pipeline::answer_by_one_version(data, model, [&] {
      const pipeline::Loaded loaded(config, data, pipeline::model_folder(model),
                                    pipeline::DatasetUse::everything);
      if (!flags.out.empty())
        return Answer(tag_by(flags, loaded.model, nullptr, progress).dump(), std::nullopt);
      auto frame = std::make_shared<Frame>();
      std::string facts = tag_by(flags, loaded.model, frame.get(), progress).dump();
      return Answer(std::move(facts), TableInMemory{frame});
    });
  });
}

std::string compress(const ConfigSources& sources, const pipeline::CompressFlags& flags,
                     nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    const Config config = config_for(sources, "compress", progress);
    pipeline::CompressFlags found = flags;
    found.model = pipeline::model_folder(flags.model).string();
    return pipeline::answer_by_one_version(
        found.data, found.model, [&] { return compress_by(found, config, progress).dump(); });
  });
}

std::string score_json(const pipeline::ScoreReport& report) {
  return nlohmann::json{{"score", report.score},
                        {"rows_read", report.rows_read},
                        {"rows_written", report.rows_written},
                        {"rows_unknown", report.rows_unknown}}
      .dump();
}

std::string score_to_file(const ConfigSources& sources, const pipeline::ScoreFlags& flags,
                          const std::string& data, const std::string& model,
                          const std::string& pairs, const GivenFrames& given,
                          const std::string& out, nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    const Config config = config_for(sources, "score", progress);
    auto options = score_options(flags, config);
    options.text.frames = given.frames;
    const pipeline::Loaded loaded(config, data, model, pipeline::DatasetUse::everything);
    return score_json(score_table(loaded.model, pairs, out, options, progress));
  });
}

std::pair<std::string, TableInMemory> score_in_memory(
    const ConfigSources& sources, const pipeline::ScoreFlags& flags, const std::string& data,
    const std::string& model, const std::string& pairs, const GivenFrames& given, nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    const Config config = config_for(sources, "score", progress);
    auto options = score_options(flags, config);
    options.text.frames = given.frames;
    const pipeline::Loaded loaded(config, data, model, pipeline::DatasetUse::everything);
    const auto scored = score_pairs(loaded.model, pairs, options, progress);
    return std::pair(score_json(scored.report), TableInMemory{scored.rows});
  });
}

// --- audiences ---

/// What an audience is asked for; ids in memory stand in the place of files of them.
struct AudienceWords {
  std::string data, model, out, share, seed_file, interest, interest_file, exclude_file, user_table;
  std::string user_key, where_users, unknown = "error", key;
  std::optional<std::vector<std::string>> seed, interest_items, exclude;
  std::int64_t size = 0, min_size = pipeline::kSmallestAudience;
  bool keep_seed = false;

  pipeline::AudienceFlags flags(const GivenFrames& given) const {
    const auto ids = parse_enum<pipeline::UnknownRawIds>(unknown, "--unknown");
    pipeline::AudienceOptions options;
    options.interest = {interest, interest_file, interest_items, ids};
    options.seed_file = seed_file;
    options.seed = seed;
    options.known = keep_seed ? pipeline::KnownPeople::keep : pipeline::KnownPeople::leave_out;
    options.size = size;
    options.min_size = min_size;
    options.exclude_file = exclude_file;
    options.exclude = exclude;
    options.user_table = user_table;
    options.user_key = user_key;
    options.where_users = where_users;
    options.frames = given.frames;
    options.unknown = ids;
    return {data, model, out, share, options, key};
  }
};

/// What is said, and the table unless it went into a file.
ListsMade audience(const ConfigSources& sources, const AudienceWords& words,
                   const GivenFrames& given, nb::object sink) {
  return without_lock(std::move(sink), [&](Progress& progress) {
    const Config config = config_for(sources, "audience", progress);
    const pipeline::AudienceFlags flags = words.flags(given);
    if (!flags.out.empty())
      return ListsMade(audience_by(flags, config, nullptr, progress).dump(), std::nullopt);
    auto frame = std::make_shared<Frame>();
    const std::string said = audience_by(flags, config, frame.get(), progress).dump();
    return ListsMade(said, TableInMemory{frame});
  });
}

// --- errors ---

/// Our exceptions as Python's, with the texts of the command line (pipeline/command/failure.cc).
void translate(const std::exception_ptr& error, void* types) {
  const auto& [input_error, device_error] = *static_cast<std::pair<PyObject*, PyObject*>*>(types);
  const auto raise = [](PyObject* type, const std::string& text) {
    PyErr_SetString(type,
                    pipeline::printable_message(pipeline::hide_environment(text), 8000).c_str());
  };
  try {
    std::rethrow_exception(error);
  } catch (const pipeline::Interrupted&) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
  } catch (const InputError& input) {
    raise(input_error, input.what());
  } catch (const DeviceError& device) {
    raise(device_error, device.what());
  } catch (const nlohmann::json::exception& json) {
    raise(input_error, std::string("a JSON file of an artefact is damaged: ") + json.what());
  } catch (const pipeline::NotEnoughMemory& memory) {
    raise(PyExc_MemoryError, memory.what());
  } catch (const std::bad_alloc&) {
    raise(PyExc_MemoryError, "out of memory; docs/formats.md says how much each stage needs");
  } catch (const std::length_error& length) {
    raise(PyExc_MemoryError, std::string("out of memory: ") + length.what());
  } catch (const std::system_error& system) {
    const bool resources = system.code() == std::errc::resource_unavailable_try_again ||
                           system.code() == std::errc::not_enough_memory;
    raise(resources ? PyExc_MemoryError : PyExc_OSError, system.what());
  }
}

}  // namespace

}  // namespace penchant::python

NB_MODULE(_core, module) {
  using namespace penchant::
      python;  // NOLINT(google-build-using-namespace): all of it is bound here
  namespace pipeline = penchant::pipeline;
  module.attr("__version__") = pipeline::kVersion;

  static std::pair<PyObject*, PyObject*> types;  // as long as the module
  const auto exception = [&](const char* name, PyObject* base, const char* text) {
    PyObject* type =
        PyErr_NewExceptionWithDoc((std::string("penchant.") + name).c_str(), text, base, nullptr);
    if (type == nullptr) throw nb::python_error();
    module.attr(name) = nb::handle(type);
    return type;
  };
  types = {
      exception(
          "InputError", PyExc_ValueError,
          "The input is wrong: the text names the file, row, column or key, what was found and "
          "what was expected."),
      exception("DeviceError", PyExc_RuntimeError,
                "A device or a vendor's library failed, or the device asked for is not there.")};
  nb::register_exception_translator(translate, &types);

  nb::class_<TableInMemory>(module, "Table")
      .def("__arrow_c_stream__", &TableInMemory::stream,
           nb::arg("requested_schema").none() = nb::none());
  nb::class_<GivenFrames>(module, "Frames")
      .def(nb::init<>())
      .def("add", &GivenFrames::add, nb::arg("name"), nb::arg("stream"));
  nb::class_<ConfigSources>(module, "ConfigSources")
      .def(nb::init<>())
      .def_rw("config_file", &ConfigSources::config_file)
      .def_rw("settings", &ConfigSources::settings)
      .def_rw("tables", &ConfigSources::tables)
      .def_rw("device", &ConfigSources::device)
      .def_rw("threads", &ConfigSources::threads, nb::arg().none());

#define PENCHANT_FIELD(member) .def_rw(#member, &Flags::member)
#define PENCHANT_MAYBE(member) .def_rw(#member, &Flags::member, nb::arg().none())
  {
    using Flags = pipeline::IngestFlags;
    nb::class_<Flags>(module, "IngestFlags")
        .def(nb::init<>()) PENCHANT_MAYBE(out) PENCHANT_MAYBE(format) PENCHANT_MAYBE(sequences)
            PENCHANT_MAYBE(attributes) PENCHANT_MAYBE(prefix) PENCHANT_MAYBE(separator)
                PENCHANT_MAYBE(quote) PENCHANT_MAYBE(escape) PENCHANT_FIELD(log)
                    PENCHANT_FIELD(train) PENCHANT_FIELD(validation) PENCHANT_FIELD(test)
                        PENCHANT_FIELD(benchmark) PENCHANT_FIELD(item_table) PENCHANT_FIELD(filters)
                            PENCHANT_MAYBE(user_column) PENCHANT_MAYBE(item_column)
                                PENCHANT_MAYBE(time_column) PENCHANT_MAYBE(event_column)
                                    PENCHANT_MAYBE(weight_column) PENCHANT_MAYBE(session_column)
                                        PENCHANT_MAYBE(part_column) PENCHANT_FIELD(strict);
  }
  {
    using Flags = pipeline::AppendFlags;
    nb::class_<Flags>(module, "AppendFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(out) PENCHANT_FIELD(log)
            PENCHANT_FIELD(events) PENCHANT_FIELD(item_table) PENCHANT_FIELD(vectors)
                PENCHANT_FIELD(vector_ids) PENCHANT_FIELD(strict) PENCHANT_FIELD(key)
                    PENCHANT_FIELD(same_user);
  }
  {
    using Flags = pipeline::UpdateFlags;
    nb::class_<Flags>(module, "UpdateFlags")
        .def(nb::init<>()) PENCHANT_FIELD(rows) PENCHANT_FIELD(model) PENCHANT_FIELD(budget)
            PENCHANT_FIELD(keep);
  }
  {
    using Flags = pipeline::ForgetFlags;
    nb::class_<Flags>(module, "ForgetFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(out) PENCHANT_FIELD(users_file)
            PENCHANT_FIELD(items_file) PENCHANT_MAYBE(users) PENCHANT_MAYBE(items)
                PENCHANT_FIELD(key);
  }
  {
    using Flags = pipeline::PseudonymFlags;
    nb::class_<Flags>(module, "PseudonymFlags")
        .def(nb::init<>()) PENCHANT_FIELD(key) PENCHANT_FIELD(new_key) PENCHANT_FIELD(kind)
            PENCHANT_FIELD(ids_file) PENCHANT_FIELD(ids);
  }
  {
    using Flags = pipeline::TrainFlags;
    nb::class_<Flags>(module, "TrainFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(out) PENCHANT_FIELD(budget)
            PENCHANT_MAYBE(seed) PENCHANT_FIELD(resume) PENCHANT_MAYBE(epsilon)
                PENCHANT_MAYBE(delta);
  }
  {
    using Flags = pipeline::EvaluateFlags;
    nb::class_<Flags>(module, "EvaluateFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(model) PENCHANT_FIELD(ranking)
            PENCHANT_FIELD(part) PENCHANT_FIELD(widths) PENCHANT_FIELD(baselines);
  }
  {
    using Flags = pipeline::EmbedFlags;
    nb::class_<Flags>(module, "EmbedFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(model) PENCHANT_FIELD(out)
            PENCHANT_FIELD(type) PENCHANT_FIELD(formats);
  }
  {
    using Flags = pipeline::DeltaFlags;
    nb::class_<Flags>(module, "DeltaFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(model) PENCHANT_FIELD(since)
            PENCHANT_FIELD(out) PENCHANT_FIELD(moved);
  }
  {
    using Flags = pipeline::ApplyFlags;
    nb::class_<Flags>(module, "ApplyFlags")
        .def(nb::init<>()) PENCHANT_FIELD(old) PENCHANT_FIELD(delta) PENCHANT_FIELD(out);
  }
  {
    using Flags = pipeline::VerifyFlags;
    nb::class_<Flags>(module, "VerifyFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(model) PENCHANT_FIELD(path)
            PENCHANT_FIELD(sample);
  }
  {
    using Flags = pipeline::ScoreFlags;
    nb::class_<Flags>(module, "ScoreFlags")
        .def(nb::init<>()) PENCHANT_FIELD(separator) PENCHANT_FIELD(quote) PENCHANT_FIELD(escape)
            PENCHANT_FIELD(ranking) PENCHANT_FIELD(encoding) PENCHANT_FIELD(unknown)
                PENCHANT_FIELD(user_column) PENCHANT_FIELD(item_column);
  }
  {
    using Flags = pipeline::ExplainFlags;
    nb::class_<Flags>(module, "ExplainFlags")
        .def(nb::init<>()) PENCHANT_FIELD(user) PENCHANT_FIELD(item) PENCHANT_FIELD(similar)
            PENCHANT_FIELD(ranking) PENCHANT_FIELD(history) PENCHANT_FIELD(by_history)
                PENCHANT_FIELD(top) PENCHANT_FIELD(key);
  }
  {
    using Flags = pipeline::ReportFlags;
    nb::class_<Flags>(module, "ReportFlags")
        .def(nb::init<>()) PENCHANT_FIELD(model) PENCHANT_FIELD(data) PENCHANT_FIELD(out)
        .def_prop_rw(
            "users", [](const Flags& f) { return f.options.max_users; },
            [](Flags& f, std::int64_t n) { f.options.max_users = n; })
        .def_prop_rw(
            "map_items", [](const Flags& f) { return f.options.max_map_items; },
            [](Flags& f, std::int64_t n) { f.options.max_map_items = n; });
  }
  {
    using Flags = pipeline::TagFlags;
    nb::class_<Flags>(module, "TagFlags")
        .def(nb::init<>()) PENCHANT_FIELD(attribute) PENCHANT_FIELD(out) PENCHANT_MAYBE(threshold)
            PENCHANT_FIELD(min_support) PENCHANT_FIELD(suspicious) PENCHANT_FIELD(all_items)
                PENCHANT_FIELD(items_file) PENCHANT_MAYBE(items) PENCHANT_FIELD(unknown)
                    PENCHANT_MAYBE(seed);
  }
  {
    using Flags = pipeline::CompressFlags;
    nb::class_<Flags>(module, "CompressFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(model) PENCHANT_FIELD(out)
            PENCHANT_FIELD(vectors) PENCHANT_FIELD(network) PENCHANT_MAYBE(code_bytes)
                PENCHANT_MAYBE(seed);
  }
  {
    using Flags = AudienceWords;
    nb::class_<Flags>(module, "AudienceFlags")
        .def(nb::init<>()) PENCHANT_FIELD(data) PENCHANT_FIELD(model) PENCHANT_FIELD(out)
            PENCHANT_FIELD(share) PENCHANT_FIELD(seed_file) PENCHANT_FIELD(interest)
                PENCHANT_FIELD(interest_file) PENCHANT_FIELD(exclude_file)
                    PENCHANT_FIELD(user_table) PENCHANT_FIELD(user_key) PENCHANT_FIELD(where_users)
                        PENCHANT_FIELD(unknown) PENCHANT_FIELD(size) PENCHANT_FIELD(min_size)
                            PENCHANT_FIELD(keep_seed) PENCHANT_FIELD(key) PENCHANT_MAYBE(seed)
                                PENCHANT_MAYBE(interest_items) PENCHANT_MAYBE(exclude);
  }
#undef PENCHANT_FIELD
#undef PENCHANT_MAYBE

  const auto progress = nb::arg("progress").none() = nb::none();
  module.def("append", &append, nb::arg("sources"), nb::arg("flags"), nb::arg("frames"), progress);
  module.def("update", &update, nb::arg("sources"), nb::arg("flags"), nb::arg("frames"), progress);
  module.def("forget", &forget, nb::arg("sources"), nb::arg("flags"), progress);
  module.def("ingest", &ingest, nb::arg("sources"), nb::arg("flags"), nb::arg("frames"), progress);
  module.def("pseudonyms", &pipeline::pseudonyms_by, nb::arg("flags"));
  module.def("train", &train, nb::arg("sources"), nb::arg("flags"), progress);
  module.def("evaluate", &evaluate, nb::arg("sources"), nb::arg("flags"), progress);
  module.def("embed", &embed, nb::arg("sources"), nb::arg("flags"), progress);
  module.def("delta", &delta, nb::arg("sources"), nb::arg("flags"), progress);
  module.def("apply", &apply, nb::arg("flags"), progress);
  module.def("verify", &verify, nb::arg("sources"), nb::arg("flags"), progress);
  module.def("report", &report, nb::arg("sources"), nb::arg("flags"), progress);
  module.def("audience", &audience, nb::arg("sources"), nb::arg("flags"), nb::arg("frames"),
             progress);
  module.def("info", &info, nb::arg("sources"), progress);
  module.def("tag", &tag, nb::arg("sources"), nb::arg("flags"), nb::arg("data"), nb::arg("model"),
             progress);
  module.def("compress", &compress, nb::arg("sources"), nb::arg("flags"), progress);
  module.def("score_to_file", &score_to_file, nb::arg("sources"), nb::arg("flags"), nb::arg("data"),
             nb::arg("model"), nb::arg("pairs"), nb::arg("frames"), nb::arg("out"), progress);
  module.def("score_in_memory", &score_in_memory, nb::arg("sources"), nb::arg("flags"),
             nb::arg("data"), nb::arg("model"), nb::arg("pairs"), nb::arg("frames"), progress);
  module.def(
      "manifest",
      [](const std::string& directory, const std::string& kind) {
        return pipeline::read_manifest(pipeline::model_folder(directory), kind).dump();
      },
      nb::arg("directory"), nb::arg("kind"));
  module.def(
      "check_files",
      [](const std::string& directory, const std::string& kind) {
        pipeline::check_files(directory, kind, pipeline::read_manifest(directory, kind));
      },
      nb::arg("directory"), nb::arg("kind"));
  module.def(
      "find_data_of",
      [](const std::string& model) {
        return pipeline::find_data_of(pipeline::model_folder(model)).string();
      },
      nb::arg("model"));
  module.def(
      "effective_config",
      [](const ConfigSources& sources) { return pipeline::effective_toml(sources.config()); },
      nb::arg("sources"));

  bind_models(module);
}
