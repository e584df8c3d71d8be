// SPDX-License-Identifier: Apache-2.0
// What is forgotten is in no file, and the rest is what it was.
#include "pipeline/ingest/forget.h"

#include <algorithm>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/artifact_files.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/partition_stage.h"
#include "pipeline/data/tombstone.h"
#include "pipeline/ingest/append.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::all_rows;
using penchant::testing::attribute;
using penchant::testing::attribute_of;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::read_text;
using penchant::testing::rows_of;
using penchant::testing::write_text;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class Forget : public penchant::testing::IngestTest {
 protected:
  /// Rows "user,item,time,event,basket,part" of users u0 to u29 and items i0 to i39; every third row
  /// is of a user p0 to p4, some of these with an item that nobody else has, or with an item w0 to
  /// w2. All others come in the order of their numbers first.
  static Lines some_rows() {
    Lines rows;
    const auto add = [&](const std::string& user, const std::string& item) {
      const int row = static_cast<int>(rows.size());
      rows.push_back(fmt::format("{},{},{},{},{}{},{}", user, item, 1600000000 + 50 * row,
                                 row % 3 == 0 ? "cart" : "view", user[0] == 'p' ? 'c' : 'b',
                                 row / 2,
                                 row % 7 == 0   ? "test"
                                 : row % 5 == 0 ? "validation"
                                                : "train"));
    };
    for (int item = 0; item < 40; ++item)
      add(fmt::format("u{}", item % 30), fmt::format("i{}", item));
    for (int row = 0; row < 600; ++row) {
      const int drawn = (row * 7919) % 1009;
      const std::string item =
          row % 11 == 0 ? fmt::format("w{}", drawn % 3) : fmt::format("i{}", drawn % 40);
      if (row % 3 != 0)
        add(fmt::format("u{}", drawn % 30), item);
      else
        add(fmt::format("p{}", drawn % 5), row % 4 == 0 ? fmt::format("own{}", drawn % 9) : item);
    }
    return rows;
  }

  static Lines without(const Lines& rows, const std::string& word) {
    Lines rest;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(rest),
                 [&](const std::string& row) { return row.find(word) == std::string::npos; });
    return rest;
  }

  fs::path write_rows(const std::string& name, const Lines& rows) {
    std::string text = "user,item,time,event,basket,part\n";
    for (const std::string& row : rows) text += row + "\n";
    return write(name, text);
  }

  IngestOptions options() const {
    IngestOptions options;
    options.columns = {"user", "item", "time", "event", "", "basket"};
    options.split_method = graph::SplitMethod::leave_last_session;
    return options;
  }

  Dataset start(IngestOptions options, const fs::path& log, const std::string& name) {
    options.log.files = {log};
    pipeline::ingest(options, at(name), silent_progress());
    return read_dataset(at(name));
  }

  Dataset forget_in(const ForgetOptions& what, const std::string& from, const std::string& to) {
    forgotten_ = forget(what, at(from), at(to), silent_progress());
    return read_dataset(at(to));
  }

  /// The bytes of every file but the manifest.
  std::map<std::string, std::string> files(const std::string& name) const {
    std::map<std::string, std::string> found;
    for (const std::string& file : files_below(at(name)))
      if (file != kManifestName) found[file] = read_text(at(name) / file);
    return found;
  }

  ForgetReport forgotten_;
};

const std::vector<std::string> kPeople = {"p3", "p0", "p1", "p2", "p4"};

