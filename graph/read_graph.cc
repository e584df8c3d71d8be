// SPDX-License-Identifier: Apache-2.0
#include "graph/read_graph.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "graph/edge_blocks.h"
#include "graph/error.h"
#include "graph/files.h"
#include "graph/npy.h"
#include "graph/text_lines.h"

namespace penchant::graph {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMatrixMarket = "%%MatrixMarket";
constexpr std::int64_t kMostNodes = std::numeric_limits<NodeId>::max();
/// Up to so many ids an edge a table of them is the fastest numbering; its 16 bytes an edge are
/// what the list of edges takes while it grows. Ids that are further apart are sorted.
constexpr std::int64_t kTableIdsAnEdge = 4;
/// csr_from_edge_blocks takes beside its result.
constexpr std::int64_t kBuildingBytesANode = 16;

Csr undirected(std::int64_t num_nodes, const std::vector<Edge>& edges) {
  return csr_from_edge_blocks(
      num_nodes, num_nodes, static_cast<std::int64_t>(edges.size()),
      [&](std::int64_t first, std::span<Edge> block) {
        std::copy_n(edges.begin() + first, block.size(), block.begin());
      },
      Direction::both);
}

// --- METIS

struct MetisHeader {
  std::int64_t num_nodes, num_edges;
  bool node_sizes, edge_weights;
  std::int64_t num_node_weights;
};

MetisHeader read_metis_header(LineReader& lines) {
  std::string_view line;
  if (!lines.next_content("%", line))
    lines.fail("no header, expected 'nodes edges [format [weights]]'");
  Words words(line);
  MetisHeader header{};
  header.num_nodes = words.integer(lines, "the number of nodes", 0, kMostNodes);
  header.num_edges = words.integer(lines, "the number of edges", 0, std::int64_t{1} << 40);
  const std::string_view format = words.next().value_or("0");
  if (format.size() > 3 || format.find_first_not_of("01") != std::string_view::npos)
    lines.fail(fmt::format("format code '{}', expected up to three digits 0 or 1", format));
  const auto digit = [&](std::size_t from_right) {
    return format.size() > from_right && format[format.size() - 1 - from_right] == '1';
  };
  header.edge_weights = digit(0);
  header.node_sizes = digit(2);
  Words again(line);
  for (int k = 0; k < 3; ++k) again.next();
  header.num_node_weights = !digit(1) ? 0 : 1;
  if (digit(1) && Words(again).next())
    header.num_node_weights = again.integer(lines, "the number of node weights", 1, 1000);
  return header;
}

Csr read_metis(const fs::path& path) {
  LineReader lines(path);
  const MetisHeader header = read_metis_header(lines);
  Csr csr;
  csr.num_rows = csr.num_cols = header.num_nodes;
  std::string_view line;
  for (std::int64_t node = 0; node < header.num_nodes; ++node) {
    do {
      if (!lines.next(line))
        lines.fail(fmt::format("the file ends at node {} of {}", node, header.num_nodes));
    } while (!line.empty() && line[0] == '%');
    Words words(line);
    for (std::int64_t k = 0; k < header.num_node_weights + (header.node_sizes ? 1 : 0); ++k)
      words.integer(lines, "a node's weight", 0, std::numeric_limits<std::int64_t>::max());
    while (Words(words).next()) {
      const std::int64_t neighbour = words.integer(lines, "a neighbour", 1, header.num_nodes) - 1;
      if (neighbour == node) lines.fail(fmt::format("node {} is its own neighbour", node + 1));
      if (header.edge_weights)
        words.integer(lines, "an edge's weight", 0, std::numeric_limits<std::int64_t>::max());
      csr.columns.push_back(static_cast<NodeId>(neighbour));
    }
    std::sort(csr.columns.begin() + csr.offsets.back(), csr.columns.end());
    csr.offsets.push_back(static_cast<EdgeOffset>(csr.columns.size()));
  }
  if (lines.next_content("%", line))
    lines.fail(fmt::format("a line behind the last of {} nodes", header.num_nodes));
  if (static_cast<std::int64_t>(csr.columns.size()) != 2 * header.num_edges) {
    throw InputError(fmt::format("{}: {} neighbours for {} edges, expected two for each",
                                 path.string(), csr.columns.size(), header.num_edges));
  }
  merge_duplicates(csr, Duplicates::keep_first);
  if (!is_symmetric(csr.view()))
    throw InputError(fmt::format(
        "{}: not symmetric: each edge must stand in the lines of both its nodes", path.string()));
  return csr;
}

// --- Matrix Market

struct MatrixMarketHeader {
  std::int64_t num_rows, num_cols, num_entries;
  bool has_values, is_complex;
};

MatrixMarketHeader read_matrix_market_header(LineReader& lines) {
  std::string_view line;
  lines.next(line);
  std::string lower(line);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  Words words(lower);
  words.next();
  const std::string_view object = words.next().value_or("");
  const std::string_view layout = words.next().value_or("");
  const std::string_view field = words.next().value_or("");
  const std::string_view symmetry = words.next().value_or("");
  if (object != "matrix" || layout != "coordinate")
    lines.fail(fmt::format("a '{} {}', expected 'matrix coordinate'", object, layout));
  if (field != "real" && field != "integer" && field != "pattern" && field != "complex")
    lines.fail(fmt::format("field '{}', expected real, integer, complex or pattern", field));
  if (symmetry != "general" && symmetry != "symmetric" && symmetry != "skew-symmetric" &&
      symmetry != "hermitian")
    lines.fail(fmt::format(
        "symmetry '{}', expected general, symmetric, skew-symmetric or hermitian", symmetry));
  MatrixMarketHeader header{};
  header.has_values = field != "pattern";
  header.is_complex = field == "complex";
  if (!lines.next_content("%", line)) lines.fail("no line 'rows columns entries'");
  Words sizes(line);
  header.num_rows = sizes.integer(lines, "the number of rows", 0, kMostNodes);
  header.num_cols = sizes.integer(lines, "the number of columns", 0, kMostNodes);
  header.num_entries = sizes.integer(lines, "the number of entries", 0, std::int64_t{1} << 40);
  return header;
}

std::int64_t matrix_nodes(const MatrixMarketHeader& header, const fs::path& path) {
  if (header.num_rows == header.num_cols) return header.num_rows;
  const std::int64_t nodes = header.num_rows + header.num_cols;
  if (nodes > kMostNodes)
    throw InputError(fmt::format("{}: {} rows and {} columns are more than {} nodes together",
                                 path.string(), header.num_rows, header.num_cols, kMostNodes));
  return nodes;
}

void read_number(Words& words, const LineReader& lines) {
  const auto word = words.next();
  if (!word) lines.fail("the value is missing");
  std::string_view digits = *word;
  if (digits.front() == '+') digits.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size())
    lines.fail(fmt::format("the value is '{}', expected a number", *word));
}

