// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/compressed_vectors.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/npy.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/compress/code_fit.h"
#include "pipeline/compress/int8_rows.h"
#include "pipeline/compress/product_codes.h"
#include "pipeline/compress/query_fit.h"
#include "pipeline/compress/score_space.h"
#include "pipeline/compress/vector_quality.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/lists.h"
#include "pipeline/training/on_host.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using nlohmann::json;

namespace {

/// How many times smaller pq makes items by itself.
constexpr std::int64_t kTimesSmaller = 16;
constexpr std::int64_t kUsersAtOnce = 2048;
/// Users that codes are fitted to, and how often these and the codes take turns: what validation of
/// Gowalla gains has then been gained (docs/small_models.md).
constexpr std::int64_t kFittedUsers = 32768;
constexpr int kFitRounds = 3;
constexpr std::int64_t kFloatBytes = 4;
/// Of a sub-vector.
constexpr std::int64_t kMostBits = 8, kLeastBits = 4;
/// Codebooks take a twelfth of the budget at most: on validation 7 bits lost less than 6 and 8 on
/// 40,981 items, and 4 bits less than 5 and 6 on 3,665 (docs/small_models.md).
constexpr std::int64_t kCodebookShare = 12;
/// Less is not worth a line.
constexpr double kToldSeconds = 3.0;
/// Lists of so many items are compared.
constexpr std::int64_t kComparedItems = 20;

std::int64_t float_bytes(ConstFloatView vectors) {
  return vectors.rows * vectors.cols * kFloatBytes;
}

json size_json(std::int64_t before, std::int64_t after) {
  return {{"float_bytes", before},
          {"bytes", after},
          {"ratio",
           after > 0 ? json(static_cast<double>(before) / static_cast<double>(after)) : json()}};
}

/// An .npy file; returns the bytes of its elements.
template <typename T>
std::int64_t write_array(const fs::path& path, std::string_view type, const T* values,
                         std::initializer_list<std::int64_t> shape) {
  const std::vector<std::int64_t> extents(shape);
  std::int64_t bytes = sizeof(T);
  for (const std::int64_t extent : extents) bytes *= extent;
  write_file_atomically(path, [&](std::ostream& out) {
    const std::string header = graph::npy_header(type, extents);
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    out.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(bytes));
  });
  return bytes;
}

void write_raw_ids(const fs::path& path, const graph::Dictionary& ids) {
  write_file_atomically(path, [&](std::ostream& out) {
    for (std::int64_t id = 0; id < ids.size(); ++id)
      out << json(std::string(ids.raw(static_cast<NodeId>(id)))).dump() << '\n';
  });
}

std::vector<float> dense_rows(ConstFloatView matrix) {
  std::vector<float> values;
  values.reserve(at(matrix.rows * matrix.cols));
  for (std::int64_t i = 0; i < matrix.rows; ++i)
    values.insert(values.end(), matrix.row(i), matrix.row(i) + matrix.cols);
  return values;
}

/// Of items: codes and codebooks.
std::int64_t footprint(const CodeShape& shape, std::int64_t rows, std::int64_t width) {
  const std::int64_t filled =
      (width + shape.sub_quantizers - 1) / shape.sub_quantizers * shape.sub_quantizers;
  return rows * shape.code_bytes() + shape.centroids() * filled * kFloatBytes;
}

/// The most bits whose codebooks take no more than kCodebookShare of the budget, and the most
/// sub-vectors that it has room for; no sub-vectors if there are none.
CodeShape shape_within(std::int64_t budget, std::int64_t rows, std::int64_t width) {
  for (std::int64_t bits = kMostBits; bits >= kLeastBits; --bits) {
    CodeShape shape{width, bits};
    const std::int64_t codebooks = shape.centroids() * width * kFloatBytes;
    if (rows < shape.centroids() || kCodebookShare * codebooks > budget) continue;
    while (shape.sub_quantizers > 0 && footprint(shape, rows, width) > budget)
      --shape.sub_quantizers;
    if (shape.sub_quantizers * bits >= 8) return shape;
  }
  return {0, kLeastBits};
}

/// The least number of items of which codes, codebooks and maps are 16 times smaller.
std::int64_t least_rows(std::int64_t width) {
  std::int64_t rows = 16;
  while (shape_within(rows * width * kFloatBytes / kTimesSmaller, rows, width).sub_quantizers == 0)
    rows += rows / 16 + 1;
  return rows;
}

