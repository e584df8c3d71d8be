// SPDX-License-Identifier: Apache-2.0
// penchant generate: a seeded shop with planted interests, as CSV files and a configuration that
// runs on them.
#include <fstream>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/shop.h"
#include "pipeline/artifact/folder.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/command/verbs.h"
#include "pipeline/ingest/shop_files.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

void write_items(const graph::Shop& shop, const fs::path& path) {
  write_file_atomically(path, [&](std::ostream& out) {
    out << "item,name,category,brand,price\n";
    for (std::size_t item = 0; item < shop.items().size(); ++item) {
      const graph::ShopItem& row = shop.items()[item];
      out << fmt::format("i{},Item {} of category {},category{},brand{},{:.2f}\n", item, item,
                         row.category, row.category, row.brand, row.price);
    }
  });
}

void write_truth(const graph::Shop& shop, const fs::path& path) {
  nlohmann::json users;
  for (std::int64_t user = 0; user < shop.options().num_users; ++user) {
    users[fmt::format("u{}", user)] = shop.user_interests(static_cast<graph::NodeId>(user));
  }
  write_file_atomically(path,
                        nlohmann::json{{"user_interests", users},
                                       {"item_interest", "item number modulo number of interests"}}
                                .dump() +
                            "\n");
}

constexpr const char* kConfig = R"(# A generated shop. Run: penchant run shop.toml
[data]
out = "shop.data"
log = ["events.csv"]
repeats = "sum"

[data.columns]
user = "user"
item = "item"
event = "event"
time = "time"
session = "session"

[data.items]
table = ["items.csv"]
key = "item"

[[data.attributes]]
column = "name"
kind = "text"

[[data.attributes]]
column = "category"

[[data.attributes]]
column = "brand"

[[data.attributes]]
column = "price"
kind = "numeric"

[model]
out = "shop.model"

[embeddings]
out = "shop.embeddings"
)";

}  // namespace

void add_generate_verb(CLI::App& program, Invocation& invocation) {
  struct Flags {
    std::string out;
    graph::ShopOptions shop;
    std::uint64_t seed = 42;
    bool truth = false;
  };
  const auto flags = std::make_shared<Flags>();
  auto* verb = program.add_subcommand(
      "generate",
      "Write a generated shop with planted interests: events.csv, items.csv, shop.toml");
  add_common_options(*verb, invocation, UsesDevice::no);
  verb->add_option("--out", flags->out, "Folder to write into")->required();
  verb->add_option("--users", flags->shop.num_users, "Users")->capture_default_str();
  verb->add_option("--items", flags->shop.num_items, "Items")->capture_default_str();
  verb->add_option("--events", flags->shop.num_events, "Events")->capture_default_str();
  verb->add_option("--interests", flags->shop.num_interests, "Hidden interests")
      ->capture_default_str();
  verb->add_option("--brands", flags->shop.num_brands, "Brands")->capture_default_str();
  verb->add_option("--noise", flags->shop.noise, "Share of events outside a user's interests")
      ->capture_default_str();
  verb->add_option("--unsold", flags->shop.share_unsold, "Share of items that nobody touches")
      ->capture_default_str();
  verb->add_option("--seed", flags->seed, "Seed")->capture_default_str();
  verb->add_flag("--truth", flags->truth, "Also write truth.json: the planted interests");
  verb->callback([flags, &invocation] {
    invocation.config_for("generate");
    flags->shop.seed = static_cast<graph::Seed>(flags->seed);
    const graph::Shop shop(flags->shop);
    TerminalProgress progress = invocation.progress();
    progress.begin("generate");
    const fs::path out = flags->out;
    create_folder(out);
    write_shop_events(shop, out / "events.csv", progress);
    write_items(shop, out / "items.csv");
    if (flags->truth) write_truth(shop, out / "truth.json");
    write_file_atomically(out / "shop.toml", kConfig);
    progress.end(fmt::format("{} events of {} users and {} items", shop.options().num_events,
                             shop.options().num_users, shop.options().num_items));
    if (invocation.json) {
      print(nlohmann::json{{"out", out.string()}, {"events", shop.options().num_events}}.dump(2) +
            "\n");
    } else {
      print_text(fmt::format("{}: events.csv, items.csv, shop.toml\n", out.string()));
    }
  });
}

}  // namespace penchant::pipeline
