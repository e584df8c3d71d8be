// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/text_space.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <unordered_map>
#include <utility>

#include <xxhash.h>

#include "graph/csr.h"
#include "models/spectral.h"

namespace penchant::pipeline {

using graph::ContentSpace;

namespace {

constexpr std::int64_t kTextWidth = 128;
constexpr std::size_t kShortestPiece = 3, kLongestPiece = 5;
constexpr std::size_t kMostTexts = std::size_t{1} << 16;
constexpr std::size_t kMostPieces = std::size_t{1} << 15;
/// Substream of Stream::content.
constexpr std::uint64_t kSampleSubstream = 0;

/// How often each piece is in a text. Letters of ASCII count as small ones; all else that is no
/// letter or digit of ASCII ends a word, but for bytes of other letters.
std::map<std::int32_t, int> count_pieces(const std::string& text) {
  std::map<std::int32_t, int> counts;
  std::string word;
  const auto end_word = [&] {
    if (word.empty()) return;
    word = " " + word + " ";
    for (std::size_t size = kShortestPiece; size <= kLongestPiece; ++size) {
      for (std::size_t first = 0; first + size <= word.size(); ++first)
        ++counts[static_cast<std::int32_t>(XXH3_64bits(word.data() + first, size))];
    }
    word.clear();
  };
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte >= 0x80 || std::isalnum(byte) != 0)
      word += static_cast<char>(byte < 0x80 ? std::tolower(byte) : byte);
    else
      end_word();
  }
  end_word();
  return counts;
}

double times_weight(int count) { return 1.0 + std::log(static_cast<double>(count)); }

/// Pieces that at least two texts have, the most frequent where they are many, with their idf.
std::vector<std::pair<std::int32_t, float>> frequent_pieces(
    const std::vector<std::map<std::int32_t, int>>& texts) {
  std::unordered_map<std::int32_t, std::int64_t> num_texts;
  for (const auto& counts : texts) {
    for (const auto& [piece, count] : counts) ++num_texts[piece];
  }
  std::vector<std::pair<std::int64_t, std::int32_t>> found;  // most frequent first
  for (const auto& [piece, count] : num_texts) {
    if (count >= 2) found.emplace_back(-count, piece);
  }
  std::sort(found.begin(), found.end());
  found.resize(std::min(found.size(), kMostPieces));
  std::vector<std::pair<std::int32_t, float>> pieces;
  const double total = 1.0 + static_cast<double>(texts.size());
  for (const auto& [count, piece] : found) {
    const double idf = std::log(total / (1.0 - static_cast<double>(count))) + 1.0;
    pieces.emplace_back(piece, static_cast<float>(idf));
  }
  std::sort(pieces.begin(), pieces.end());
  return pieces;
}

/// [texts x pieces], rows of length 1.
graph::Csr weights_of(const std::vector<std::map<std::int32_t, int>>& texts,
                      const std::vector<std::pair<std::int32_t, float>>& pieces) {
  graph::Csr matrix;
  matrix.num_rows = static_cast<std::int64_t>(texts.size());
  matrix.num_cols = static_cast<std::int64_t>(pieces.size());
  for (const auto& counts : texts) {
    double squares = 0.0;
    const std::size_t first = matrix.values.size();
    for (const auto& [piece, count] : counts) {
      const auto at = std::lower_bound(pieces.begin(), pieces.end(), std::pair(piece, 0.0F));
      if (at == pieces.end() || at->first != piece) continue;
      const double weight = times_weight(count) * static_cast<double>(at->second);
      matrix.columns.push_back(static_cast<graph::NodeId>(at - pieces.begin()));
      matrix.values.push_back(static_cast<float>(weight));
      squares += weight * weight;
    }
    for (std::size_t e = first; e < matrix.values.size(); ++e)
      matrix.values[e] *= static_cast<float>(1.0 / std::sqrt(squares));
    matrix.offsets.push_back(static_cast<graph::EdgeOffset>(matrix.columns.size()));
  }
  return matrix;
}

/// No singular value is larger: the root of the largest sum of a row times that of a column.
float bound_of_singular_values(const graph::Csr& matrix) {
  std::vector<double> columns(static_cast<std::size_t>(matrix.num_cols), 0.0);
  double largest_row = 0.0;
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    double sum = 0.0;
    const auto values = matrix.view().row_values(static_cast<graph::NodeId>(row));
    const auto places = matrix.view().row(static_cast<graph::NodeId>(row));
    for (std::size_t e = 0; e < values.size(); ++e) {
      sum += static_cast<double>(values[e]);
      columns[static_cast<std::size_t>(places[e])] += static_cast<double>(values[e]);
    }
    largest_row = std::max(largest_row, sum);
  }
  return static_cast<float>(
      std::sqrt(largest_row * *std::max_element(columns.begin(), columns.end())));
}

}  // namespace

void fit_text_space(const std::vector<std::string>& texts, graph::Seed seed,
                    kernels::Backend& backend, ContentSpace& space) {
  if (texts.empty()) return;
  const graph::Permutation order(seed, graph::Stream::content, kSampleSubstream, texts.size());
  std::vector<std::map<std::int32_t, int>> counts;
  for (std::size_t i = 0; i < texts.size() && counts.size() < kMostTexts; ++i) {
    const std::string& text = texts[order(i)];
    if (!text.empty()) counts.push_back(count_pieces(text));
  }
  const auto pieces = frequent_pieces(counts);
  if (pieces.empty()) return;
  graph::Csr matrix = weights_of(counts, pieces);
  const float bound = bound_of_singular_values(matrix);
  for (float& value : matrix.values) value /= bound;
  const graph::Csr transposed = graph::transpose(matrix.view());
  const models::SingularVectors found = models::leading_singular_vectors(
      *backend.sparse(matrix.view()), *backend.sparse(transposed.view()), kTextWidth, seed,
      backend);
  const kernels::ConstFloatView vectors = found.view();
  space.width = vectors.cols;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    space.pieces.push_back(pieces[p].first);
    for (std::int64_t d = 0; d < space.width; ++d) {
      const float root = std::sqrt(std::sqrt(found.squared[static_cast<std::size_t>(d)]));
      space.projection.push_back(pieces[p].second * vectors(static_cast<std::int64_t>(p), d) /
                                 root);
    }
  }
}

void append_text_vector(const std::string& text, const ContentSpace& space,
                        std::vector<float>& numbers) {
  const auto width = static_cast<std::size_t>(space.width);
  const std::size_t first = numbers.size();
  numbers.resize(first + width, 0.0F);
  for (const auto& [piece, count] : count_pieces(text)) {
    const auto at = std::lower_bound(space.pieces.begin(), space.pieces.end(), piece);
    if (at == space.pieces.end() || *at != piece) continue;
    const auto weight = static_cast<float>(times_weight(count));
    const float* row =
        space.projection.data() + static_cast<std::size_t>(at - space.pieces.begin()) * width;
    for (std::size_t d = 0; d < width; ++d) numbers[first + d] += weight * row[d];
  }
}

}  // namespace penchant::pipeline
