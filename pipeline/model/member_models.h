// SPDX-License-Identifier: Apache-2.0
// The members of a mixture, opened, and their vectors as those of one model: columns side by side,
// users' times the members' weights (pipeline/model/auto_model.h).
#pragma once

#include <filesystem>
#include <vector>

#include "kernels/backend.h"
#include "pipeline/data/histories.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

class MemberModels {
 public:
  /// None of a filter alone. Data set and backend must outlive this; errors and `known` as in
  /// Model::open.
  MemberModels(const std::filesystem::path& model_directory, std::vector<MixtureMember> members,
               const Dataset& dataset, kernels::Backend& backend, KnownPart known);
  bool empty() const { return models_.empty(); }
  const Model& first() const { return models_.front(); }
  /// Of the data set's users and of all items; nothing if there are no members.
  FinishedVectors joined() const;
  /// The users' side of it for people by what they had: [B x the same width].
  kernels::FloatMatrix history_vectors(const Histories& people) const;

 private:
  std::vector<MixtureMember> members_;
  std::vector<Model> models_;
  kernels::Backend& backend_;
};

}  // namespace penchant::pipeline
