// SPDX-License-Identifier: Apache-2.0
// Wrong files, columns, rows and settings: exit 2, a message that says where, what was found and
// what was expected, and no artefact that looks finished. Rows that are merely bad are counted by
// reason, and --strict makes them an error.
#include <algorithm>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kHeader = "user,item,time\n";

/// Ten rows of five users and five items.
std::string good_rows() {
  std::ostringstream rows;
  for (int i = 0; i < 10; ++i) {
    rows << 'u' << i % 5 << ",i" << (i + i / 5) % 5 << ',' << 1600000000 + i << '\n';
  }
  return rows.str();
}

class CliBadInput : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  void write_log(std::string_view text) const { write_text(at("log.csv"), text); }

  /// Reads `log` by the columns user, item and time into `out`, but for what `more` says.
  ProgramResult ingest(const std::vector<std::string>& more = {},
                       const std::string& log = "log.csv") const {
    std::vector<std::string> arguments = {"ingest", "--log", at(log)};
    for (const char* role : {"user", "item", "time"}) {
      const std::string flag = std::string("--") + role + "-column";
      if (std::find(more.begin(), more.end(), flag) == more.end()) {
        arguments.insert(arguments.end(), {flag, role});
      }
    }
    if (std::find(more.begin(), more.end(), "--out") == more.end()) {
      arguments.insert(arguments.end(), {"--out", at("x.data")});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_penchant(arguments);
  }
  void expect_refused(const ProgramResult& result, const std::vector<std::string>& words) const {
    expect_input_error(result, words);
    EXPECT_FALSE(fs::exists(at("x.data/manifest.json")))
        << "nothing was read, yet the output looks finished";
  }
  /// The bad row is left out and counted; with --strict it is an error. `where` is the line,
  /// `words` are in both messages.
  void expect_rejected_row(const std::string& reason, std::vector<std::string> words,
                           const std::vector<std::string>& flags = {}) const {
    std::vector<std::string> strict = flags;
    strict.emplace_back("--strict");
    expect_refused(ingest(strict), words);
    std::vector<std::string> as_json = flags;
    as_json.emplace_back("--json");
    const ProgramResult result = ingest(as_json);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json rows = result.json()["rows"];
    EXPECT_EQ(rows["read"].get<int>(), rows["kept"].get<int>() + 1);
    ASSERT_EQ(rows["rejected"].size(), 1U) << rows;
    EXPECT_EQ(rows["rejected"][0]["reason"], reason);
    EXPECT_EQ(rows["rejected"][0]["rows"], 1);
    EXPECT_EQ(rows["rejected"][0]["malformed"], true);
    for (const std::string& word : words) {
      EXPECT_NE(rows["rejected"][0]["example"].get<std::string>().find(word), std::string::npos)
          << rows << word;
      EXPECT_NE(result.err.find(word), std::string::npos)
          << "no warning with '" << word << "': " << result.err;
    }
  }

  TemporaryFolder folder_;
};

// --- files ---

// A title that begins with a quote must not take the rows behind it, and is no error.
TEST_F(CliBadInput, QuotesOfPlainTextAreText) {
  const std::string plays =
      "u1\ta1\talpha\t3\nu1\ta2\t\"half open\t2\nu2\ta1\talpha\t5\nu2\ta3\tgamma\t1\n"
      "u3\ta2\t7\" disc\t4\nu3\ta1\talpha\t1\n";
  std::string commas = plays;
  std::replace(commas.begin(), commas.end(), '\t', ',');
  write_text(at("plays.tsv"), plays);
  write_text(at("plays.csv"), commas);
  write_text(at("plays.tsv.gz"), as_gzip(plays));
  for (const std::string name : {"plays.tsv", "plays.csv", "plays.tsv.gz"}) {
    const ProgramResult result =
        run_penchant({"ingest", "--log", at(name), "--set", "data.header=false", "--user-column",
                      "1", "--item-column", "2", "--weight-column", "4", "--strict", "--json",
                      "--out", at("x.data")});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.json().at("rows").at("kept"), 6);
    EXPECT_EQ(result.json().at("rows").at("rejected"), json::array());
    ASSERT_EQ(result.json().at("rows").at("notes").size(), 1U);
  }
}

