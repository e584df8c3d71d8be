// SPDX-License-Identifier: Apache-2.0
// A small generated shop, ingested and with its graphs, for tests of training and of what comes
// after it.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train.h"
#include "tests/pipeline/support/logs.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::testing {

class SmallShopTest : public ::testing::Test {
 protected:
  /// Ingesting is done once for all tests of a suite, since none of them changes the data.
  static void SetUpTestSuite();
  static void TearDownTestSuite();

  static const pipeline::Dataset& dataset() { return shop_->dataset; }
  static const pipeline::Graphs& graphs() { return shop_->graphs; }
  static kernels::Backend& backend() { return *shop_->backend; }
  /// The artefact.
  static std::filesystem::path data_path() { return shop_->folder.path() / "shop.data"; }
  std::filesystem::path at(const std::string& name) const { return folder_.path() / name; }
  nlohmann::json manifest(const std::string& name) const { return manifest_of(at(name)); }

  /// A recipe of a few short epochs with several steps each.
  static pipeline::TrainOptions recipe();
  pipeline::TrainReport train(const pipeline::TrainOptions& options, const std::string& name,
                              pipeline::Progress& progress = pipeline::silent_progress());

  TemporaryFolder folder_;

 private:
  struct Shop {
    TemporaryFolder folder;
    pipeline::Dataset dataset;
    pipeline::Graphs graphs;
    std::unique_ptr<kernels::Backend> backend;
  };
  static std::unique_ptr<Shop> shop_;
};

}  // namespace penchant::testing
