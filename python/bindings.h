// SPDX-License-Identifier: Apache-2.0
// What the files that bind the library share: tables that go in and out, and the configuration of a
// verb.
#pragma once

#include <arrow/c/abi.h>
#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/dictionary.h"
#include "graph/error.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/config/config_sources.h"
#include "pipeline/config/setting_uses.h"
#include "pipeline/tables/frames.h"

namespace penchant::python {

/// A table that Python takes by the Arrow C stream interface, as often as it likes.
struct TableInMemory {
  std::shared_ptr<const pipeline::Frame> frame;

  nanobind::capsule stream(const nanobind::object& /*requested_schema*/) const {
    auto stream = std::make_unique<ArrowArrayStream>();
    pipeline::export_frame(*frame, stream.get());
    return nanobind::capsule(stream.release(), "arrow_array_stream", [](void* pointer) noexcept {
      auto* exported = static_cast<ArrowArrayStream*>(pointer);
      if (exported->release != nullptr) exported->release(exported);
      delete exported;  // NOLINT(cppcoreguidelines-owning-memory): the capsule owned it
    });
  }
};

inline TableInMemory table_of(std::int64_t num_rows,
                              const std::vector<pipeline::OutputColumn>& columns) {
  return {std::make_shared<const pipeline::Frame>(pipeline::make_frame(num_rows, columns))};
}

/// Tables that stand for files, filled before a call and not changed any more.
struct GivenFrames {
  std::shared_ptr<pipeline::Frames> frames = std::make_shared<pipeline::Frames>();

  void add(const std::string& name, const nanobind::capsule& capsule) {
    auto* stream =
        static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
    if (stream == nullptr) throw nanobind::python_error();
    if (stream->release == nullptr)
      throw InputError(name + ": the table's Arrow stream was read before");
    const nanobind::gil_scoped_release released;  // its producer may need the lock
    frames->add(name, stream);
  }
};

inline TableInMemory ids_of(const graph::Dictionary& dictionary) {
  std::vector<std::string_view> ids;
  for (graph::NodeId id = 0; id < dictionary.size(); ++id) ids.push_back(dictionary.raw(id));
  return table_of(dictionary.size(), {{"id", std::move(ids)}});
}

/// The configuration of a verb whose options are no settings, checked.
inline pipeline::Config config_for(const pipeline::ConfigSources& sources, std::string_view verb,
                                   pipeline::Progress& progress) {
  pipeline::Config config = sources.config();
  pipeline::check_settings(config, verb, progress);
  return config;
}

/// Facts as JSON, and the table unless it went into a file.
using ListsMade = std::pair<std::string, std::optional<TableInMemory>>;

/// Binds "ListFlags" and "Model": open_model.cc.
void bind_models(nanobind::module_& module);

}  // namespace penchant::python
