// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/mapped_rows.h"

#include <string>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

MappedRows::MappedRows(const Dataset& dataset, const char* part)
    : users(dataset.directory / part / "user.npy"), items(dataset.directory / part / "item.npy") {
  const auto folder = dataset.directory / part;
  if (dataset.files.contains(std::string(part) + "/time_ms.npy"))
    time_ms.emplace(folder / "time_ms.npy");
  require_same(dataset);
  if (items.rows() != users.rows() || (time_ms && time_ms->rows() != users.rows())) {
    throw InputError(
        fmt::format("{}: damaged: its columns are of different lengths", folder.string()));
  }
}

}  // namespace penchant::pipeline