// Where other cells are quoted, it is kept and counted, and --strict makes it an error.
TEST_F(CliBadInput, AQuoteThatDoesNotCloseIsCounted) {
  write_log(
      "user,item,time,title\nu1,i1,1600000000,\"a, b\"\nu1,i2,1600000001,\"half open\n"
      "u2,i1,1600000002,\"c, d\"\nu2,i2,1600000003,e\n");
  const ProgramResult counted = ingest({"--json"});
  ASSERT_EQ(counted.exit_code, 0) << counted.err;
  const json rows = counted.json().at("rows");
  EXPECT_EQ(rows.at("kept"), 4);
  ASSERT_EQ(rows.at("remarks").size(), 1U);
  EXPECT_EQ(rows.at("remarks")[0].at("rows"), 1);
  const ProgramResult strict = ingest({"--strict", "--out", at("y.data")});
  expect_input_error(strict, {at("log.csv") + ":3", "does not close", "quote = \"none\""});
}

TEST_F(CliBadInput, MissingFile) {
  expect_refused(ingest({}, "nowhere.csv"), {at("nowhere.csv"), "no such file"});
  write_log(kHeader + good_rows());
  expect_refused(ingest({"--item-table", at("items.csv")}), {at("items.csv"), "no such file"});
  expect_refused(run_penchant({"run", at("shop.toml")}), {at("shop.toml"), "no such file"});
  for (const char* verb : {"graph", "partition"})
    expect_refused(run_penchant({verb, at("y.data")}), {at("y.data"), "no such directory"});
  expect_refused(run_penchant({"train", at("y.data"), "--out", at("x.model")}),
                 {at("y.data"), "no such directory"});
}

TEST_F(CliBadInput, EmptyFile) {
  write_log("");
  expect_refused(ingest(), {at("log.csv"), "empty"});
  write_log(kHeader);
  expect_refused(ingest(), {"no interaction is left of 0 rows"});
}

TEST_F(CliBadInput, AFolderInPlaceOfAFile) {
  fs::create_directory(at("log.csv"));
  expect_refused(ingest(), {at("log.csv"), "no data files in the folder of data.log"});
}

TEST_F(CliBadInput, AFileInPlaceOfTheOutput) {
  write_log(kHeader + good_rows());
  write_text(at("x.data"), "mine");
  expect_input_error(ingest(), {at("x.data"), "is a file, expected a directory"});
  EXPECT_EQ(read_text(at("x.data")), "mine");
}

TEST_F(CliBadInput, TruncatedGzip) {
  std::string text = kHeader;
  for (int i = 0; i < 20000; ++i) text += good_rows();
  const std::string packed = as_gzip(text);
  write_text(at("log.csv.gz"), packed);
  ASSERT_EQ(ingest({"--out", at("whole.data")}, "log.csv.gz").exit_code, 0);
  for (const std::size_t size : {std::size_t{100}, packed.size() / 2, packed.size() - 4}) {
    write_text(at("log.csv.gz"), packed.substr(0, size));
    expect_refused(ingest({}, "log.csv.gz"), {at("log.csv.gz"), "cut off"});
  }
}

TEST_F(CliBadInput, DamagedGzip) {
  std::string packed = as_gzip(kHeader + good_rows());
  packed[packed.size() - 30] ^= 1;
  write_text(at("log.csv.gz"), packed);
  expect_refused(ingest({}, "log.csv.gz"), {at("log.csv.gz")});
}

TEST_F(CliBadInput, TruncatedZstd) {
  const std::string packed = as_zstd(kHeader + good_rows());
  write_text(at("log.csv.zst"), packed.substr(0, packed.size() - 20));
  expect_refused(ingest({}, "log.csv.zst"), {at("log.csv.zst"), "cut off"});
}