TEST_F(Forget, UsersAsIfTheirRowsHadNeverBeenThere) {
  const Lines rows = some_rows();
  const Dataset old = start(options(), write_rows("a.csv", rows), "x.data");
  const Dataset want = start(options(), write_rows("b.csv", without(rows, "p")), "want.data");
  // "p" is in no other word: that of the part column is not read.
  ASSERT_LT(want.num_users(), old.num_users());
  ASSERT_LT(want.num_items(), old.num_items());
  const Dataset got = forget_in({.users = kPeople}, "x.data", "x.data");
  EXPECT_EQ(files("x.data"), files("want.data"));
  EXPECT_EQ(got.hash, want.hash);
  EXPECT_EQ(got.repeated_share, want.repeated_share);
  EXPECT_NE(got.repeated_share, old.repeated_share);
  EXPECT_EQ(got.repeats_allowed, want.repeats_allowed);
  EXPECT_EQ(forgotten_.num_forgotten_users, 5);
  EXPECT_EQ(forgotten_.num_forgotten_items, 0);
  EXPECT_EQ(forgotten_.num_items_of_theirs, old.num_items() - want.num_items());
  EXPECT_EQ(forgotten_.num_users, want.num_users());
  EXPECT_EQ(forgotten_.num_items, want.num_items());
  EXPECT_EQ(forgotten_.num_users_left_without_rows, 0);
  EXPECT_THAT(
      forgotten_.rows,
      ElementsAre(old.split.train.interactions.size() - want.split.train.interactions.size(),
                  old.split.validation.size() - want.split.validation.size(),
                  old.split.test.size() - want.split.test.size()));
  for (const std::int64_t rows_of_part : forgotten_.rows) EXPECT_GT(rows_of_part, 0);
}

TEST_F(Forget, ItemsAsIfTheirRowsHadNeverBeenThere) {
  IngestOptions given = options();
  given.columns.part = "part";
  given.columns.session = "";
  given.split_method = graph::SplitMethod::given;
  const Lines rows = some_rows();
  start(given, write_rows("a.csv", rows), "x.data");
  const Dataset want = start(given, write_rows("b.csv", without(rows, ",w")), "want.data");
  write("items.txt", "w2\n\nw0\nw1\nw0\n");
  const Dataset got = forget_in({.items_file = at("items.txt")}, "x.data", "y.data");
  EXPECT_EQ(files("y.data"), files("want.data"));
  EXPECT_EQ(got.hash, want.hash);
  EXPECT_EQ(forgotten_.num_forgotten_items, 3);
  EXPECT_EQ(forgotten_.num_items_of_theirs, 0);
  EXPECT_THAT(read_dataset(at("x.data")).items.raw(40), "own0") << "x.data is as it was";
}

// An item table knows items that nobody has; an item that only one of them had is one like these.
TEST_F(Forget, WhatAnItemTableSaysStays) {
  IngestOptions with_items = options();
  with_items.attributes = {attribute("name", graph::AttributeKind::text), attribute("kind"),
                           attribute("price", graph::AttributeKind::numeric),
                           attribute("tags", graph::AttributeKind::list)};
  with_items.item_table.emplace();
  with_items.item_table->files = {
      write("items.csv",
            "item,name,kind,price,tags\nown1,One,rare,5,x|rare tag\ni2,Two,plain,,y|x\nw1,Wide,"
            "withdrawn,1,gone|y\nown2,,,7,\nown3,,,,\nnever,Never,plain,2,y\n")};
  const Dataset old = start(with_items, write_rows("a.csv", some_rows()), "x.data");
  const Dataset got = forget_in({.users = kPeople, .items = {{"w1"}}}, "x.data", "x.data");
  EXPECT_EQ(got.num_users(), 30);
  EXPECT_EQ(forgotten_.num_items_of_theirs, 7);
  const Lines names = attribute_of(got, "name");
  EXPECT_THAT(names, Contains("own1: One"));
  EXPECT_THAT(names, Contains("own2: "));
  EXPECT_THAT(names, Contains("never: Never"));
  EXPECT_THAT(names, Each(Not(HasSubstr("own3"))));
  EXPECT_THAT(names, Each(Not(HasSubstr("w1"))));
  // All the others are the old ones, in their order.
  for (const char* name : {"name", "kind", "price", "tags"}) {
    Lines want = attribute_of(old, name);
    const Lines now = attribute_of(got, name);
    std::erase_if(want, [&](const std::string& line) {
      return got.items.find(line.substr(0, line.find(':'))) == graph::kNoNode;
    });
    EXPECT_EQ(now, want) << name;
  }
  EXPECT_EQ(got.catalog.find("kind")->values.find("withdrawn"), graph::kNoNode);
  EXPECT_EQ(got.catalog.find("kind")->values.size(), 2);
  EXPECT_EQ(got.catalog.find("tags")->values.size(), 3);
}

