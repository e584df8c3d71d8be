// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/verify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/half.h"
#include "graph/parallel.h"
#include "graph/sample.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/export/embedding_rows.h"
#include "pipeline/export/vector_files.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using kernels::ConstFloatView;
using nlohmann::json;

namespace {

constexpr std::int64_t kRanked = 20;
constexpr graph::Seed kSampleSeed{42};
/// Of Stream::validation, beside those of evaluate.cc, pair_evaluation.cc and report_facts.cc.
constexpr std::uint64_t kSampleSubstream = 64;

/// A ranking's place: the higher score first, of equal ones the lower id.
struct RankedItem {
  double score;
  NodeId item;
  bool operator<(const RankedItem& other) const {
    return score != other.score ? score > other.score : item < other.item;
  }
};

/// The best items of some users by inner product, of items that come block by block in any order.
/// Sums are in double, column after column: plain arithmetic, the same for every file.
class Rankings {
 public:
  /// `users`: [S x D], which must outlive it.
  Rankings(const std::vector<float>& users, std::int64_t cols, std::int64_t k)
      : users_(users),
        cols_(cols),
        k_(static_cast<std::size_t>(k)),
        best_(users.size() / static_cast<std::size_t>(cols)) {}

  /// Row i of `vectors` is the vector of items[i]; kNoNode: not ranked.
  void add(std::span<const NodeId> items, const float* vectors, std::int64_t stride) {
    graph::parallel_for(static_cast<std::int64_t>(best_.size()), 1, [&](const graph::Share& share) {
      for (const std::int64_t user : share) {
        const float* const mine = users_.data() + user * cols_;
        std::vector<RankedItem>& best = best_[static_cast<std::size_t>(user)];
        for (std::size_t i = 0; i < items.size(); ++i) {
          if (items[i] == graph::kNoNode) continue;
          const float* const its = vectors + static_cast<std::int64_t>(i) * stride;
          double score = 0;
          for (std::int64_t j = 0; j < cols_; ++j)
            score += static_cast<double>(mine[j]) * static_cast<double>(its[j]);
          insert(best, {score, items[i]});
        }
      }
    });
  }
  /// In the order of their ranks.
  const std::vector<RankedItem>& of(std::size_t user) const { return best_[user]; }
  std::size_t num_users() const { return best_.size(); }

 private:
  void insert(std::vector<RankedItem>& best, RankedItem item) const {
    if (std::isnan(item.score)) return;
    if (best.size() == k_ && !(item < best.back())) return;
    best.insert(std::upper_bound(best.begin(), best.end(), item), item);
    if (best.size() > k_) best.pop_back();
  }

  const std::vector<float>& users_;
  std::int64_t cols_;
  std::size_t k_;
  std::vector<std::vector<RankedItem>> best_;
};

void rank_all(Rankings& rankings, ConstFloatView items, const Progress& progress) {
  constexpr std::int64_t kBlock = 16384;
  for (std::int64_t first = 0; first < items.rows; first += kBlock) {
    std::vector<NodeId> ids(static_cast<std::size_t>(std::min(kBlock, items.rows - first)));
    std::iota(ids.begin(), ids.end(), static_cast<NodeId>(first));
    rankings.add(ids, items.row(first), items.stride);
    stop_if_asked(progress);
  }
}

/// What the files are compared with.
struct Reference {
  struct Side {
    const graph::Dictionary* ids;
    ConstFloatView vectors;  ///< in host memory
  };
  std::array<Side, 2> sides;          ///< as kEntities
  std::vector<NodeId> sample;         ///< users, ascending
  std::vector<float> sample_vectors;  ///< [S x D]
  std::int64_t k = 0;
  std::vector<std::vector<NodeId>> top;  ///< of each user of the sample, ascending ids

