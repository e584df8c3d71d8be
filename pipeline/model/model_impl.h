// SPDX-License-Identifier: Apache-2.0
// What a Model holds, for the files that implement it: model.cc opens it and answers for the users
// of the data set, model_people.cc for people by what they had.
#pragma once

#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/npy.h"
#include "models/graph_filter.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/member_models.h"
#include "pipeline/model/model.h"
#include "pipeline/model/model_facts.h"
#include "pipeline/model/people_vectors.h"
#include "pipeline/model/private_model.h"
#include "pipeline/model/stored_vectors.h"

namespace penchant::pipeline {

inline constexpr std::int64_t kAllEvents = std::numeric_limits<std::int64_t>::max();
/// In the place of a user: only people by what they had are asked for.
inline constexpr graph::NodeId kPeople = -2;

/// How vectors of several people are made. A network and a fold-in add up in another order for
/// another number of people, whose last bits differ then.
enum class Encoding { together, one_by_one };

/// The vectors of all users or all items, wherever they lie.
class VectorTable {
 public:
  void own(kernels::FloatMatrix matrix) {
    owned_ = std::move(matrix);
    file_.reset();
  }
  void map(std::filesystem::path path, std::int64_t rows, std::int64_t cols) {
    path_ = std::move(path);
    file_ = map_vectors(path_, rows, cols);
  }
  /// Of what is mapped: pipeline/model/stored_vectors.h.
  void require_finite(std::int64_t first, std::int64_t count) const {
    if (file_) pipeline::require_finite(mapped().rows_of(first, count), path_, first);
  }
  /// On the backend's device: mapped, or a copy made by the first call.
  kernels::ConstFloatView view(kernels::Backend& backend) {
    if (file_ && backend.device() == kernels::Device::cpu) return mapped();
    if (file_ && owned_.rows() == 0) {
      owned_ = backend.matrix<float>(file_->rows(), file_->cols());
      backend.copy(mapped(), owned_.view());
      backend.sync();
    }
    return std::as_const(owned_).view();
  }

 private:
  kernels::ConstFloatView mapped() const {
    return {file_->values().data(), file_->rows(), file_->cols(), file_->cols(),
            kernels::Device::cpu};
  }

  std::filesystem::path path_;
  std::optional<graph::MappedNpy<float>> file_;
  kernels::FloatMatrix owned_;
};

struct Model::Impl {
  const Dataset& dataset;
  kernels::Backend& backend;
  std::filesystem::path directory = {};
  std::string identity = {};  ///< of the manifest that was read
  nlohmann::json manifest = {};
  KnownPart known = KnownPart::train_and_validation;
  ModelFacts facts = {};
  std::optional<VectorValidation> validation = {};
  VectorLayout layout = {};
  VectorTable users = {}, items = {};
  bool items_finite = false;  ///< known to be
  bool has_scorer = false, has_interest = false;
  graph::NodeId scored_user = graph::kNoNode;     ///< the only one that the scorer knows; or all
  std::shared_ptr<models::Scorer> scorer = {};    ///< null until it is made
  std::unique_ptr<InterestScorer> interest = {};  ///< null until it is made
  std::optional<Dataset> whole = {};              ///< of a data set read for look-ups
  std::optional<Histories> histories = {};
  std::optional<PrivateItems> private_items = {};  ///< of a private model
  std::unique_ptr<MemberModels> members = {};          ///< of a mixture; null until they are opened
  std::unique_ptr<models::GraphFilter> filter = {};    ///< null until its vectors are asked for
  std::unique_ptr<PeopleVectors> people_vectors = {};  ///< null until they are made

  void open();
  void open_vectors();
  void require_finite(graph::NodeId user);
  const Dataset& all_of_it();
  models::Scorer* scorer_of(graph::NodeId user);
  void make_scorer(graph::NodeId user);
  const MemberModels& opened_members(graph::NodeId user);
  graph::UserItemGraph make_links() const;
  Graphs make_graphs_of(const Dataset& data) const;
  InterestScorer* made_interest();
  void own_users();

  kernels::FloatMatrix history_scores(const Histories& people, Encoding encoding);
  kernels::FloatMatrix history_vectors(const Histories& people);
  kernels::FloatMatrix member_vectors(const Histories& people);
  kernels::FloatMatrix taught_vectors(const Histories& people, const graph::Csr& rows);
  kernels::FloatMatrix first_members_vectors(const Histories& people);
  const PeopleVectors& vectors_of_people();
  const models::GraphFilter& filter_alone();

  bool is_automatic() const { return facts.kind == models::ModelKind::automatic; }
  bool is_taught() const { return is_automatic() && is_distilled(manifest.at("model")); }
  std::string upgrade() const {
    return fmt::format("`penchant upgrade {} {}`", dataset.directory.string(), directory.string());
  }
  /// What reads the vectors: its errors say what makes them again.
  template <typename Read>
  void reading_vectors(Read read) const {
    try {
      read();
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}; {} writes the vectors again", error.what(), upgrade()));
    }
  }
  /// Before files are read that belong to those read before.
  void require_same() const {
    if (manifest_identity(directory) != identity) {
      throw InputError(fmt::format("{}: was replaced while it was in use", directory.string()));
    }
  }
};

}  // namespace penchant::pipeline
