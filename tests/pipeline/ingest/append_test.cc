// SPDX-License-Identifier: Apache-2.0
// Rows that come later: what is there stays, and nothing is lost or taken in twice.
#include "pipeline/ingest/append.h"

#include <algorithm>
#include <random>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/artifact/progress.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::all_rows;
using penchant::testing::attribute;
using penchant::testing::attribute_of;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::rows_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The names of ids below `count`, in their order.
Lines first_ids(const graph::Dictionary& dictionary, std::int64_t count) {
  Lines ids;
  for (std::int64_t id = 0; id < count; ++id)
    ids.emplace_back(dictionary.raw(static_cast<graph::NodeId>(id)));
  return ids;
}

class Append : public penchant::testing::IngestTest {
 protected:
  /// Rows "user,item,time,event,basket" of a few users, in order of time.
  static Lines some_rows(int count, unsigned seed = 5) {
    std::mt19937 random(seed);
    Lines rows;
    for (int row = 0; row < count; ++row)
      rows.push_back(fmt::format("u{},i{},{},{},b{}", random() % 40, random() % 60,
                                 1600000000 + row / 2, random() % 3 == 0 ? "cart" : "view",
                                 row / 3));
    return rows;
  }

  std::filesystem::path write_rows(const std::string& name, const Lines& rows,
                                   std::size_t first = 0, std::size_t last = SIZE_MAX) {
    std::string text = "user,item,time,event,basket\n";
    for (std::size_t row = first; row < std::min(last, rows.size()); ++row)
      text += rows[row] + "\n";
    return write(name, text);
  }

  static IngestOptions options_for(graph::SplitMethod method) {
    IngestOptions options;
    options.columns = {"user", "item", "time", "event", "", "basket"};
    options.split_method = method;
    options.test_fraction = 0.2;
    options.validation_fraction = 0.1;
    return options;
  }

  Dataset start(IngestOptions options, const std::filesystem::path& log, const std::string& name) {
    options.log.files = {log};
    pipeline::ingest(options, at(name), silent_progress());
    return read_dataset(at(name));
  }

  Dataset add(IngestOptions options, const std::filesystem::path& log, const std::string& from,
              const std::string& to) {
    options.log.files.clear();
    if (!log.empty()) options.log.files = {log};
    appended_ = append(options, at(from), at(to), silent_progress());
    return read_dataset(at(to));
  }

  AppendReport appended_;
};

TEST_F(Append, WhatIsThereStays) {
  const Lines rows = some_rows(900);
  const auto first = write_rows("a.csv", rows, 0, 500);
  const auto second = write_rows("b.csv", rows, 500);
  for (const auto method : {graph::SplitMethod::global_time, graph::SplitMethod::leave_one_out,
                            graph::SplitMethod::random_per_user}) {
    const IngestOptions options = options_for(method);
    const Dataset old = start(options, first, "old.data");
    const Dataset grown = add(options, second, "old.data", "new.data");
    EXPECT_EQ(first_ids(grown.users, old.num_users()), first_ids(old.users, old.num_users()));
    EXPECT_EQ(first_ids(grown.items, old.num_items()), first_ids(old.items, old.num_items()));
    const auto parts = [](const Dataset& data) {
      return std::array{rows_of(data, data.split.train.interactions),
                        rows_of(data, data.split.validation), rows_of(data, data.split.test)};
    };
    const auto without_sessions = [](Lines lines) {
      for (std::string& line : lines) line.resize(line.rfind(" s"));
      std::sort(lines.begin(), lines.end());
      return lines;
    };
    for (std::size_t part = 0; part < 3; ++part) {
      Lines before = parts(old)[part];
      Lines after = parts(grown)[part];
      std::sort(before.begin(), before.end());
      std::sort(after.begin(), after.end());
      EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()))
          << enum_name(method) << ' ' << part;
    }
    // All rows of both files, each once, as of one ingest; baskets of the second file are its own.
    const Dataset together = start(options, write_rows("ab.csv", rows), "all.data");
    EXPECT_EQ(without_sessions(all_rows(grown)), without_sessions(all_rows(together)));
    EXPECT_GT(appended_.new_validation, 0);
    EXPECT_EQ(appended_.new_test > 0, method == graph::SplitMethod::random_per_user);
    EXPECT_EQ(appended_.rows.kept,
              appended_.new_train + appended_.new_validation + appended_.new_test);
    EXPECT_EQ(appended_.num_users, together.num_users());
  }
}

