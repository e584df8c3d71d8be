// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/stored_vectors.h"

#include <cmath>
#include <ostream>
#include <system_error>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

void require_finite(kernels::ConstFloatView rows, const fs::path& file, std::int64_t first_row) {
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    bool finite = true;  // a loop to its end takes several numbers a step
    for (std::int64_t j = 0; j < rows.cols; ++j) finite &= std::isfinite(rows(i, j));
    if (finite) continue;
    throw InputError(
        fmt::format("{}: row {} holds a number that is not finite", file.string(), first_row + i));
  }
}

void store_vectors(const fs::path& model_directory, const FinishedVectors& vectors,
                   kernels::Backend& backend) {
  const fs::path folder = model_directory / kVectorsFolder;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw InputError(
        fmt::format("{}: cannot create the directory: {}", folder.string(), error.message()));
  }
  kernels::Download<float> download;
  for (const auto& [name, matrix] :
       {std::pair("items.npy", &vectors.items), std::pair("users.npy", &vectors.users)}) {
    const kernels::ConstFloatView rows = download(matrix->view(), backend);
    require_finite(rows, folder / name);
    const std::int64_t shape[] = {rows.rows, rows.cols};
    write_file_atomically(folder / name, [&](std::ostream& out) {
      out << graph::npy_header("<f4", shape);
      for (std::int64_t i = 0; i < rows.rows; ++i) {
        out.write(
            reinterpret_cast<const char*>(rows.row(i)),
            static_cast<std::streamsize>(rows.cols) * static_cast<std::streamsize>(sizeof(float)));
      }
    });
  }
}

graph::MappedNpy<float> map_vectors(const fs::path& file, std::int64_t rows, std::int64_t cols) {
  graph::MappedNpy<float> mapped(file);
  if (mapped.rows() != rows || mapped.cols() != cols) {
    throw InputError(fmt::format("{}: {} x {} numbers, expected {} x {}", file.string(),
                                 mapped.rows(), mapped.cols(), rows, cols));
  }
  return mapped;
}

}  // namespace penchant::pipeline