TEST_F(Forget, NoFileHoldsWhatWasForgotten) {
  const std::string person = "forgotten-person-4711";
  const std::string item = "withdrawn-item-0815";
  Lines rows = some_rows();
  for (int row = 0; row < 20; ++row) {
    rows.push_back(fmt::format("{},i{},{},view,z{},", person, row, 1600000000 + 77 * row, row / 2));
    rows.push_back(fmt::format("u{},{},{},view,y{},", row, item, 1600000000 + 99 * row, row / 2));
  }
  rows.push_back("u1,i1," + person + ",view,c,");
  rows.push_back("u1,i1,1600000000," + item + ",c,");
  IngestOptions with_items = options();
  with_items.attributes = {attribute("name", graph::AttributeKind::text), attribute("kind")};
  with_items.item_table.emplace();
  with_items.item_table->files = {write(
      "items.csv",
      "item,name,kind\n" + item + ",name-of-it,kind-of-it\ni1,,plain\n" + item + ",again,again\n")};
  const Dataset old = start(with_items, write_rows("a.csv", rows), "x.data");
  const Graphs graphs = build_graphs(at("x.data"), old, {}, silent_progress());
  partition_graphs(at("x.data"), old, graphs, {.num_parts = 2}, silent_progress());
  const auto holding = [&](const std::string& word) {
    Lines names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      const std::string name = entry.path().lexically_relative(folder_.path()).string();
      if (entry.is_regular_file() && name.starts_with("x.") &&
          read_text(entry.path()).find(word) != std::string::npos)
        names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  };
  // Pages of a Parquet file are packed, but their statistics name the first and the last of the ids.
  EXPECT_THAT(holding(person), ElementsAre("x.data/manifest.json", "x.data/users.parquet"));
  EXPECT_THAT(holding(item), ElementsAre("x.data/items.parquet", "x.data/manifest.json"));
  EXPECT_TRUE(fs::exists(at("x.data/graph/manifest.json")));
  EXPECT_TRUE(fs::exists(at("x.data/partition/manifest.json")));

  const Dataset got = forget_in({.users = {{person}}, .items = {{item}}}, "x.data", "x.data");
  for (const std::string& word :
       {person, item, std::string("name-of-it"), std::string("kind-of-it")})
    EXPECT_THAT(holding(word), IsEmpty()) << word;
  EXPECT_EQ(got.users.find(person), graph::kNoNode);
  EXPECT_EQ(got.items.find(item), graph::kNoNode);
  EXPECT_EQ(got.catalog.find("kind")->values.find("kind-of-it"), graph::kNoNode);
  EXPECT_FALSE(fs::exists(at("x.data/graph"))) << "it is of the rows that are gone";
  EXPECT_FALSE(fs::exists(at("x.data/partition")));
  EXPECT_FALSE(fs::exists(at("x.data.unfinished")));
  // What became of the rows that were rejected is still counted.
  EXPECT_EQ(manifest("x.data").at("rows").at("rejected").size(), 2);
}

TEST_F(Forget, TheTombstoneCounts) {
  const Dataset old = start(options(), write_rows("a.csv", some_rows()), "x.data");
  EXPECT_THAT(tombstones_in(at("x.data")), IsEmpty());
  forget_in({.users = {{"p0", "p4", "p1", "nobody", "p2", "p3"}}}, "x.data", "x.data");
  const auto first = forgotten_;
  const Dataset got = forget_in({.items = {{"w1"}}}, "x.data", "x.data");
  const json stones = manifest("x.data").at("provenance").at("forgotten");
  ASSERT_EQ(stones.size(), 2);
  Lines keys;
  for (const auto& [key, value] : stones[0].items()) keys.push_back(key);
  EXPECT_THAT(keys, UnorderedElementsAre("when", "users", "items", "rows", "rows_until_ms"));
  EXPECT_EQ(stones[0]["users"], 5);
  EXPECT_EQ(stones[0]["items"], first.num_items_of_theirs);
  EXPECT_GT(first.num_items_of_theirs, 1);
  EXPECT_EQ(stones[0]["rows"], first.rows[0] + first.rows[1] + first.rows[2]);
  EXPECT_EQ(stones[1]["users"], 0);
  EXPECT_EQ(stones[1]["items"], 1);
  const std::string when = stones[1]["when"];
  EXPECT_EQ(when.substr(0, 2) + when.substr(19), "20Z");
  // The last row is of 2020-09-13T21:..: the tombstone names the day.
  EXPECT_EQ(stones[1]["rows_until_ms"], 1600041599999);
  EXPECT_EQ(told(tombstones_in(at("x.data"))),
            fmt::format("has forgotten 5 users, {} items and {} rows, last on {}",
                        first.num_items_of_theirs + 1,
                        stones[0]["rows"].get<int>() + stones[1]["rows"].get<int>(), when));
  EXPECT_EQ(got.num_users(), old.num_users() - 5);
}

