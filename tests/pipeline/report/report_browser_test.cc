// SPDX-License-Identifier: Apache-2.0
// The report in headless Chromium: no error on the console, every chart has marks, in both themes
// and at a phone's width. SKIPPED where there is no Chromium (Debian: apt install chromium).
#include <algorithm>
#include <cctype>
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
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

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

/// As it may stand behind "#" and between single quotes of a shell.
std::string in_address(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

class ReportInBrowser : public ShopTest {
 protected:
  /// The page as the browser has it when its scripts have run; what it says of errors is in
  /// console.txt. `address` is a path, maybe with "#..." behind it.
  std::string dom_of(const std::string& browser, const std::string& address,
                     int width = 1280) const {
    const std::string command = fmt::format(
        "timeout 120 {} --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
        "--user-data-dir='{}' --window-size={},900 --virtual-time-budget=20000 "
        "--enable-logging=stderr --dump-dom 'file://{}' > '{}' 2> '{}'",
        browser, at("profile"), width, address, at("dom.html"), at("console.txt"));
    EXPECT_EQ(std::system(command.c_str()), 0) << read_text(at("console.txt"));
    const std::string console = read_text(at("console.txt"));
    EXPECT_EQ(count(console, {"CONSOLE", "Uncaught", "net::ERR"}), 0) << console;
    return read_text(at("dom.html"));
  }
  /// The same of a page to which a reader does something: a script behind its own.
  std::string dom_after(const std::string& browser, const std::string& page,
                        const std::string& script) const {
    std::string text = read_text(page);
    text.insert(text.rfind("</body>"), R"(<script>
      function keep(name, shown = document.getElementById('answer')) {
        const kept = document.createElement('article');
        kept.id = name;
        kept.innerHTML = shown.innerHTML;
        document.body.append(kept);
      })" + script + "</script>");
    write_text(at("used.html"), text);
    return dom_of(browser, at("used.html"));
  }
  /// What the look-up shows, or showed when the script called keep(`name`).
  static std::string answer_of(const std::string& dom, const std::string& name = "answer") {
    const std::size_t begin = dom.find("id=\"" + name + "\"");
    const std::size_t end = dom.find(name == "answer" ? "</section>" : "</article>", begin);
    EXPECT_NE(begin, std::string::npos) << name;
    return begin == std::string::npos ? std::string() : dom.substr(begin, end - begin);
  }
  /// Where the raw ids of a list of `penchant similar` or `recommend` stand in a text; ascending if
  /// it has them in their order.
  static std::vector<std::size_t> places_of(const nlohmann::json& list, const std::string& text) {
    std::vector<std::size_t> places;
    for (const nlohmann::json& entry : list)
      places.push_back(text.find("#item=" + entry["item"].get<std::string>() + "\""));
    return places;
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
    std::string dom = dom_of(browser, at("shop.html") + "?theme=" + theme, width);
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

// What a reader types, and where links and the back button lead.
TEST_F(ReportInBrowser, TypingAnIdShowsTheModelsLists) {
  const std::string browser = chromium();
  if (browser.empty()) GTEST_SKIP() << "no Chromium on PATH (apt install chromium)";
  ingest();
  train();
  ASSERT_EQ(run_penchant({"report", at("shop.model"), "--users", "50"}).exit_code, 0);
  const nlohmann::json near = run_penchant({"similar", at("shop.data"), at("shop.model"), "--item",
                                            "i3", "--k", "10", "--json"})
                                  .json();
  const nlohmann::json best =
      run_penchant({"recommend", at("shop.data"), at("shop.model"), "--user", "u7", "--json"})
          .json();

  const std::string dom = dom_after(browser, at("shop.html"), R"(
    const press = key => input.dispatchEvent(new KeyboardEvent('keydown', { key }));
    const type = text => { input.value = text; input.dispatchEvent(new Event('input')); };
    const input = document.getElementById('find');
    const steps = [
      () => type('ITEM 3 of'),
      () => keep('suggested', document.getElementById('found')),
      () => { press('ArrowDown'); press('ArrowUp'); press('Enter'); },
      () => keep('neighbours'),
      () => { type('u7'); press('Enter'); },
      () => { location.hash = '#item=none%25such'; },
      () => keep('unknown'),
      () => history.back(),
      () => keep('back')];
    steps.forEach((step, k) => setTimeout(step, 200 * k));)");
  EXPECT_THAT(answer_of(dom, "suggested"),
              ContainsRegex("aria-selected=\"true\"><span class=\"kind\">item</span>"
                            "<span class=\"what\"><bdi>Item 3 of category 3"));
  const std::string neighbours = answer_of(dom, "neighbours");
  const std::vector<std::size_t> places = places_of(near["items"], neighbours);
  EXPECT_EQ(places.size(), 10U);
  EXPECT_LT(places.back(), neighbours.size()) << "each is there";
  EXPECT_TRUE(std::is_sorted(places.begin(), places.end())) << "in the order of penchant similar";
  EXPECT_THAT(answer_of(dom, "unknown"), HasSubstr("no item of that id"));
  EXPECT_THAT(answer_of(dom, "unknown"),
              HasSubstr("penchant similar shop.data shop.model --item none%such"));
  EXPECT_THAT(answer_of(dom, "back"), HasSubstr("User <bdi>u7</bdi>"));

  const std::string user = answer_of(dom_of(browser, at("shop.html") + "#user=u7"));
  const std::vector<std::size_t> listed = places_of(best["items"], user);
  EXPECT_EQ(listed.size(), 20U);
  EXPECT_LT(listed.back(), user.find("History"));
  EXPECT_TRUE(std::is_sorted(listed.begin(), listed.end())) << "in the order of recommend";
  EXPECT_THAT(user, ContainsRegex("20[0-9][0-9]-[0-9][0-9]-[0-9][0-9] ")) << "times of the log";
}

// A filter without vectors, of data that have neither times nor attributes.
TEST_F(ReportInBrowser, LookupSaysWhatIsMissing) {
  const std::string browser = chromium();
  if (browser.empty()) GTEST_SKIP() << "no Chromium on PATH (apt install chromium)";
  std::string log = "user,item\n";
  for (int k = 0; k < 400; ++k) log += fmt::format("u{},i{}\n", k % 20, (k + k / 60) * 7 % 30);
  write_text(at("log.csv"), log);
  ASSERT_EQ(run_penchant({"ingest", "--log", at("log.csv"), "--user-column", "user",
                          "--item-column", "item", "--out", at("x.data")})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set",
                          "model.kind=graph_filter", "--set", "filter.kind=linear", "--set",
                          "filter.rank=0"})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"report", at("x.model"), "--lookup-items", "20"}).exit_code, 0);
  const std::string dom = dom_after(browser, at("x.html"), R"(
    const known = facts.lookup.items.known.map(place => facts.lookup.items.id[place]);
    const steps = [
      () => { location.hash = '#item=' + known[0]; },
      () => keep('item'),
      () => { location.hash = '#item=' + facts.lookup.items.id.find(id => !known.includes(id)); },
      () => keep('other'),
      () => { location.hash = '#user=u1'; },
      () => keep('user')];
    steps.forEach((step, k) => setTimeout(step, 200 * k));)");
  EXPECT_THAT(answer_of(dom, "item"), HasSubstr("The data have no attributes of items."));
  EXPECT_THAT(answer_of(dom, "item"), HasSubstr("The model has no vectors of items to compare."));
  EXPECT_THAT(answer_of(dom, "other"), HasSubstr("The model has no vectors of items to compare."));
  EXPECT_THAT(answer_of(dom, "other"), Not(HasSubstr("penchant similar")));
  EXPECT_THAT(answer_of(dom, "user"), HasSubstr("By the model's full score"));
  EXPECT_THAT(answer_of(dom, "user"), HasSubstr("the data have no times"));
  EXPECT_GE(count(answer_of(dom, "user"), {"href=\"#item="}), 20);
}

