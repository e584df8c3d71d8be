// SPDX-License-Identifier: Apache-2.0
// What only the CUDA backend knows: which of its routines it takes, and how much memory.
#pragma once

#include <array>
#include <cstdint>

#include "graph/enum_names.h"

namespace penchant::kernels {

/// Which routine multiplies sparse by dense on the GPU: Penchant's kernels or one of cuSPARSE's
/// algorithms (CUSPARSE_SPMM_CSR_ALG1 to ALG3, of which only the last promises the same bits in
/// every run). A table in bf16 is always read by the own kernels.
enum class SpmmVariant : std::uint8_t { own, cusparse_alg1, cusparse_alg2, cusparse_alg3 };
/// "cusparse" is the algorithm that its documentation recommends for row-major tables.
constexpr auto enum_words(SpmmVariant) {
  return std::to_array<EnumWord<SpmmVariant>>({{SpmmVariant::own, "own"},
                                               {SpmmVariant::cusparse_alg2, "cusparse"},
                                               {SpmmVariant::cusparse_alg1, "cusparse_alg1"},
                                               {SpmmVariant::cusparse_alg3, "cusparse_alg3"}});
}

/// How the GPU convolves over time: as one product of unfolded inputs, or by cuDNN over sequences
/// that lie in one row with zeros between them (docs/decisions/0017-convolution-by-unfolding.md).
enum class ConvolutionVariant : std::uint8_t { unfolded, cudnn };

enum class TableStreaming : std::uint8_t { automatic, off, on };

/// How many scores ranking makes at a time. Two tiles take turns: while one is merged the next is
/// multiplied. Two of 1024 x 4096 scores are 32 MiB: they stay in the 50 MB of an H100's L2 between
/// the product that writes them and the merge that reads them, and a tile gives each SM 7 lists. Not
/// yet measured.
struct RankingTiles {
  std::int64_t queries = 1024;
  std::int64_t items = 4096;
};

/// Of the CUDA backend.
struct CudaOptions {
  /// Not yet measured on a device: the own kernels until bench/gpu_bench.cc shows otherwise.
  SpmmVariant spmm = SpmmVariant::own;
  /// Not yet measured either.
  ConvolutionVariant convolution = ConvolutionVariant::unfolded;
  bool tf32 = false;  ///< dense products may round their operands to 10 bits of mantissa
  /// Device memory that one sparse matrix may take; a larger one stays in pinned host memory and is
  /// streamed through two buffers of this size together. 0: half of what is free.
  std::int64_t sparse_bytes = 0;
  /// Device memory that one matrix or vector may take; a larger one lies in pinned host memory,
  /// which kernels reach over the bus. 0: what is free.
  std::int64_t table_bytes = 0;
  /// A streamed sparse matrix brings the rows of the table that each of its blocks needs with it:
  /// for tables that lie in host memory. automatic: where eight tables of 64 columns, as a model
  /// has, exceed the device's memory.
  TableStreaming table_streaming = TableStreaming::automatic;
  /// Repeated steps are recorded as CUDA graphs. Off as long as no device has measured what that
  /// gains.
  bool graphs = false;
  RankingTiles ranking_tiles;
};

/// The options that the environment asks for: PENCHANT_SPMM=own|alg1|alg2|alg3,
/// PENCHANT_CONVOLUTION=unfolded|cudnn, PENCHANT_TF32=0|1, PENCHANT_SPARSE_BYTES=N,
/// PENCHANT_TABLE_BYTES=N, PENCHANT_STREAM_TABLES=0|1, PENCHANT_CUDA_GRAPHS=0|1,
/// PENCHANT_RANKING_QUERIES=N, PENCHANT_RANKING_ITEMS=N. Throws InputError for other values.
CudaOptions cuda_options_from_environment();

}  // namespace penchant::kernels
