// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/vector_readers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "graph/half.h"
#include "graph/mapped_file.h"
#include "graph/npy.h"
#include "models/safetensors.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/tables/tables.h"
#include "pipeline/tables/text_lines.h"
#include "pipeline/tables/vector_table.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::int64_t kRowsPerRead = 4096;

/// Where a fault is.
struct RowPlace {
  const fs::path& path;
  std::int64_t row;  ///< from 1

  InputError error(const std::string& what) const {
    return InputError(fmt::format("{}: row {}: {}", path.string(), row, what));
  }
};

/// The first vector says how long the others are where `cols` is 0.
void require_length(std::int64_t length, std::int64_t& cols, std::string_view id,
                    const RowPlace& place) {
  if (cols == 0) cols = length;
  if (length == cols) return;
  throw place.error(
      fmt::format("the vector of '{}' has {} numbers, expected {}", printable(id), length, cols));
}

/// Numbers that lie in a mapped file.
struct MappedNumbers {
  const char* first = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t bytes = sizeof(float);  ///< of a number: 2, 4 or 8
};

/// Where its raw ids stand for each row.
class MatrixVectors final : public VectorReader {
 public:
  explicit MatrixVectors(const VectorFile& file)
      : path_(file.path), ids_path_(file.ids), plain_ids_(file.plain_ids) {
    if (file.format == EmbeddingFormat::npy)
      map_npy();
    else if (file.format == EmbeddingFormat::safetensors)
      map_tensor(file.tensor);
    else
      map_bin();
    if (file.cols != 0 && numbers_.cols != file.cols) {
      throw InputError(fmt::format("{}: {} numbers a vector, expected {}", path_.string(),
                                   numbers_.cols, file.cols));
    }
    if (!fs::exists(ids_path_)) {
      throw InputError(fmt::format("{}: its raw ids are missing: no such file {}", path_.string(),
                                   ids_path_.string()));
    }
    lines_.emplace(ids_path_);
  }

  bool next(VectorBlock& block) override {
    const std::int64_t count = std::min(kRowsPerRead, numbers_.rows - next_row_);
    block.ids.clear();
    for (std::int64_t i = 0; i < count; ++i) block.ids.push_back(next_id(next_row_ + i));
    if (count == 0) {
      std::string_view line;
      if (lines_->next(line)) {
        throw InputError(fmt::format("{}: more ids than the {} rows of {}", ids_path_.string(),
                                     numbers_.rows, path_.string()));
      }
      return false;
    }
    const auto size = static_cast<std::size_t>(count * numbers_.cols);
    block.numbers.resize(size);
    const char* const first = numbers_.first + next_row_ * numbers_.cols * numbers_.bytes;
    if (numbers_.bytes == sizeof(std::uint16_t)) {
      std::vector<std::uint16_t> halves(size);
      std::memcpy(halves.data(), first, size * sizeof(std::uint16_t));
      std::transform(halves.begin(), halves.end(), block.numbers.begin(), graph::from_half);
    } else if (numbers_.bytes == sizeof(double)) {
      std::vector<double> doubles(size);
      std::memcpy(doubles.data(), first, size * sizeof(double));
      std::transform(doubles.begin(), doubles.end(), block.numbers.begin(),
                     [](double number) { return static_cast<float>(number); });
    } else {
      std::memcpy(block.numbers.data(), first, size * sizeof(float));
    }
    next_row_ += count;
    return true;
  }
  std::string number_type() const override { return fmt::format("float{}", 8 * numbers_.bytes); }

