// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/item_vectors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/ingest/id_rules.h"
#include "pipeline/ingest/log_rows.h"
#include "pipeline/tables/vector_readers.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;

namespace {

/// By the end of the file's name.
EmbeddingFormat format_of(const fs::path& path) {
  const std::string end = path.extension().string();
  if (end == ".hbin") return EmbeddingFormat::fbin;
  if (end == ".feather" || end == ".ipc") return EmbeddingFormat::arrow;
  for (const auto& [format, word] : enum_words(EmbeddingFormat{})) {
    if (end == "." + std::string(word)) return format;
  }
  throw InputError(
      fmt::format("{}: the name does not tell the format, expected it to end with .npy, .parquet, "
                  ".arrow, .feather, .safetensors, .fbin, .hbin, .jsonl or .csv",
                  path.string()));
}

VectorFile vector_file(const VectorSource& source, std::int64_t width) {
  VectorFile file = {.path = source.file,
                     .format = format_of(source.file),
                     .ids = source.ids,
                     .missing_allowed = true,
                     .plain_ids = true,
                     .tensor = source.tensor,
                     .cols = width,
                     .id_column = source.id_column,
                     .vector_column = source.vector_column};
  if (!fs::exists(file.path)) throw InputError(fmt::format("{}: no such file", file.path.string()));
  if (has_ids_beside(file.format) && file.ids.empty()) {
    throw InputError(
        fmt::format("{}: holds numbers alone, expected a file of its raw ids, a line each (ids of "
                    "data.items.vectors)",
                    file.path.string()));
  }
  return file;
}

}  // namespace

bool to_unit_length(float* numbers, std::int64_t width) {
  double squares = 0.0;
  for (std::int64_t d = 0; d < width; ++d)
    squares += static_cast<double>(numbers[d]) * static_cast<double>(numbers[d]);
  if (squares == 0.0) return false;
  const double scale = 1.0 / std::sqrt(squares);
  for (std::int64_t d = 0; d < width; ++d)
    numbers[d] = static_cast<float>(scale * static_cast<double>(numbers[d]));
  return true;
}

ItemVectors read_item_vectors(const VectorSource& source, const graph::Dictionary& items,
                              std::int64_t width, const IngestOptions& options,
                              FileAccount& account) {
  account.path = source.file;
  account.role = InputRole::vectors;
  Rejections rejections(options);
  IdMap item_ids(options, Entity::item);
  const auto reader = open_vector_file(vector_file(source, width));
  std::vector<bool> known(static_cast<std::size_t>(items.size()), false);
  std::vector<NodeId> found;
  std::vector<float> numbers;
  VectorBlock block;
  while (reader->next(block)) {
    rejections.filtered("the vector is null", block.num_missing);
    account.rows.read += block.num_missing;
    if (block.ids.empty()) continue;
    width = static_cast<std::int64_t>(block.numbers.size() / block.ids.size());
    for (std::size_t row = 0; row < block.ids.size(); ++row) {
      ++account.rows.read;
      const std::string_view id = item_ids(block.ids[row]);
      float* const vector = block.numbers.data() + row * static_cast<std::size_t>(width);
      const auto bad = std::find_if_not(vector, vector + width,
                                        [](float number) { return std::isfinite(number); });
      if (bad != vector + width) {
        throw InputError(fmt::format(
            "{}: row {}: number {} of the vector of '{}' is {}, expected "
            "finite numbers",
            source.file.string(), account.rows.read, bad - vector + 1, printable(id), *bad));
      }
      const NodeId item = items.find(id);
      if (item == graph::kNoNode) {
        rejections.filtered("vector of an item that is not in the catalogue");
      } else if (!to_unit_length(vector, width)) {
        rejections.filtered("vector of zeros");
      } else if (known[static_cast<std::size_t>(item)]) {
        rejections.malformed("a second vector of an item, the first one kept", [&] {
          return fmt::format("{}: row {}: item '{}' again", source.file.string(), account.rows.read,
                             printable(id));
        });
      } else {
        known[static_cast<std::size_t>(item)] = true;
        found.push_back(item);
        numbers.insert(numbers.end(), vector, vector + width);
        ++account.rows.kept;
      }
    }
  }
  account.rows.rejected = rejections.take();

  ItemVectors vectors = {width, found, {}};
  std::vector<std::size_t> order(found.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return found[a] < found[b]; });
  std::sort(vectors.items.begin(), vectors.items.end());
  vectors.numbers.reserve(numbers.size());
  for (const std::size_t row : order) {
    const auto first = numbers.begin() + static_cast<std::ptrdiff_t>(row) * width;
    vectors.numbers.insert(vectors.numbers.end(), first, first + width);
  }
  return vectors;
}

}  // namespace penchant::pipeline
