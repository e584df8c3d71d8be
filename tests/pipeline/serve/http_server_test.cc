// SPDX-License-Identifier: Apache-2.0
// What a client's slowness and its number come to: every connection is answered or closed within the
// limits, and none waits for another's. What is well-formed is told by serve_test.py.
#include "pipeline/serve/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/files.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::input_error_of;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Unobserved final : public HttpObserver {
 public:
  void answered(std::string_view, int, double) override {}
  void connected(int) override {}
};

/// A client by hand. What it waits for comes within a minute, or the test fails.
class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval minute{60, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int failed =
        connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    EXPECT_EQ(failed, 0);
  }
  void send(std::string_view text) {
    EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  /// Up to the end of the connection.
  std::string rest() {
    std::string all;
    char piece[4096];
    for (;;) {
      const ssize_t count = recv(socket_.get(), piece, sizeof piece, 0);
      EXPECT_TRUE(count >= 0 || errno == ECONNRESET) << "nothing came within a minute";
      if (count <= 0) return all;
      all.append(piece, static_cast<std::size_t>(count));
    }
  }

 private:
  graph::Descriptor socket_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void start(const HttpLimits& limits) {
    std::vector<HttpRoute> routes;
    routes.push_back({"/echo", true, true, false, [](std::string body, const HttpRespond& respond) {
                        respond({200, std::move(body)});
                      }});
    server_.emplace(HttpAddress{"127.0.0.1", 0}, limits, "", std::move(routes), unobserved_);
    thread_ = std::thread([this] { server_->run(); });
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    server_->drain();
    thread_.join();
  }
  static std::string post(std::string_view body, std::string_view more = "") {
    return fmt::format(
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: {}\r\n{}\r\n{}",
        body.size(), more, body);
  }
  static constexpr std::string_view kLast = "Connection: close\r\n";

  Unobserved unobserved_;
  std::optional<HttpServer> server_;
  std::thread thread_;
};

HttpLimits short_limits() {
  HttpLimits limits;
  limits.drain = milliseconds(2000);
  limits.linger = milliseconds(50);
  return limits;
}

TEST_F(HttpServerTest, ASlowHeaderIs408) {
  HttpLimits limits = short_limits();
  limits.head = milliseconds(50);
  start(limits);
  Client slow(server_->port());
  slow.send("POST /echo HTTP/1.1\r\nHo");
  EXPECT_THAT(slow.rest(), AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("Connection: close"),
                                 HasSubstr("too_slow")));
}

TEST_F(HttpServerTest, ASlowBodyIs408) {
  HttpLimits limits = short_limits();
  limits.body = milliseconds(50);
  start(limits);
  Client slow(server_->port());
  slow.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Content-Length: 10\r\n\r\n1234");
  EXPECT_THAT(slow.rest(), StartsWith("HTTP/1.1 408 "));
  Client chunks(server_->port());
  chunks.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n");
  EXPECT_THAT(chunks.rest(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, AConnectionWithoutARequestIsClosed) {
  HttpLimits limits = short_limits();
  limits.idle = milliseconds(50);
  start(limits);
  Client silent(server_->port());
  EXPECT_THAT(silent.rest(), IsEmpty());
  Client lines(server_->port());
  lines.send("\r\n\r\n");  // no request either
  EXPECT_THAT(lines.rest(), IsEmpty());
  Client kept(server_->port());
  kept.send(post("1"));
  EXPECT_THAT(kept.rest(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, OneThatWaitsHoldsUpNobody) {
  start(short_limits());
  std::vector<std::unique_ptr<Client>> slow;
  for (int k = 0; k < 40; ++k) {
    slow.push_back(std::make_unique<Client>(server_->port()));
    slow.back()->send(post("12345").substr(0, k % 2 == 0 ? 20 : 90));
  }
  Client fast(server_->port());
  fast.send(post("1") + post("[2]", kLast));
  EXPECT_THAT(fast.rest(), AllOf(HasSubstr("\r\n\r\n1HTTP/1.1 200 "), HasSubstr("\r\n\r\n[2]")));
}

TEST_F(HttpServerTest, OneTooManyIsTold) {
  HttpLimits limits = short_limits();
  limits.max_connections = 2;
  start(limits);
  auto first = std::make_unique<Client>(server_->port());
  Client second(server_->port());
  Client third(server_->port());
  EXPECT_THAT(third.rest(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1"),
                                  HasSubstr("too_many_connections")));
  first.reset();
  for (std::string answer; !answer.starts_with("HTTP/1.1 200 ");) {  // once it is closed there too
    Client next(server_->port());
    next.send(post("1", kLast));
    answer = next.rest();
    ASSERT_THAT(answer.substr(0, 12), ::testing::AnyOf("HTTP/1.1 200", "HTTP/1.1 503", ""));
  }
  second.send(post("1", kLast));
  EXPECT_THAT(second.rest(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, WhatIsTooLargeIsNotReadFirst) {
  HttpLimits limits = short_limits();
  limits.max_body = 1024;
  start(limits);
  Client large(server_->port());
  large.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Content-Length: 1073741824\r\n\r\n");
  EXPECT_THAT(large.rest(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, AnAddressIsTakenOnce) {
  start(short_limits());
  EXPECT_THAT(input_error_of([&] {
                HttpServer({"127.0.0.1", server_->port()}, {}, "", {}, unobserved_);
              }),
              HasSubstr("cannot listen on 127.0.0.1"));
  EXPECT_THAT(input_error_of([&] {
                HttpServer({"nowhere", 0}, {}, "", {}, unobserved_);
              }),
              HasSubstr("expected an address"));
}

}  // namespace
}  // namespace penchant::pipeline
