// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/product_codes.h"

#include <algorithm>
#include <limits>

#include <faiss/Index.h>
#include <faiss/IndexPQ.h>
#include <faiss/impl/ProductQuantizer.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>
#include <fmt/core.h>
#include <omp.h>

#include "graph/error.h"
#include "graph/ids.h"
#include "kernels/host_threads.h"

namespace penchant::pipeline {

using graph::at;

namespace {

/// Vectors that k-means looks at for each centroid at most: Faiss's own limit, four times.
constexpr int kMostPointsPerCentroid = 1024;

faiss::ProductQuantizer quantizer_of(const ProductCodes& codes) {
  faiss::ProductQuantizer quantizer(at(codes.width), at(codes.shape.sub_quantizers),
                                    at(codes.shape.bits));
  quantizer.centroids = codes.codebooks;
  return quantizer;
}

}  // namespace

ProductCodes learn_codes(kernels::ConstFloatView vectors, const CodeShape& shape,
                         graph::Seed seed) {
  PENCHANT_ASSERT(vectors.cols % shape.sub_quantizers == 0 && vectors.rows >= shape.centroids());
  // Faiss reads rows one behind another.
  std::vector<float> rows;
  rows.reserve(at(vectors.rows * vectors.cols));
  for (std::int64_t i = 0; i < vectors.rows; ++i)
    rows.insert(rows.end(), vectors.row(i), vectors.row(i) + vectors.cols);
  // One thread of OpenBLAS: more of them would change the bits.
  const kernels::ThreadScope threads(omp_get_max_threads());
  faiss::ProductQuantizer quantizer(at(vectors.cols), at(shape.sub_quantizers), at(shape.bits));
  quantizer.cp.min_points_per_centroid = 1;  // below that it prints a warning
  quantizer.cp.max_points_per_centroid = kMostPointsPerCentroid;
  quantizer.cp.seed =
      static_cast<int>(static_cast<std::uint64_t>(seed) % std::numeric_limits<int>::max());
  quantizer.train(at(vectors.rows), rows.data());
  std::vector<std::uint8_t> packed(at(vectors.rows * shape.code_bytes()));
  quantizer.compute_codes(rows.data(), packed.data(), at(vectors.rows));
  ProductCodes codes{shape, vectors.rows, vectors.cols, quantizer.centroids, {}};
  codes.chosen.reserve(at(vectors.rows * shape.sub_quantizers));
  for (std::int64_t i = 0; i < vectors.rows; ++i) {
    faiss::PQDecoderGeneric decoder(packed.data() + i * shape.code_bytes(),
                                    static_cast<int>(shape.bits));
    for (std::int64_t m = 0; m < shape.sub_quantizers; ++m)
      codes.chosen.push_back(static_cast<std::uint8_t>(decoder.decode()));
  }
  return codes;
}

void ProductCodes::decode(kernels::FloatView to) const {
  const std::int64_t sub = sub_width();
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t m = 0; m < shape.sub_quantizers; ++m)
      std::copy_n(centroid(m, chosen[at(i * shape.sub_quantizers + m)]), sub, to.row(i) + m * sub);
  }
}

std::vector<std::uint8_t> ProductCodes::packed() const {
  std::vector<std::uint8_t> result(at(rows * shape.code_bytes()));
  for (std::int64_t i = 0; i < rows; ++i) {
    faiss::PQEncoderGeneric encoder(result.data() + i * shape.code_bytes(),
                                    static_cast<int>(shape.bits));
    for (std::int64_t m = 0; m < shape.sub_quantizers; ++m)
      encoder.encode(chosen[at(i * shape.sub_quantizers + m)]);
  }
  return result;
}

std::string ProductCodes::as_faiss_index() const {
  faiss::IndexPQ index(static_cast<int>(width), at(shape.sub_quantizers), at(shape.bits),
                       faiss::METRIC_INNER_PRODUCT);
  index.pq = quantizer_of(*this);
  index.codes = packed();
  index.ntotal = rows;
  index.is_trained = true;
  faiss::VectorIOWriter writer;
  faiss::write_index(&index, &writer);
  return {writer.data.begin(), writer.data.end()};
}

std::string faiss_version() {
  return fmt::format("{}.{}.{}", FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR, FAISS_VERSION_PATCH);
}

}  // namespace penchant::pipeline