TEST_F(Forget, IdsThatAreNotKnown) {
  const std::string hash = start(options(), write_rows("a.csv", some_rows()), "x.data").hash;
  write("users.txt", "nobody\np1\nsomebody\n\np1\n");
  forget_in({.users_file = at("users.txt"), .items = {{"w1", "no such item"}}}, "x.data", "y.data");
  EXPECT_EQ(forgotten_.num_forgotten_users, 1);
  EXPECT_EQ(forgotten_.num_unknown_users, 2);
  EXPECT_EQ(forgotten_.num_forgotten_items, 1);
  EXPECT_EQ(forgotten_.num_unknown_items, 1);

  write("wrong.txt", "i1\ni2\n");
  const auto refusal = [&](const ForgetOptions& what) {
    return input_error_of([&] { forget(what, at("x.data"), at("x.data"), silent_progress()); });
  };
  EXPECT_THAT(refusal({.users_file = at("wrong.txt")}),
              AllOf(HasSubstr("wrong.txt: none of its 2 ids is among the users of"),
                    HasSubstr("x.data"), Not(HasSubstr("i1"))));
  EXPECT_THAT(refusal({.users = {{"p1"}}, .items = {{"p1"}}}),
              HasSubstr("items: none of its 1 ids is among the items of"));
  EXPECT_THAT(refusal({.users = {std::vector<std::string>()}}), HasSubstr("none of its 0 ids"));
  EXPECT_THAT(refusal({}), HasSubstr("nothing to forget was given (--users FILE, --items FILE)"));
  write("empty.txt", "\n");
  EXPECT_THAT(refusal({.users_file = at("empty.txt")}), HasSubstr("empty.txt: holds no id"));
  EXPECT_THAT(refusal({.users_file = at("nowhere.txt")}), HasSubstr("nowhere.txt"));
  EXPECT_EQ(read_dataset(at("x.data")).hash, hash);
  EXPECT_FALSE(fs::exists(at("x.data.unfinished")));
}

TEST_F(Forget, SomethingMustBeLeft) {
  const Dataset old = start(options(), write_rows("a.csv", some_rows()), "x.data");
  std::vector<std::string> all;
  for (graph::NodeId user = 0; user < old.num_users(); ++user)
    all.emplace_back(old.users.raw(user));
  EXPECT_THAT(
      input_error_of([&] { forget_in({.users = all}, "x.data", "x.data"); }),
      AllOf(HasSubstr("no training row"), HasSubstr("x.data"), HasSubstr("remove the folder")));
  // Of users that are held out alone nothing can be learnt.
  write("b.csv", "user,item,time,event,basket,part\na,x,1,view,1,train\nb,x,2,view,2,test\n");
  IngestOptions given = options();
  given.columns.part = "part";
  given.split_method = graph::SplitMethod::given;
  given.validation_fraction = 0;
  start(given, at("b.csv"), "given.data");
  EXPECT_THAT(input_error_of([&] { forget_in({.users = {{"a"}}}, "given.data", "given.data"); }),
              HasSubstr("no training row"));
  EXPECT_EQ(read_dataset(at("x.data")).hash, old.hash);
}

