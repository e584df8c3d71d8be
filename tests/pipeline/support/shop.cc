// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/support/shop.h"

#include <fmt/core.h>

#include "graph/shop.h"
#include "pipeline/training/recipes.h"

namespace penchant::testing {

using pipeline::IngestOptions;
using pipeline::TrainOptions;

std::unique_ptr<SmallShopTest::Shop> SmallShopTest::shop_;

void SmallShopTest::SetUpTestSuite() {
  shop_ = std::make_unique<Shop>();
  graph::ShopOptions shape;
  shape.num_users = 200;
  shape.num_items = 90;
  shape.num_events = 4000;
  shape.share_unsold = 0.05;
  const graph::Shop generated(shape);
  std::string events = "user,item,time\n";
  for (std::int64_t k = 0; k < shape.num_events; ++k) {
    const graph::GeneratedEvent event = generated.event(k);
    events += fmt::format("u{},i{},{}\n", event.user, event.item, event.time_ms);
  }
  std::string items = "item,category\n";
  for (std::size_t item = 0; item < generated.items().size(); ++item) {
    items += fmt::format("i{},c{}\n", item, generated.items()[item].category);
  }
  items += "plain,\n";  // never sold, and nothing is known of it
  const std::filesystem::path folder = shop_->folder.path();
  write_text(folder / "events.csv", events);
  write_text(folder / "items.csv", items);
  IngestOptions options;
  options.log.files = {folder / "events.csv"};
  options.columns = {"user", "item", "time", "", "", ""};
  options.item_table = pipeline::TableSource{{folder / "items.csv"}, {}};
  options.attributes = {attribute("category")};
  options.repeats = pipeline::RepeatPolicy::sum;
  pipeline::ingest(options, folder / "shop.data", pipeline::silent_progress());
  shop_->dataset = pipeline::read_dataset(folder / "shop.data");
  shop_->graphs = pipeline::make_graphs(shop_->dataset.split.train, shop_->dataset, {});
  shop_->backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
}

void SmallShopTest::TearDownTestSuite() { shop_.reset(); }

TrainOptions SmallShopTest::recipe() {
  TrainOptions options = pipeline::recipe_of(models::ModelKind::lightgcn);
  options.model.embedding_dim = 16;
  options.model.num_layers = 2;
  options.epochs = 4;
  options.batch_size = 256;
  options.num_negatives = 64;
  options.calibrate_popularity = false;
  options.blend_filter = false;
  options.retry_lower_rate = false;
  options.node_order = pipeline::NodeOrder::none;
  return options;
}

pipeline::TrainReport SmallShopTest::train(const TrainOptions& options, const std::string& name,
                                           pipeline::Progress& progress) {
  return pipeline::train(dataset(), graphs(), options, "", at(name), backend(), progress);
}

}  // namespace penchant::testing
