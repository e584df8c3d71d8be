// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/member_models.h"

#include <utility>

namespace penchant::pipeline {

using kernels::FloatMatrix;

MemberModels::MemberModels(const std::filesystem::path& model_directory,
                           std::vector<MixtureMember> members, const Dataset& dataset,
                           kernels::Backend& backend, KnownPart known)
    : members_(std::move(members)), backend_(backend) {
  for (const MixtureMember& member : members_)
    models_.push_back(Model::open(model_directory / member.folder, dataset, backend, known));
}

FinishedVectors MemberModels::joined() const {
  if (models_.empty()) return {};
  std::vector<WeightedVectors> weighted;
  for (std::size_t k = 0; k < models_.size(); ++k) {
    const Model& model = models_[k];
    weighted.push_back({{model.users(), model.items(), model.layout()}, members_[k].weight});
  }
  return pipeline::joined(weighted, backend_);
}

FloatMatrix MemberModels::history_vectors(const Histories& people) const {
  const auto columns_of = [](const Model& model) {
    return model.layout().embedding_dim + model.layout().new_item_columns;
  };
  std::int64_t width = 0;
  for (const Model& model : models_) width += columns_of(model);
  FloatMatrix all = backend_.matrix<float>(people.size(), width);
  std::int64_t column = 0;
  for (std::size_t k = 0; k < models_.size(); ++k) {
    const FloatMatrix own = models_[k].history_vectors(people);
    const std::int64_t columns = columns_of(models_[k]);
    backend_.axpby(static_cast<float>(members_[k].weight), own.view().cols_of(0, columns), 0.0F,
                   all.view().cols_of(column, columns));
    column += columns;
  }
  backend_.sync();
  return all;
}

}  // namespace penchant::pipeline
