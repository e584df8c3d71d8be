// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/embed.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/npy.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/model/trained_model.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using kernels::ConstFloatView;
using nlohmann::json;

namespace {

constexpr std::int64_t kRowsPerBlock = 16384;

/// IEEE 754 half precision, round to nearest even.
std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const float magnitude = std::abs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 6.103515625e-5F) {  // subnormal halves are multiples of 2^-24
    return static_cast<std::uint16_t>(
        sign | static_cast<std::uint16_t>(std::nearbyint(magnitude * 16777216.0F)));
  }
  const std::uint32_t rebased = (bits & 0x7FFFFFFFU) - (112U << 23);
  return static_cast<std::uint16_t>(sign | ((rebased + 0xFFFU + ((rebased >> 13) & 1U)) >> 13));
}

void write_npy_matrix(const fs::path& path, ConstFloatView matrix, EmbeddingType type,
                      Progress& progress) {
  const std::int64_t shape[] = {matrix.rows, matrix.cols};
  const bool half = type == EmbeddingType::float16;
  write_file_atomically(path, [&](std::ostream& out) {
    const std::string header = graph::npy_header(half ? "<f2" : "<f4", shape);
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    std::vector<std::uint16_t> halves(static_cast<std::size_t>(matrix.cols));
    for (std::int64_t i = 0; i < matrix.rows; ++i) {
      if (half) {
        std::transform(matrix.row(i), matrix.row(i) + matrix.cols, halves.begin(), to_half);
        out.write(reinterpret_cast<const char*>(halves.data()),
                  static_cast<std::streamsize>(halves.size() * sizeof(std::uint16_t)));
      } else {
        out.write(
            reinterpret_cast<const char*>(matrix.row(i)),
            static_cast<std::streamsize>(static_cast<std::size_t>(matrix.cols) * sizeof(float)));
      }
      if (i % kRowsPerBlock == 0) {
        progress.update(i, matrix.rows, path.filename().string());
        stop_if_asked(progress);
      }
    }
  });
}

/// One JSON string a line: raw ids may hold commas, quotes and line breaks.
void write_ids(const fs::path& path, const graph::Dictionary& dictionary) {
  write_file_atomically(path, [&](std::ostream& out) {
    for (std::int64_t id = 0; id < dictionary.size(); ++id)
      out << json(std::string(dictionary.raw(static_cast<NodeId>(id)))).dump() << '\n';
  });
}

void write_parquet(const fs::path& path, const graph::Dictionary& dictionary, ConstFloatView matrix,
                   EmbeddingType type, Progress& progress) {
  ParquetWriter writer(path);
  std::int64_t first = 0;
  do {
    const std::int64_t count = std::min(kRowsPerBlock, matrix.rows - first);
    std::vector<std::string_view> raws;
    for (std::int64_t id = first; id < first + count; ++id)
      raws.push_back(dictionary.raw(static_cast<NodeId>(id)));
    writer.write(count, {{"raw_id", raws},
                         {"vector", VectorColumn{matrix.row(first), matrix.cols, matrix.stride,
                                                 type == EmbeddingType::float16}}});
    first += count;
    progress.update(first, matrix.rows, path.filename().string());
    stop_if_asked(progress);
  } while (first < matrix.rows);
  writer.close();
}

void require_k(std::int64_t k, std::int64_t limit, const char* what) {
  if (k < 1) throw InputError(fmt::format("k is {}, expected at least 1", k));
  if (k > limit) throw InputError(fmt::format("k is {}, but {} {} items", k, what, limit));
}

NodeId find_raw(const graph::Dictionary& dictionary, std::string_view raw, const char* kind) {
  const NodeId id = dictionary.find(raw);
  if (id == graph::kNoNode) throw InputError(unknown_id(dictionary, raw, kind));
  return id;
}

/// The best k items of one tile; `topk(excluded, ids, scores)` selects them.
template <typename Topk>
std::vector<ScoredItem> rank(std::int64_t num_items, std::vector<NodeId> excluded, std::int64_t k,
                             kernels::Backend& backend, Topk topk) {
  std::sort(excluded.begin(), excluded.end());
  excluded.erase(std::unique(excluded.begin(), excluded.end()), excluded.end());
  const std::vector<graph::EdgeOffset> offsets = {0,
                                                  static_cast<graph::EdgeOffset>(excluded.size())};
  kernels::Matrix<NodeId> ids = backend.matrix<NodeId>(1, k);
  kernels::FloatMatrix scores = backend.matrix<float>(1, k);
  topk(graph::CsrView{1, num_items, offsets, excluded, {}}, ids.view(), scores.view());
  kernels::Download<NodeId> download_ids;
  kernels::Download<float> download_scores;
  const auto best = download_ids(kernels::MatrixView<const NodeId>(ids.view()), backend);
  const auto best_scores = download_scores(ConstFloatView(scores.view()), backend);
  std::vector<ScoredItem> result;
  for (std::int64_t j = 0; j < k && best(0, j) != graph::kNoNode; ++j)
    result.push_back({best(0, j), best_scores(0, j)});
  return result;
}