TEST_F(CliBadInput, TruncatedParquet) {
  write_log(kHeader + good_rows());
  ASSERT_EQ(ingest({"--out", at("whole.data")}).exit_code, 0);
  const std::string whole = read_text(at("whole.data/users.parquet"));
  const auto ingest_parquet = [&](const std::string& bytes) {
    write_text(at("log.parquet"), bytes);
    return ingest(
        {"--user-column", "raw_id", "--item-column", "count", "--time-column", "first_time_ms"},
        "log.parquet");
  };
  for (const std::size_t size : {std::size_t{6}, whole.size() / 2, whole.size() - 1}) {
    expect_refused(ingest_parquet(whole.substr(0, size)), {at("log.parquet"), "arquet"});
  }
  std::string damaged = whole;
  for (std::size_t i = 4; i < 40; ++i)
    damaged[i] ^= 0x55;  // in the first column's pages: the footer is whole
  expect_refused(ingest_parquet(damaged), {at("log.parquet")});
  EXPECT_EQ(ingest_parquet(whole).exit_code, 0) << "the test's own file must be good";
}

// --- columns and settings ---

TEST_F(CliBadInput, UnknownColumn) {
  write_log(kHeader + good_rows());
  expect_refused(ingest({"--user-column", "usr"}),
                 {at("log.csv"), "no column 'usr'", "user, item, time"});
  expect_refused(ingest({"--filter", "quantity > 0"}),
                 {at("log.csv"), "no column 'quantity'", "user, item, time"});
  expect_refused(run_penchant({"ingest", "--log", at("log.csv"), "--item-column", "item", "--out",
                               at("x.data")}),
                 {"'user'", "data.columns.user"});
}

TEST_F(CliBadInput, MisspeltConfigurationKey) {
  const auto refused = [&](const std::string& toml, const std::vector<std::string>& words) {
    write_text(at("shop.toml"), toml);
    expect_refused(run_penchant({"run", at("shop.toml")}), words);
  };
  refused("[data]\nout = \"x.data\"\n\n[train]\nepoch = 3\n",
          {at("shop.toml") + ":5:", "unknown key 'train.epoch'", "did you mean 'train.epochs'?"});
  refused("[train]\nstop_after_steps = 0\n",
          {at("shop.toml") + ":2:", "'train.stop_after_steps' is gone; leave it out"});
  refused("[modle]\nkind = \"gcn\"\n",
          {at("shop.toml") + ":1:", "'modle'", "did you mean 'model'?"});
  refused("[[data.attributes]]\ncolumn = \"a\"\nkinds = \"text\"\n",
          {at("shop.toml") + ":3:", "'kinds'", "did you mean 'kind'?"});
  refused("[train]\nepochs = \"three\"\n",
          {at("shop.toml") + ":2:", "train.epochs", "expected a whole number"});
  refused("[model]\nkind = \"lightgnc\"\n", {at("shop.toml") + ":2:", "model.kind", "'lightgnc'",
                                             "lightgcn, gcn, node_weighted, graph_filter"});
  refused("[train]\nepochs = \n", {at("shop.toml") + ":2:", "not valid TOML"});
  refused("[data]\nlog = [\"${PENCHANT_NO_SUCH_VARIABLE}/x.csv\"]\n",
          {at("shop.toml") + ":2:", "PENCHANT_NO_SUCH_VARIABLE is not set"});
  refused("[data]\nfilters = [\"quantity is 3\"]\n",
          {at("shop.toml") + ":2:", "data.filters", "quantity is 3", "expected 'column op value'"});
}

TEST_F(CliBadInput, MisspeltSetting) {
  const auto refused = [&](const std::string& setting, const std::vector<std::string>& words) {
    expect_refused(run_penchant({"config", "show", "--set", setting}), words);
  };
  refused("train.epoch=3", {"--set train.epoch=3", "did you mean 'train.epochs'?"});
  refused("train.epochs=many", {"--set train.epochs=many", "expected a whole number"});
  refused("train.epochs=-1", {"train.epochs is -1", "expected 1 to 1000000"});
  refused("train.epochs", {"--set train.epochs", "expected key=value"});
  refused("filter.kind=cheby", {"filter.kind", "'cheby'", "linear, gfcf, chebycf, bspm"});
  refused("filter.power=much", {"--set filter.power=much", "filter.power", "expected a number"});
  refused("data.split.method=time", {"data.split.method", "'time'", "global_time"});
}

