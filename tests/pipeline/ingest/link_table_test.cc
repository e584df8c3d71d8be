// SPDX-License-Identifier: Apache-2.0
// Links between users: what of a table is taken, what is counted and left out, and that they stay
// with their users when rows come or people are forgotten.
#include "pipeline/ingest/link_table.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/npy.h"
#include "pipeline/ingest/append.h"
#include "pipeline/ingest/forget.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::everything_in_train;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kLog = "user,item,time\na,x,1\nb,x,2\nc,y,3\nd,y,4\n";

class LinkTables : public penchant::testing::IngestTest {
 protected:
  IngestOptions with_links(std::string_view text, const std::string& weight = "") {
    IngestOptions options = everything_in_train();
    LinkTable table;
    table.source.files = {write("links.csv", text)};
    table.name = "friends";
    table.from = "who";
    table.to = "whom";
    table.weight = weight;
    options.links = {table};
    return options;
  }
  /// "a b 1" of each link that is stored.
  static Lines links_of(const Dataset& dataset, std::size_t kind = 0) {
    Lines lines;
    const graph::CsrView links = dataset.links.at(kind).links.view();
    for (std::int64_t user = 0; user < links.num_rows; ++user) {
      for (std::size_t e = 0; e < links.row(user).size(); ++e) {
        lines.push_back(fmt::format("{} {} {}", dataset.users.raw(static_cast<graph::NodeId>(user)),
                                    dataset.users.raw(links.row(user)[e]),
                                    links.row_values(user)[e]));
      }
    }
    return lines;
  }
  Lines link_rejections() const {
    Lines lines;
    for (const auto& reason : report_.link_rows.rejected)
      lines.push_back(fmt::format("{}: {}", reason.reason, reason.rows));
    return lines;
  }
};

TEST_F(LinkTables, GoBothWaysAndOnceHoweverOftenTheyAreNamed) {
  const Dataset data = ingest_text(kLog, with_links("who,whom\na,b\nb,a\na,b\na,c\n"));
  EXPECT_THAT(links_of(data), ElementsAre("a b 1", "a c 1", "b a 1", "c a 1"));
  EXPECT_EQ(report_.num_links, 2);
  EXPECT_EQ(report_.link_rows.read, 4);
  EXPECT_EQ(report_.link_rows.kept, 4);
  EXPECT_EQ(manifest("x.data")["links"][0]["name"], "friends");
  EXPECT_EQ(manifest("x.data")["provenance"]["inputs"][1]["role"], "links");
}

TEST_F(LinkTables, PointOneWayWhereTheyAreDirected) {
  IngestOptions options = with_links("who,whom\na,b\nc,a\n");
  options.links.front().directed = true;
  const Dataset data = ingest_text(kLog, options);
  EXPECT_THAT(links_of(data), ElementsAre("a b 1", "c a 1"));
  EXPECT_EQ(report_.num_links, 2);
}

TEST_F(LinkTables, TakeTheLargestWeight) {
  const Dataset data =
      ingest_text(kLog, with_links("who,whom,much\na,b,2\nb,a,0.5\nc,d,1e-3\n", "much"));
  EXPECT_THAT(links_of(data), ElementsAre("a b 2", "b a 2", "c d 0.001", "d c 0.001"));
}

TEST_F(LinkTables, CountWhatIsNoLinkOfTwoUsers) {
  const Dataset data = ingest_text(
      kLog, with_links("who,whom,much\na,b,1\na,a,1\na,nobody,1\nnobody,a,1\n,b,1\na,NA,1\n"
                       "a,c,0\na,c,-1\na,c,nan\na,c,much\na,d\n",
                       "much"));
  EXPECT_THAT(links_of(data), ElementsAre("a b 1", "b a 1"));
  EXPECT_EQ(report_.link_rows.read, 11);
  EXPECT_EQ(report_.link_rows.kept, 1);
  EXPECT_THAT(link_rejections(),
              ::testing::UnorderedElementsAre(
                  "link of a user to itself: 1", "link of a user who is not in the log: 2",
                  "missing user: 2", "bad weight: 4", "wrong number of fields: 1"));
  EXPECT_THAT(warnings_,
              ::testing::Contains(AllOf(HasSubstr("4 rows rejected: bad weight"),
                                        HasSubstr("links.csv:8"), HasSubstr("expected a number"))));
}

