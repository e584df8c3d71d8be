// SPDX-License-Identifier: Apache-2.0
#include "pipeline/serve/server.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "kernels/host_threads.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/version.h"
#include "pipeline/serve/answer_queue.h"
#include "pipeline/serve/event_log.h"
#include "pipeline/serve/metrics.h"
#include "pipeline/serve/openapi.h"
#include "pipeline/serve/posted_events.h"
#include "pipeline/serve/served_model.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

json model_json(const ServedModel& model) {
  return {{"model", model.model().name()},
          {"model_hash", model.model().hash()},
          {"data_hash", model.dataset().hash},
          {"users", model.dataset().num_users()},
          {"items", model.dataset().num_items()}};
}

/// Makes new models beside the one in use, one after another.
class Reloader {
 public:
  Reloader(const Config& config, const ServeOptions& options, AnswerQueue& answers,
           PostedEvents& posted, ServeMetrics& metrics, Progress& progress)
      : config_(config),
        options_(options),
        answers_(answers),
        posted_(posted),
        metrics_(metrics),
        progress_(progress),
        thread_([this] { loop(); }) {}
  ~Reloader() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    there_is_work_.notify_one();
    thread_.join();
  }
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  void ask(HttpRespond respond) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(respond));
    }
    there_is_work_.notify_one();
  }

 private:
  void loop() {
    kernels::set_host_threads(config_.backend.num_threads);
    for (;;) {
      std::deque<HttpRespond> asked;
      {
        std::unique_lock lock(mutex_);
        there_is_work_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
        if (ends_ && waiting_.empty()) return;
        asked.swap(waiting_);
      }
      const HttpResponse response = reload();
      for (const HttpRespond& respond : asked) respond(response);
    }
  }

  HttpResponse reload() {
    try {
      auto model = std::make_shared<ServedModel>(config_, options_.data, options_.model);
      posted_.forget([&](const PostedEvent& event) { return model->knows(event); });
      const std::string body = model_json(*model).dump() + "\n";
      answers_.exchange(std::move(model));
      malloc_trim(0);
      metrics_.add_reload(true);
      return {200, body};
    } catch (const std::exception& error) {
      metrics_.add_reload(false);
      progress_.warn(fmt::format("reload: {}; the model in use stays", error.what()));
      return error_response(409, "reload_failed",
                            fmt::format("{}; the model in use stays", error.what()));
    }
  }

  const Config& config_;
  const ServeOptions& options_;
  AnswerQueue& answers_;
  PostedEvents& posted_;
  ServeMetrics& metrics_;
  Progress& progress_;
  std::mutex mutex_;
  std::condition_variable there_is_work_;
  std::deque<HttpRespond> waiting_;
  bool ends_ = false;
  std::thread thread_;
};

/// Each connection is an open file: without one left, clients would wait instead of hearing 503.
void allow_open_files(std::int64_t max_connections) {
  constexpr std::int64_t kOthers = 256;  // those of a reload, and connections that are refused
  const auto wanted =
      static_cast<rlim_t>(max_connections + std::min(max_connections, kOthers) + kOthers);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (limit.rlim_cur < wanted || setrlimit(RLIMIT_NOFILE, &limit) != 0)
    throw InputError(
        fmt::format("--max-connections {} takes {} open files, and {} are allowed (ulimit -n)",
                    max_connections, wanted, limit.rlim_max));
}

}  // namespace

std::string read_token(const std::filesystem::path& file) {
  std::string token = graph::read_file(file, std::uint64_t{64} << 10);
  token.erase(std::min(token.find_first_of("\r\n"), token.size()));
  const bool visible = std::all_of(token.begin(), token.end(),
                                   [](char letter) { return letter > ' ' && letter < '\x7f'; });
  if (token.size() < 8 || !visible)
    throw InputError(
        fmt::format("{}: expected a token of at least 8 letters, digits and signs, without blanks, "
                    "in its first "
                    "line",
                    file.string()));
  return token;
}

void serve(const Config& config, const ServeOptions& options, Progress& progress,
           const std::function<void(const std::string& url)>& ready) {
  const std::string token = options.token_file.empty() ? "" : read_token(options.token_file);
  allow_open_files(options.http.max_connections);
  ServeMetrics metrics;
  PostedEvents posted(options.requests.max_history, options.max_events);
  std::optional<HttpServer> server;  // outlives all that answers through it
  auto model = std::make_shared<ServedModel>(config, options.data, options.model);
  std::optional<EventLog> log;
  if (!options.events.empty())
    log.emplace(options.events, posted, [&](const std::string& what) { progress.warn(what); });
  posted.forget([&](const PostedEvent& event) { return model->knows(event); });
  AnswerQueue answers(std::move(model), options.requests,
                      kernels::host_threads(config.backend.num_threads), posted,
                      log ? &*log : nullptr, metrics);
  Reloader reloader(config, options, answers, posted, metrics, progress);

  std::vector<HttpRoute> routes;
  const auto get = [&](const char* path, bool is_open, std::function<HttpResponse()> answer) {
    routes.push_back({path, false, false, is_open,
                      [answer = std::move(answer)](const std::string&, const HttpRespond& respond) {
                        respond(answer());
                      }});
  };
  const auto post = [&](const char* path, Question question) {
    routes.push_back(
        {path, true, true, false, [&answers, question](std::string body, HttpRespond respond) {
           answers.ask(question, std::move(body), std::move(respond));
         }});
  };
  post("/recommend", Question::recommend);
  post("/similar", Question::similar);
  post("/score", Question::score);
  post("/vectors", Question::vectors);
  post("/explain", Question::explain);
  post("/events", Question::events);
  routes.push_back({"/reload", true, false, false, [&](const std::string&, HttpRespond respond) {
                      reloader.ask(std::move(respond));
                    }});
  get("/health", true, [&] {
    json body = model_json(*answers.model());
    body["status"] = server->draining() ? "draining" : "ok";
    body["version"] = kVersion;
    HttpResponse response{server->draining() ? 503 : 200, body.dump() + "\n"};
    if (server->draining()) response.headers.emplace_back("Retry-After", "1");
    return response;
  });
  get("/metrics", false, [&] {
    const auto used = answers.model();
    HttpResponse response;
    response.type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = metrics.text({used->model().name(), used->model().hash(), used->dataset().hash,
                                  used->dataset().num_users(), used->dataset().num_items(),
                                  posted.num_users(), posted.num_events(), server->draining()});
    return response;
  });
  get("/openapi.json", false, [&] {
    return HttpResponse{200, openapi_document(options, answers.model()->dataset())};
  });

  server.emplace(options.address, options.http, token, std::move(routes), metrics);
  const ServiceSignals signals([&] { server->drain(); },
                               [&] { reloader.ask([](HttpResponse) {}); });
  const bool is_v6 = options.address.host.find(':') != std::string::npos;
  ready(fmt::format("http://{}{}{}:{}", is_v6 ? "[" : "", options.address.host, is_v6 ? "]" : "",
                    server->port()));
  server->run();
}

}  // namespace penchant::pipeline
