// SPDX-License-Identifier: Apache-2.0
#include "pipeline/serve/event_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/ingest/time_parse.h"
#include "pipeline/tables/csv_cell.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kHeader = "user,item,event,time\n";

std::string event_file_name(int number) { return fmt::format("events-{:06}.csv", number); }

/// The number of a file of the log; nothing for any other.
std::optional<int> event_file_number(std::string_view name) {
  constexpr std::string_view kFront = "events-", kBack = ".csv";
  if (!name.starts_with(kFront) || !name.ends_with(kBack)) return std::nullopt;
  name.remove_prefix(kFront.size());
  name.remove_suffix(kBack.size());
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number < 1) return std::nullopt;
  return number;
}

/// Readers may take blanks at the ends of a cell off, but for one in quotes.
void append_cell(std::string& line, std::string_view cell) {
  const bool ends_blank = !cell.empty() && (cell.front() == ' ' || cell.back() == ' ');
  append_csv_cell(
      cell, [&](std::string_view piece) { line += piece; }, ends_blank);
}

/// Takes the next record off `text`; nothing if its end is missing.
std::optional<std::vector<std::string>> next_record(std::string_view& text) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t place = 0; place < text.size(); ++place) {
    const char letter = text[place];
    if (quoted) {
      if (letter != '"') {
        cells.back() += letter;
      } else if (place + 1 < text.size() && text[place + 1] == '"') {
        cells.back() += text[++place];
      } else {
        quoted = false;
      }
    } else if (letter == '"') {
      quoted = true;
    } else if (letter == ',') {
      cells.emplace_back();
    } else if (letter == '\n') {
      text.remove_prefix(place + 1);
      return cells;
    } else {
      cells.back() += letter;
    }
  }
  return std::nullopt;
}

[[noreturn]] void fail(const fs::path& path, const char* what) {
  throw InputError(fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

/// A new file's name is on disk once its folder is.
void sync_folder(const fs::path& folder) {
  const graph::Descriptor descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid() || fsync(descriptor.get()) != 0) fail(folder, "cannot be flushed");
}

}  // namespace

std::string utc_text(std::int64_t time_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(time_ms)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string event_line(const PostedEvent& event) {
  std::string line;
  append_cell(line, event.user);
  line += ',';
  append_cell(line, event.item);
  line += ',';
  append_cell(line, event.event);
  line += ',';
  line += utc_text(event.time_ms);
  line += '\n';
  return line;
}

EventLog::EventLog(fs::path folder, PostedEvents& to,
                   const std::function<void(const std::string&)>& warn, std::int64_t new_file_bytes)
    : folder_(std::move(folder)), new_file_bytes_(new_file_bytes), to_(to) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error || !fs::is_directory(folder_))
    throw InputError(fmt::format("--events {}: expected a folder that can be written{}",
                                 folder_.string(), error ? ": " + error.message() : ""));
  const fs::path lock = folder_ / ".lock";
  lock_ = graph::Descriptor(open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock_.valid()) fail(lock, "cannot be opened");
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    throw InputError(
        fmt::format("--events {}: another process writes its log there", folder_.string()));
  read_back(warn);
  write_lines("");
  writer_ = std::thread([this] { write_loop(); });
}

EventLog::~EventLog() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  there_is_work_.notify_one();
  writer_.join();
}

void EventLog::read_back(const std::function<void(const std::string&)>& warn) {
  std::vector<int> numbers;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (const auto number = event_file_number(entry.path().filename().string()))
      numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  for (const int number : numbers) {
    const fs::path path = folder_ / event_file_name(number);
    const auto size = static_cast<std::int64_t>(fs::file_size(path));
    const std::int64_t whole = read_file_back(path);
    number_ = number;
    file_size_ = whole;
    if (whole == size) continue;
    if (truncate(path.c_str(), whole) != 0) fail(path, "cannot be cut to its whole lines");
    warn(
        fmt::format("{}: its last line was not written to its end, as by a crash: {} bytes cut off",
                    path.string(), size - whole));
  }
}

/// Returns the bytes of whole lines.
std::int64_t EventLog::read_file_back(const fs::path& path) {
  const std::string text = graph::read_file(path);
  std::string_view rest = text;
  if (text.size() < kHeader.size() && kHeader.starts_with(text)) return 0;
  if (!text.starts_with(kHeader))
    throw InputError(fmt::format("{}:1: expected the header {}", path.string(),
                                 kHeader.substr(0, kHeader.size() - 1)));
  rest.remove_prefix(kHeader.size());
  const TimeParser time("iso8601");
  std::vector<PostedEvent> events;
  for (std::int64_t line = 2; !rest.empty(); ++line) {
    auto cells = next_record(rest);
    if (!cells) break;
    const auto time_ms = cells->size() == 4 ? time((*cells)[3]) : std::nullopt;
    if (!time_ms)
      throw InputError(fmt::format("{}: record {}: expected user, item, event and an ISO 8601 time",
                                   path.string(), line));
    events.push_back(
        {std::move((*cells)[0]), std::move((*cells)[1]), std::move((*cells)[2]), *time_ms});
  }
  to_.add(std::move(events));
  return static_cast<std::int64_t>(text.size() - rest.size());
}

void EventLog::open_file() {
  const fs::path path = folder_ / event_file_name(number_);
  file_ = graph::Descriptor(
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file_.valid()) fail(path, "cannot be opened");
}

/// To the last file, or to a new one where there is none or it is full. What a failure has left
/// undone, a header it may be, is done first the next time.
void EventLog::write_lines(const std::string& lines) {
  if (number_ == 0 || file_size_ >= new_file_bytes_) {
    ++number_;
    file_size_ = 0;
    file_.reset();
  }
  if (!file_.valid()) open_file();
  if (file_size_ == 0) {
    write_and_sync(std::string(kHeader));
    sync_folder(folder_);
  }
  write_and_sync(lines);
}

/// All of it, or nothing that counts: what a failure left is cut off again.
void EventLog::write_and_sync(const std::string& text) {
  const fs::path path = folder_ / event_file_name(number_);
  if (is_torn_ && ftruncate(file_.get(), file_size_) != 0)
    fail(path, "cannot be cut to its whole lines");
  is_torn_ = false;
  std::size_t written = 0;
  int error = 0;
  while (written < text.size() && error == 0) {
    const ssize_t count = write(file_.get(), text.data() + written, text.size() - written);
    if (count >= 0)
      written += static_cast<std::size_t>(count);
    else if (errno != EINTR)
      error = errno;
  }
  if (error == 0 && fdatasync(file_.get()) != 0) error = errno;
  if (error != 0) {
    is_torn_ = ftruncate(file_.get(), file_size_) != 0;
    errno = error;
    fail(path, "cannot be written");
  }
  file_size_ += static_cast<std::int64_t>(text.size());
}

void EventLog::append(std::vector<PostedEvent> events,
                      std::function<void(std::exception_ptr)> done) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(events), std::move(done)});
  }
  there_is_work_.notify_one();
}

void EventLog::write_loop() {
  for (;;) {
    std::vector<Waiting> batch;
    {
      std::unique_lock lock(mutex_);
      there_is_work_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      batch.swap(waiting_);
    }
    std::exception_ptr wrong;
    try {
      std::string text;
      for (const Waiting& one : batch) {
        for (const PostedEvent& event : one.events) text += event_line(event);
      }
      write_lines(text);
    } catch (...) {
      wrong = std::current_exception();
    }
    for (Waiting& one : batch) {
      if (wrong == nullptr) to_.add(std::move(one.events));
      one.done(wrong);
    }
  }
}

}  // namespace penchant::pipeline