TEST_F(LinkTables, OfDifferentKindsStandBesideEachOther) {
  IngestOptions options = with_links("who,whom\na,b\n");
  options.links.push_back(options.links.front());
  options.links.back().name = "household";
  options.links.back().source.files = {write("homes.csv", "who,whom\nc,d\n")};
  const Dataset data = ingest_text(kLog, options);
  EXPECT_THAT(links_of(data, 0), ElementsAre("a b 1", "b a 1"));
  EXPECT_THAT(links_of(data, 1), ElementsAre("c d 1", "d c 1"));
}

TEST_F(LinkTables, AreRefusedWithoutWhatTheyNeed) {
  const auto error_of = [&](auto change) {
    IngestOptions options = with_links("who,whom\na,b\n");
    change(options.links.front(), options);
    return input_error_of([&] { ingest_text(kLog, options); });
  };
  EXPECT_THAT(error_of([](LinkTable& table, auto&) { table.from = "from"; }),
              AllOf(HasSubstr("links.csv"), HasSubstr("'from'"), HasSubstr("who, whom")));
  EXPECT_THAT(error_of([](LinkTable& table, auto&) { table.to.clear(); }),
              AllOf(HasSubstr("data.relations ('friends')"), HasSubstr("'to'")));
  EXPECT_THAT(error_of([](LinkTable& table, auto&) { table.source.files = {"nothing.csv"}; }),
              HasSubstr("nothing.csv: no such file"));
  EXPECT_THAT(
      error_of([](LinkTable& table, IngestOptions& options) { options.links.push_back(table); }),
      HasSubstr("two entries of data.relations are named 'friends'"));
  EXPECT_THAT(error_of([](LinkTable& table, IngestOptions& options) {
                options.strict = true;
                table.weight = "whom";
              }),
              HasSubstr("links.csv:2"));
}

TEST_F(LinkTables, StayWithTheirUsersWhenRowsComeAndPeopleGo) {
  ingest_text(kLog, with_links("who,whom\na,b\nc,d\n"));
  IngestOptions later;
  later.columns = {"user", "item", "time", "", "", ""};
  later.split_method = graph::SplitMethod::random_per_user;
  later.test_fraction = later.validation_fraction = 0.0;
  later.log.files = {write("later.csv", "user,item,time\ne,x,9\n")};
  append(later, at("x.data"), at("y.data"), silent_progress());
  const Dataset grown = read_dataset(at("y.data"));
  EXPECT_EQ(grown.links.front().links.num_rows, 5);
  EXPECT_THAT(links_of(grown), ElementsAre("a b 1", "b a 1", "c d 1", "d c 1"));
  ForgetOptions forgotten;
  forgotten.users = std::vector<std::string>{"b"};
  forget(forgotten, at("y.data"), at("z.data"), silent_progress());
  const Dataset left = read_dataset(at("z.data"));
  EXPECT_THAT(links_of(left), ElementsAre("c d 1", "d c 1"));
  EXPECT_EQ(left.links.front().links.num_rows, left.num_users());
}

TEST_F(LinkTables, AreReadForLookUpsAndRefusedWhenDamaged) {
  ingest_text(kLog, with_links("who,whom\na,b\n"));
  const Dataset lookup = read_dataset(at("x.data"), DatasetUse::lookup);
  EXPECT_TRUE(lookup.links.empty());
  EXPECT_EQ(read_user_links(lookup).front().links.columns.size(), 2U);
  // Both ways become one: the hash of the file is not asked by a look-up.
  const std::filesystem::path values = at("x.data") / "links0.values.npy";
  std::string bytes = penchant::testing::read_text(values);
  bytes.replace(bytes.size() - 4, 4, std::string("\0\0\0\x40", 4));  // the last weight: 2
  penchant::testing::write_text(values, bytes);
  EXPECT_THAT(input_error_of([&] { read_user_links(lookup); }),
              AllOf(HasSubstr("links0"), HasSubstr("do not go both ways")));
  EXPECT_THAT(input_error_of([&] { read_dataset(at("x.data")); }), HasSubstr("links0.values.npy"));
}

}  // namespace
}  // namespace penchant::pipeline