// They did not ask to be forgotten: the shop still knows them.
TEST_F(Forget, UsersWhoseItemsWentStay) {
  Lines rows = some_rows();
  rows.insert(rows.begin() + 50, "only w,w1,1600000111,view,q,");
  const Dataset old = start(options(), write_rows("a.csv", rows), "x.data");
  const Dataset got = forget_in({.items = {{"w1"}}}, "x.data", "x.data");
  EXPECT_EQ(got.num_users(), old.num_users());
  EXPECT_EQ(forgotten_.num_users_left_without_rows, 1);
  const graph::NodeId left = got.users.find("only w");
  ASSERT_EQ(left, old.users.find("only w"));
  EXPECT_EQ(got.user_statistics.count[static_cast<std::size_t>(left)], 0);
  EXPECT_EQ(forget_in({.users = {{"only w"}}}, "x.data", "x.data").num_users(),
            old.num_users() - 1);
  EXPECT_EQ(forgotten_.rows, (std::array<std::int64_t, 3>{}));
}

// A process that was killed after the exchange leaves the old version beside the new one.
TEST_F(Forget, WhatAKilledOneLeftGoesWithTheNext) {
  start(options(), write_rows("a.csv", some_rows()), "x.data");
  for (const bool with_manifest : {true, false}) {
    fs::copy(at("x.data"), at("x.data.unfinished"), fs::copy_options::recursive);
    if (!with_manifest) fs::remove(at("x.data.unfinished") / kManifestName);
    write_text(at("x.data.unfinished/unfinished"),
               R"({"kind": "data", "program": "penchant", "process": 1, "since": "", "host": ""})");
    EXPECT_THAT(input_error_of([&] { forget_in({.users = {{"nobody"}}}, "x.data", "x.data"); }),
                HasSubstr("none of its 1 ids"));
    EXPECT_FALSE(fs::exists(at("x.data.unfinished"))) << with_manifest;
  }
}

TEST_F(Forget, TellsWhatMayStillHoldIt) {
  const Dataset old = start(options(), write_rows("a.csv", some_rows()), "x.data");
  fs::copy(at("x.data"), at("copy.data"), fs::copy_options::recursive);
  write_text(at("x.data/notes.txt"), "p1 called");
  const auto artefact = [&](const std::string& name, const char* kind, json manifest) {
    ArtifactWriter(at(name), kind).finish(std::move(manifest));
  };
  artefact("x.model", kModelArtifact, {{"data_hash", old.hash}});
  artefact("other.model", kModelArtifact, {{"data_hash", "of another"}});
  artefact("x.delta", kDeltaArtifact,
           {{"since", {{"data_hash", "earlier"}}}, {"embeddings", {{"data_hash", old.hash}}}});
  const auto told_places = [&] {
    Lines lines;
    for (const RemainingPlace& place : forgotten_.remaining)
      lines.push_back(place.kind + " " + place.path.lexically_relative(folder_.path()).string());
    return lines;
  };
  forget_in({.users = {{"p1"}}}, "x.data", "y.data");
  EXPECT_THAT(told_places(), ElementsAre("data copy.data", "data x.data", "file x.data/notes.txt",
                                         "delta x.delta", "model x.model"));
  forget_in({.users = {{"p1"}}}, "x.data", "x.data");
  EXPECT_THAT(told_places(), ElementsAre("data copy.data", "file x.data/notes.txt", "delta x.delta",
                                         "model x.model"));
  EXPECT_EQ(read_text(at("x.data/notes.txt")), "p1 called");
}

// Ids have closed up, so that a model of an earlier version cannot be told its rows any more.
TEST_F(Forget, WhatItHasGrownFromIsNotNamedAnyMore) {
  const IngestOptions settings = options();
  const Dataset first = start(settings, write_rows("a.csv", some_rows()), "x.data");
  fs::copy(at("x.data"), at("x.data.v1"), fs::copy_options::recursive);
  ArtifactWriter(at("x.model"), kModelArtifact).finish({{"data_hash", first.hash}});
  IngestOptions more = settings;
  more.log.files = {write_rows("b.csv", {"u1,i1,1700000000,view,n,"})};
  append(more, at("x.data"), at("x.data"), silent_progress());
  EXPECT_EQ(manifest("x.data").at("provenance").at("earlier")[0]["hash"], first.hash);
  forget_in({.users = {{"p1"}}}, "x.data", "x.data");
  EXPECT_FALSE(manifest("x.data").at("provenance").contains("earlier"));
  EXPECT_EQ(manifest("x.data").at("provenance").at("version"), 3);
  ASSERT_EQ(forgotten_.remaining.size(), 2);
  EXPECT_EQ(forgotten_.remaining[0].path, at("x.data.v1"));
  EXPECT_EQ(forgotten_.remaining[1].path, at("x.model"));
}