// --- rows ---

TEST_F(CliBadInput, TextInANumericColumn) {
  write_log(
      "user,item,time,price\nu1,i1,1600000000,3.5\nu2,i1,1600000001,cheap\nu3,i2,1600000002,4\n");
  expect_rejected_row("bad weight",
                      {at("log.csv") + ":3", "'price'", "'cheap'", "expected a number above 0"},
                      {"--weight-column", "price"});
}

TEST_F(CliBadInput, TextInAFilteredNumericColumn) {
  write_log(
      "user,item,time,price\nu1,i1,1600000000,3.5\nu2,i1,1600000001,cheap\nu3,i2,1600000002,4\n");
  expect_rejected_row("column 'price' is not a number",
                      {at("log.csv") + ":3", "'price'", "'cheap'", "expected a number"},
                      {"--filter", "price > 1"});
}

TEST_F(CliBadInput, BrokenUtf8) {
  write_log(kHeader +
            "u1,i1,1600000000\nu\xff"
            "2,i1,1600000001\n" +
            good_rows());
  expect_rejected_row("not valid UTF-8", {at("log.csv") + ":3", "'user'", "UTF-8 at byte 2"});
  fs::remove_all(at("x.data"));
  write_log(kHeader + "u1,i1,1600000000\nu2,\xe9t\xe9,1600000001\n" + good_rows());
  expect_rejected_row("not valid UTF-8", {at("log.csv") + ":3", "'item'", "UTF-8 at byte 1"});
}

TEST_F(CliBadInput, BrokenUtf8InACellThatIsQuoted) {
  write_log(kHeader + good_rows() + "u1,i9,\xff\n");
  expect_rejected_row("bad time", {at("log.csv") + ":12", "'time'"});
}

TEST_F(CliBadInput, BrokenUtf8InAnAttribute) {
  write_text(at("items.csv"), "item,title\ni1,caf\xe9\ni2,tea\n");
  write_log("user,item,title\nu1,i1,caf\xe9\nu2,i2,tea\nu1,i2,tea\nu2,i1,caf\xe9\n");
  const std::string attribute = "[[data.attributes]]\ncolumn = \"title\"\nkind = \"text\"\n";
  const std::string log =
      "[data]\nout = \"x.data\"\nlog = \"log.csv\"\n[data.columns]\nuser = \"user\"\nitem = "
      "\"item\"\n";
  const auto expect_missing = [&](const std::string& config, const std::string& place) {
    const std::vector<std::string> arguments = {"ingest", "--config", config, "--json"};
    std::vector<std::string> strict = arguments;
    strict.emplace_back("--strict");
    expect_refused(run_penchant(strict), {place, "'title'", "UTF-8"});
    const ProgramResult result = run_penchant(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.json()["rows"]["kept"], 4);
    const json rejected = result.json()["item_rows"]["rejected"];
    ASSERT_EQ(rejected.size(), 1U) << rejected;
    EXPECT_EQ(rejected[0]["reason"], "attribute 'title' is not valid UTF-8, taken as missing");
    EXPECT_NE(result.err.find(place), std::string::npos) << result.err;
    fs::remove_all(at("x.data"));
  };
  write_text(at("table.toml"), log + "[data.items]\ntable = \"items.csv\"\n" + attribute);
  expect_missing(at("table.toml"), at("items.csv") + ":2");
  write_text(at("log.toml"), log + attribute);
  expect_missing(at("log.toml"), at("log.csv") + ":2");
}