TEST_F(Append, LatestNewRowsValidateWhereTimeDivides) {
  const Lines rows = some_rows(900);
  const IngestOptions options = options_for(graph::SplitMethod::global_time);
  const Dataset old = start(options, write_rows("a.csv", rows, 0, 500), "x.data");
  const Dataset grown = add(options, write_rows("b.csv", rows, 500), "x.data", "x.data");
  EXPECT_EQ(grown.split.test.size(), old.split.test.size());
  std::int64_t latest_train = 0;
  for (const std::int64_t time : grown.split.train.interactions.time_ms)
    latest_train = std::max(latest_train, time);
  std::int64_t new_validation = 0;
  for (const std::int64_t time : grown.split.validation.time_ms)
    new_validation += time > latest_train;
  EXPECT_EQ(new_validation, appended_.new_validation);
  EXPECT_GE(new_validation, 36);
  EXPECT_LE(new_validation, 44);
}

TEST_F(Append, DeliveredTwiceChangesNothing) {
  const Lines rows = some_rows(900);
  const IngestOptions options = options_for(graph::SplitMethod::random_per_user);
  start(options, write_rows("a.csv", rows, 0, 500), "x.data");
  const auto second = write_rows("b.csv", rows, 500, 800);
  const std::string hash = add(options, second, "x.data", "x.data").hash;
  const std::string text = penchant::testing::read_text(at("x.data/manifest.json"));
  EXPECT_EQ(add(options, second, "x.data", "x.data").hash, hash);
  EXPECT_THAT(appended_.known_files, ElementsAre(second.string()));
  EXPECT_EQ(penchant::testing::read_text(at("x.data/manifest.json")), text);
  // The same bytes by another name, and rows that are all there in another file.
  EXPECT_EQ(add(options, write_rows("copy.csv", rows, 500, 800), "x.data", "x.data").hash, hash);
  EXPECT_EQ(add(options, write_rows("part.csv", rows, 400, 700), "x.data", "x.data").hash, hash);
  EXPECT_EQ(appended_.rows.read, 300);
  EXPECT_EQ(appended_.rows.kept, 0);
  EXPECT_EQ(appended_.num_older_rows, 0);
  // A log that has grown: only its new rows count.
  add(options, write_rows("grown.csv", rows), "x.data", "x.data");
  EXPECT_EQ(appended_.rows.kept, 100);
  EXPECT_EQ(this->manifest("x.data").at("rows").at("kept"), 900);
}