CodeShape asked_shape(const CompressOptions& options, ConstFloatView items) {
  if (!options.code_bytes) {
    const CodeShape shape =
        shape_within(float_bytes(items) / kTimesSmaller, items.rows, items.cols);
    if (shape.sub_quantizers == 0) {
      throw InputError(fmt::format(
          "compress: {} items of {} numbers are too few for pq: with codebooks they do not become "
          "16 times smaller, which takes about {} items; --vectors int8 takes any number",
          items.rows, items.cols, least_rows(items.cols)));
    }
    return shape;
  }
  const CodeShape shape{*options.code_bytes, kMostBits};
  if (shape.sub_quantizers < 1 || shape.sub_quantizers > items.cols) {
    throw InputError(fmt::format(
        "compress: --bytes is {}, expected 1 to {}: a byte stands for at least one of the {} "
        "numbers of a vector",
        shape.sub_quantizers, items.cols, items.cols));
  }
  if (items.rows < shape.centroids()) {
    throw InputError(
        fmt::format("compress: {} items are too few for codes of --bytes, whose codebooks have "
                    "{} entries; --vectors int8 takes any number",
                    items.rows, shape.centroids()));
  }
  if (const std::int64_t bytes = footprint(shape, items.rows, items.cols);
      bytes >= float_bytes(items)) {
    throw InputError(
        fmt::format("compress: codes of {} bytes for {} items with their codebooks take {} bytes, "
                    "more than the "
                    "{} of the vectors themselves; --vectors int8 takes a fourth",
                    shape.sub_quantizers, items.rows, bytes, float_bytes(items)));
  }
  return shape;
}

/// Codes of items in a space of their own, and users' queries there.
struct CodedItems {
  ScoreSpace space;
  ProductCodes codes;
  FloatMatrix decoded;
  double error = 0.0;  ///< sum |z - x|^2 / sum |z|^2
};

CodedItems code_items(ConstFloatView users, ConstFloatView items, const CodeShape& shape,
                      graph::Seed seed, Backend& backend) {
  CodedItems coded;
  coded.space = score_space(users, items, shape.sub_quantizers, backend);
  const FloatMatrix rows = mapped_rows(items, coded.space.item_map, backend);
  coded.codes = learn_codes(std::as_const(rows).view(), shape, seed);
  coded.decoded = backend.matrix<float>(rows.rows(), rows.cols());
  coded.codes.decode(coded.decoded.view());
  double off = 0.0, all = 0.0;
  for (std::int64_t i = 0; i < rows.rows(); ++i) {
    for (std::int64_t j = 0; j < rows.cols(); ++j) {
      const double z = rows.view()(i, j);
      const double gap = z - coded.decoded.view()(i, j);
      off += gap * gap;
      all += z * z;
    }
  }
  coded.error = all > 0.0 ? off / all : 0.0;
  return coded;
}

/// Calls visit(users, their first place, their vectors, their best items) for blocks of users.
template <typename Visit>
void for_each_list_block(const Dataset& dataset, std::span<const NodeId> users,
                         ConstFloatView vectors, ConstFloatView items, Backend& backend,
                         Progress& progress, Visit visit) {
  ListSelector selector(items.rows, std::min(kFittedItems, items.rows), {}, backend);
  const KnownItems known(dataset, KnownPart::train);
  const bool leave_out = leaves_out_seen(dataset, SeenItems::automatic);
  const auto all = static_cast<std::int64_t>(users.size());
  for (std::int64_t first = 0; first < all; first += kUsersAtOnce) {
    progress.update(first, all, "users' lists");
    stop_if_asked(progress);
    const std::int64_t count = std::min(kUsersAtOnce, all - first);
    const auto owners = users.subspan(at(first), at(count));
    const graph::Csr seen = leave_out ? known.of(owners) : graph::Csr{};
    const ConstFloatView block = vectors.rows_of(first, count);
    visit(first, block, selector.by_vectors(block, items, seen.view(), owners));
  }
}

/// Queries of all users, fitted to what the codes stand for.
FloatMatrix fitted_queries(const Dataset& dataset, ConstFloatView users, ConstFloatView items,
                           const CodedItems& coded, Backend& backend, Progress& progress) {
  FloatMatrix queries = mapped_rows(users, coded.space.user_map, backend);
  const QueryFit fit(items, coded.decoded.view(), backend);
  std::vector<NodeId> owners(at(users.rows));
  std::iota(owners.begin(), owners.end(), 0);
  for_each_list_block(dataset, owners, users, items, backend, progress,
                      [&](std::int64_t first, ConstFloatView block, const ListBlock& best) {
                        fit.fit(block, best, queries.view().rows_of(first, block.rows));
                      });
  return queries;
}

