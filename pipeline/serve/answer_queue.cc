// SPDX-License-Identifier: Apache-2.0
#include "pipeline/serve/answer_queue.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/host_threads.h"
#include "pipeline/data/pseudonyms.h"

namespace penchant::pipeline {

namespace {

/// As many as a tile of the product has rows (kernels/cpu/topk.cc), for each thread.
constexpr std::size_t kTileOfAThread = 128;
/// Of lists that take longer: as many as a filter answers for at a time (models/user_blocks.h).
constexpr std::size_t kTogether = 16;
/// So long what takes longer is answered before the queue is looked at again.
constexpr std::chrono::milliseconds kSlice{2};

HttpResponse failed_response(const std::exception_ptr& wrong) {
  try {
    std::rethrow_exception(wrong);
  } catch (const RequestError& error) {
    return error_response(error.status(), error.code(), error.what());
  } catch (const InputError& error) {
    return error_response(400, "bad_request", error.what());
  } catch (const std::bad_alloc&) {
    HttpResponse response = error_response(503, "out_of_memory", "out of memory");
    response.headers.emplace_back("Retry-After", "1");
    return response;
  } catch (const std::exception& error) {
    return error_response(500, "fault", error.what());
  }
}

bool is_list(Question question) {
  return question == Question::recommend || question == Question::similar;
}

HttpResponse json_response(std::string body) { return {200, std::move(body)}; }

}  // namespace

AnswerQueue::AnswerQueue(std::shared_ptr<ServedModel> model, RequestLimits limits, int num_threads,
                         PostedEvents& posted, EventLog* log, ServeMetrics& metrics)
    : limits_(limits),
      num_threads_(num_threads),
      posted_(posted),
      log_(log),
      metrics_(metrics),
      model_(std::move(model)),
      thread_([this] { answer_loop(); }) {}

AnswerQueue::~AnswerQueue() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  there_is_work_.notify_one();
  thread_.join();
}

void AnswerQueue::ask(Question question, std::string body, HttpRespond respond) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back({question, std::move(body), std::move(respond)});
  }
  there_is_work_.notify_one();
}

void AnswerQueue::exchange(std::shared_ptr<ServedModel> model) {
  const std::lock_guard lock(mutex_);
  model_.swap(model);
}

std::shared_ptr<const ServedModel> AnswerQueue::model() const {
  const std::lock_guard lock(mutex_);
  return model_;
}

void AnswerQueue::answer_loop() {
  kernels::set_host_threads(num_threads_);
  std::shared_ptr<ServedModel> model;
  for (;;) {
    std::deque<Asked> came;
    {
      std::unique_lock lock(mutex_);
      const bool idle = quick_.empty() && slow_.empty();
      if (idle && inbox_.empty()) {
        model.reset();  // one that was exchanged meanwhile is not held while nobody asks
        there_is_work_.wait(lock, [&] { return ends_ || !inbox_.empty(); });
      }
      if (idle && inbox_.empty()) return;
      came.swap(inbox_);
      model = model_;
    }
    for (Asked& asked : came) sort_in(std::move(asked), *model);
    while (!quick_.empty())
      answer_lists(*model, quick_, kTileOfAThread * static_cast<std::size_t>(num_threads_));
    const auto until = std::chrono::steady_clock::now() + kSlice;
    while (!slow_.empty() && std::chrono::steady_clock::now() < until) {
      if (is_list(slow_.front().question)) {
        answer_lists(*model, slow_, kTogether);
      } else {
        Asked asked = std::move(slow_.front());
        slow_.pop_front();
        answer_other(*model, std::move(asked));
      }
    }
  }
}

/// Reads a request and puts it where its like are.
void AnswerQueue::sort_in(Asked asked, ServedModel& model) {
  try {
    if (asked.question == Question::recommend)
      asked.list = parse_recommend_request(asked.body, limits_);
    else if (asked.question == Question::similar)
      asked.list = parse_similar_request(asked.body, limits_);
    const bool quick =
        is_list(asked.question) && model.way_of(asked.list, posted_) == ServedModel::Way::vectors;
    (quick ? quick_ : slow_).push_back(std::move(asked));
  } catch (...) {
    asked.respond(failed_response(std::current_exception()));
  }
}

