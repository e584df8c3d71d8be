// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 (RFC 9110, RFC 9112) over Boost.Beast: connections, their limits and times, what is refused
// before a handler sees it, and the end without a broken answer. One thread reads and writes; handlers
// answer from wherever they like. What the answers say is left to others.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penchant::pipeline {

struct HttpResponse {
  int status = 200;
  std::string body = {};
  std::string type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
};
/// {"error": {"status", "code", "message"}}; `code` is for programs: "unknown_user".
HttpResponse error_response(int status, std::string_view code, std::string_view message);

/// Calls back once, from any thread.
using HttpRespond = std::function<void(HttpResponse)>;

struct HttpRoute {
  std::string path;
  bool is_post = false;     ///< POST, else GET and HEAD
  bool takes_body = false;  ///< JSON, of a POST
  bool is_open = false;     ///< without a token, and not counted by the rate
  /// Is called on the server's thread and must not block it.
  std::function<void(std::string body, HttpRespond)> handle = {};
};

struct HttpLimits {
  std::int64_t max_body = std::int64_t{1} << 20;  ///< bytes
  std::int64_t max_connections = 512;
  double rate = 0.0;  ///< requests a second of one address, which may save up a second's; 0: any
  std::chrono::milliseconds idle{60'000};   ///< between requests
  std::chrono::milliseconds head{10'000};   ///< from the first byte to the end of the header
  std::chrono::milliseconds body{30'000};   ///< from there to the end of the body
  std::chrono::milliseconds write{30'000};  ///< of an answer
  std::chrono::milliseconds linger{2'000};  ///< what still comes is read so long before it closes
  std::chrono::milliseconds drain{20'000};  ///< connections are closed so long after drain()
};

/// What is told of every request that was answered, on the server's thread.
class HttpObserver {
 public:
  virtual ~HttpObserver() = default;
  /// `path`: a route's, or empty.
  virtual void answered(std::string_view path, int status, double seconds) = 0;
  virtual void connected(int change) = 0;
};

struct HttpAddress {
  std::string host = "127.0.0.1";
  int port = 8080;  ///< 0: one that is free
};

class HttpServer {
 public:
  /// Listens. `token`: what "Authorization: Bearer" has to name, or empty. The observer must outlive
  /// it. Throws InputError: no such address, or it is taken.
  HttpServer(const HttpAddress& address, HttpLimits limits, std::string token,
             std::vector<HttpRoute> routes, HttpObserver& observer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  /// Serves until it is drained.
  void run();
  /// From any thread: no more connections, idle ones are closed, requests under way are answered.
  /// What comes after them gets 503.
  void drain();
  bool draining() const;

 private:
  struct Impl;
  class Connection;
  std::shared_ptr<Impl> impl_;
};

}  // namespace penchant::pipeline
