// SPDX-License-Identifier: Apache-2.0
// Requests in a row before the model, which answers on one thread: what waits together and is alike is
// one product of matrices, on as many cores as the backend has. What takes longer, one by one, lets
// what came meanwhile pass in between. The model is exchanged between two of them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "pipeline/serve/event_log.h"
#include "pipeline/serve/http_server.h"
#include "pipeline/serve/metrics.h"
#include "pipeline/serve/posted_events.h"
#include "pipeline/serve/request_json.h"
#include "pipeline/serve/served_model.h"

namespace penchant::pipeline {

enum class Question { recommend, similar, score, vectors, explain, events };

class AnswerQueue {
 public:
  /// `log` is null: events are refused. All must outlive it.
  AnswerQueue(std::shared_ptr<ServedModel> model, RequestLimits limits, int num_threads,
              PostedEvents& posted, EventLog* log, ServeMetrics& metrics);
  /// Answers what waits.
  ~AnswerQueue();
  AnswerQueue(const AnswerQueue&) = delete;
  AnswerQueue& operator=(const AnswerQueue&) = delete;

  /// From any thread.
  void ask(Question question, std::string body, HttpRespond respond);
  /// What is asked from now on is answered by this model; what is under way by the one before.
  void exchange(std::shared_ptr<ServedModel> model);
  /// The model in use.
  std::shared_ptr<const ServedModel> model() const;

 private:
  struct Asked {
    Question question = Question::recommend;
    std::string body = {};
    HttpRespond respond = {};
    ListRequest list = {};
  };
  void answer_loop();
  void sort_in(Asked asked, ServedModel& model);
  void answer_lists(ServedModel& model, std::deque<Asked>& row, std::size_t most);
  void answer_other(ServedModel& model, Asked asked);
  void take_events(const ServedModel& model, Asked& asked);

  RequestLimits limits_;
  int num_threads_;
  PostedEvents& posted_;
  EventLog* log_;
  ServeMetrics& metrics_;
  mutable std::mutex mutex_;
  std::condition_variable there_is_work_;
  std::deque<Asked> inbox_;             // guarded
  std::shared_ptr<ServedModel> model_;  // guarded
  bool ends_ = false;                   // guarded
  std::deque<Asked> quick_, slow_;      // of the thread
  std::thread thread_;
};

}  // namespace penchant::pipeline