Csr read_matrix_market(const fs::path& path) {
  LineReader lines(path);
  const MatrixMarketHeader header = read_matrix_market_header(lines);
  const std::int64_t num_nodes = matrix_nodes(header, path);
  const std::int64_t column_offset = header.num_rows == header.num_cols ? 0 : header.num_rows;
  std::vector<Edge> edges;
  std::string_view line;
  while (lines.next_content("%", line)) {
    if (static_cast<std::int64_t>(edges.size()) == header.num_entries)
      lines.fail(fmt::format("more entries than the {} announced", header.num_entries));
    Words words(line);
    const std::int64_t row = words.integer(lines, "the row", 1, header.num_rows) - 1;
    const std::int64_t column = words.integer(lines, "the column", 1, header.num_cols) - 1;
    if (header.has_values) read_number(words, lines);
    if (header.is_complex) read_number(words, lines);
    if (const auto extra = words.next())
      lines.fail(fmt::format("'{}' behind the entry, expected the end of the line", *extra));
    edges.push_back({static_cast<NodeId>(row), static_cast<NodeId>(column + column_offset)});
  }
  if (static_cast<std::int64_t>(edges.size()) != header.num_entries)
    lines.fail(
        fmt::format("the file ends after {} of {} entries", edges.size(), header.num_entries));
  return undirected(num_nodes, edges);
}

// --- edge list

/// The edges' ids become their ranks among all ids of the list; returns how many these are. By an
/// array as long as the largest id.
NodeId rank_by_table(std::vector<Edge>& edges, std::int64_t largest_id) {
  std::vector<NodeId> ranks(at(largest_id) + 1, kNoNode);
  for (const Edge& edge : edges) ranks[at(edge.row)] = ranks[at(edge.column)] = 0;
  NodeId num_nodes = 0;
  for (NodeId& rank : ranks) {
    if (rank != kNoNode) rank = num_nodes++;
  }
  for (Edge& edge : edges) edge = {ranks[at(edge.row)], ranks[at(edge.column)]};
  return num_nodes;
}