/// Some users, evenly spread, with their best items. `vectors` is where theirs are kept.
FittedUsers users_to_fit(const Dataset& dataset, ConstFloatView users, ConstFloatView items,
                         FloatMatrix& vectors, Backend& backend, Progress& progress) {
  const std::int64_t count = std::min(users.rows, kFittedUsers);
  std::vector<NodeId> chosen;
  for (std::int64_t k = 0; k < count; ++k)
    chosen.push_back(static_cast<NodeId>(k * users.rows / count));
  vectors = backend.matrix<float>(count, users.cols);
  backend.gather_rows(users, {chosen.data(), count, kernels::Device::cpu}, vectors.view());
  FittedUsers fitted;
  fitted.vectors = vectors.view();
  fitted.list_length = std::min(kFittedItems, items.rows);
  for_each_list_block(dataset, chosen, fitted.vectors, items, backend, progress,
                      [&](std::int64_t, ConstFloatView block, const ListBlock& best) {
                        for (std::int64_t b = 0; b < block.rows; ++b) {
                          fitted.lists.insert(fitted.lists.end(), best.items.row(b),
                                              best.items.row(b) + best.items.cols);
                          fitted.scores.insert(fitted.scores.end(), best.scores.row(b),
                                               best.scores.row(b) + best.scores.cols);
                        }
                      });
  return fitted;
}

/// Queries and codes by turns.
void fit_codes(const Dataset& dataset, ConstFloatView users, ConstFloatView items,
               CodedItems& coded, Backend& backend, Progress& progress) {
  FloatMatrix vectors;
  const FittedUsers fitted = users_to_fit(dataset, users, items, vectors, backend, progress);
  FloatMatrix queries = mapped_rows(fitted.vectors, coded.space.user_map, backend);
  CodeFit codes(items, fitted, backend);
  const ListBlock best{{},
                       {fitted.lists.data(), fitted.vectors.rows, fitted.list_length,
                        fitted.list_length, kernels::Device::cpu},
                       {fitted.scores.data(), fitted.vectors.rows, fitted.list_length,
                        fitted.list_length, kernels::Device::cpu}};
  for (int round = 0; round < kFitRounds; ++round) {
    progress.update(round, kFitRounds, "codes");
    stop_if_asked(progress);
    QueryFit(items, coded.decoded.view(), backend).fit(fitted.vectors, best, queries.view());
    codes.fit(queries.view(), coded.codes);
    coded.codes.decode(coded.decoded.view());
  }
}

/// Items as they are stored, and how users' vectors become queries for them.
struct CompressedItems {
  FloatMatrix items;                                         ///< what is stored of them
  std::function<FloatMatrix(ConstFloatView users)> queries;  ///< [U x width]
  std::int64_t bytes = 0;
  std::int64_t map_bytes = 0;  ///< of what makes a query of a user's vector
};

CompressedItems write_int8_items(const fs::path& folder, ConstFloatView items, Backend& backend) {
  Int8Rows rows = int8_by_column(items);
  CompressedItems result;
  result.bytes =
      write_array(folder / "items.npy", "|i1", rows.values.data(), {rows.rows, rows.cols}) +
      write_array(folder / "items.scales.npy", "<f4", rows.scales.data(), {rows.cols});
  result.items = backend.matrix<float>(items.rows, items.cols);
  const kernels::FloatView whole = result.items.view();
  for (std::int64_t i = 0; i < items.rows; ++i) {
    for (std::int64_t j = 0; j < items.cols; ++j)
      whole(i, j) = static_cast<float>(rows.values[at(i * items.cols + j)]);
  }
  result.queries = [scales = std::move(rows.scales), &backend](ConstFloatView users) {
    FloatMatrix scaled = backend.matrix<float>(users.rows, users.cols);
    for (std::int64_t u = 0; u < users.rows; ++u) {
      for (std::int64_t j = 0; j < users.cols; ++j)
        scaled.view()(u, j) = users(u, j) * scales[at(j)];
    }
    return scaled;
  };
  return result;
}

CompressedItems write_pq_items(const fs::path& folder, const Dataset& dataset, ConstFloatView users,
                               ConstFloatView items, const CompressOptions& options,
                               Backend& backend, Progress& progress, json& said) {
  CodedItems coded = code_items(users, items, asked_shape(options, items), options.seed, backend);
  fit_codes(dataset, users, items, coded, backend, progress);
  const ProductCodes& codes = coded.codes;
  const CodeShape& shape = codes.shape;
  const std::vector<std::uint8_t> packed = codes.packed();
  const std::vector<float> user_map = dense_rows(coded.space.user_map.view());
  const std::vector<float> item_map = dense_rows(coded.space.item_map.view());
  CompressedItems result;
  result.bytes = write_array(folder / "items.codes.npy", "|u1", packed.data(),
                             {codes.rows, shape.code_bytes()}) +
                 write_array(folder / "items.codebooks.npy", "<f4", codes.codebooks.data(),
                             {shape.sub_quantizers * shape.centroids(), codes.sub_width()});
  result.map_bytes =
      write_array(folder / "users.map.npy", "<f4", user_map.data(), {codes.width, items.cols});
  write_array(folder / "items.map.npy", "<f4", item_map.data(), {codes.width, items.cols});
  write_file_atomically(folder / "items.faiss", codes.as_faiss_index());
  said["code"] = {{"sub_quantizers", shape.sub_quantizers},
                  {"bits", shape.bits},
                  {"bytes", shape.code_bytes()},
                  {"error", coded.error},
                  {"faiss", faiss_version()}};
  const auto shared = std::make_shared<CodedItems>(std::move(coded));
  result.items = backend.matrix<float>(shared->decoded.rows(), shared->decoded.cols());
  backend.copy(std::as_const(shared->decoded).view(), result.items.view());
  result.queries = [shared, items, &dataset, &backend, &progress](ConstFloatView of) {
    return fitted_queries(dataset, of, items, *shared, backend, progress);
  };
  return result;
}

}  // namespace