TEST_F(Append, ADrawnPartDoesNotHangOnWhatCameBefore) {
  const Lines rows = some_rows(900);
  const IngestOptions options = options_for(graph::SplitMethod::random_per_user);
  start(options, write_rows("a.csv", rows, 0, 300), "x.data");
  const auto second = write_rows("b.csv", rows, 300, 600);
  const auto third = write_rows("c.csv", rows, 600);
  add(options, second, "x.data", "xb.data");
  const Dataset bc = add(options, third, "xb.data", "xbc.data");
  add(options, third, "x.data", "xc.data");
  const Dataset cb = add(options, second, "xc.data", "xcb.data");
  EXPECT_EQ(appended_.num_older_rows, 300);
  const auto held_out = [](const Dataset& data) {
    Lines lines = rows_of(data, data.split.test);
    for (std::string& line : lines) line.resize(line.rfind(" s"));
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  EXPECT_EQ(held_out(bc), held_out(cb));
  const auto both = write_rows("both.csv", rows, 300);
  EXPECT_EQ(held_out(bc), held_out(add(options, both, "x.data", "xboth.data")));
}

TEST_F(Append, TheSameThingStandsBesideItsOwn) {
  IngestOptions options;
  options.columns = {"user", "item", "time", "", "weight", ""};
  options.split_method = graph::SplitMethod::global_time;
  options.test_fraction = 0.25;
  options.validation_fraction = 0.25;
  start(options, write("a.csv", "user,item,time,weight\nu,a,1,1\nu,b,2,1\nu,c,3,1\nu,d,4,1\n"),
        "x.data");
  const Dataset grown =
      add(options, write("b.csv", "user,item,time,weight\nu,d,4,9\nu,e,5,1\nu,d,4,1\n"), "x.data",
          "x.data");
  EXPECT_THAT(rows_of(grown, grown.split.test), ElementsAre("u d 1 t4000", "u d 9 t4000"));
  EXPECT_THAT(rows_of(grown, grown.split.validation), ElementsAre("u c 1 t3000"));
  EXPECT_THAT(rows_of(grown, grown.split.train.interactions),
              ElementsAre("u a 1 t1000", "u b 1 t2000", "u e 1 t5000"));
  // Nothing else is new, and it stands in validation all the same.
  const Dataset again =
      add(options, write("c.csv", "user,item,time,weight\nu,c,3,7\n"), "x.data", "x.data");
  EXPECT_THAT(rows_of(again, again.split.validation), ElementsAre("u c 1 t3000", "u c 7 t3000"));
}

// A shop that appends row by row: each goes somewhere, whatever part that is.
TEST_F(Append, OneRowAtATime) {
  const Lines rows = some_rows(312);
  for (const auto method : {graph::SplitMethod::global_time, graph::SplitMethod::random_per_user}) {
    const IngestOptions options = options_for(method);
    start(options, write_rows("a.csv", rows, 0, 300), "x.data");
    std::array<std::int64_t, 3> found{};
    for (std::size_t row = 300; row < rows.size(); ++row) {
      add(options, write_rows("one.csv", rows, row, row + 1), "x.data", "x.data");
      found[0] += appended_.new_train;
      found[1] += appended_.new_validation;
      found[2] += appended_.new_test;
    }
    EXPECT_EQ(found[0] + found[1] + found[2], 12);
    EXPECT_EQ(found[0] == 12, method == graph::SplitMethod::global_time);
    EXPECT_EQ(found[2] > 0, method == graph::SplitMethod::random_per_user);
  }
}

TEST_F(Append, ItemsAreFilledInAndNeverChanged) {
  IngestOptions options = options_for(graph::SplitMethod::global_time);
  options.attributes = {attribute("name", graph::AttributeKind::text), attribute("kind"),
                        attribute("price", graph::AttributeKind::numeric),
                        attribute("tags", graph::AttributeKind::list)};
  options.item_table.emplace();
  options.item_table->files = {write(
      "items.csv", "item,name,kind,price,tags\ni1,One,red,5,x|y\ni2,,,,\ni3,Three,blue,7,y\n")};
  const Lines rows = some_rows(100);
  const Dataset old = start(options, write_rows("a.csv", rows), "x.data");
  options.item_table->files = {write("more.csv",
                                     "item,name,kind,price,tags\ni1,Uno,red,5,y|x\ni2,Two,green,2."
                                     "5,z|y\ni3,,black,,\nnew,New,red,1,z\n")};
  const Dataset grown = add(options, {}, "x.data", "x.data");
  EXPECT_EQ(first_ids(grown.items, old.num_items()), first_ids(old.items, old.num_items()));
  EXPECT_EQ(grown.num_items(), old.num_items() + 1);
  const auto of = [](const Lines& lines, const std::string& item) {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.starts_with(item + ":");
    });
    return found == lines.end() ? std::string("none") : *found;
  };
  EXPECT_EQ(of(attribute_of(grown, "kind"), "i1"), "i1: red");
  EXPECT_EQ(of(attribute_of(grown, "kind"), "i2"), "i2: green");
  EXPECT_EQ(of(attribute_of(grown, "kind"), "i3"), "i3: blue");
  EXPECT_EQ(of(attribute_of(grown, "kind"), "new"), "new: red");
  EXPECT_EQ(of(attribute_of(grown, "tags"), "i1"), "i1: x y");
  EXPECT_EQ(of(attribute_of(grown, "tags"), "i2"), "i2: y z");
  EXPECT_EQ(of(attribute_of(grown, "name"), "i1"), "i1: One");
  EXPECT_EQ(of(attribute_of(grown, "name"), "i2"), "i2: Two");
  EXPECT_EQ(of(attribute_of(grown, "price"), "i2"), "i2: 2.5");
  EXPECT_EQ(of(attribute_of(grown, "price"), "i3"), "i3: 7");
  Lines told;
  for (const auto& reason : appended_.item_rows.rejected)
    told.push_back(fmt::format("{} {} ({})", reason.rows, reason.reason, reason.example));
  EXPECT_THAT(told, ElementsAre(HasSubstr("1 attribute 'name' differs from the data set's, which "
                                          "stays (item 'i1': 'One' and now 'Uno')"),
                                HasSubstr("1 attribute 'kind' differs from the data set's, which "
                                          "stays (item 'i3': 'blue' and now 'black')")));
}