// Nothing in the data set knows who was forgotten, so that what comes with old rows is told.
TEST_F(Forget, AnOldFileBringsItBackNotUnnoticed) {
  const Lines rows = some_rows();
  const IngestOptions settings = options();
  start(settings, write_rows("a.csv", rows), "x.data");
  const auto add = [&](const fs::path& file, const std::string& to) {
    IngestOptions more = settings;
    more.log.files = {file};
    return append(more, at("x.data"), at(to), silent_progress());
  };
  const fs::path grown = write_rows("grown.csv", [&] {
    Lines more = rows;
    more.push_back("new,i1,1700000000,view,n,");
    more.push_back("new,new item,1700000001,view,n,");
    return more;
  }());
  EXPECT_EQ(add(grown, "y.data").num_users_from_before, 0) << "nothing was forgotten";
  forget_in({.users = kPeople, .items = {{"w1", "w2"}}}, "x.data", "x.data");
  const std::string hash = read_dataset(at("x.data")).hash;
  EXPECT_THAT(add(at("a.csv"), "x.data").known_files, ElementsAre(at("a.csv").string()));
  EXPECT_EQ(read_dataset(at("x.data")).hash, hash);
  const AppendReport report = add(grown, "y.data");
  EXPECT_EQ(report.num_new_users, 6);
  EXPECT_EQ(report.num_users_from_before, 5);
  EXPECT_EQ(report.num_items_from_before, report.num_new_items - 1);
  EXPECT_EQ(tombstones_in(at("y.data")).size(), 1) << "it is kept";
  // Rows that are later than all that is there are of nobody who was forgotten.
  EXPECT_EQ(add(write_rows("later.csv", {"p1,own1,1700000000,view,n,"}), "y.data").num_new_users,
            1);
  EXPECT_EQ(add(at("later.csv"), "y.data").num_users_from_before, 0);
  // Forgotten again, it is as it was but for what is new.
  add(grown, "y.data");
  forget_in({.users = kPeople, .items = {{"w1", "w2"}}}, "y.data", "y.data");
  const auto plain = [](const Dataset& data) {
    Lines lines = all_rows(data);
    for (std::string& line : lines) line.resize(line.rfind(" s"));
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  Lines want = plain(read_dataset(at("x.data")));
  want.push_back("new i1 1 t1700000000000 eview");
  want.push_back("new new item 1 t1700000001000 eview");
  std::sort(want.begin(), want.end());
  EXPECT_EQ(plain(read_dataset(at("y.data"))), want);
}

TEST_F(Forget, WithoutTimesAnyRowMayBeFromBefore) {
  IngestOptions pairs = options();
  pairs.columns = {"user", "item", "", "", "", ""};
  pairs.split_method = graph::SplitMethod::random_per_user;
  start(pairs, write_rows("a.csv", some_rows()), "x.data");
  forget_in({.users = kPeople}, "x.data", "x.data");
  EXPECT_FALSE(manifest("x.data").at("provenance").at("forgotten")[0].contains("rows_until_ms"));
  pairs.log.files = {write_rows("b.csv", {"p1,i1,,,,", "new,i1,,,,"})};
  EXPECT_EQ(append(pairs, at("x.data"), at("x.data"), silent_progress()).num_users_from_before, 2);
}

TEST_F(Forget, ANewIngestSaysThatItMayComeBack) {
  IngestOptions settings = options();
  settings.log.files = {write_rows("a.csv", some_rows())};
  ingest(settings);
  const Lines before = warnings_;
  forget_in({.users = {{"p1"}}}, "x.data", "x.data");
  ingest(settings);
  Lines more = warnings_;
  for (const std::string& known : before) std::erase(more, known);
  EXPECT_THAT(more, ElementsAre(AllOf(HasSubstr("x.data"), HasSubstr("has forgotten 1 user,"),
                                      HasSubstr("comes back if the files still hold it"))));
  ingest(settings);
  EXPECT_EQ(warnings_, before) << "the new one has forgotten nothing";
}

}  // namespace
}  // namespace penchant::pipeline