 private:
  std::string next_id(std::int64_t row) {
    std::string_view line;
    if (!lines_->next(line)) {
      throw InputError(fmt::format("{}: {} ids, and {} has {} rows", ids_path_.string(), row,
                                   path_.string(), numbers_.rows));
    }
    const json id = json::parse(line, nullptr, false);
    if (plain_ids_ && !id.is_string() && !line.empty()) return std::string(line);
    if (!id.is_string()) {
      throw RowPlace{ids_path_, row + 1}.error(
          fmt::format("'{}', expected a JSON string", printable(line)));
    }
    return id.get<std::string>();
  }
  void map_npy() {
    graph::InputFile file(path_);
    std::string start(128, '\0');
    start.resize(file.read(start.data(), start.size()));
    const auto is = [&](const char* type) { return start.find(type) != start.npos; };
    const auto map = [&](auto& matrix) {
      matrix.emplace(path_);
      numbers_ = {reinterpret_cast<const char*>(matrix->values().data()), matrix->rows(),
                  matrix->cols(), sizeof(matrix->values()[0])};
    };
    if (is("'<f2'"))
      map(halves_);
    else if (is("'<f8'"))
      map(doubles_);
    else
      map(singles_);
  }
  void map_tensor(const std::string& name) {
    tensors_ = models::map_any_safetensors(path_);
    const auto& found = tensors_.tensors;
    auto tensor = std::find_if(found.begin(), found.end(),
                               [&](const auto& each) { return each.name == name; });
    if (tensor == found.end() && found.size() == 1) tensor = found.begin();
    if (tensor == found.end())
      throw InputError(fmt::format("{}: has no tensor '{}'", path_.string(), name));
    const std::int64_t bytes = tensor->dtype == "F16"   ? sizeof(std::uint16_t)
                               : tensor->dtype == "F32" ? sizeof(float)
                               : tensor->dtype == "F64" ? sizeof(double)
                                                        : 0;
    if (tensor->shape.size() != 2 || bytes == 0) {
      throw InputError(
          fmt::format("{}: tensor '{}' is of type {} and has {} dimensions, expected F32, F16 or "
                      "F64 and two",
                      path_.string(), tensor->name, tensor->dtype, tensor->shape.size()));
    }
    numbers_ = {tensor->bytes.data(), tensor->shape[0], tensor->shape[1], bytes};
    check_size(tensor->bytes.size());
  }
  void map_bin() {
    file_ = graph::MappedFile(path_);
    const std::string_view bytes = file_.bytes();
    std::array<std::uint32_t, 2> extents{};
    if (bytes.size() < sizeof(extents))
      throw InputError(fmt::format("{}: cut off: no header", path_.string()));
    std::memcpy(extents.data(), bytes.data(), sizeof(extents));
    numbers_ = {bytes.data() + sizeof(extents), extents[0], extents[1],
                path_.extension() == ".hbin" ? std::int64_t{2} : std::int64_t{4}};
    check_size(bytes.size() - sizeof(extents));
  }
  void check_size(std::size_t bytes) const {
    const auto size = static_cast<std::size_t>(numbers_.bytes);
    std::int64_t count = 0;
    if (numbers_.rows < 0 || numbers_.cols < 0 ||
        __builtin_mul_overflow(numbers_.rows, numbers_.cols, &count) || bytes % size != 0 ||
        static_cast<std::int64_t>(bytes / size) != count) {
      throw InputError(fmt::format("{}: {} bytes of numbers, expected {} rows of {} numbers of {}",
                                   path_.string(), bytes, numbers_.rows, numbers_.cols, size));
    }
  }

  fs::path path_, ids_path_;
  bool plain_ids_;
  std::optional<graph::MappedNpy<double>> doubles_;
  std::optional<graph::MappedNpy<float>> singles_;
  std::optional<graph::MappedNpy<std::uint16_t>> halves_;
  models::PlainTensorFile tensors_;
  graph::MappedFile file_;
  MappedNumbers numbers_;
  std::optional<TextLines> lines_;
  std::int64_t next_row_ = 0;
};

class TableVectors final : public VectorReader {
 public:
  TableVectors(const VectorFile& file, VectorTableKind kind)
      : path_(file.path),
        cols_(file.cols),
        missing_allowed_(file.missing_allowed),
        table_(path_, kind, file.id_column, file.vector_column) {}
  bool next(VectorBlock& block) override {
    block.ids.clear();
    block.numbers.clear();
    lengths_.clear();
    if (!table_.next(block.ids, block.numbers, lengths_)) return false;
    block.num_missing = 0;
    for (std::size_t i = 0; i < lengths_.size(); ++i) {
      const RowPlace place{path_, num_rows_ + static_cast<std::int64_t>(i) + 1};
      std::string& id = block.ids[i];
      if (lengths_[i] >= 0) {
        require_length(lengths_[i], cols_, id, place);
        if (block.num_missing > 0)
          block.ids[i - static_cast<std::size_t>(block.num_missing)] = std::move(id);
      } else if (missing_allowed_) {
        ++block.num_missing;
      } else {
        throw place.error("the vector is null");
      }
    }
    block.ids.resize(block.ids.size() - static_cast<std::size_t>(block.num_missing));
    num_rows_ += static_cast<std::int64_t>(lengths_.size());
    return true;
  }
  std::string number_type() const override { return table_.number_type(); }