TEST_F(Append, AnErrorLeavesTheOldOne) {
  IngestOptions options = options_for(graph::SplitMethod::global_time);
  const std::string hash = start(options, write_rows("a.csv", some_rows(100)), "x.data").hash;
  options.strict = true;
  const auto bad = write_rows("b.csv", {"u1,i1,1700000000,view,b", "u1,i1,yesterday,view,b"});
  EXPECT_THAT(input_error_of([&] { add(options, bad, "x.data", "x.data"); }),
              AllOf(HasSubstr("b.csv:3"), HasSubstr("yesterday")));
  EXPECT_EQ(read_dataset(at("x.data")).hash, hash);
  EXPECT_FALSE(std::filesystem::exists(at("x.data.unfinished")));
  options.event_weights = {{"view", 1.0}};
  EXPECT_THAT(input_error_of([&] {
                add(options, write_rows("c.csv", {"u1,i1,1700000000,view,b"}), "x.data", "x.data");
              }),
              HasSubstr("event types are now view, and"));
  EXPECT_EQ(read_dataset(at("x.data")).hash, hash);
}

TEST_F(Append, RefusesWhatWouldChangeRowsThatAreThere) {
  const IngestOptions good = options_for(graph::SplitMethod::global_time);
  const auto log = write_rows("a.csv", some_rows(100));
  start(good, log, "x.data");
  const auto refusal = [&](const auto& change) {
    IngestOptions options = good;
    change(options);
    return input_error_of([&] { add(options, log, "x.data", "x.data"); });
  };
  EXPECT_THAT(refusal([](auto& o) { o.repeats = RepeatPolicy::sum; }),
              HasSubstr("data.repeats = \"sum\""));
  EXPECT_THAT(refusal([](auto& o) { o.min_user_count = 2; }), HasSubstr("data.min_user_count"));
  EXPECT_THAT(refusal([](auto& o) { o.max_user_count = 9; }), HasSubstr("limits of counts"));
  EXPECT_THAT(refusal([](auto& o) { o.format = InputFormat::recbole; }), HasSubstr("recbole"));
  EXPECT_THAT(refusal([](auto& o) { o.time_format = "order"; }), HasSubstr("order"));
  EXPECT_THAT(refusal([](auto& o) { o.columns.part = "part"; }), HasSubstr("data.columns.part"));
  EXPECT_THAT(refusal([](auto& o) { o.split_method = graph::SplitMethod::hidden_items; }),
              HasSubstr("hidden_items"));
  EXPECT_THAT(input_error_of([&] { kept_settings(at("x.data")); }), HasSubstr("ingest it again"));
}

TEST_F(Append, EventsOfAServer) {
  const IngestOptions options = options_for(graph::SplitMethod::global_time);
  const Dataset old = start(options, write_rows("a.csv", some_rows(100)), "x.data");
  std::filesystem::create_directory(at("events"));
  write("events/events-000001.csv",
        "user,item,event,time\n\"u,1\",i1,cart,2026-11-30T07:15:00.250Z\n");
  write("events/events-000002.csv",
        "user,item,event,time\nu2,i2,view,2026-11-30T07:15:01.000Z\n"
        "u2,i2,,2026-11-30T07:15:02.000Z\n");
  const IngestOptions events = event_log_options(options, at("events"));
  appended_ = append(events, at("x.data"), at("x.data"), silent_progress());
  EXPECT_EQ(appended_.rows.kept, 2);
  ASSERT_EQ(appended_.rows.rejected.size(), 1);
  EXPECT_EQ(appended_.rows.rejected[0].reason, "unknown event type");
  const Lines rows = all_rows(read_dataset(at("x.data")));
  EXPECT_THAT(rows, ::testing::Contains("u,1 i1 2 t1796022900250 ecart s-1"));
  EXPECT_THAT(rows, ::testing::Contains("u2 i2 1 t1796022901000 eview s-1"));
  write("events/events-000002.csv",
        "user,item,event,time\nu2,i2,view,2026-11-30T07:15:01.000Z\n"
        "u3,i3,view,2026-11-30T07:15:03.000Z\n");
  appended_ = append(events, at("x.data"), at("x.data"), silent_progress());
  EXPECT_EQ(appended_.rows.kept, 1);
  EXPECT_EQ(read_dataset(at("x.data")).split.test.size(), old.split.test.size());
}