std::vector<ScoredItem> rank_vectors(ConstFloatView query, ConstFloatView items,
                                     std::vector<NodeId> excluded, std::int64_t k,
                                     kernels::Backend& backend) {
  return rank(items.rows, std::move(excluded), k, backend,
              [&](const graph::CsrView& masked, kernels::MatrixView<NodeId> ids,
                  kernels::FloatView scores) { backend.topk(query, items, masked, ids, scores); });
}

void require_vectors(const TrainedModel& model, const char* verb) {
  if (model.items.cols() == 0) {
    throw InputError(
        fmt::format("{}: the model has no vectors; train it with filter.rank of at least 1", verb));
  }
}

/// Mean of the items' embeddings, as long as they are on average; 1 in the column of popularity,
/// 0 in those of new items.
kernels::FloatMatrix mean_vector(const TrainedModel& model, std::span<const NodeId> items,
                                 kernels::Backend& backend) {
  const auto count = static_cast<std::int64_t>(items.size());
  const std::int64_t dim = model.embedding_dim();
  kernels::FloatMatrix vectors = backend.matrix<float>(count, dim);
  kernels::Upload<graph::NodeId> upload;
  backend.gather_rows(model.items.view().cols_of(0, dim),
                      upload({items.data(), count, kernels::Device::cpu}, backend), vectors.view());
  std::vector<float> table(items.size() * static_cast<std::size_t>(dim));
  backend.copy(vectors.view(),
               kernels::FloatView(table.data(), count, dim, dim, kernels::Device::cpu));
  backend.sync();
  std::vector<double> sum(static_cast<std::size_t>(dim), 0.0);
  double length = 0.0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    double squares = 0.0;
    for (std::size_t j = 0; j < sum.size(); ++j) {
      const auto value = static_cast<double>(table[i * sum.size() + j]);
      sum[j] += value;
      squares += value * value;
    }
    length += std::sqrt(squares) / static_cast<double>(count);
  }
  double squares = 0.0;
  for (const double value : sum) squares += value * value;
  std::vector<float> mean(static_cast<std::size_t>(model.items.cols()), 0.0F);
  if (model.popularity_column) mean.back() = 1.0F;
  for (std::size_t j = 0; j < sum.size(); ++j)
    mean[j] = squares > 0.0 ? static_cast<float>(sum[j] * length / std::sqrt(squares)) : 0.0F;
  kernels::FloatMatrix query = backend.matrix<float>(1, model.items.cols());
  backend.copy(kernels::ConstFloatView(mean.data(), 1, model.items.cols(), model.items.cols(),
                                       kernels::Device::cpu),
               query.view());
  return query;
}

}  // namespace

