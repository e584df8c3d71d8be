// SPDX-License-Identifier: Apache-2.0
// Events on disk before they are answered for: DIR/events-000001.csv and so on, which ingest reads as
// any log. RFC 4180, UTF-8, a header "user,item,event,time"; cells with commas, quotes or line ends
// are quoted; times are ISO 8601 in UTC with milliseconds; event may be empty. Files
// are only ever appended to, by whole lines, and a new one begins at 64 MiB. What a crash left of a
// last line is cut off when the log is opened: it was never answered for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "graph/files.h"
#include "pipeline/serve/posted_events.h"

namespace penchant::pipeline {

class EventLog {
 public:
  /// Opens the folder, which is made where it is missing, for one process at a time, and reads what
  /// it holds. `warn` hears of what was cut off. Throws InputError: not a folder that can be written,
  /// in use by another process, or a file with lines that are none of ours.
  /// From `new_file_bytes` on a new file begins.
  EventLog(std::filesystem::path folder, PostedEvents& to,
           const std::function<void(const std::string&)>& warn,
           std::int64_t new_file_bytes = std::int64_t{64} << 20);
  /// Writes what is left.
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  /// Calls `done` on the log's thread: once the events are on disk and counted, or with what went
  /// wrong, and then they are neither. Many calls share one wait for the disk.
  void append(std::vector<PostedEvent> events, std::function<void(std::exception_ptr)> done);

 private:
  struct Waiting {
    std::vector<PostedEvent> events;
    std::function<void(std::exception_ptr)> done;
  };
  void read_back(const std::function<void(const std::string&)>& warn);
  std::int64_t read_file_back(const std::filesystem::path& path);
  void open_file();
  void write_lines(const std::string& lines);
  void write_and_sync(const std::string& text);
  void write_loop();

  std::filesystem::path folder_;
  std::int64_t new_file_bytes_;
  PostedEvents& to_;
  graph::Descriptor lock_, file_;
  int number_ = 0;              ///< of the last file
  std::int64_t file_size_ = 0;  ///< of whole lines
  bool is_torn_ = false;        ///< behind them there may be what a failure left
  std::mutex mutex_;
  std::condition_variable there_is_work_;
  std::vector<Waiting> waiting_;
  bool ends_ = false;
  std::thread writer_;
};

/// One line, its end included.
std::string event_line(const PostedEvent& event);
/// "2026-11-30T07:15:00.250Z".
std::string utc_text(std::int64_t time_ms);

}  // namespace penchant::pipeline