TEST_F(Append, OfItemsThatNoTableListsNothingIsKept) {
  IngestOptions options = options_for(graph::SplitMethod::global_time);
  options.columns.session.clear();
  options.only_listed = true;
  options.item_table = TableSource{{write("items.csv", "item,category\ni1,c\ni2,c\n")}, {}};
  options.attributes = {penchant::testing::attribute("category")};
  const std::string header = "user,item,event,time\n";
  const Dataset old =
      start(options,
            write("a.csv",
                  header + "u1,i1,view,1000\nu1,i9,view,2000\nu8,i9,view,2500\nu2,i2,view,3000\n"),
            "x.data");
  EXPECT_EQ(old.num_items(), 2);
  EXPECT_EQ(old.num_users(), 2);
  // i2 is known though this table does not list it; u9 has nothing but what is left out.
  options.item_table = TableSource{{write("more.csv", "item,category\ni3,d\n")}, {}};
  const Dataset grown =
      add(options,
          write("b.csv",
                header + "u9,i8,view,4000\nu1,i3,view,5000\nu3,i7,view,6000\nu3,i2,view,7000\n"),
          "x.data", "x.data");
  EXPECT_EQ(appended_.rows.kept, 2);
  ASSERT_EQ(appended_.rows.rejected.size(), 1U);
  EXPECT_EQ(appended_.rows.rejected[0].reason, "item without a row in the item table");
  EXPECT_EQ(appended_.rows.rejected[0].rows, 2);
  EXPECT_EQ(grown.num_items(), 3);
  EXPECT_EQ(grown.num_users(), 3);
  EXPECT_EQ(grown.items.raw(2), "i3");
  EXPECT_EQ(grown.users.raw(2), "u3");
  const Lines rows = all_rows(grown);
  EXPECT_THAT(rows, ::testing::Contains(::testing::StartsWith("u3 i2")));
  EXPECT_THAT(rows, ::testing::Contains(::testing::StartsWith("u1 i3")));
  EXPECT_EQ(rows.size(), 4U);
}

// Without times nothing tells a repeat from a row: a pair that is there goes to its own part.
TEST_F(Append, WithoutTimes) {
  IngestOptions options;
  options.columns = {"user", "item", "", "", "", ""};
  options.split_method = graph::SplitMethod::random_per_user;
  std::string text = "user,item\n";
  for (int row = 0; row < 400; ++row) text += fmt::format("u{},i{}\n", row % 20, row % 33);
  const Dataset old = start(options, write("a.csv", text), "x.data");
  const Dataset grown = add(options, write("b.csv", text + "u1,other\n"), "x.data", "x.data");
  EXPECT_EQ(appended_.rows.kept, 401);
  EXPECT_EQ(grown.split.test.size(),
            2 * old.split.test.size() + (appended_.new_test - old.split.test.size()));
  std::set<std::pair<graph::NodeId, graph::NodeId>> train;
  for (std::size_t row = 0; row < grown.split.train.interactions.user.size(); ++row)
    train.emplace(grown.split.train.interactions.user[row],
                  grown.split.train.interactions.item[row]);
  for (std::size_t row = 0; row < grown.split.test.user.size(); ++row)
    EXPECT_FALSE(train.contains({grown.split.test.user[row], grown.split.test.item[row]}));
}

}  // namespace
}  // namespace penchant::pipeline
