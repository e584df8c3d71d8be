// SPDX-License-Identifier: Apache-2.0
// Product quantisation (Jegou, Douze and Schmid, TPAMI 2011): a vector is cut into M sub-vectors, of
// each of which the nearest of 2^b centroids is stored. Faiss learns them; this file's .cc is the
// only one that includes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/random.h"
#include "kernels/matrix.h"

namespace penchant::pipeline {

struct CodeShape {
  std::int64_t sub_quantizers = 0;  ///< M
  std::int64_t bits = 8;            ///< b, 4 to 8: of a sub-vector

  std::int64_t centroids() const { return std::int64_t{1} << bits; }
  std::int64_t code_bytes() const { return (sub_quantizers * bits + 7) / 8; }  ///< of a vector
  bool operator==(const CodeShape&) const = default;
};

struct ProductCodes {
  CodeShape shape;
  std::int64_t rows = 0;
  std::int64_t width = 0;            ///< D', a multiple of M
  std::vector<float> codebooks;      ///< [M x 2^b x D' / M]
  std::vector<std::uint8_t> chosen;  ///< [rows x M] centroid of each sub-vector

  std::int64_t sub_width() const { return width / shape.sub_quantizers; }
  const float* centroid(std::int64_t sub, std::int64_t choice) const {
    return codebooks.data() + (sub * shape.centroids() + choice) * sub_width();
  }
  /// What the codes stand for, [rows x D'] into `to`.
  void decode(kernels::FloatView to) const;
  /// [rows x code_bytes] as Faiss packs them: b bits a sub-vector, the first in the lowest bits.
  std::vector<std::uint8_t> packed() const;
  /// As the bytes of a Faiss file: an IndexPQ of inner products, by faiss.read_index.
  std::string as_faiss_index() const;
};

/// Learns codebooks by k-means of each sub-vector and chooses. vectors [N x D'] in host memory, all
/// finite, D' a multiple of M, N at least 2^b. The same seed gives the same bits on any number of
/// threads.
ProductCodes learn_codes(kernels::ConstFloatView vectors, const CodeShape& shape, graph::Seed seed);

/// Version of the library, "1.7.3".
std::string faiss_version();

}  // namespace penchant::pipeline
