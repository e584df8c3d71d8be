// SPDX-License-Identifier: Apache-2.0
// Files of numbers and graphs that anybody may have written.
#include <array>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include "graph/npy.h"
#include "graph/read_graph.h"
#include "models/safetensors.h"
#include "pipeline/tables/tables.h"
#include "pipeline/tables/vector_readers.h"
#include "tests/fuzz/fuzzed_files.h"
#include "tests/fuzz/targets.h"

namespace penchant::fuzz {

using namespace pipeline;
namespace fs = std::filesystem;
using Seeds = std::vector<std::string>;

namespace {

std::string bytes_of(const fs::path& path) { return graph::read_file(path); }

void check_graph(const graph::Csr& graph) {
  if (graph.num_rows != graph.num_cols) throw std::logic_error("a graph that is not square");
  graph::validate(graph.view());
}

void read_as(std::string_view name, graph::GraphFormat format, std::string_view input) {
  const fs::path path = put_file(name, input);
  answer([&] { graph_extent(path, format); });
  answer([&] { check_graph(graph::read_graph(path, format)); });
}

}  // namespace

Seeds parquet_seeds() {
  const fs::path path = work_folder() / "seed.parquet";
  ParquetWriter writer(path);
  const std::vector<std::int64_t> times = {1'600'000'000, 1'600'000'001};
  writer.write(2, {{"user", std::vector<std::string_view>{"u1", "u2"}},
                   {"item", std::vector<std::string_view>{"i1", "i2"}},
                   {"time", Int64Column{times, -1}}});
  writer.close(graph::Flush::no);
  return {bytes_of(path)};
}
void run_parquet(std::string_view input) {
  const fs::path path = put_file("table.parquet", input);
  answer([&] {
    const std::vector<std::string> columns = table_columns(path, {});
    parquet_column_types(path, columns);
    TableReader reader(path, {}, columns);
    TextBatch batch;
    while (reader.next(batch)) {
    }
  });
}

Seeds npy_seeds() {
  Seeds seeds;
  for (const std::string_view type : {"<f4", "<i8", "<i4", "<f2"}) {
    const std::array<std::int64_t, 2> shape = {2, 3};
    seeds.push_back(graph::npy_header(type, std::span(shape).first(1)) + std::string(16, '\1'));
    seeds.push_back(graph::npy_header(type, shape) + std::string(48, '\1'));
  }
  return seeds;
}
void run_npy(std::string_view input) {
  const fs::path path = put_file("array.npy", input);
  answer([&] { graph::read_npy<float>(path); });
  answer([&] { graph::read_npy<std::int64_t>(path); });
  answer([&] { graph::read_npy<graph::NodeId>(path); });
  answer([&] {
    const graph::MappedNpy<float> mapped(path);
    if (std::cmp_not_equal(mapped.values().size(), mapped.rows() * mapped.cols()))
      throw std::logic_error("a mapped array of another size");
    double sum = 0;
    for (const float value : mapped.values()) sum += std::isfinite(value) ? value : 0;
    if (std::isnan(sum)) throw std::logic_error("cannot be");
  });
}

Seeds safetensors_seeds() {
  const std::array<float, 6> values = {1, 2, 3, 4, 5, 6};
  const kernels::ConstFloatView view{values.data(), 2, 3, 3, kernels::Device::cpu};
  std::ostringstream out;
  models::write_safetensors(out, std::array{models::NamedTensor{"items", view}},
                            {{"kind", "test"}});
  const std::string header = R"({"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}})";
  std::string plain(8, '\0');
  plain[0] = static_cast<char>(header.size());
  return {out.str(), plain + header + std::string(8, '\1')};
}
void run_safetensors(std::string_view input) {
  const fs::path path = put_file("tensors.safetensors", input);
  answer([&] { models::read_safetensors(path); });
  answer([&] {
    for (const models::LoadedTensor& tensor : models::map_safetensors(path).tensors) {
      const auto view = tensor.view();
      if (view.rows > 0 && view.cols > 0 && view.row(view.rows - 1)[view.cols - 1] == 0x1.0p-126F)
        throw std::logic_error("cannot be");  // reads the last number
    }
  });
  answer([&] {
    const models::PlainTensorFile file = models::map_any_safetensors(path);
    char last = 0;
    for (const models::PlainTensor& tensor : file.tensors) {
      if (!tensor.bytes.empty()) last = static_cast<char>(last + tensor.bytes.back());
    }
  });
}

Seeds vectors_seeds() {
  using namespace std::string_literals;
  return {
      "\0[1.0,2.0]"s,
      "\5{\"raw_id\": \"a\", \"vector\": [1, 2.5]}\n{\"raw_id\": \"b\", \"vector\": [0, -1e3]}\n"s,
      "\6raw_id,v0,v1\na,1,2\nb,0.5,-1\n"s,
      "\4\2\0\0\0\1\0\0\0\0\0\x80\x3f\0\0\0\x40"s,
      "\7PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\2\0\0\0\1a\0\0\0\4\0\0\0\0\xff\xff"s,
      "\10PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\2\0\0\0\1a\0\0\0\10\0\1\0\0\x3f\x80\0\0\xff\xff"s};
}
void run_vectors(std::string_view input) {
  Choices choices(input);
  constexpr auto kFormats =
      std::to_array({EmbeddingFormat::npy, EmbeddingFormat::jsonl, EmbeddingFormat::csv,
                     EmbeddingFormat::safetensors, EmbeddingFormat::fbin, EmbeddingFormat::jsonl,
                     EmbeddingFormat::csv, EmbeddingFormat::pgcopy, EmbeddingFormat::pgvector});
  VectorFile file;
  file.format = kFormats[choices.below(kFormats.size())];
  file.path = put_file("items.vectors", input);
  file.ids = put_file("items.ids.jsonl", "\"a\"\n\"b\"\n");
  answer([&] {
    const auto reader = open_vector_file(file);
    VectorBlock block;
    while (reader->next(block)) {
      if (!block.ids.empty() && block.numbers.size() % block.ids.size() != 0)
        throw std::logic_error("rows of different lengths");
    }
  });
}

Seeds metis_seeds() {
  return {"% a\n3 2\n2\n1 3\n2\n", "2 1 11 1\n1 2 5\n1 1 5\n", "0 0\n",
          "4 2 1\n2 7\n1 7\n4 1\n3 1\n"};
}
void run_metis(std::string_view input) { read_as("a.graph", graph::GraphFormat::metis, input); }

Seeds matrix_market_seeds() {
  return {"%%MatrixMarket matrix coordinate real general\n% c\n2 3 2\n1 1 0.5\n2 3 1e2\n",
          "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 2\n"};
}
void run_matrix_market(std::string_view input) {
  read_as("a.mtx", graph::GraphFormat::matrix_market, input);
}

Seeds edge_list_seeds() { return {"# c\n0 1\n1 2\n", "0\t5 0.5\n5,7\n", "10 10\n", "1,2\n2,3\n"}; }
void run_edge_list(std::string_view input) {
  read_as("a.txt", graph::GraphFormat::edge_list, input);
}

}  // namespace penchant::fuzz
