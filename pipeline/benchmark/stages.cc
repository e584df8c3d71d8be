// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/stages.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/item_graph.h"
#include "graph/random.h"
#include "graph/shop.h"
#include "partition/partition.h"
#include "pipeline/artifact/folder.h"
#include "pipeline/artifact/npy_file.h"
#include "pipeline/benchmark/graph.h"
#include "pipeline/benchmark/oracle.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/shop_files.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;

namespace {

constexpr std::int64_t kSamples = 16;

/// A tenth as many users as events, and a fiftieth as many items.
graph::Shop shop_of(const BenchOptions& options) {
  graph::ShopOptions shop;
  shop.num_events = options.events;
  shop.num_users = std::max<std::int64_t>(1, options.events / 10);
  shop.num_items = std::max<std::int64_t>(1, options.events / 50);
  shop.seed = options.seed;
  return graph::Shop(shop);
}

/// Removes its folder when it ends.
class ScratchFolder {
 public:
  ScratchFolder() : path_(fs::temp_directory_path() / fmt::format("penchant-bench-{}", getpid())) {
    create_folder(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class Ingest final : public Workload {
 public:
  explicit Ingest(const BenchContext& context) : shop_(shop_of(context.options)) {
    write_shop_events(shop_, log(), silent_progress());
    options_.log.files = {log()};
    options_.columns = {"user", "item", "time", "event", "", "session", ""};
  }
  void run() override { report_ = ingest(options_, data(), silent_progress()); }
  std::string verify() override {
    run();
    const std::int64_t want = shop_.options().num_events;
    require_near("the number of rows that ingest kept", 0, static_cast<double>(report_.rows.kept),
                 static_cast<double>(want), 0.0);
    const std::map<NodeId, std::vector<TimedItem>> users = users_of_log();
    std::map<NodeId, std::vector<TimedItem>> found = users_of_data(users);
    for (const auto& [user, events] : users)
      require_events(user_name(user), std::move(found[user]), events);
    return fmt::format("{} rows counted, all events of {} users", want, users.size());
  }
  BenchWork work() const override {
    return {"events", static_cast<double>(shop_.options().num_events), 0, 0, 0};
  }
  std::string note() const override {
    return fmt::format("CSV of {} bytes to X.data", fs::file_size(log()));
  }

 private:
  static std::string user_name(NodeId user) { return fmt::format("u{}", user); }

  /// The events of users spread over the log, as they were written.
  std::map<NodeId, std::vector<TimedItem>> users_of_log() const {
    const std::int64_t size = shop_.options().num_events;
    std::map<NodeId, std::vector<TimedItem>> users;
    for (std::int64_t k = 0; k < kSamples; ++k)
      users[shop_.event(k * (size - 1) / (kSamples - 1)).user];
    for (std::int64_t k = 0; k < size; ++k) {
      const graph::GeneratedEvent event = shop_.event(k);
      const auto user = users.find(event.user);
      if (user != users.end())
        user->second.push_back({event.time_ms, fmt::format("i{}", event.item)});
    }
    return users;
  }

  /// The same users' events in all three parts of the data set.
  std::map<NodeId, std::vector<TimedItem>> users_of_data(
      const std::map<NodeId, std::vector<TimedItem>>& users) const {
    const Dataset dataset = read_dataset(data());
    std::map<NodeId, std::vector<TimedItem>> found;
    for (const auto& [user, events] : users) {
      const NodeId id = dataset.users.find(user_name(user));
      if (id == graph::kNoNode) continue;
      for (const graph::Interactions* part :
           {&dataset.split.train.interactions, &dataset.split.validation, &dataset.split.test}) {
        for (std::size_t row = 0; row < part->user.size(); ++row) {
          if (part->user[row] == id)
            found[user].push_back(
                {part->time_ms[row], std::string(dataset.items.raw(part->item[row]))});
        }
      }
    }
    return found;
  }

  fs::path log() const { return scratch_.path() / "events.csv"; }
  fs::path data() const { return scratch_.path() / "shop.data"; }

  ScratchFolder scratch_;
  graph::Shop shop_;
  IngestOptions options_;
  IngestReport report_;
};

class GraphBuild final : public Workload {
 public:
  explicit GraphBuild(const BenchContext& context) : context_(context) {
    PENCHANT_ASSERT(context.events != nullptr);
    options_.all_attributes = false;
  }
  void run() override {
    user_item_ =
        graph::build_user_item_graph(*context_.events, context_.num_users, context_.num_items);
    catalog_.num_items = context_.num_items;
    items_ = graph::build_item_graph(*context_.events, catalog_, options_);
  }
  std::string verify() override {
    run();
    const graph::Interactions& log = context_.events->interactions;
    for (std::int64_t k = 0; k < kSamples; ++k) {
      const auto row = static_cast<std::size_t>(k * (log.size() - 1) / (kSamples - 1));
      require_user_row(log, user_item_, log.user[row]);
      require_cooccurrence(log, items_.relations.at(0).edges.view(), log.item[row],
                           options_.cooccurrence_options.window,
                           options_.cooccurrence_options.top_k);
    }
    return fmt::format("rows of {} users and {} items", kSamples, kSamples);
  }
  BenchWork work() const override {
    return {"events", static_cast<double>(context_.events->interactions.size()), 0, 0, 0};
  }
  std::string note() const override {
    return fmt::format("{} user-item edges, {} co-occurrence edges",
                       user_item_.user_items.columns.size(),
                       items_.relations.empty() ? 0 : items_.relations[0].edges.columns.size());
  }

 private:
  const BenchContext context_;
  graph::Catalog catalog_;
  graph::ItemGraphOptions options_;
  graph::UserItemGraph user_item_;
  graph::ItemGraph items_;
};

class Partition final : public Workload {
 public:
  explicit Partition(const BenchContext& context) : context_(context) {
    options_.num_parts = context.what.parts;
    options_.seed = context.options.seed;
  }
  void run() override {
    parts_ = partition::partition_nodes(context_.graph.adjacency.view(), options_);
  }
  std::string verify() override {
    run();
    const graph::CsrView a = context_.graph.adjacency.view();
    require_near("the number of nodes with a part", 0, static_cast<double>(parts_.size()),
                 static_cast<double>(a.num_rows), 0.0);
    std::int64_t cut = 0;
    for (std::int64_t row = 0; row < a.num_rows; ++row) {
      const NodeId part = parts_[static_cast<std::size_t>(row)];
      if (part < 0 || part >= options_.num_parts)
        throw DeviceError(fmt::format("bench: partition put node {} into part {}", row, part));
      for (const NodeId column : a.row(row))
        cut += parts_[static_cast<std::size_t>(column)] != part ? 1 : 0;
    }
    quality_ = partition::measure_quality(a, parts_, options_.num_parts);
    require_near("the number of edges cut", 0, static_cast<double>(quality_.edge_cut),
                 static_cast<double>(cut) / 2.0, 0.0);
    return "the part of every node, every edge cut";
  }
  BenchWork work() const override {
    return {"edges", static_cast<double>(context_.graph.adjacency.columns.size()), 0, 0, 0};
  }
  std::string note() const override {
    return fmt::format("{} parts, {:.1f} % of edges cut, balance {:.3f}", options_.num_parts,
                       100.0 * quality_.cut_share, quality_.balance);
  }

 private:
  const BenchContext context_;
  partition::PartitionOptions options_;
  partition::Quality quality_;
  std::vector<NodeId> parts_;
};

}  // namespace

// Events come in time order: a stable counting sort by user leaves each user's in it.
graph::TrainingPart generated_events(const BenchOptions& options, std::int64_t& num_users,
                                     std::int64_t& num_items) {
  const graph::Shop shop = shop_of(options);
  num_users = shop.options().num_users;
  num_items = shop.options().num_items;
  const std::int64_t size = shop.options().num_events;
  std::vector<NodeId> user(static_cast<std::size_t>(size));
  std::vector<NodeId> item(static_cast<std::size_t>(size));
#pragma omp parallel for schedule(static)
  for (std::int64_t k = 0; k < size; ++k) {
    const graph::GeneratedEvent event = shop.event(k);
    user[static_cast<std::size_t>(k)] = event.user;
    item[static_cast<std::size_t>(k)] = event.item;
  }
  std::vector<std::int64_t> next(static_cast<std::size_t>(num_users) + 1, 0);
  for (const NodeId id : user) ++next[static_cast<std::size_t>(id) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  graph::TrainingPart part;
  graph::Interactions& log = part.interactions;
  log.user.resize(user.size());
  log.item.resize(user.size());
  log.weight.assign(user.size(), 1.0F);
  log.time_ms.resize(user.size());
  for (std::size_t k = 0; k < user.size(); ++k) {
    const auto place = static_cast<std::size_t>(next[static_cast<std::size_t>(user[k])]++);
    log.user[place] = user[k];
    log.item[place] = item[k];
    log.time_ms[place] = static_cast<std::int64_t>(k);
  }
  return part;
}

void export_events(const BenchOptions& options, const fs::path& folder) {
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  const graph::TrainingPart events = generated_events(options, num_users, num_items);
  create_folder(folder);
  write_npy_file(folder / "user.npy", events.interactions.user);
  write_npy_file(folder / "item.npy", events.interactions.item);
}

std::unique_ptr<Workload> make_stage_workload(const BenchContext& context) {
  switch (context.what.workload) {
    case BenchWorkload::ingest:
      return std::make_unique<Ingest>(context);
    case BenchWorkload::graph_build:
      return std::make_unique<GraphBuild>(context);
    default:
      break;
  }
  PENCHANT_ASSERT(context.what.workload == BenchWorkload::partition);
  return std::make_unique<Partition>(context);
}

}  // namespace penchant::pipeline
