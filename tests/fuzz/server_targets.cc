// SPDX-License-Identifier: Apache-2.0
// What clients send, and the log of events that a server reads back.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include "graph/files.h"
#include "pipeline/serve/event_log.h"
#include "pipeline/serve/http_server.h"
#include "pipeline/serve/request_json.h"
#include "tests/fuzz/fuzzed_files.h"
#include "tests/fuzz/targets.h"

namespace penchant::fuzz {

using namespace pipeline;
namespace fs = std::filesystem;
using Seeds = std::vector<std::string>;

namespace {

class Unobserved final : public HttpObserver {
 public:
  void answered(std::string_view, int, double) override {}
  void connected(int) override {}
};

/// Echoes, on a thread of its own.
class Server {
 public:
  Server()
      : server_({"127.0.0.1", 0}, limits(), "secret", routes(), unobserved_),
        thread_([this] { server_.run(); }) {}
  ~Server() {
    server_.drain();
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  int port() const { return server_.port(); }

 private:
  static HttpLimits limits() {
    HttpLimits limits;
    limits.max_body = 4096;
    limits.head = limits.body = limits.idle = std::chrono::milliseconds(200);
    limits.linger = std::chrono::milliseconds(1);
    return limits;
  }
  static std::vector<HttpRoute> routes() {
    std::vector<HttpRoute> routes;
    routes.push_back({"/echo", true, true, false, [](std::string body, const HttpRespond& respond) {
                        respond({200, std::move(body)});
                      }});
    routes.push_back(
        {"/healthz", false, false, true, [](const std::string&, const HttpRespond& respond) {
           respond({200, "{}"});
         }});
    return routes;
  }

  Unobserved unobserved_;
  HttpServer server_;
  std::thread thread_;
};

std::string answer_of(int port, std::string_view request) {
  const graph::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{20, 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("the server does not listen any more");
  send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
  shutdown(socket.get(), SHUT_WR);
  std::string all;
  char piece[4096];
  for (;;) {
    const ssize_t count = recv(socket.get(), piece, sizeof piece, 0);
    if (count < 0 && errno == EAGAIN) throw std::runtime_error("no answer, and no end");
    if (count <= 0) return all;
    all.append(piece, static_cast<std::size_t>(count));
  }
}

template <typename Parse>
void parse(Parse parse_request) {
  try {
    parse_request();
  } catch (const RequestError& error) {
    if (error.status() < 400 || error.status() > 499)
      throw std::logic_error("not the client's fault");
  } catch (const InputError&) {
  }
}

}  // namespace

Seeds requests_seeds() {
  return {
      "\1{\"user\": \"u1\", \"k\": 5, \"seen\": \"mask\", \"ranking\": \"full\"}",
      "\1{\"history\": [{\"item\": \"i1\", \"event\": \"view\", \"time\": "
      "\"2026-01-01T00:00:00Z\"}, \"i2\"], \"where\": \"a = 1\"}",
      "\2{\"item\": 17, \"k\": 3, \"only_items\": [\"a\"], \"exclude\": [1], \"at_most\": "
      "{\"brand\": 2}}",
      "\3{\"pairs\": [[\"u\", \"i\"], {\"user\": \"u\", \"item\": \"i\"}], \"unknown\": \"zero\"}",
      "\4{\"users\": [\"u\"], \"items\": [\"i\"]}",
      "\5{\"item\": \"i\", \"user\": \"u\", \"top\": 3}",
      "\6{\"events\": [{\"user\": \"u\", \"item\": \"i\", \"event\": \"view\", \"time\": "
      "1600000000000}]}"};
}
void run_requests(std::string_view input) {
  Choices choices(input);
  const RequestLimits limits;
  switch (choices.below(7)) {
    case 1:
      return parse([&] { parse_recommend_request(input, limits); });
    case 2:
      return parse([&] { parse_similar_request(input, limits); });
    case 3:
      return parse([&] { parse_score_request(input, limits); });
    case 4:
      return parse([&] { parse_vectors_request(input, limits); });
    case 5:
      return parse([&] { parse_explain_request(input, limits); });
    default:
      return parse([&] {
        for (const PostedEvent& event : parse_events_request(input, limits, 1'600'000'000'000))
          event_line(event);
      });
  }
}

Seeds http_seeds() {
  return {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
          "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Type: "
          "application/json\r\n"
          "Content-Length: 2\r\n\r\n{}",
          "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Type: "
          "application/json\r\n"
          "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
          "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nHEAD /healthz HTTP/1.0\r\n\r\n"};
}
void run_http(std::string_view input) {
  static Server server;
  const std::string answer = answer_of(server.port(), input);
  if (!answer.empty() && !answer.starts_with("HTTP/1."))
    throw std::logic_error("no answer of HTTP");
}

Seeds event_log_seeds() {
  return {
      "user,item,event,time\nu1,i1,view,2026-01-01T00:00:00.000Z\n\"a,b\",\"c\"\"d\",,2026-01-"
      "01T00:00:00.250Z\n",
      "user,item,event,time\nu1,i1,view,2026-01-01T00:0"};
}
void run_event_log(std::string_view input) {
  const fs::path folder = work_folder() / "events";
  fs::create_directories(folder);
  put_file("events/events-000001.csv", input);
  answer([&] {
    PostedEvents events(1000, 100'000);
    const EventLog log(folder, events, [](const std::string&) {});
  });
}

}  // namespace penchant::fuzz