TEST_F(CliBadInput, AnItemTableWithOtherIdsIsWarnedOf) {
  write_log(kHeader + good_rows());
  write_text(at("items.csv"), "item,title\nSKU-1,a\nSKU-2,b\n");
  const ProgramResult result = ingest({"--item-table", at("items.csv"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["num_items_without_row"], 5);
  for (const char* word : {"5 of the log's 5 items", "'i0'", "'SKU-1'"})
    EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
  EXPECT_EQ(json::parse(read_text(at("x.data/manifest.json")))["provenance"]["items_without_row"],
            5);
  const ProgramResult shown = ingest({"--item-table", at("items.csv")});
  EXPECT_NE(shown.out.find("log's items without a row"), std::string::npos) << shown.out;
}

TEST_F(CliBadInput, LastLineCutInTheMiddle) {
  write_log(kHeader + good_rows() + "u1,i");
  expect_rejected_row("wrong number of fields", {at("log.csv") + ":12", "2 fields, expected 3"});
}

TEST_F(CliBadInput, LinesAreCountedAcrossRowsThatAreLeftOut) {
  write_log(kHeader + "u1,i1,1600000000\nu2,i1\n\nu3,i2,yesterday\n" + good_rows());
  const json rows = ingest({"--json"}).json()["rows"];
  ASSERT_EQ(rows["rejected"].size(), 2U) << rows;
  EXPECT_NE(rows["rejected"][0]["example"].get<std::string>().find("log.csv:3"), std::string::npos)
      << rows;
  EXPECT_NE(rows["rejected"][1]["example"].get<std::string>().find("log.csv:5"), std::string::npos)
      << rows;
}

TEST_F(CliBadInput, NegativeOrAbsurdTimes) {
  const std::vector<std::string> absurd = {
      "-5", "99999999999999999", "9223372036854775807", "2150-01-01", "2020-02-30", "1e300", "soon",
      ""};
  for (const std::string& time : absurd) {
    SCOPED_TRACE("time '" + time + "'");
    write_log(kHeader + good_rows() + "u1,i9," + time + "\n");
    expect_rejected_row(
        "bad time", {at("log.csv") + ":12", "'time'", "'" + time + "'", "between 1970 and 2100"});
    fs::remove_all(at("x.data"));
  }
  write_log(kHeader + "u1,i1,-5\nu2,i1,-6\n");
  expect_refused(ingest(),
                 {"no interaction is left of 2 rows", "2 rows: bad time", at("log.csv") + ":2"});
}

TEST_F(CliBadInput, RejectedRowsAreCountedByReasonAndShown) {
  write_log(
      "user,item,time,event\nu1,i1,1600000000,view\nu1,,1600000001,view\n,i1,1600000002,view\nu1,"
      "NA,1600000003,view\n"
      "u1,i2,1600000004,sneeze\nu1,i3\nu2,i2,1600000005,cart\nu2,i2,1600000005,cart\n");
  const std::map<std::string, int> expected = {{"missing item", 2},
                                               {"missing user", 1},
                                               {"unknown event type", 1},
                                               {"wrong number of fields", 1},
                                               {"exact repeat of a row", 1}};
  const json report = ingest({"--event-column", "event", "--json"}).json();
  EXPECT_EQ(report["rows"]["read"], 8);
  EXPECT_EQ(report["rows"]["kept"], 2);
  std::map<std::string, int> found;
  for (const json& reason : report["rows"]["rejected"]) found[reason["reason"]] = reason["rows"];
  EXPECT_EQ(found, expected);
  EXPECT_EQ(json::parse(read_text(at("x.data/manifest.json")))["rows"], report["rows"])
      << "the artefact remembers what was left out";
  const ProgramResult shown = ingest({"--event-column", "event"});
  for (const auto& [reason, rows] : expected)
    EXPECT_NE(shown.out.find(reason), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("'sneeze', expected one of: view, cart, purchase"), std::string::npos)
      << shown.out;
  EXPECT_NE(shown.err.find("2 rows rejected: missing item"), std::string::npos) << shown.err;
}

TEST_F(CliBadInput, NoEdgeLeftAfterFilters) {
  write_log("user,item,time,quantity\nu1,i1,1600000000,1\nu2,i1,1600000001,-1\n");
  expect_refused(ingest({"--filter", "quantity > 100"}),
                 {"no interaction is left of 2 rows", "2 rows", "not quantity > 100"});
  expect_refused(ingest({"--set", "data.min_user_count=2"}),
                 {"no interaction is left of 2 rows", "fewer than 2"});
}

// --- unusual but good ---

TEST_F(CliBadInput, IdsWithCommaQuoteAndLineBreakSurvive) {
  const std::string user = "a, \"b\"\nc";
  const std::string item = "x\ty;z|\"";
  write_log(kHeader + good_rows() +
            "\"a, \"\"b\"\"\nc\",\"x\ty;z|\"\"\",1600000000\n\"a, \"\"b\"\"\nc\",i1,1600000001\n");
  const ProgramResult ingested = ingest({"--set", "data.split.method=random_per_user"});
  ASSERT_EQ(ingested.exit_code, 0) << ingested.err;
  ASSERT_EQ(run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set", "train.epochs=1"})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"embed", at("x.data"), at("x.model"), "--out", at("x.e")}).exit_code, 0);
  const auto has = [&](const char* file, const std::string& id) {
    std::istringstream lines(read_text(at(file)));
    for (std::string line; std::getline(lines, line);) {
      if (json::parse(line) == id) return true;
    }
    return false;
  };
  EXPECT_TRUE(has("x.e/users.ids.jsonl", user));
  EXPECT_TRUE(has("x.e/items.ids.jsonl", item));
  EXPECT_EQ(
      run_penchant({"recommend", at("x.data"), at("x.model"), "--user", user, "--k", "2", "--json"})
          .json()["items"]
          .size(),
      2U);
  const json near =
      run_penchant({"similar", at("x.data"), at("x.model"), "--item", "i1", "--k", "5", "--json"})
          .json()["items"];
  EXPECT_TRUE(std::any_of(near.begin(), near.end(), [&](const json& entry) {
    return entry["item"] == item;
  })) << near;
}

TEST_F(CliBadInput, OneUser) {
  write_log(
      kHeader +
      "u1,i1,1600000000\nu1,i2,1600000001\nu1,i3,1600000002\nu1,i4,1600000003\nu1,i5,1600000004\n");
  ASSERT_EQ(ingest().exit_code, 0);
  const ProgramResult trained =
      run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set", "train.epochs=2"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_EQ(run_penchant({"evaluate", at("x.data"), at("x.model"), "--set", "evaluate.cutoffs=[2]",
                          "--json"})
                .json()["num_users"],
            1);
  EXPECT_EQ(run_penchant({"partition", at("x.data"), "--parts", "2"}).exit_code, 0);
}

