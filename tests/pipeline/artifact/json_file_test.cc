// SPDX-License-Identifier: Apache-2.0
// What the readers of JSON and TOML refuse before a library sees the text. Only depths just above
// the bound are tried.
#include "pipeline/artifact/json_file.h"

#include <sys/stat.h>

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/config/config.h"
#include "tests/pipeline/support/folder.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::input_error_of;
using penchant::testing::TemporaryFolder;
using penchant::testing::write_text;

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int k = 0; k < times; ++k) result += text;
  return result;
}

class JsonFile : public ::testing::Test {
 protected:
  std::string error_of(const std::string& text) {
    write_text(path_, text);
    return input_error_of([&] { read_json_file(path_); });
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "x.json";
};

TEST_F(JsonFile, ReadsWhatIsWithinTheBound) {
  write_text(path_, repeated("[", 64) + repeated("]", 64));
  EXPECT_EQ(read_json_file(path_).size(), 1U);
  write_text(path_, "{\"" + repeated("[{", 100) + "\\\"" + repeated("[", 100) + "\": 1}");
  EXPECT_EQ(read_json_file(path_).size(), 1U) << "brackets in strings are text";
}

TEST_F(JsonFile, RefusesDeepStructure) {
  for (const std::string& open : {std::string("["), std::string("{\"a\":")})
    EXPECT_NE(error_of(repeated(open, 65)).find("x.json: nested more deeply than 64 levels"),
              std::string::npos);
  EXPECT_NE(error_of("[\"\\\\\", " + repeated("[", 65)).find("nested"), std::string::npos)
      << "an escaped backslash does not escape the quote behind it";
  EXPECT_TRUE(parse_json_line(repeated("[", 65) + repeated("]", 65)).is_discarded());
}

TEST_F(JsonFile, NamesTheFileAndTheByte) {
  EXPECT_NE(error_of("{\"a\": 1e999}").find("x.json: damaged: a number beyond"), std::string::npos);
  EXPECT_NE(error_of("{\"a\": 1,}").find("x.json: damaged: not valid JSON at byte 9"),
            std::string::npos);
  EXPECT_NE(error_of("").find("x.json"), std::string::npos);
}

TEST_F(JsonFile, ReadsRegularFilesOnly) {
  const auto kind = [](const std::string& path) {
    return input_error_of([&] { read_json_file(path); });
  };
  EXPECT_NE(kind(folder_.path()).find("is a directory, expected a regular file"),
            std::string::npos);
  EXPECT_NE(kind("/dev/zero").find("/dev/zero: is a device, expected a regular file"),
            std::string::npos);
  EXPECT_NE(kind(folder_.path() / "none").find("No such file"), std::string::npos);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(kind(path_).find("is a pipe, expected a regular file"), std::string::npos);
  std::filesystem::create_symlink("/dev/zero", folder_.path() / "link");
  EXPECT_NE(kind(folder_.path() / "link").find("is a device"), std::string::npos);
}

TEST_F(JsonFile, RefusesWhatIsTooLarge) {
  write_text(path_, "[1, 2, 3]");
  EXPECT_NE(input_error_of([&] { read_json_file(path_, 8); }).find("9 bytes, expected at most 8"),
            std::string::npos);
}

TEST_F(JsonFile, ConfigurationsAreBoundedToo) {
  const auto refused = [&](const std::string& text) {
    write_text(path_, text);
    EXPECT_NE(input_error_of([&] { read_config(path_); }).find("nested more deeply than 64 levels"),
              std::string::npos)
        << text;
  };
  refused("x = " + repeated("[", 65));
  refused("x = " + repeated("{a = ", 65));
  refused("[" + repeated("a.", 65) + "a]");
  refused(repeated("a.", 65) + "a = 1");
  refused("x = ['''a'''', " + repeated("[", 65));
  refused("x = [\"\"\"a\"\"\"\"\", " + repeated("[", 65));
  refused("x = \"a # [\" # \" [\ny = " + repeated("[", 65));
  EXPECT_NE(input_error_of([&] { read_config(folder_.path()); }).find("is a directory"),
            std::string::npos);
  EXPECT_NE(input_error_of([&] { read_config("/dev/zero"); }).find("is a device"),
            std::string::npos);
  Config config;
  EXPECT_NE(input_error_of([&] {
              apply_setting(config, "data.log=" + repeated("[", 65));
            }).find("nested"),
            std::string::npos);
  // Brackets and dots in strings and comments are text.
  write_text(path_, "[data]\nmissing = [\"" + repeated("[.", 100) + "\", '''" +
                        repeated("{.", 100) + "''']  # " + repeated("[.", 100) + "\n");
  EXPECT_EQ(read_config(path_).ingest.missing.size(), 2U);
}

}  // namespace
}  // namespace penchant::pipeline