std::string unknown_id(const graph::Dictionary& dictionary, std::string_view raw,
                       const char* kind) {
  constexpr std::int64_t kScan = 100000;  // enough for a hint, quick for any catalogue
  std::vector<std::string> known;
  if (raw.size() <= kLongestHint) {
    for (std::int64_t i = 0; i < std::min(kScan, dictionary.size()); ++i)
      known.emplace_back(dictionary.raw(static_cast<NodeId>(i)));
  }
  const std::string near = nearest(raw, known);
  return fmt::format("unknown {} '{}': not in the data set's {} known ids{}", kind, printable(raw),
                     dictionary.size(),
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", printable(near)));
}

void add_embedding_format(EmbedOptions& options, std::string_view name, std::string_view key) {
  if (name != "npy" && name != "parquet" && name != "both")
    throw InputError(fmt::format("{}: '{}', expected npy or parquet, or both", key, name));
  options.npy = options.npy || name != "parquet";
  options.parquet = options.parquet || name != "npy";
}

void embed(const Dataset& dataset, const TrainedModel& model, const EmbedOptions& options,
           const Destination& destination, kernels::Backend& backend, Progress& progress) {
  progress.begin("embed");
  require_vectors(model, "embed");
  if (!options.npy && !options.parquet)
    throw InputError("embed: no format chosen, expected npy, parquet or both");
  ArtifactWriter writer(destination, kEmbeddingsArtifact);
  writer.clear();
  const fs::path& out = writer.folder();
  struct Entity {
    const char* name;
    const graph::Dictionary* dictionary;
    ConstFloatView vectors;
  };
  kernels::Download<float> download;
  for (Entity entity : {Entity{"items", &dataset.items, model.items.view()},
                        Entity{"users", &dataset.users, model.users.view()}}) {
    const std::string name = entity.name;
    entity.vectors = download(entity.vectors, backend);
    if (options.npy) {
      write_npy_matrix(out / (name + ".npy"), entity.vectors, options.type, progress);
      write_ids(out / (name + ".ids.jsonl"), *entity.dictionary);
    }
    if (options.parquet) {
      write_parquet(out / (name + ".parquet"), *entity.dictionary, entity.vectors, options.type,
                    progress);
    }
  }
  writer.finish({{"num_items", dataset.num_items()},
                 {"num_users", dataset.num_users()},
                 {"dimension", model.items.cols()},
                 {"dtype", enum_name(options.type)},
                 {"normalized", model.normalized},
                 {"new_item_columns", model.new_item_columns},
                 {"popularity_column", model.popularity_column},
                 {"score", "inner product"},
                 {"model_hash", model.model_hash},
                 {"model", model.model_name},
                 {"data_hash", dataset.hash}});
  progress.end(fmt::format("{} items and {} users, {} numbers each, in {}", dataset.num_items(),
                           dataset.num_users(), model.items.cols(), destination.path.string()));
}

bool leaves_out_seen(const Dataset& dataset, SeenItems seen_items) {
  return seen_items == SeenItems::automatic ? !dataset.repeats_allowed
                                            : seen_items == SeenItems::mask;
}

std::vector<ScoredItem> recommend(const Dataset& dataset, const TrainedModel& model,
                                  std::string_view raw_user, std::int64_t k,
                                  kernels::Backend& backend, SeenItems seen_items) {
  require_k(k, dataset.num_items(), "the catalogue has");
  const NodeId user = find_raw(dataset.users, raw_user, "user");
  std::vector<NodeId> seen;
  if (leaves_out_seen(dataset, seen_items)) {
    for (const graph::Interactions* part :
         {&dataset.split.train.interactions, &dataset.split.validation}) {
      const auto range = std::equal_range(part->user.begin(), part->user.end(), user);
      seen.insert(seen.end(), part->item.begin() + (range.first - part->user.begin()),
                  part->item.begin() + (range.second - part->user.begin()));
    }
  }
  if (model.scorer) {
    kernels::FloatMatrix all_scores = backend.matrix<float>(dataset.num_items(), 1);
    model.scorer->score({&user, 1, kernels::Device::cpu}, backend, all_scores.view());
    return rank(dataset.num_items(), std::move(seen), k, backend,
                [&](const graph::CsrView& masked, kernels::MatrixView<NodeId> ids,
                    kernels::FloatView scores) {
                  backend.topk_scores(all_scores.view(), masked, ids, scores);
                });
  }
  return rank_vectors(model.users.view().rows_of(user, 1), model.items.view(), std::move(seen), k,
                      backend);
}

std::vector<ScoredItem> recommend_for_history(const Dataset& dataset, const TrainedModel& model,
                                              std::span<const std::string_view> raw_items,
                                              std::int64_t k, kernels::Backend& backend,
                                              SeenItems seen_items) {
  require_k(k, dataset.num_items(), "the catalogue has");
  if (raw_items.empty())
    throw InputError("--history is empty, expected raw item ids separated by commas");
  if (static_cast<std::int64_t>(raw_items.size()) > kLongestHistory) {
    throw InputError(fmt::format("--history has {} items, expected at most {}", raw_items.size(),
                                 kLongestHistory));
  }
  std::vector<NodeId> items;
  for (const std::string_view raw : raw_items)
    items.push_back(find_raw(dataset.items, raw, "item"));
  kernels::FloatMatrix query;
  if (model.interest) {
    query = model.interest->user_vectors(history_of_items(items), backend);
  } else {
    require_vectors(model, "recommend --history");
    query = mean_vector(model, items, backend);
  }
  std::vector<NodeId> seen;
  if (leaves_out_seen(dataset, seen_items)) seen = items;
  return rank_vectors(query.view(), model.items.view(), std::move(seen), k, backend);
}

std::vector<ScoredItem> similar(const Dataset& dataset, const TrainedModel& model,
                                std::string_view raw_item, std::int64_t k,
                                kernels::Backend& backend) {
  require_k(k, dataset.num_items() - 1, "there are besides this one");
  require_vectors(model, "similar");
  const NodeId item = find_raw(dataset.items, raw_item, "item");
  // Cosine of the embeddings proper, without the column of popularity.
  kernels::FloatMatrix units = backend.matrix<float>(model.items.rows(), model.embedding_dim());
  kernels::Vector<float> norms = backend.vector<float>(model.items.rows());
  backend.normalize_rows(model.items.view().cols_of(0, model.embedding_dim()), units.view(),
                         norms.view());
  return rank_vectors(units.view().rows_of(item, 1), units.view(), {item}, k, backend);
}

}  // namespace penchant::pipeline
