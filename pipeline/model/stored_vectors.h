// SPDX-License-Identifier: Apache-2.0
// X.model/vectors: the finished vectors as items.npy and users.npy, float32, row = dense id
// (docs/decisions/0031-vectors-in-the-model.md).
#pragma once

#include <cstdint>
#include <filesystem>

#include "graph/npy.h"
#include "kernels/backend.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

/// Throws InputError naming the file and the first of these rows that holds a number that is not
/// finite.
void require_finite(kernels::ConstFloatView rows, const std::filesystem::path& file,
                    std::int64_t first_row = 0);

/// Writes both files into a model's folder. Throws InputError as require_finite() does.
void store_vectors(const std::filesystem::path& model_directory, const FinishedVectors& vectors,
                   kernels::Backend& backend);

/// One of the files, mapped. Throws InputError naming it: not there, no float32 matrix of `rows` x
/// `cols`, or of another length. Its values are not looked at.
graph::MappedNpy<float> map_vectors(const std::filesystem::path& file, std::int64_t rows,
                                    std::int64_t cols);

}  // namespace penchant::pipeline