 private:
  fs::path path_;
  std::int64_t cols_;
  bool missing_allowed_;
  VectorTableReader table_;
  std::vector<std::int64_t> lengths_;
  std::int64_t num_rows_ = 0;
};

/// Appends the numbers of "[1, 2.5]", or with other brackets. Each is rounded once, from its
/// decimals to float32.
void append_numbers(std::string_view text, std::string_view brackets, std::vector<float>& numbers,
                    const RowPlace& place) {
  const auto fail = [&] {
    return place.error(fmt::format("'{}' is no vector, expected {}1,2.5,...{}", printable(text, 40),
                                   brackets[0], brackets[1]));
  };
  const char* next = text.data();
  const char* const end = next + text.size();
  const auto skip_blanks = [&] {
    while (next != end && *next == ' ') ++next;
  };
  const auto take_mark = [&](char mark) {
    skip_blanks();
    const bool found = next != end && *next == mark;
    if (found) ++next;
    return found;
  };
  if (!take_mark(brackets[0])) throw fail();
  if (!take_mark(brackets[1])) {
    do {
      skip_blanks();
      float number = 0;
      const auto [behind, error] = std::from_chars(next, end, number);
      // A number too small for float32 is 0 or the least one, which from_chars does not say.
      if (error == std::errc::result_out_of_range)
        number = std::strtof(std::string(next, behind).c_str(), nullptr);
      else if (error != std::errc())
        throw fail();
      numbers.push_back(number);
      next = behind;
    } while (take_mark(','));
    if (!take_mark(brackets[1])) throw fail();
  }
  skip_blanks();
  if (next != end) throw fail();
}

class CsvVectors final : public VectorReader {
 public:
  explicit CsvVectors(const VectorFile& file)
      : path_(file.path),
        cols_(file.cols),
        reader_(path_, options(), std::vector<std::string>{file.id_column, file.vector_column}) {}
  bool next(VectorBlock& block) override {
    block.ids.clear();
    block.numbers.clear();
    if (!reader_.next(batch_)) return false;
    if (!batch_.malformed.empty()) {
      throw InputError(fmt::format("{}:{}: {}", path_.string(), batch_.malformed.front().line,
                                   explain(batch_.malformed.front())));
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch_.num_rows); ++i) {
      const RowPlace place{path_, ++num_rows_};
      block.ids.emplace_back(batch_.columns[0][i]);
      const std::size_t before = block.numbers.size();
      append_numbers(batch_.columns[1][i], "[]", block.numbers, place);
      require_length(static_cast<std::int64_t>(block.numbers.size() - before), cols_,
                     block.ids.back(), place);
    }
    return true;
  }
  std::string number_type() const override { return "text"; }

 private:
  static TableReadOptions options() {
    TableReadOptions options;
    options.separator = ',';
    options.quote = TextMark('"');
    options.escape = TextMark('\0');
    return options;
  }

  fs::path path_;
  std::int64_t cols_;
  TableReader reader_;
  TextBatch batch_;
  std::int64_t num_rows_ = 0;
};

/// Text with a row a line.
class LineVectors : public VectorReader {
 public:
  explicit LineVectors(const VectorFile& file)
      : path_(file.path), cols_(file.cols), lines_(path_) {}
  bool next(VectorBlock& block) override {
    block.ids.clear();
    block.numbers.clear();
    std::string_view line;
    while (static_cast<std::int64_t>(block.ids.size()) < kRowsPerRead && lines_.next(line)) {
      if (line.empty() || is_end(line)) continue;
      const RowPlace place{path_, ++num_rows_};
      const std::size_t before = block.numbers.size();
      append(line, block, place);
      require_length(static_cast<std::int64_t>(block.numbers.size() - before), cols_,
                     block.ids.back(), place);
    }
    return !block.ids.empty();
  }
  std::string number_type() const override { return "text"; }

 private:
  virtual bool is_end(std::string_view) const { return false; }
  virtual void append(std::string_view line, VectorBlock& block, const RowPlace& place) = 0;

  fs::path path_;
  std::int64_t cols_;
  TextLines lines_;
  std::int64_t num_rows_ = 0;
};

/// The values of "raw_id" and "vector" of an object; numbers from their own decimals, since by way
/// of double they would be rounded twice.
class RowHandler final : public json::json_sax_t {
 public:
  explicit RowHandler(std::vector<float>& numbers) : numbers_(numbers) {}