namespace {

/// Says what rankings still take: two of the compressed vectors, and the lists of so many users.
void tell_time(const VectorQuality& quality, std::int64_t num_lists, Progress& progress) {
  const double seconds =
      2.0 * quality.seconds() + static_cast<double>(num_lists) * quality.seconds_a_list();
  if (seconds < kToldSeconds) return;
  progress.note(fmt::format("rankings before took {:.0f} s; those after{} take about {:.0f} s",
                            quality.seconds(),
                            num_lists > 0 ? fmt::format(" and {} lists", num_lists) : "", seconds));
}

}  // namespace

json compress_vectors(const Model& model, const CompressOptions& options,
                      const Destination& destination, Progress& progress,
                      const Model* before_validation) {
  progress.begin("compress");
  require_vectors(model, "compress");
  if (model.is_private()) {
    throw InputError(
        "compress: a private model publishes no vectors of users, and what compress writes holds "
        "them; give out the model's own folder");
  }
  if (options.vectors == VectorCompression::int8 && options.code_bytes)
    throw InputError("compress: --bytes is of --vectors pq; int8 takes a byte a number");
  const Dataset& dataset = model.dataset();
  const OnHost host(model.backend());
  Backend& backend = host.backend();
  kernels::Download<float> download_items, download_users, download_judged;
  const ConstFloatView items = download_items(model.items(), model.backend());
  const ConstFloatView users = download_users(model.users(), model.backend());
  const ConstFloatView judged =
      before_validation == nullptr
          ? users
          : download_judged(before_validation->users(), before_validation->backend());
  const bool is_pq = options.vectors == VectorCompression::pq;
  if (is_pq) asked_shape(options, items);  // before the work
  ArtifactWriter writer(destination, kCompressedArtifact);
  writer.clear();
  const fs::path& folder = writer.folder();
  json said = {{"vectors", enum_name(options.vectors)},
               {"num_items", items.rows},
               {"num_users", users.rows},
               {"dimension", items.cols},
               {"metric", "inner_product"},
               {"model_hash", model.hash()},
               {"data_hash", dataset.hash},
               {"saw_validation", model.saw_validation()}};
  announce_memory(progress, 2 * (float_bytes(items) + float_bytes(users)),
                  fmt::format("copies of {} items' and {} users' vectors", items.rows, users.rows));
  // Before there are other vectors: what it is made of is large for a moment.
  const VectorQuality quality(dataset, {judged, items}, kComparedItems, backend, progress);
  tell_time(quality, is_pq ? users.rows + std::min(users.rows, kFittedUsers) : 0, progress);
  const CompressedItems compressed =
      is_pq ? write_pq_items(folder, dataset, users, items, options, backend, progress, said)
            : write_int8_items(folder, items, backend);
  FloatMatrix queries = compressed.queries(users);
  const Int8Rows rows = int8_by_row(queries.view());
  const std::int64_t user_bytes =
      write_array(folder / "users.npy", "|i1", rows.values.data(), {rows.rows, rows.cols}) +
      write_array(folder / "users.scales.npy", "<f4", rows.scales.data(), {rows.rows});

  if (judged.data != users.data) queries = compressed.queries(judged);
  said["items_alone"] = quality.compare({queries.view(), compressed.items.view()});
  floats_by_row(int8_by_row(queries.view()), queries.view());
  said.update(quality.compare({queries.view(), compressed.items.view()}));
  said["width"] = queries.cols();
  said["items"] = size_json(float_bytes(items), compressed.bytes);
  said["users"] = size_json(float_bytes(users), user_bytes + compressed.map_bytes);
  write_raw_ids(folder / "items.ids.jsonl", dataset.items);
  write_raw_ids(folder / "users.ids.jsonl", dataset.users);
  writer.finish(said);
  progress.end(fmt::format("{} items and {} users in {}", items.rows, users.rows,
                           destination.path.string()));
  said["out"] = destination.path.string();
  return said;
}

}  // namespace penchant::pipeline
