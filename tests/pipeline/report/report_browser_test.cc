// SPDX-License-Identifier: Apache-2.0
// The report in headless Chromium: no error on the console, every chart has marks, in both themes
// and at a phone's width. SKIPPED where there is no Chromium (Debian: apt install chromium).
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string_view>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;

std::string chromium() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (std::system(fmt::format("command -v {} > /dev/null 2>&1", name).c_str()) == 0) return name;
  }
  return {};
}

/// How often any of these occurs.
std::int64_t count(std::string_view text, std::initializer_list<std::string_view> patterns) {
  std::int64_t found = 0;
  for (const std::string_view pattern : patterns) {
    for (std::size_t place = text.find(pattern); place != std::string_view::npos;
         place = text.find(pattern, place + 1))
      ++found;
  }
  return found;
}

class ReportInBrowser : public ShopTest {
 protected:
  /// The page as the browser has it when its scripts have run.
  std::string dom_of(const std::string& browser, const std::string& page) const {
    const std::string command = fmt::format(
        "timeout 120 {} --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
        "--user-data-dir='{}' --window-size=1280,900 --virtual-time-budget=20000 --dump-dom "
        "'file://{}' > '{}' 2> '{}'",
        browser, at("profile"), page, at("dom.html"), at("console.txt"));
    EXPECT_EQ(std::system(command.c_str()), 0) << read_text(at("console.txt"));
    return read_text(at("dom.html"));
  }
};

// A supplier's feed must not put links, sizes or templates into the shop's report.
TEST_F(ReportInBrowser, TextsOfTheShopStayText) {
  const std::string browser = chromium();
  if (browser.empty()) GTEST_SKIP() << "no Chromium on PATH (apt install chromium)";
  const std::string link = "<a href='https://evil.example/'>Session expired</a>";
  const std::string big = "<b>bold</b> %{x} &amp; <span style='font-size:60px'>big</span>";
  std::string log = "user,item,time,category\n";
  for (int k = 0; k < 600; ++k) {
    log += fmt::format("u{},{}{},{},{}\n", k % 20, big, k * 7 % 30, k, k * 7 % 2 == 0 ? link : big);
  }
  write_text(at("log.csv"), log);
  write_text(at("c.toml"),
             "[data]\nlog = [\"log.csv\"]\n[data.columns]\nuser = \"user\"\nitem = \"item\"\n"
             "time = \"time\"\n[[data.attributes]]\ncolumn = \"category\"\n");
  ASSERT_EQ(run_penchant({"ingest", "--config", at("c.toml"), "--out", at("x.data")}).exit_code, 0);
  ASSERT_EQ(run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set", "train.epochs=1"})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"report", at("x.model"), "--data", at("x.data"), "--out", at("x.html")})
                .exit_code,
            0);
  std::string dom = dom_of(browser, at("x.html"));
  dom.resize(dom.find("<script"));
  EXPECT_EQ(count(dom, {"xlink:href=\"https://evil", "href=\"https://evil", "font-size: 60px",
                        "font-weight:bold", "font-weight: bold;\">bold"}),
            0);
  // The legend of the map has the text as it stands in the log.
  EXPECT_GT(count(dom, {"&lt;a href='https://evil.example/'&gt;Session expired&lt;/a&gt;"}), 0);
  EXPECT_GT(count(dom, {"&lt;b&gt;bold&lt;/b&gt; %{x} &amp;amp; &lt;span"}), 0);
}

TEST_F(ReportInBrowser, DrawsEveryChartWithoutAnError) {
  const std::string browser = chromium();
  if (browser.empty()) GTEST_SKIP() << "no Chromium on PATH (apt install chromium)";
  ingest();
  train();
  ASSERT_EQ(run_penchant({"report", at("shop.model"), "--users", "50"}).exit_code, 0);
  for (const auto& [theme, width] : {std::pair{"light", 1280}, {"dark", 390}}) {
    const std::string command = fmt::format(
        "timeout 120 {} --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
        "--user-data-dir='{}' --window-size={},900 --virtual-time-budget=20000 "
        "--enable-logging=stderr --dump-dom 'file://{}?theme={}' > '{}' 2> '{}'",
        browser, at("profile"), width, at("shop.html"), theme, at("dom.html"), at("console.txt"));
    ASSERT_EQ(std::system(command.c_str()), 0) << read_text(at("console.txt"));
    const std::string console = read_text(at("console.txt"));
    EXPECT_EQ(count(console, {"CONSOLE", "Uncaught", "net::ERR"}), 0) << console;
    std::string dom = read_text(at("dom.html"));
    const std::string root = dom.substr(dom.find("<html"), dom.find('>', dom.find("<html")));
    EXPECT_EQ(count(root, {fmt::format(" data-theme=\"{}\"", theme)}), 1);
    dom.resize(dom.find("<script"));  // Plotly's own text names the marks as well
    // Cut the page at its charts; each piece must have drawn marks.
    std::size_t place = dom.find("<div class=\"chart ");
    std::int64_t seen = 0;
    while (place != std::string::npos) {
      const std::size_t next = dom.find("<div class=\"chart ", place + 1);
      const std::string piece = dom.substr(place, next - place);
      EXPECT_GT(
          count(piece, {"<path class=\"point\"", "class=\"point\"><path", "class=\"js-line\""}), 0)
          << piece.substr(0, 300);
      ++seen;
      place = next;
    }
    EXPECT_GE(seen, 10);
    EXPECT_EQ(count(root, {fmt::format(" data-charts=\"{}\"", seen)}), 1) << root;
  }
}

}  // namespace
}  // namespace penchant::testing
