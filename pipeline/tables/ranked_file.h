// SPDX-License-Identifier: Apache-2.0
// Ranked lists as a file, one row an item of a list: whose list it is in, the item (or the user), its
// score and its rank, named as LensKit and RecTools name them. The ending of the name says the format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penchant::pipeline {

struct Frame;  // pipeline/tables/frames.h

/// Rows of one block; all four have as many.
struct RankedRows {
  std::span<const std::string_view> owners;
  std::span<const std::string_view> items;
  std::span<const float> scores;
  std::span<const std::int32_t> ranks;
};

/// What is known of the lists: keys and values.
using RankedFacts = std::vector<std::pair<std::string, std::string>>;

/// A file that is whole or absent: destroyed before commit() it leaves nothing.
class RankedFile {
 public:
  virtual ~RankedFile() = default;
  /// Throws InputError that names the file and the system's reason.
  virtual void write(const RankedRows& rows) = 0;
  virtual void commit() = 0;
};

/// Whether a name ends in .parquet, .arrow, .csv or .jsonl.
bool is_ranked_name(const std::filesystem::path& path);

/// What the columns of ids are called.
struct RankedColumns {
  std::string owner;
  std::string listed = "item_id";
};

/// The facts go into the schema's metadata of .parquet and .arrow; .csv and .jsonl have no place
/// for them. Throws InputError: another ending, or what cannot be written.
std::unique_ptr<RankedFile> make_ranked_file(const std::filesystem::path& path,
                                             const RankedColumns& columns,
                                             const RankedFacts& facts);
/// Rows that stay in memory, as .arrow has them: `frame`, which must outlive what is returned, is
/// whole after commit().
std::unique_ptr<RankedFile> make_ranked_frame(Frame& frame, const RankedColumns& columns,
                                              const RankedFacts& facts);

}  // namespace penchant::pipeline
