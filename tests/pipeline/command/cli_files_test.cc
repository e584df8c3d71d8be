// SPDX-License-Identifier: Apache-2.0
// Which files are read, and that every row of each is accounted for: folders, patterns, empty
// parts, packed text, one account a file.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

class CliFiles : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string write(const std::string& name, std::string_view text) const {
    fs::create_directories(fs::path(at(name)).parent_path());
    write_text(at(name), text);
    return at(name);
  }
  /// ingest with the columns user, item and time, everything in train.
  ProgramResult ingest(Words words, const std::string& out = "x.data") const {
    words.insert(words.begin(), {"ingest", "--out", at(out), "--json"});
    for (const char* word :
         {"--user-column", "user", "--item-column", "item", "--time-column", "time"})
      words.emplace_back(word);
    for (const char* setting : {"data.split.test_fraction=0", "data.split.validation_fraction=0"}) {
      words.emplace_back("--set");
      words.emplace_back(setting);
    }
    return run_penchant(words);
  }
  json account(const Words& words) const {
    const ProgramResult result = ingest(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.json();
  }

  TemporaryFolder folder_;
};

const std::string kHeader = "user,item,time\n";
const std::string kRowsA = "u1,a,1600000000\nu1,b,1600000100\nu2,a,1600000200\n";
const std::string kRowsB = "u2,c,1600000300\nu3,a,1600000400\n";

/// Bytes of every column of a data set, by name.
std::map<std::string, std::string> columns_of(const fs::path& data) {
  std::map<std::string, std::string> columns;
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    if (entry.is_regular_file() && entry.path().filename() != "manifest.json")
      columns[fs::relative(entry.path(), data).string()] = read_text(entry.path());
  }
  return columns;
}

/// Rows of a file = kept + all reasons; its lines add up where it has any.
void expect_closed(const json& files) {
  for (const json& file : files) {
    const json& rows = file["rows"];
    std::int64_t sum = rows["kept"].get<std::int64_t>();
    for (const char* fate : {"rejected", "filtered", "merged", "overlap", "k_core", "user_cap"})
      sum += rows.value(fate, std::int64_t{0});
    EXPECT_EQ(sum, rows["read"].get<std::int64_t>()) << file.dump(1);
    if (rows.contains("train")) {
      EXPECT_EQ(rows["train"].get<int>() + rows["validation"].get<int>() + rows["test"].get<int>(),
                rows["kept"].get<int>());
    }
    if (!file.contains("lines")) continue;
    const json& lines = file["lines"];
    std::int64_t known = 0;
    for (const auto& [name, count] : lines.items())
      known += name == "lines" ? 0 : count.get<std::int64_t>();
    EXPECT_EQ(known, lines["lines"].get<std::int64_t>()) << file.dump(1);
  }
}

TEST_F(CliFiles, AFolderIsItsDataFilesAndAPatternWhatItMatches) {
  write("events/part=2/b.csv", kHeader + kRowsB);
  write("events/part=1/a.csv", kHeader + kRowsA);
  write("events/_SUCCESS", "");
  write("events/.a.csv.crc", "crc\x01");
  write("events/part=1/_temporary/half.csv", "us");
  write("whole.csv", kHeader + kRowsA + kRowsB);
  ASSERT_EQ(ingest({"--log", at("whole.csv")}, "whole.data").exit_code, 0);
  for (const std::string log : {"events", "events/*", "events/part=*/*.csv", "events/**/*.csv",
                                "events/**", "e?ents/part=[12]"}) {
    const json report = account({"--log", at(log)});
    ASSERT_EQ(report["files"].size(), 2U) << log;
    EXPECT_EQ(report["files"][0]["file"], "a.csv");
    EXPECT_EQ(report["files"][0]["rows"]["kept"], 3);
    EXPECT_EQ(report["files"][1]["rows"]["kept"], 2);
    EXPECT_EQ(columns_of(at("x.data")), columns_of(at("whole.data"))) << log;
    const json manifest = json::parse(read_text(at("x.data/manifest.json")));
    EXPECT_EQ(manifest["provenance"]["inputs"].size(), 2U);
    EXPECT_EQ(manifest["files_read"], report["files"]);
  }
  expect_input_error(ingest({"--log", at("events/*.json")}), {"events/*.json", "no file matches"});
  fs::create_directory(at("nothing"));
  write("nothing/_SUCCESS", "");
  expect_input_error(ingest({"--log", at("nothing")}), {"nothing", "no data files"});
  expect_input_error(ingest({"--log", at("whole.csv"), "--log", at("who*.csv")}),
                     {"whole.csv", "named twice"});
}

TEST_F(CliFiles, APipeIsRefusedInsteadOfAwaited) {
  write_text(at("a.csv"), "user,item\nu1,a\nu1,b\n");
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  expect_input_error(
      run_penchant({"ingest", "--log", at("a.csv"), "--log", at("pipe"), "--user-column", "user",
                    "--item-column", "item", "--out", at("x.data")}),
      {at("pipe"), "is a pipe"});
  expect_input_error(run_penchant({"ingest", "--format", "lightgcn", "--train", at("pipe"), "--out",
                                   at("x.data")}),
                     {at("pipe"), "is a pipe"});
}