TEST_F(ReportInBrowser, AnyIdCanBeLookedUp) {
  const std::string browser = chromium();
  if (browser.empty()) GTEST_SKIP() << "no Chromium on PATH (apt install chromium)";
  const std::vector<std::string> hostile = {
      "</script><img src=x onerror=document.documentElement.dataset.taken=1>",
      "'\"\"; alert(1) // &amp;",
      "\u202Eevil\u05D0",
      std::string(5000, 'w'),
      "-dash",
      "javascript:1"};
  std::string log = "user,item,time\n";
  for (int k = 0; k < 600; ++k) {
    const std::string& id = hostile[static_cast<std::size_t>(k) % hostile.size()];
    std::string cell;
    for (const char c : fmt::format("{}{}", id, k % 30 / 6))
      cell += c == '"' ? "\"\"" : std::string(1, c);
    log +=
        fmt::format("\"{}\",\"{}\",{}\n", k % 4 == 0 ? cell : fmt::format("u{}", k % 20), cell, k);
  }
  write_text(at("log.csv"), log);
  ASSERT_EQ(run_penchant({"ingest", "--log", at("log.csv"), "--user-column", "user",
                          "--item-column", "item", "--time-column", "time", "--out", at("x.data")})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"train", at("x.data"), "--out", at("x.model"), "--set", "train.epochs=1",
                          "--set", "model.embedding_dim=8"})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"report", at("x.model"), "--data", at("x.data"), "--out", at("x.html")})
                .exit_code,
            0);
  const std::string link = "#item=" + in_address(hostile[0] + "1");
  EXPECT_EQ(count(answer_of(dom_of(browser, at("x.html") + link)), {"href=\"#item="}), 10);
  const std::string dom = dom_after(browser, at("x.html"), R"(
    facts.lookup.items.id.forEach((id, k) => {
      setTimeout(() => { location.hash = '#item=' + encodeURIComponent(id); }, 40 * k);
      setTimeout(() => keep('item-' + k), 40 * k + 30);
    });)");
  EXPECT_EQ(count(dom.substr(0, dom.find("<body")), {"data-taken"}), 0);
  for (std::size_t k = 0; k < 5 * hostile.size(); ++k) {
    const std::string answer = answer_of(dom, fmt::format("item-{}", k));
    EXPECT_EQ(count(answer, {"<img", "href=\"javascript"}), 0) << answer;
    EXPECT_EQ(count(answer, {"Similar items"}), 1) << answer;
    EXPECT_EQ(count(answer, {"href=\"#item="}), 10) << answer;
  }
}

}  // namespace
}  // namespace penchant::testing