/// The same by a sorted list of the ids: its length depends on the edges alone.
NodeId rank_by_search(std::vector<Edge>& edges) {
  std::vector<NodeId> ids;
  ids.reserve(2 * edges.size());
  for (const Edge& edge : edges) {
    ids.push_back(edge.row);
    ids.push_back(edge.column);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const auto rank = [&](NodeId id) {
    return static_cast<NodeId>(std::lower_bound(ids.begin(), ids.end(), id) - ids.begin());
  };
#pragma omp parallel for schedule(static)
  for (std::size_t e = 0; e < edges.size(); ++e)  // NOLINT(modernize-loop-convert)
    edges[e] = {rank(edges[e].row), rank(edges[e].column)};
  return static_cast<NodeId>(ids.size());
}

Csr read_edge_list(const fs::path& path) {
  LineReader lines(path);
  std::vector<Edge> edges;
  std::int64_t largest = -1;
  std::string_view line;
  while (lines.next_content("#%", line)) {
    Words words(line);
    const std::int64_t from = words.integer(lines, "the first id", 0, kMostNodes - 1);
    const std::int64_t to = words.integer(lines, "the second id", 0, kMostNodes - 1);
    largest = std::max({largest, from, to});
    edges.push_back({static_cast<NodeId>(from), static_cast<NodeId>(to)});
  }
  const auto most_table_ids = kTableIdsAnEdge * static_cast<std::int64_t>(edges.size());
  const NodeId num_nodes =
      largest < most_table_ids ? rank_by_table(edges, largest) : rank_by_search(edges);
  return undirected(num_nodes, edges);
}

// --- .npy

Csr read_npy_csr(const fs::path& path) {
  Csr csr;
  csr.offsets = read_npy<EdgeOffset>(path / "offsets.npy");
  csr.columns = read_npy<NodeId>(path / "columns.npy");
  if (fs::exists(path / "values.npy")) csr.values = read_npy<float>(path / "values.npy");
  if (csr.offsets.empty()) throw InputError(fmt::format("{}: offsets.npy is empty", path.string()));
  csr.num_rows = csr.num_cols = static_cast<std::int64_t>(csr.offsets.size()) - 1;
  try {
    validate(csr.view());
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", path.string(), error.what()));
  }
  return csr;
}

/// Of a list of edges, which holds as much again while it grows.
std::int64_t list_bytes(std::int64_t edges) {
  return static_cast<std::int64_t>(sizeof(Edge)) * edges;
}

/// Lines of an edge list, judged by the first of them.
GraphExtent edge_list_extent(const fs::path& path) {
  constexpr std::int64_t kSample = 10000;
  LineReader lines(path);
  std::string_view line;
  std::int64_t count = 0;
  double bytes = 0;
  while (count < kSample && lines.next_content("#%", line)) {
    ++count;
    bytes += static_cast<double>(line.size() + 1);
  }
  GraphExtent extent;
  if (count == 0) return extent;
  const double unpacked = static_cast<double>(fs::file_size(path)) *
                          static_cast<double>(lines.text_bytes()) /
                          static_cast<double>(std::max<std::int64_t>(lines.packed_bytes(), 1));
  const auto edges =
      std::max(count, static_cast<std::int64_t>(unpacked * static_cast<double>(count) / bytes));
  extent.num_entries = 2 * edges;
  extent.num_nodes = edges;
  extent.reading_bytes =
      list_bytes(edges) + std::max(4 * kTableIdsAnEdge, kBuildingBytesANode) * edges;
  return extent;
}

}  // namespace

GraphFormat graph_format_of(const fs::path& path) {
  if (fs::is_directory(path)) {
    if (fs::exists(path / "offsets.npy")) return GraphFormat::npy;
    throw InputError(fmt::format("{}: a folder without offsets.npy", path.string()));
  }
  LineReader lines(path);
  std::string_view line;
  lines.next(line);
  if (line.substr(0, kMatrixMarket.size()) == kMatrixMarket) return GraphFormat::matrix_market;
  const fs::path name =
      path.extension() == ".gz" ? path.filename().replace_extension() : path.filename();
  return name.extension() == ".graph" ? GraphFormat::metis : GraphFormat::edge_list;
}

GraphExtent graph_extent(const fs::path& path, GraphFormat format) {
  if (format == GraphFormat::automatic) format = graph_format_of(path);
  switch (format) {
    case GraphFormat::metis: {
      LineReader lines(path);
      const MetisHeader header = read_metis_header(lines);
      // The columns are copied as they grow; the check of the symmetry holds a place for each row.
      return {header.num_nodes, 2 * header.num_edges, true,
              8 * header.num_edges + 8 * header.num_nodes};
    }
    case GraphFormat::matrix_market: {
      LineReader lines(path);
      const MatrixMarketHeader header = read_matrix_market_header(lines);
      const std::int64_t nodes = matrix_nodes(header, path);
      const std::int64_t list = list_bytes(header.num_entries);
      return {nodes, 2 * header.num_entries, false,
              list + std::max(list, kBuildingBytesANode * nodes)};
    }
    case GraphFormat::npy: {
      const auto elements = [&](const char* name, std::int64_t bytes) {
        std::error_code error;
        const auto size = fs::file_size(path / name, error);
        if (error)
          throw InputError(fmt::format("{}: cannot open the file", (path / name).string()));
        return std::max<std::int64_t>(0, static_cast<std::int64_t>(size) - 128) / bytes;
      };
      const std::int64_t nodes = std::max<std::int64_t>(0, elements("offsets.npy", 8) - 1);
      return {nodes, elements("columns.npy", 4), true, 0};
    }
    case GraphFormat::edge_list:
    case GraphFormat::automatic:
      break;
  }
  return edge_list_extent(path);
}

Csr read_graph(const fs::path& path, GraphFormat format) {
  if (format == GraphFormat::automatic) format = graph_format_of(path);
  switch (format) {
    case GraphFormat::metis:
      return read_metis(path);
    case GraphFormat::matrix_market:
      return read_matrix_market(path);
    case GraphFormat::npy:
      return read_npy_csr(path);
    case GraphFormat::edge_list:
    case GraphFormat::automatic:
      break;
  }
  return read_edge_list(path);
}

}  // namespace penchant::graph
