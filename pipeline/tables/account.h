// SPDX-License-Identifier: Apache-2.0
// What becomes of every row of every file that goes in: it is in a part of the data set, or it has
// a reason not to be. The account of a file must close, and ingest ends with an error if it does
// not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/split.h"

namespace penchant::pipeline {

/// Why a row is in no part: malformed, left out by data.filters, one of several equal rows, also in
/// an earlier part, an entity with too few rows, beyond a user's latest rows. cell: the row is kept
/// without a value that is broken.
enum class RowFate { rejected, filtered, merged, overlap, user_cap, k_core, cell };
inline constexpr std::array<std::string_view, 7> kRowFates = {
    "rejected", "filtered", "merged", "overlap", "user_cap", "k_core", "cell"};

/// What happened to the rows of the input, for the report and the manifest.
struct RowCounts {
  std::int64_t read = 0;
  std::int64_t kept = 0;
  struct Reason {
    std::string reason;  ///< "missing user", "bad time", "filtered: quantity > 0", "duplicate", ...
    std::int64_t rows = 0;
    std::string example;    ///< "events.csv:17: time 'abc' is not ..." of the first one
    bool is_error = false;  ///< malformed, as opposed to filtered out on request; what --strict
                            ///< turns into an error
    RowFate fate = RowFate::rejected;
  };
  std::vector<Reason> rejected;
  std::vector<Reason> remarks;     ///< on rows that are read, such as quotes taken for text
  std::vector<std::string> notes;  ///< on whole files
};

/// Where the lines of a text file went.
struct LineCounts {
  std::int64_t lines = 0;
  std::int64_t header = 0;           ///< of the first line
  std::int64_t repeated_header = 0;  ///< the same again further down
  std::int64_t blank = 0;
  std::int64_t continuation = 0;   ///< of a row that began on an earlier line
  std::int64_t without_items = 0;  ///< lightgcn, s3rec: a user and nothing else
  std::int64_t rows = 0;           ///< lines on which a row begins
};

/// What a file is read as.
enum class InputRole { log, validation, test, items, attributes, links, vectors, accounts };
inline constexpr std::array<std::string_view, 8> kInputRoles = {
    "log", "validation", "test", "items", "attributes", "links", "vectors", "accounts"};
/// Whether it holds rows of the log, of any part.
inline bool is_log(InputRole role) {
  return role == InputRole::log || role == InputRole::validation || role == InputRole::test;
}

struct FileAccount {
  std::filesystem::path path;
  InputRole role = InputRole::log;
  RowCounts rows;
  std::array<std::int64_t, 3> kept_in{};  ///< of a log: rows in train, validation, test
  std::optional<LineCounts> lines;        ///< none: Parquet, JSON
  std::size_t first_row = 0;              ///< of a log: its first row among all that were accepted
};

/// Says to which files the rows belong that a step leaves out.
class LeftOutRows {
 public:
  /// `files` are those of the log in the order in which they were read; row i of `parts` is row
  /// order[i] of the input, or i where `order` is empty. All stay where they are.
  LeftOutRows(std::vector<FileAccount>& files, const std::vector<graph::Part>& parts,
              const std::vector<std::uint32_t>& order);
  /// Counts the rows that have become left_out since the last call.
  void add(std::string_view reason, RowFate fate, std::string_view example = {});
  /// The file of a row of the input.
  const FileAccount& file_of(std::uint32_t input_row) const;
  /// Counts the rows of each part: the last step.
  void count_kept();

 private:
  std::size_t place_of(std::uint32_t input_row) const;
  std::vector<FileAccount>& files_;
  const std::vector<graph::Part>& parts_;
  const std::vector<std::uint32_t>& order_;
  std::vector<graph::Part> before_;  ///< where there are several files
  std::int64_t left_out_ = 0;        ///< where there is one
};

/// Throws InputError that names the file if its rows or lines do not add up.
void check_account(const FileAccount& file);

/// Rows of all files by reason; `cells`: only values that are broken, else only rows.
RowCounts add_up(const std::vector<FileAccount>& files, bool cells = false);

/// {"read", "kept", "rejected": [{"reason", "rows", "example", "malformed", "kind"}]}.
nlohmann::json to_json(const RowCounts& rows);
/// Adds what to_json() wrote of rows that came before.
void add_earlier(const nlohmann::json& earlier, RowCounts& rows);
/// One object a file. Files go by their names, by their paths where two have the same name.
nlohmann::json to_json(const std::vector<FileAccount>& files);

}  // namespace penchant::pipeline