TEST_F(CliBadInput, OneItem) {
  write_log(kHeader + "u1,i1,1600000000\nu2,i1,1600000001\nu3,i1,1600000002\nu4,i1,1600000003\n");
  ASSERT_EQ(ingest().exit_code, 0);
  const ProgramResult trained =
      run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set", "train.epochs=2"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const auto recommended = [&](const char* user) {
    const std::vector<std::string> recommend = {"recommend", at("x.data"), at("x.model"), "--user",
                                                user,        "--k",        "1",           "--json"};
    return run_penchant(recommend).json()["items"].size();
  };
  EXPECT_EQ(recommended("u4"), 1U) << "held out as the latest row, so not yet seen";
  EXPECT_EQ(recommended("u1"), 0U) << "has seen all there is";
  expect_input_error(
      run_penchant({"similar", at("x.data"), at("x.model"), "--item", "i1", "--k", "1"}),
      {"k is 1", "0 items"});
}

TEST_F(CliBadInput, OneInteraction) {
  write_log(kHeader + "u1,i1,1600000000\n");
  ASSERT_EQ(ingest().exit_code, 0);
  ASSERT_EQ(run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set", "train.epochs=1"})
                .exit_code,
            0);
  expect_input_error(
      run_penchant({"evaluate", at("x.data"), at("x.model"), "--set", "evaluate.cutoffs=[1]"}),
      {"no test part"});
}

}  // namespace
}  // namespace penchant::testing