/// The first of a row, and at most `most` in all that are like it.
void AnswerQueue::answer_lists(ServedModel& model, std::deque<Asked>& row, std::size_t most) {
  std::vector<Asked> alike;
  std::deque<Asked> others;
  // Read with another model, it may be: what it takes to answer is asked again.
  const ServedModel::Way way = model.way_of(row.front().list, posted_);
  for (Asked& asked : row) {
    const bool fits = alike.empty() || (alike.size() < most && is_list(asked.question) &&
                                        model.way_of(asked.list, posted_) == way &&
                                        model.is_alike(alike.front().list, asked.list, way));
    (fits ? alike.push_back(std::move(asked)) : others.push_back(std::move(asked)));
  }
  row = std::move(others);
  std::vector<const ListRequest*> requests;
  for (const Asked& asked : alike) requests.push_back(&asked.list);
  auto answers = model.lists(requests, way, posted_);
  for (std::size_t k = 0; k < alike.size(); ++k) {
    alike[k].respond(answers[k].wrong == nullptr ? json_response(std::move(answers[k].body))
                                                 : failed_response(answers[k].wrong));
  }
}

void AnswerQueue::answer_other(ServedModel& model, Asked asked) {
  try {
    if (asked.question == Question::score)
      return asked.respond(
          json_response(model.scores(parse_score_request(asked.body, limits_), posted_)));
    if (asked.question == Question::vectors)
      return asked.respond(
          json_response(model.vectors(parse_vectors_request(asked.body, limits_), posted_)));
    if (asked.question == Question::explain)
      return asked.respond(
          json_response(model.explanation(parse_explain_request(asked.body, limits_), posted_)));
    take_events(model, asked);
  } catch (...) {
    asked.respond(failed_response(std::current_exception()));
  }
}

namespace {

/// Events are written as they come: where ids are pseudonyms none may be another's raw id.
void refuse_raw_id(const graph::Dictionary& known, Entity entity, std::string_view id) {
  const std::string kind = enum_name(entity);
  if (!holds_pseudonyms(known, kind) || is_pseudonym(entity, id)) return;
  throw RequestError(
      422, "raw_id",
      fmt::format("an event's {} id, which is not shown, is no pseudonym as those of "
                  "the data set are (docs/privacy.md); no event of the request was "
                  "taken",
                  kind));
}

}  // namespace

/// `asked` is answered by whoever throws.
void AnswerQueue::take_events(const ServedModel& model, Asked& asked) {
  if (log_ == nullptr)
    throw RequestError(404, "no_event_log",
                       "the server was started without --events DIR and takes no events");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::vector<PostedEvent> events = parse_events_request(
      asked.body, limits_, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  const auto count = static_cast<std::int64_t>(events.size());
  std::int64_t unknown_users = 0, unknown_items = 0;
  for (PostedEvent& event : events) {
    refuse_raw_id(model.dataset().users, Entity::user, event.user);
    refuse_raw_id(model.dataset().items, Entity::item, event.item);
    model.check_type(event.event);
    if (event.event.empty()) event.event = model.default_type();
    unknown_users += model.dataset().users.find(event.user) == graph::kNoNode ? 1 : 0;
    unknown_items += model.dataset().items.find(event.item) == graph::kNoNode ? 1 : 0;
  }
  if (!posted_.has_room(count))
    throw RequestError(503, "too_many_events",
                       "as many events are held as the server takes; take them into the data set "
                       "and reload");
  const nlohmann::json body = {
      {"accepted", count}, {"unknown_users", unknown_users}, {"unknown_items", unknown_items}};
  log_->append(std::move(events), [respond = std::move(asked.respond), count, text = body.dump(),
                                   &metrics = metrics_](const std::exception_ptr& wrong) {
    if (wrong != nullptr) {
      HttpResponse response = failed_response(wrong);
      return respond(error_response(
          503, "event_log",
          nlohmann::json::parse(response.body).at("error").at("message").get<std::string>()));
    }
    metrics.add_events(count);
    respond(json_response(text + "\n"));
  });
}

}  // namespace penchant::pipeline