  std::int64_t cols() const { return sides[0].vectors.cols; }
};

std::vector<NodeId> ids_of(const std::vector<RankedItem>& ranking, std::int64_t k) {
  std::vector<NodeId> items;
  for (const RankedItem& each : ranking) {
    if (static_cast<std::int64_t>(items.size()) < k) items.push_back(each.item);
  }
  std::sort(items.begin(), items.end());
  return items;
}

/// The first fault of a kind, and where.
class FirstFault {
 public:
  template <typename Describe>
  void note(Describe describe) {
    if (text_.empty()) text_ = describe();
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string in_quotes(std::string_view id) { return fmt::format("'{}'", printable(id)); }

std::string count_of(std::int64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

/// Compares one file with the model, block by block.
class FileCheck {
 public:
  FileCheck(const Reference::Side& side, std::string file, std::string number_type)
      : side_(side), first_row_(static_cast<std::size_t>(side.ids->size()), 0) {
    found_.file = std::move(file);
    found_.number_type = std::move(number_type);
  }

  /// The model's id of each row; kNoNode: it has none, or an earlier row has it.
  const std::vector<NodeId>& add(const VectorBlock& block) {
    items_.clear();
    for (std::size_t i = 0; i < block.ids.size(); ++i) {
      const std::string& raw = block.ids[i];
      const NodeId id = side_.ids->find(raw);
      ++found_.rows;
      items_.push_back(id);
      if (id == graph::kNoNode) {
        if (++found_.extra == 1) extra_ = fmt::format("{} in row {}", in_quotes(raw), found_.rows);
        continue;
      }
      std::int64_t& first = first_row_[static_cast<std::size_t>(id)];
      if (first != 0) {
        if (++found_.duplicates == 1)
          duplicate_ = fmt::format("{} in rows {} and {}", in_quotes(raw), first, found_.rows);
        items_.back() = graph::kNoNode;
      } else {
        first = found_.rows;
      }
      compare(id, raw, block.numbers.data() + static_cast<std::int64_t>(i) * side_.vectors.cols);
    }
    return items_;
  }

  /// Whether it is an export as float16: stored so, or all numbers are halves and not all the
  /// model's.
  bool is_half() const {
    return found_.number_type == "float16" || (all_halves_ && exact_.count > 0);
  }
  /// The account, with what is wrong with it in `problems`.
  CheckedVectors finish(std::vector<std::string>& problems) {
    const bool half = is_half();
    const auto add = [&](const std::string& what) {
      problems.push_back(fmt::format("{}: {}", found_.file, what));
    };
    const auto missing = std::find(first_row_.begin(), first_row_.end(), 0);
    found_.missing = std::count(first_row_.begin(), first_row_.end(), 0);
    if (found_.missing > 0) {
      add(fmt::format(
          "{} missing, such as {}", count_of(found_.missing, "id is", "ids are"),
          in_quotes(side_.ids->raw(static_cast<NodeId>(missing - first_row_.begin())))));
    }
    if (found_.extra > 0) {
      add(fmt::format("{} not the model's, such as {}", count_of(found_.extra, "id is", "ids are"),
                      extra_));
    }
    if (found_.duplicates > 0) {
      add(fmt::format("{} of an id that stands before, such as {}",
                      count_of(found_.duplicates, "row is", "rows are"), duplicate_));
    }
    const Difference& difference = half ? rounded_ : exact_;
    found_.differing = difference.count;
    if (difference.count > 0) {
      add(fmt::format("{} not the model's{}, first: {}",
                      count_of(difference.count, "number is", "numbers are"),
                      half ? " as float16" : "", difference.first));
    }
    return found_;
  }

 private:
  struct Difference {
    std::int64_t count = 0;
    std::string first;
  };

  void compare(NodeId id, const std::string& raw, const float* got) {
    const float* const want = side_.vectors.row(id);
    for (std::int64_t j = 0; j < side_.vectors.cols; ++j) {
      all_halves_ = all_halves_ && is_a_half(got[j]);
      if (got[j] == want[j]) continue;
      const double difference =
          std::abs(static_cast<double>(got[j]) - static_cast<double>(want[j]));
      found_.largest_difference =
          std::max(found_.largest_difference,
                   std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference);
      count(exact_, raw, j, got[j], want[j]);
      const float nearest = graph::from_half(graph::to_half(want[j]));
      if (got[j] != nearest) count(rounded_, raw, j, got[j], nearest);
    }
  }
  static bool is_a_half(float number) { return graph::from_half(graph::to_half(number)) == number; }
  void count(Difference& difference, const std::string& raw, std::int64_t j, float got,
             float want) const {
    if (++difference.count == 1) {
      difference.first = fmt::format("row {}, id {}, number {} is {}, expected {}", found_.rows,
                                     in_quotes(raw), j + 1, got, want);
    }
  }

  const Reference::Side& side_;
  std::vector<std::int64_t> first_row_;  ///< of each id of the model, from 1; 0: none
  std::vector<NodeId> items_;
  CheckedVectors found_;
  std::string extra_, duplicate_;
  Difference exact_, rounded_;  ///< from the model's numbers, and from these as halves
  bool all_halves_ = true;
};

/// What is read of one format's files, items and users.
class FormatCheck {
 public:
  FormatCheck(const Reference& reference, const fs::path& folder, EmbeddingFormat format,
              std::array<std::string, 2> files, Progress& progress)
      : reference_(reference), folder_(folder), files_(std::move(files)), progress_(progress) {
    result_.format = format;
  }

  CheckedFormat run() {
    users_ = reference_.sample_vectors;
    std::array<std::optional<FileCheck>, 2> checks;
    bool all_read = true;
    for (const std::size_t side : {std::size_t{1}, std::size_t{0}}) {  // users rank items
      if (files_[side].empty()) continue;
      try {
        const auto reader =
            open_vectors(folder_, kEntities[side], result_.format, reference_.cols());
        checks[side].emplace(reference_.sides[side], files_[side], reader->number_type());
        side == 1 ? read_users(*reader, *checks[side]) : read_items(*reader, *checks[side]);
      } catch (const InputError& error) {
        result_.problems.push_back(error.what());
        checks[side].reset();
        all_read = false;
      }
    }
    if (all_read && files_[0].empty()) rank_model_items();
    for (std::optional<FileCheck>& check : checks) {
      if (!check) continue;
      if (check->is_half()) result_.type = EmbeddingType::float16;
      result_.files.push_back(check->finish(result_.problems));
    }
    if (all_read) compare_rankings();
    return std::move(result_);
  }

 private:
  void read_users(VectorReader& reader, FileCheck& check) {
    // A user who is missing has no ranking.
    std::fill(users_.begin(), users_.end(), std::numeric_limits<float>::quiet_NaN());
    const auto cols = static_cast<std::size_t>(reference_.cols());
    read(reader, check, 1, [&](const std::vector<NodeId>& ids, const VectorBlock& block) {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto place =
            std::lower_bound(reference_.sample.begin(), reference_.sample.end(), ids[i]);
        if (place == reference_.sample.end() || *place != ids[i]) continue;
        const auto row = static_cast<std::size_t>(place - reference_.sample.begin());
        std::copy_n(block.numbers.begin() + static_cast<std::ptrdiff_t>(i * cols), cols,
                    users_.begin() + static_cast<std::ptrdiff_t>(row * cols));
      }
    });
  }
  void read_items(VectorReader& reader, FileCheck& check) {
    rankings_.emplace(users_, reference_.cols(), reference_.k);
    read(reader, check, 0, [&](const std::vector<NodeId>& ids, const VectorBlock& block) {
      rankings_->add(ids, block.numbers.data(), reference_.cols());
    });
  }
  void rank_model_items() {
    rankings_.emplace(users_, reference_.cols(), reference_.k);
    rank_all(*rankings_, reference_.sides[0].vectors, progress_);
  }
  template <typename Use>
  void read(VectorReader& reader, FileCheck& check, std::size_t side, Use use) {
    VectorBlock block;
    std::int64_t rows = 0;
    while (reader.next(block)) {
      use(check.add(block), block);
      rows += static_cast<std::int64_t>(block.ids.size());
      progress_.update(rows, reference_.sides[side].ids->size(), files_[side]);
      stop_if_asked(progress_);
    }
  }

  void compare_rankings() {
    std::int64_t found = 0;
    std::int64_t wanted = 0;
    for (std::size_t user = 0; user < reference_.top.size(); ++user) {
      const std::vector<NodeId> top = ids_of(rankings_->of(user), reference_.k);
      for (const NodeId item : reference_.top[user])
        found += std::binary_search(top.begin(), top.end(), item) ? 1 : 0;
      wanted += static_cast<std::int64_t>(reference_.top[user].size());
    }
    result_.share = wanted == 0 ? 1.0 : static_cast<double>(found) / static_cast<double>(wanted);
    const double least = result_.type == EmbeddingType::float16 ? kLeastHalfShare : 1.0;
    if (*result_.share < least) {
      result_.problems.push_back(fmt::format(
          "{}: {:.4f} of the model's top {} are in its own, expected {}", enum_name(result_.format),
          *result_.share, reference_.k, least == 1.0 ? "all" : fmt::format("at least {}", least)));
    }
  }

  const Reference& reference_;
  const fs::path& folder_;
  std::array<std::string, 2> files_;
  Progress& progress_;
  std::vector<float> users_;  ///< of the sample, as read
  std::optional<Rankings> rankings_;
  CheckedFormat result_;
};

/// Names of the files of a format that are there, as kEntities; fbin may be hbin.
std::array<std::string, 2> files_of(const fs::path& folder, EmbeddingFormat format) {
  std::array<std::string, 2> files;
  for (std::size_t side = 0; side < files.size(); ++side) {
    for (const EmbeddingType type : {EmbeddingType::float32, EmbeddingType::float16}) {
      const std::string name = vector_file_name(kEntities[side], format, type);
      if (files[side].empty() && fs::exists(folder / name)) files[side] = name;
    }
  }
  return files;
}

/// What the folder's own manifest, if there is one, says against it: files that it names and that
/// are not there, and where `else_wrong` that another model made them.
void check_manifest(const fs::path& folder, const std::string& model_hash,
                    std::vector<std::string>& problems, bool else_wrong) {
  if (manifest_kind(folder) != kEmbeddingsArtifact) return;
  const json manifest = read_manifest(folder, kEmbeddingsArtifact);
  for (const auto& [name, hash] : manifest.at("files").items()) {
    if (!fs::exists(folder / name))
      problems.push_back(fmt::format("{}: the manifest names it, and it is not there", name));
  }
  const std::string made_of = manifest.value("model_hash", model_hash);
  if (else_wrong && made_of != model_hash) {
    problems.insert(problems.begin(),
                    fmt::format("manifest.json: written of another model (hash {}, not {})",
                                made_of, model_hash));
  }
}

}  // namespace

std::vector<std::string> VerifyReport::problems() const {
  std::vector<std::string> all;
  for (const CheckedFormat& format : formats)
    all.insert(all.end(), format.problems.begin(), format.problems.end());
  return all;
}

VerifyReport verify_vectors(const Model& model, const fs::path& folder,
                            const VerifyOptions& options, Progress& progress) {
  progress.begin("verify");
  require_vectors(model, "embed --verify");
  if (options.sample < 1)
    throw InputError(fmt::format("--sample is {}, expected 1 or more users", options.sample));
  if (!fs::is_directory(folder)) {
    throw InputError(fmt::format(
        "{}: no such folder, expected one with items.* and users.* as embed writes them",
        folder.string()));
  }
  kernels::Download<float> items, users;
  const Dataset& dataset = model.dataset();
  Reference reference;
  reference.sides = {Reference::Side{&dataset.items, items(model.items(), model.backend())},
                     Reference::Side{&dataset.users, users(model.users(), model.backend())}};
  reference.sample =
      graph::draw_sample<NodeId>(kSampleSeed, graph::Stream::validation, kSampleSubstream,
                                 dataset.num_users(), options.sample);
  reference.k = std::min(kRanked, dataset.num_items());
  for (const NodeId user : reference.sample) {
    const float* const row = reference.sides[1].vectors.row(user);
    reference.sample_vectors.insert(reference.sample_vectors.end(), row, row + reference.cols());
  }
  VerifyReport report;
  report.num_users = static_cast<std::int64_t>(reference.sample.size());
  report.k = reference.k;
  {
    Rankings own(reference.sample_vectors, reference.cols(), reference.k + 1);
    rank_all(own, reference.sides[0].vectors, progress);
    for (std::size_t user = 0; user < own.num_users(); ++user) {
      const std::vector<RankedItem>& best = own.of(user);
      reference.top.push_back(ids_of(best, reference.k));
      const auto k = static_cast<std::size_t>(reference.k);
      report.num_tied_users += best.size() > k && best[k - 1].score == best[k].score ? 1 : 0;
    }
  }
  for (const auto& [format, name] : enum_words(EmbeddingFormat{})) {
    const std::array<std::string, 2> files = files_of(folder, format);
    if (files[0].empty() && files[1].empty()) continue;
    report.formats.push_back(FormatCheck(reference, folder, format, files, progress).run());
  }
  if (report.formats.empty()) {
    throw InputError(fmt::format("{}: nothing to check, expected items.* and users.* ({})",
                                 folder.string(), all_enum_names<EmbeddingFormat>()));
  }
  check_manifest(folder, model.hash(), report.formats.front().problems, !report.problems().empty());
  progress.end(fmt::format("{} format{} of {} compared with the model", report.formats.size(),
                           report.formats.size() == 1 ? "" : "s", folder.string()));
  return report;
}

json verify_json(const VerifyReport& report) {
  json formats = json::array();
  for (const CheckedFormat& format : report.formats) {
    json files = json::array();
    for (const CheckedVectors& file : format.files) {
      files.push_back({{"file", file.file},
                       {"stored_as", file.number_type},
                       {"rows", file.rows},
                       {"missing", file.missing},
                       {"extra", file.extra},
                       {"duplicates", file.duplicates},
                       {"differing", file.differing},
                       {"largest_difference", file.largest_difference}});
    }
    formats.push_back({{"format", enum_name(format.format)},
                       {"type", enum_name(format.type)},
                       {"files", files},
                       {"top_share", format.share ? json(*format.share) : json()},
                       {"agrees", format.problems.empty()},
                       {"problems", format.problems}});
  }
  return {{"metric", kEmbeddingMetric},
          {"users", report.num_users},
          {"k", report.k},
          {"tied_users", report.num_tied_users},
          {"formats", formats},
          {"agrees", report.problems().empty()}};
}

std::string verify_text(const VerifyReport& report) {
  std::string text = fmt::format("{:<12}{:<9}{:<18}{:>10}{:>9}{:>7}{:>11}{:>12}{:>12}\n", "format",
                                 "type", "file", "rows", "missing", "extra", "duplicate",
                                 "difference", fmt::format("top {}", report.k));
  for (const CheckedFormat& format : report.formats) {
    std::string name = enum_name(format.format);
    std::string share = format.share ? fmt::format("{:.4f}", *format.share) : "not read";
    if (format.files.empty()) text += fmt::format("{:<12}{:<9}{:>79}\n", name, "", share);
    for (const CheckedVectors& file : format.files) {
      text += fmt::format("{:<12}{:<9}{:<18}{:>10}{:>9}{:>7}{:>11}{:>12.3g}{:>12}\n", name,
                          enum_name(format.type), file.file, file.rows, file.missing, file.extra,
                          file.duplicates, file.largest_difference, share);
      name.clear();
      share.clear();
    }
    for (const std::string& problem : format.problems)
      text += fmt::format("  {}\n", printable_message(problem));
  }
  text += fmt::format(
      "top {}: share of the model's own, by inner product, for {} users; float32 must agree in all "
      "numbers, float16 in {} of the top {}\n",
      report.k, report.num_users, kLeastHalfShare, report.k);
  if (report.num_tied_users > 0) {
    text += fmt::format(
        "{} of these users have one score at ranks {} and {}: a store may list "
        "either item\n",
        report.num_tied_users, report.k, report.k + 1);
  }
  return text;
}

std::string verify_failure(const VerifyReport& report, const fs::path& folder) {
  const std::vector<std::string> problems = report.problems();
  PENCHANT_ASSERT(!problems.empty());
  return fmt::format("{}: not the model's vectors: {}{}", folder.string(), problems.front(),
                     problems.size() == 1 ? "" : fmt::format("; and {} more", problems.size() - 1));
}

}  // namespace penchant::pipeline