  std::optional<std::string> id;
  bool has_vector = false;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t number) override {
    if (is_id()) id = fmt::format("{}", number);
    return in_vector() ? push(static_cast<float>(number)) : value();
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (is_id()) id = fmt::format("{}", number);
    return in_vector() ? push(static_cast<float>(number)) : value();
  }
  bool number_float(number_float_t number, const string_t& text) override {
    if (!in_vector()) return value();
    float single = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), single);
    return push(error == std::errc() ? single : static_cast<float>(number));
  }
  bool string(string_t& text) override {
    if (is_id()) id = text;
    return value();
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override {
    if (in_vector()) return false;
    ++depth_;
    return true;
  }
  bool key(string_t& text) override {
    if (depth_ == 1) key_ = text;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0 || in_vector()) return false;
    if (depth_ == 1 && key_ == "vector") {
      if (has_vector) return false;
      has_vector = true;
    }
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool is_id() const { return depth_ == 1 && key_ == "raw_id"; }
  bool in_vector() const { return depth_ == 2 && key_ == "vector"; }
  /// Of anything that stands where a number of the vector must not.
  bool value() const { return depth_ > 0 && !in_vector(); }
  bool push(float number) {
    numbers_.push_back(number);
    return true;
  }

  std::vector<float>& numbers_;
  std::string key_;
  int depth_ = 0;
};

class JsonVectors final : public LineVectors {
 public:
  using LineVectors::LineVectors;

 private:
  void append(std::string_view line, VectorBlock& block, const RowPlace& place) override {
    RowHandler row(block.numbers);
    if (!json::sax_parse(line, &row) || !row.id || !row.has_vector) {
      throw place.error(fmt::format("'{}', expected {{\"raw_id\":\"...\",\"vector\":[...]}}",
                                    printable(line, 60)));
    }
    block.ids.push_back(std::move(*row.id));
  }
};

/// PostgreSQL's COPY in its text format: two columns, ids with escapes.
class CopyVectors final : public LineVectors {
 public:
  CopyVectors(const VectorFile& file, std::string_view brackets)
      : LineVectors(file), brackets_(brackets) {}

 private:
  bool is_end(std::string_view line) const override { return line == "\\."; }
  void append(std::string_view line, VectorBlock& block, const RowPlace& place) override {
    const std::size_t tab = line.find('\t');
    if (tab == line.npos || line.find('\t', tab + 1) != line.npos) {
      throw place.error(
          fmt::format("'{}', expected two columns with a tab between them", printable(line, 60)));
    }
    block.ids.push_back(unescaped(line.substr(0, tab), place));
    append_numbers(line.substr(tab + 1), brackets_, block.numbers, place);
  }
  static std::string unescaped(std::string_view text, const RowPlace& place) {
    if (text == "\\N") throw place.error("the id is null");
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        plain += text[i];
        continue;
      }
      constexpr std::string_view kLetters = "bfnrtv", kMeanings = "\b\f\n\r\t\v";
      const std::size_t known = kLetters.find(text[++i]);
      plain += known == kLetters.npos ? text[i] : kMeanings[known];
    }
    return plain;
  }

  std::string_view brackets_;
};

}  // namespace

bool has_ids_beside(EmbeddingFormat format) {
  return format == EmbeddingFormat::npy || format == EmbeddingFormat::safetensors ||
         format == EmbeddingFormat::fbin;
}

std::unique_ptr<VectorReader> open_vector_file(const VectorFile& file) {
  switch (file.format) {
    case EmbeddingFormat::parquet:
      return std::make_unique<TableVectors>(file, VectorTableKind::parquet);
    case EmbeddingFormat::arrow:
      return std::make_unique<TableVectors>(file, VectorTableKind::arrow);
    case EmbeddingFormat::jsonl:
      return std::make_unique<JsonVectors>(file);
    case EmbeddingFormat::csv:
      return std::make_unique<CsvVectors>(file);
    case EmbeddingFormat::pgcopy:
      return std::make_unique<CopyVectors>(file, "{}");
    case EmbeddingFormat::pgvector:
      return std::make_unique<CopyVectors>(file, "[]");
    case EmbeddingFormat::npy:
    case EmbeddingFormat::safetensors:
    case EmbeddingFormat::fbin:
      break;
  }
  return std::make_unique<MatrixVectors>(file);
}

}  // namespace penchant::pipeline
