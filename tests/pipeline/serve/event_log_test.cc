// SPDX-License-Identifier: Apache-2.0
// The log of events on disk: what is answered for is in it after every way in which it can end, and
// what cannot be written is not answered for.
#include "pipeline/serve/event_log.h"

#include <sys/resource.h>

#include <csignal>
#include <future>
#include <memory>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/pipeline/support/folder.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::TemporaryFolder;
using penchant::testing::write_text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kMorning = 1'796'019'300'250;
const std::string kHead = "user,item,event,time\n";

/// Files may grow to so many bytes while it lives: a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(std::int64_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(bytes);
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

class EventLogTest : public ::testing::Test {
 protected:
  void open(std::int64_t new_file_bytes = std::int64_t{64} << 20) {
    log_.reset();
    posted_ = std::make_unique<PostedEvents>(100, 1000);
    warnings_.clear();
    log_.emplace(
        path_, *posted_, [&](const std::string& what) { warnings_.push_back(what); },
        new_file_bytes);
  }
  /// Whether they were written.
  bool append(std::vector<PostedEvent> events) {
    std::promise<bool> done;
    log_->append(std::move(events),
                 [&](const std::exception_ptr& wrong) { done.set_value(wrong == nullptr); });
    return done.get_future().get();
  }
  bool append(const std::string& item) { return append({{"u", item, "", kMorning}}); }
  std::vector<std::string> items() const {
    std::vector<std::string> items;
    for (const PostedEvent& event : posted_->of("u")) items.push_back(event.item);
    return items;
  }
  std::string text(int number) const {
    return read_text(path_ / ("events-00000" + std::to_string(number) + ".csv"));
  }
  void write(int number, const std::string& what) const {
    std::filesystem::create_directories(path_);
    write_text(path_ / ("events-00000" + std::to_string(number) + ".csv"), what);
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "deep" / "log";
  std::unique_ptr<PostedEvents> posted_;
  std::vector<std::string> warnings_;
  std::optional<EventLog> log_;
};

TEST_F(EventLogTest, LinesAreThoseOfRfc4180) {
  EXPECT_EQ(event_line({"u", "i", "cart", kMorning}), "u,i,cart,2026-11-30T06:15:00.250Z\n");
  EXPECT_EQ(event_line({"a,\"b\"\n", " i", "", 0}),
            "\"a,\"\"b\"\"\n\",\" i\",,1970-01-01T00:00:00.000Z\n");
  EXPECT_EQ(utc_text(4'102'444'799'999), "2099-12-31T23:59:59.999Z");
}

TEST_F(EventLogTest, WhatIsWrittenIsReadBack) {
  const std::vector<std::string> names = {
      "plain",    "a,b",     "\"",       "\"\"x", "new\nline", "\r", "\r\n",
      " blanks ", "\ttab\t", "\xC3\xA4", "'",     ";",         "#",  std::string("nu\0l", 4)};
  open();
  for (const std::string& name : names)
    ASSERT_TRUE(append({{"u", name, name, kMorning}, {name, "i", "", kMorning + 1}}));
  EXPECT_EQ(items(), names);
  const std::string whole = text(1);
  open();
  EXPECT_EQ(items(), names);
  for (const std::string& name : names) {
    ASSERT_EQ(posted_->of(name).size(), 1U);
    EXPECT_EQ(posted_->of(name)[0].time_ms, kMorning + 1);
  }
  EXPECT_EQ(posted_->of("u")[3].event, "\"\"x");
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_EQ(text(1), whole);
}

TEST_F(EventLogTest, ATornLineIsCutOffWhereverItIsTorn) {
  const std::string whole = kHead + "u,a,,2026-11-30T06:15:00.250Z\n";
  const std::string last = event_line({"u", "b\"\n,", "x", kMorning});
  for (std::size_t bytes = 1; bytes < last.size(); ++bytes) {
    write(1, whole + last.substr(0, bytes));
    open();
    EXPECT_THAT(items(), ElementsAre("a")) << bytes;
    EXPECT_THAT(warnings_, ElementsAre(AllOf(HasSubstr("events-000001.csv"),
                                             HasSubstr(std::to_string(bytes) + " bytes cut off"))));
    EXPECT_EQ(text(1), whole) << bytes;
  }
  ASSERT_TRUE(append("c"));
  open();
  EXPECT_THAT(items(), ElementsAre("a", "c"));
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(EventLogTest, ATornHeaderIsWrittenAgain) {
  for (std::size_t bytes = 0; bytes <= kHead.size(); ++bytes) {
    write(1, kHead.substr(0, bytes));
    open();
    EXPECT_EQ(text(1), kHead) << bytes;
    EXPECT_TRUE(append("a"));
    log_.reset();
  }
}

TEST_F(EventLogTest, AFileThatIsNoneOfOursStaysAsItIs) {
  for (const std::string& what :
       {std::string("something else\n"), kHead + "u,i,2026-11-30T06:15:00Z\n",
        kHead + "u,i,,yesterday\n", kHead + "u,i,,2026-11-30T06:15:00Z,more\n"}) {
    write(1, what);
    EXPECT_THAT(input_error_of([&] { open(); }), HasSubstr("events-000001.csv")) << what;
    EXPECT_EQ(text(1), what);
  }
}

TEST_F(EventLogTest, OneProcessWrites) {
  open();
  PostedEvents other(1, 1);
  EXPECT_THAT(input_error_of([&] { EventLog(path_, other, [](const std::string&) {}); }),
              HasSubstr("another process"));
  log_.reset();
  EventLog(path_, other, [](const std::string&) {});
}

TEST_F(EventLogTest, TheFolderHasToBeOne) {
  write_text(folder_.path() / "file", "x");
  path_ = folder_.path() / "file";
  EXPECT_THAT(input_error_of([&] { open(); }), HasSubstr("expected a folder"));
}

TEST_F(EventLogTest, ANewFileBeginsWhenOneIsFull) {
  open(80);
  for (const char* item : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(append(item));
  const auto line = [](const std::string& item) { return event_line({"u", item, "", kMorning}); };
  EXPECT_EQ(text(1), kHead + line("a") + line("b"));
  EXPECT_EQ(text(2), kHead + line("c") + line("d"));
  EXPECT_EQ(text(3), kHead + line("e"));
  open(80);
  EXPECT_THAT(items(), ElementsAre("a", "b", "c", "d", "e"));
  ASSERT_TRUE(append("f"));
  EXPECT_EQ(text(3), kHead + line("e") + line("f"));
  open(80);  // the last one is full
  EXPECT_EQ(text(4), kHead);
  log_.reset();
  std::filesystem::remove(path_ / "events-000001.csv");  // the data set has it
  open(80);
  EXPECT_THAT(items(), ElementsAre("c", "d", "e", "f"));
}

TEST_F(EventLogTest, WhatCannotBeWrittenIsNotAnsweredFor) {
  open();
  ASSERT_TRUE(append("a"));
  const std::string before = text(1);
  {
    const FullDisk full(static_cast<std::int64_t>(before.size()) + 10);
    EXPECT_FALSE(append("b"));
    EXPECT_EQ(text(1), before) << "ten bytes of the line were written, and cut off";
  }
  EXPECT_THAT(items(), ElementsAre("a"));
  ASSERT_TRUE(append("c"));
  open();
  EXPECT_THAT(items(), ElementsAre("a", "c"));
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(EventLogTest, ANewFileThatCouldNotBeBegunIsBegunLater) {
  open(30);
  ASSERT_TRUE(append("a"));
  {
    const FullDisk full(10);  // not even a header
    EXPECT_FALSE(append("b"));
    EXPECT_FALSE(append("c"));
  }
  ASSERT_TRUE(append("d"));
  EXPECT_EQ(text(2), kHead + event_line({"u", "d", "", kMorning}));
  open(30);
  EXPECT_THAT(items(), ElementsAre("a", "d"));
}

TEST_F(EventLogTest, TheEndWritesWhatWaits) {
  open();
  int done = 0;
  for (int k = 0; k < 50; ++k) {
    log_->append({{"u", std::to_string(k), "", kMorning}},
                 [&](const std::exception_ptr& wrong) { done += wrong == nullptr ? 1 : 0; });
  }
  log_.reset();
  EXPECT_EQ(done, 50);
  open();
  EXPECT_EQ(items().size(), 50U);
}

}  // namespace
}  // namespace penchant::pipeline