TEST_F(CliFiles, EmptyPartsAmongFullOnesAreNoRowsAndTold) {
  write("a.csv", kHeader + kRowsA);
  write("empty.csv", "");
  write("header.csv", kHeader);
  write("packed.csv.gz", as_gzip(""));
  const ProgramResult result = ingest({"--log", at("a.csv"), "--log", at("empty.csv"), "--log",
                                       at("header.csv"), "--log", at("packed.csv.gz")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("3 of 4 files have no rows"), std::string::npos) << result.err;
  const json report = result.json();
  EXPECT_EQ(report["rows"]["kept"], 3);
  expect_closed(report["files"]);
  expect_input_error(ingest({"--log", at("empty.csv")}), {"empty.csv", "the file is empty"});
  write("other.csv", "user,thing,time\nu1,a,1\n");
  expect_input_error(ingest({"--log", at("a.csv"), "--log", at("other.csv")}),
                     {"other.csv", "no column 'item'"});
}

TEST_F(CliFiles, TheSameRowsInAnyFormGiveTheSameColumns) {
  write("whole.csv", kHeader + kRowsA + kRowsB);
  write("whole.tsv",
        "user\titem\ttime\nu1\ta\t1600000000\nu1\tb\t1600000100\nu2\ta\t1600000200\n"
        "u2\tc\t1600000300\nu3\ta\t1600000400\n");
  write("whole.csv.gz", as_gzip(kHeader + kRowsA + kRowsB));
  write("whole.csv.zst", as_zstd(kHeader + kRowsA + kRowsB));
  write("mark.csv", "\xEF\xBB\xBF" + kHeader + kRowsA + kRowsB);
  write("parts/0.csv", kHeader + kRowsA);
  write("parts/1.csv.gz", as_gzip(kHeader + kRowsB));
  ASSERT_EQ(ingest({"--log", at("whole.csv")}, "whole.data").exit_code, 0);
  const auto want = columns_of(at("whole.data"));
  EXPECT_EQ(want.count("train/time_ms.npy"), 1U);
  for (const std::string log :
       {"whole.tsv", "whole.csv.gz", "whole.csv.zst", "mark.csv", "parts"}) {
    account({"--log", at(log)});
    EXPECT_EQ(columns_of(at("x.data")), want) << log;
  }
}

TEST_F(CliFiles, EveryRowOfEveryFileHasItsPlace) {
  write("a.csv", kHeader + "u1,a,1\nu1,a,1\nu1,b,2\nu1,c,3\nu1,d,4\nu2,a,5\n,a,6\nu2,a,x\n\n");
  write("b.csv", kHeader + "u2,b,7\nu2,b,7\nu3,z,8\nu2,skip,9\nu2,c,10\nu1,b,2\nu2\n");
  write("items.csv", "item,brand\na,x\na,y\n,z\nb,y\n");
  const json report =
      account({"--log", at("a.csv"), "--log", at("b.csv"), "--item-table", at("items.csv"),
               "--filter", "item != skip", "--set", "data.min_user_count=2", "--set",
               "data.max_user_count=3", "--set", "data.time_format=s"});
  expect_closed(report["files"]);
  const json& a = report["files"][0]["rows"];
  EXPECT_EQ(a["read"], 8);
  EXPECT_EQ(a["rejected"], 2);
  EXPECT_EQ(a["merged"], 1);
  EXPECT_EQ(a["user_cap"], 1);
  EXPECT_EQ(a["train"], 4);
  const json& b = report["files"][1]["rows"];
  EXPECT_EQ(b["read"], 7);
  EXPECT_EQ(b["rejected"], 1);
  EXPECT_EQ(b["filtered"], 1);
  EXPECT_EQ(b["merged"], 2) << "one of them is a row of the other file";
  EXPECT_EQ(b["k_core"], 1);
  EXPECT_EQ(b["train"], 2);
  const json& items = report["files"][2];
  EXPECT_EQ(items["role"], "items");
  EXPECT_EQ(items["rows"]["read"], 4);
  EXPECT_EQ(items["rows"]["kept"], 2);
  EXPECT_EQ(items["rows"]["rejected"], 2);
  EXPECT_EQ(report["rows"]["read"], 15);
  EXPECT_EQ(report["rows"]["kept"], 6);
}

TEST_F(CliFiles, AnItemTableWithoutAHeader) {
  write("log.csv", kHeader + kRowsA);
  write("u.item", "a|Red hat|x\nb|Blue hat|y\n");
  write("shop.toml",
        "[data]\nout = \"x.data\"\nlog = \"log.csv\"\n[data.columns]\nuser = \"user\"\n"
        "item = \"item\"\n[data.items]\ntable = \"u.item\"\nkey = \"1\"\nseparator = "
        "\"|\"\nheader = false\n[[data.attributes]]\ncolumn = \"2\"\nname = \"hat\"\n"
        "kind = \"text\"\n");
  const ProgramResult result = run_penchant({"ingest", "--config", at("shop.toml"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["item_rows"]["kept"], 2);
  EXPECT_EQ(result.json()["num_items_without_row"], 0);
  // --item-table names another file, how it is written stays.
  write("more.item", "a|Red hat|x\nb|Blue hat|y\nc|Green hat|y\n");
  const ProgramResult more = run_penchant(
      {"ingest", "--config", at("shop.toml"), "--item-table", at("more.item"), "--json"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  EXPECT_EQ(more.json()["item_rows"]["kept"], 3);
}

TEST_F(CliFiles, SequencesArePackedMarkedAndToldOfWrongSeparators) {
  const auto lightgcn = [&](const std::string& train) {
    return run_penchant({"ingest", "--format", "lightgcn", "--train", train, "--out", at("x.data"),
                         "--set", "data.split.validation_fraction=0", "--set",
                         "data.split.test_fraction=0", "--json"});
  };
  const std::string plain = "0 1 2 3\n1 2\n2\n\n";
  ASSERT_EQ(lightgcn(write("plain.txt", plain)).exit_code, 0);
  const auto want = columns_of(at("x.data"));
  for (const std::string& text :
       {"\xEF\xBB\xBF" + plain, as_gzip(plain), as_zstd(plain), as_gzip("\xEF\xBB\xBF" + plain),
        std::string("0 1 2 3\r\n1 2\r\n2\r\n\r\n"), std::string("0 1 2 3\r1 2\r2\r\r")}) {
    const ProgramResult result = lightgcn(write("other.txt", text));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(columns_of(at("x.data")), want);
    const json file = result.json()["files"][0];
    EXPECT_EQ(file["rows"]["read"], 4);
    EXPECT_EQ(file["lines"]["lines"], 4);
    EXPECT_EQ(file["lines"]["blank"], 1);
    EXPECT_EQ(file["lines"]["without_items"], 1);
    expect_closed(json::array({file}));
  }
  for (const auto& [text, found] : std::map<std::string, std::string>{{"0\t1\t2\n1\t2\n", "tabs"},
                                                                      {"0,1,2\n", "commas"},
                                                                      {"0, 1, 2\n", "commas"},
                                                                      {"0 1,2\n", "commas"},
                                                                      {"0;1;2\n", "semicolons"}}) {
    expect_input_error(lightgcn(write("wrong.txt", text)), {"wrong.txt:1", found, "spaces"});
  }
  const json mixed = lightgcn(write("mixed.txt", "0 1 2\n1\t2\n2 a,b\n")).json();
  EXPECT_EQ(mixed["rows"]["read"], 4);
  EXPECT_EQ(mixed["rows"]["kept"], 3) << "a comma may be part of an id";
  EXPECT_EQ(mixed["rows"]["rejected"][0]["reason"], "wrong separator");
  expect_input_error(lightgcn(write("x.txt", std::string("PK\x03\x04\0\0", 6))), {"zip"});
}

TEST_F(CliFiles, S3RecReadsPackedFiles) {
  const std::string rows = "1 5 3 9 4\n2 3 5\n";
  const std::string attributes = R"({"3": [7, "red"], "5": [7]})";
  const auto s3rec = [&](const std::string& sequences, const std::string& lists) {
    return run_penchant({"ingest", "--format", "s3rec", "--sequences", sequences, "--attributes",
                         lists, "--out", at("x.data"), "--json"});
  };
  ASSERT_EQ(s3rec(write("x.txt", rows), write("x.json", attributes)).exit_code, 0);
  const auto want = columns_of(at("x.data"));
  const ProgramResult packed = s3rec(write("x.txt.gz", as_gzip("\xEF\xBB\xBF" + rows)),
                                     write("x.json.gz", as_gzip(attributes)));
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  EXPECT_EQ(columns_of(at("x.data")), want);
  expect_closed(packed.json()["files"]);
  expect_input_error(s3rec(write("y.txt", "1\t5\t3\n"), at("x.json")), {"y.txt:1", "tabs"});
}

TEST_F(CliFiles, RunNoticesThatAFolderGainsAFile) {
  std::string rows = kHeader;
  for (int user = 0; user < 20; ++user) {
    for (int item = 0; item < 6; ++item)
      rows += "u" + std::to_string(user) + ",i" + std::to_string((user + item) % 9) + "," +
              std::to_string(1600000000 + user + 100 * item) + "\n";
  }
  write("events/a.csv", rows);
  write("shop.toml",
        "[data]\nout = \"x.data\"\nlog = \"events\"\n[data.columns]\nuser = \"user\"\n"
        "item = \"item\"\ntime = \"time\"\n[model]\nout = \"x.model\"\nembedding_dim = "
        "4\n[train]\nepochs = 1\n");
  const auto skipped = [&] {
    const ProgramResult result = run_penchant({"run", at("shop.toml"), "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const json names = result.json()["skipped"];
    return std::find(names.begin(), names.end(), "ingest") != names.end();
  };
  EXPECT_FALSE(skipped());
  EXPECT_TRUE(skipped());
  write("events/b.csv", kHeader + "u1,i1,1700000000\n");
  EXPECT_FALSE(skipped());
}

}  // namespace
}  // namespace penchant::testing
