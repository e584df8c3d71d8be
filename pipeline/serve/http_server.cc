// SPDX-License-Identifier: Apache-2.0
// The only file that knows Boost.Beast, which takes long to compile.
#include "pipeline/serve/http_server.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <ctime>
#include <optional>
#include <set>
#include <unordered_map>

#include <fmt/core.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_static_buffer.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

#include "graph/error.h"

namespace penchant::pipeline {

namespace net = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using net::ip::tcp;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

HttpResponse error_response(int status, std::string_view code, std::string_view message) {
  const nlohmann::json body = {
      {"error", {{"status", status}, {"code", code}, {"message", message}}}};
  return {status, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

namespace {

constexpr std::size_t kMostHeaderBytes = std::size_t{16} << 10;
constexpr std::size_t kMostTargetBytes = std::size_t{4} << 10;
constexpr std::size_t kReadBytes = std::size_t{16} << 10;
constexpr std::size_t kMostAddresses = 65'536;  ///< whose rates are remembered
constexpr std::size_t kMostRefused = 256;       ///< connections at a time that only hear of it
constexpr std::int64_t kMostLingered = std::int64_t{64} << 20;

HttpResponse with(HttpResponse response, std::string name, std::string value) {
  response.headers.emplace_back(std::move(name), std::move(value));
  return response;
}

/// IMF-fixdate (RFC 9110, 5.6.7).
std::string date_text(std::time_t now) {
  std::tm parts{};
  gmtime_r(&now, &parts);
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                     kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                     parts.tm_sec);
}

std::string lowercase(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Takes as long whatever differs.
bool same_secret(std::string_view given, std::string_view expected) {
  unsigned difference = given.size() == expected.size() ? 0U : 1U;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char other = expected[i % expected.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(given[i] ^ other));
  }
  return difference == 0;
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }
bool is_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}
bool is_one_of(char letter, std::string_view letters) {
  return letters.find(letter) != std::string_view::npos;
}
/// RFC 3986, 2.3.
bool is_unreserved(char letter) {
  return is_letter(letter) || is_digit(letter) || is_one_of(letter, "-._~");
}
/// Of the two digits of a "%41"; nothing for what are none.
std::optional<char> percent_decoded(std::string_view digits) {
  unsigned value = 0;
  if (digits.size() < 2) return std::nullopt;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + 2, value, 16);
  if (error != std::errc() || end != digits.data() + 2) return std::nullopt;
  return static_cast<char>(value);
}

/// Whether a text is host [":" port] (RFC 9110, 7.2).
bool is_host(std::string_view text) {
  if (const std::size_t colon = text.rfind(':'); colon != text.npos && !text.ends_with(']')) {
    const std::string_view port = text.substr(colon + 1);
    if (!std::all_of(port.begin(), port.end(), is_digit)) return false;
    text = text.substr(0, colon);
  }
  if (text.starts_with('[')) {
    if (text.size() < 4 || !text.ends_with(']')) return false;
    text = text.substr(1, text.size() - 2);
    return std::all_of(text.begin(), text.end(), [](char letter) {
      return is_unreserved(letter) || is_one_of(letter, "!$&'()*+,;=:");
    });
  }
  for (std::size_t place = 0; place < text.size(); ++place) {
    const char letter = text[place];
    if (letter == '%' ? !percent_decoded(text.substr(place + 1))
                      : !is_unreserved(letter) && !is_one_of(letter, "!$&'()*+,;="))
      return false;
  }
  return true;
}

/// The path of a target: origin-form, absolute-form or "*"; nothing for what is none. Letters and
/// digits that are written as %41 are what they stand for.
std::optional<std::string> path_of(std::string_view target) {
  if (target == "*") return "*";
  const std::string low = lowercase(target.substr(0, 8));
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!low.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    const std::string_view host = target.substr(0, end);
    if (host.empty() || host.starts_with(':') || !is_host(host)) return std::nullopt;
    target.remove_prefix(end);
    if (!target.starts_with('/')) return "/";
    break;
  }
  if (!target.starts_with('/')) return std::nullopt;
  target = target.substr(0, target.find('?'));
  std::string path;
  for (std::size_t place = 0; place < target.size(); ++place) {
    path += target[place];
    if (target[place] != '%') continue;
    const std::optional<char> letter = percent_decoded(target.substr(place + 1));
    if (!letter) return std::nullopt;
    if (!is_unreserved(*letter)) continue;
    path.back() = *letter;
    place += 2;
  }
  return path;
}

bool is_json_type(std::string_view type) {
  return lowercase(trimmed(type.substr(0, type.find(';')))) == "application/json";
}

/// Token buckets, one an address.
class Rates {
 public:
  explicit Rates(double rate) : rate_(rate) {}
  /// Seconds to wait before the next request; 0: this one may pass.
  double take(const net::ip::address& address) {
    if (rate_ <= 0.0) return 0.0;
    const Clock::time_point now = Clock::now();
    if (buckets_.size() > kMostAddresses) forget_full(now);
    const double most = std::max(1.0, rate_);
    const auto [found, is_new] = buckets_.try_emplace(address.to_string(), Bucket{most, now});
    Bucket& bucket = found->second;
    bucket.left = std::min(most, bucket.left + rate_ * seconds(now - bucket.at));
    bucket.at = now;
    if (bucket.left < 1.0) return (1.0 - bucket.left) / rate_;
    bucket.left -= 1.0;
    return 0.0;
  }

 private:
  struct Bucket {
    double left;
    Clock::time_point at;
  };
  static double seconds(Clock::duration time) {
    return std::chrono::duration<double>(time).count();
  }
  void forget_full(Clock::time_point now) {
    const double most = std::max(1.0, rate_);
    std::erase_if(buckets_, [&](const auto& entry) {
      return entry.second.left + rate_ * seconds(now - entry.second.at) >= most;
    });
    if (buckets_.size() > kMostAddresses) buckets_.clear();
  }

  double rate_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace

struct HttpServer::Impl {
  Impl(HttpLimits all, std::string secret, std::vector<HttpRoute> paths, HttpObserver& watching)
      : limits(all), token(std::move(secret)), routes(std::move(paths)), observer(watching) {}

  HttpLimits limits;
  std::string token;
  std::vector<HttpRoute> routes;
  HttpObserver& observer;
  net::io_context context{1};
  tcp::acceptor acceptor{context};
  net::steady_timer last_call{context}, accept_pause{context};
  std::set<std::shared_ptr<Connection>> connections = {};
  Rates rates{limits.rate};
  std::atomic<bool> is_draining{false};
  int port = 0;
  std::time_t date_second = 0;
  std::string date = {};

  const std::string& date_now() {
    const std::time_t now = std::time(nullptr);
    if (now != date_second || date.empty()) {
      date_second = now;
      date = date_text(now);
    }
    return date;
  }
  const HttpRoute* find(std::string_view path) const {
    const auto found = std::find_if(routes.begin(), routes.end(),
                                    [&](const HttpRoute& route) { return route.path == path; });
    return found == routes.end() ? nullptr : &*found;
  }
  void accept();
  void start_drain();
  void close_all();
};

/// One client. All of it runs on the server's thread.
class HttpServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(HttpServer::Impl& server, tcp::socket socket, bool is_one_too_many)
      : server_(server),
        socket_(std::move(socket)),
        timer_(server.context),
        is_one_too_many_(is_one_too_many) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    if (const tcp::endpoint peer = socket_.remote_endpoint(ignored); !ignored)
      address_ = peer.address();
    server_.observer.connected(1);
  }
  ~Connection() { server_.observer.connected(-1); }

  void start() { wait_for_request(); }
  bool is_idle() const { return is_idle_; }
  void close() {
    if (!socket_.is_open()) return;
    error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
    server_.connections.erase(shared_from_this());
  }

 private:
  /// Cancels what is under way at the end of `time`.
  void limit_time(milliseconds time) {
    timed_out_ = false;
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (error || !self->socket_.is_open()) return;
      if (self->timer_.expiry() > Clock::now()) return;  // it was set anew meanwhile
      self->timed_out_ = true;
      error_code ignored;
      self->socket_.cancel(ignored);
    });
  }

  void wait_for_request() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(kMostHeaderBytes));
    parser_->body_limit(static_cast<std::uint64_t>(server_.limits.max_body));
    route_ = nullptr;
    path_.clear();
    if (is_one_too_many_) {
      started_at_ = Clock::now();
      return refuse(with(error_response(503, "too_many_connections",
                                        "there are as many connections as the server takes"),
                         "Retry-After", "1"));
    }
    skip_empty_lines();
    if (buffer_.size() > 0) return read_head();
    if (server_.is_draining) return finish();
    is_idle_ = true;
    limit_time(server_.limits.idle);
    read_first();
  }

  void read_first() {
    socket_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, std::size_t count) {
                              if (error) return self->close();
                              self->buffer_.commit(count);
                              self->skip_empty_lines();
                              if (self->buffer_.size() == 0) return self->read_first();
                              self->is_idle_ = false;
                              self->read_head();
                            });
  }

  /// Those before a request (RFC 9112, 2.2).
  void skip_empty_lines() {
    const std::string_view text = buffered();
    buffer_.consume(std::min(text.find_first_not_of("\r\n"), text.size()));
  }
  std::string_view buffered() const {
    const auto data = buffer_.data();
    return {static_cast<const char*>(data.data()), data.size()};
  }

  void read_head() {
    started_at_ = Clock::now();
    limit_time(server_.limits.head);
    http::async_read_header(
        socket_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_head(error); });
  }

  void on_head(error_code error) {
    if (timed_out_)
      return refuse(error_response(408, "too_slow", "the header did not come in time"));
    if (error == http::error::body_limit) return refuse(too_large());
    if (error) return on_bad_message(error);
    if (std::optional<HttpResponse> wrong = wrong_head()) return refuse(std::move(*wrong));
    const auto& head = parser_->get();
    if (head[http::field::expect].empty() || head.version() < 11 || parser_->is_done())
      return read_body();
    // Nothing is wrong so far: the client may go on.
    limit_time(server_.limits.write);
    go_on_.emplace(http::status::continue_, 11);
    http::async_write(socket_, *go_on_,
                      [self = shared_from_this()](error_code failed, std::size_t) {
                        failed ? self->close() : self->read_body();
                      });
  }

  HttpResponse too_large() const {
    return error_response(413, "body_too_large",
                          fmt::format("the body has more than {} bytes", server_.limits.max_body));
  }

  /// What is refused by the header alone.
  std::optional<HttpResponse> wrong_head() {
    const auto& head = parser_->get();
    const std::string_view target = view(head.target());
    is_head_ = head.method() == http::verb::head;
    if (target.size() > kMostTargetBytes)
      return error_response(414, "uri_too_long", "the target of the request is too long");
    if (const auto count = head.count(http::field::host);
        count > 1 || (count == 0 && head.version() >= 11))
      return error_response(400, "bad_request", "expected one Host header");
    if (!is_host(view(head[http::field::host])))
      return error_response(400, "bad_request", "the Host header names no host");
    for (const http::field field : {http::field::authorization, http::field::content_type}) {
      if (head.count(field) > 1)
        return error_response(400, "bad_request",
                              fmt::format("expected one {} header", view(http::to_string(field))));
    }
    if (head.count(http::field::transfer_encoding) > 0 &&
        (!parser_->chunked() || head.version() < 11 ||
         lowercase(trimmed(view(head[http::field::transfer_encoding]))) != "chunked"))
      return error_response(501, "transfer_coding", "the only transfer coding known is chunked");
    if (head.count(http::field::transfer_encoding) > 0 &&
        head.count(http::field::content_length) > 0)
      return error_response(400, "bad_request",
                            "expected either Content-Length or Transfer-Encoding");
    const std::optional<std::string> path = path_of(target);
    if (!path) return error_response(400, "bad_request", "the target of the request is no path");
    const http::verb verb = head.method();
    if (verb == http::verb::unknown && head.method_string() != "QUERY")
      return keeping(error_response(501, "unknown_method", "the method of the request is unknown"));
    if (verb == http::verb::options && *path == "*")
      return keeping(with(HttpResponse{204}, "Allow", "GET, HEAD, OPTIONS, POST"));
    route_ = server_.find(*path);
    if (route_ == nullptr)
      return keeping(error_response(404, "unknown_path",
                                    fmt::format("there is no {}; /openapi.json lists all", *path)));
    path_ = route_->path;
    const std::string allow = route_->is_post ? "OPTIONS, POST" : "GET, HEAD, OPTIONS";
    if (verb == http::verb::options) return keeping(with(HttpResponse{204}, "Allow", allow));
    const bool fits = route_->is_post ? verb == http::verb::post
                                      : verb == http::verb::get || verb == http::verb::head;
    if (!fits) {
      return keeping(with(
          error_response(405, "method_not_allowed", fmt::format("{} answers {}", *path, allow)),
          "Allow", allow));
    }
    if (!route_->is_open) {
      if (const double wait = server_.rates.take(address_); wait > 0.0) {
        return keeping(with(error_response(429, "too_many_requests",
                                           fmt::format("expected at most {:g} requests a second",
                                                       server_.limits.rate)),
                            "Retry-After", fmt::format("{:.0f}", std::ceil(wait))));
      }
      if (!is_authorized(view(head[http::field::authorization]))) {
        return keeping(with(error_response(401, "unauthorized",
                                           "expected Authorization: Bearer and the server's token"),
                            "WWW-Authenticate", "Bearer realm=\"penchant\""));
      }
      if (server_.is_draining) {
        return with(error_response(503, "draining", "the server is about to end"), "Retry-After",
                    "1");
      }
    }
    if (const std::string expect = lowercase(view(head[http::field::expect]));
        !expect.empty() && expect != "100-continue" && head.version() >= 11)
      return error_response(417, "expectation_failed",
                            "the only expectation known is 100-continue");
    if (!route_->takes_body) return std::nullopt;
    if (head.count(http::field::content_length) == 0 && !parser_->chunked())
      return error_response(411, "length_required", "expected Content-Length and a body of JSON");
    if (const std::string_view coding = view(head[http::field::content_encoding]);
        !coding.empty() && lowercase(coding) != "identity")
      return with(error_response(415, "content_coding", "expected a body without content coding"),
                  "Accept-Encoding", "identity");
    if (!is_json_type(view(head[http::field::content_type])))
      return with(error_response(415, "media_type", "expected Content-Type: application/json"),
                  "Accept", "application/json");
    return std::nullopt;
  }

  bool is_authorized(std::string_view header) const {
    if (server_.token.empty()) return true;
    const std::size_t blank = header.find(' ');
    if (blank == std::string_view::npos || lowercase(header.substr(0, blank)) != "bearer")
      return false;
    return same_secret(trimmed(header.substr(blank)), server_.token);
  }

  /// A refusal after which the connection goes on, where there is no body that would have to be read.
  HttpResponse keeping(HttpResponse response) {
    keeps_ = parser_->is_done();
    return response;
  }

  void read_body() {
    if (parser_->is_done()) return handle();
    limit_time(server_.limits.body);
    http::async_read(
        socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
          if (self->timed_out_)
            return self->refuse(error_response(408, "too_slow", "the body did not come in time"));
          if (error == http::error::body_limit) return self->refuse(self->too_large());
          if (error) return self->on_bad_message(error);
          self->handle();
        });
  }

  /// What came is no HTTP, or not all of it came.
  void on_bad_message(error_code error) {
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error.category() != http::make_error_code(http::error::bad_method).category())
      return close();
    if (error == http::error::header_limit) {
      const bool in_target = !parser_->is_header_done() &&
                             parser_->get().method() == http::verb{} &&
                             buffered().find('\n') == std::string_view::npos;
      return refuse(
          in_target
              ? error_response(414, "uri_too_long", "the target of the request is too long")
              : error_response(431, "header_too_large",
                               fmt::format("the header has more than {} bytes", kMostHeaderBytes)));
    }
    if (error == http::error::bad_version && names_a_version())
      return refuse(error_response(505, "http_version", "expected HTTP/1.0 or HTTP/1.1"));
    refuse(error_response(400, "bad_request", fmt::format("no HTTP: {}", error.message())));
  }

  /// Whether the first line ends with a version other than 1.0 and 1.1.
  bool names_a_version() const {
    std::string_view line = buffered();
    line = line.substr(0, line.find('\r'));
    if (line.size() < 9) return false;
    line.remove_prefix(line.size() - 9);
    return line.starts_with(" HTTP/") && is_digit(line[6]) && line[7] == '.' && is_digit(line[8]) &&
           !line.ends_with(" HTTP/1.0") && !line.ends_with(" HTTP/1.1");
  }

  void refuse(HttpResponse response) {
    const bool keeps = std::exchange(keeps_, false);
    respond(std::move(response), keeps);
  }

  void handle() {
    timer_.cancel();
    std::string body = std::move(parser_->get().body());
    route_->handle(std::move(body), [self = shared_from_this()](HttpResponse response) {
      net::post(self->server_.context, [self, response = std::move(response)]() mutable {
        self->respond(std::move(response), true);
      });
    });
  }

  void respond(HttpResponse response, bool keeps) {
    if (!socket_.is_open()) return;
    const auto& head = parser_->get();
    const bool keep_alive =
        keeps && parser_->is_header_done() && head.keep_alive() && !server_.is_draining;
    server_.observer.answered(path_, response.status,
                              std::chrono::duration<double>(Clock::now() - started_at_).count());
    answer_.emplace();
    answer_->result(static_cast<unsigned>(response.status));
    answer_->version(11);
    answer_->set(http::field::date, server_.date_now());
    if (response.status != 204) {
      answer_->set(http::field::content_type, response.type);
      answer_->set(http::field::cache_control, "no-store");
    }
    for (const auto& [name, value] : response.headers) answer_->set(name, value);
    answer_->keep_alive(keep_alive);
    if (!keep_alive)
      answer_->set(http::field::connection, "close");
    else if (head.version() < 11)
      answer_->set(http::field::connection, "keep-alive");
    const bool bodiless = is_head_ || response.status == 204;
    if (response.status != 204) answer_->content_length(response.body.size());
    if (!bodiless) answer_->body() = std::move(response.body);
    limit_time(server_.limits.write);
    // A serializer of its own: of a HEAD only the header is written.
    serializer_.emplace(*answer_);
    const auto written = [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
      if (error) return self->close();
      keep_alive ? self->next() : self->finish();
    };
    if (bodiless) return http::async_write_header(socket_, *serializer_, written);
    http::async_write(socket_, *serializer_, written);
  }

  void next() {
    is_head_ = false;
    wait_for_request();
  }

  /// Closes once the client has read: what it still sends would reset the connection under it
  /// (RFC 9112, 9.6).
  void finish() {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    is_idle_ = server_.is_draining;
    limit_time(server_.limits.linger);
    lingered_ = 0;
    linger();
  }
  void linger() {
    buffer_.consume(buffer_.size());
    socket_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, std::size_t count) {
                              self->lingered_ += static_cast<std::int64_t>(count);
                              if (error || self->lingered_ > kMostLingered) return self->close();
                              self->linger();
                            });
  }

  HttpServer::Impl& server_;
  tcp::socket socket_;
  net::steady_timer timer_;
  net::ip::address address_ = {};
  boost::beast::flat_static_buffer<kMostHeaderBytes + kReadBytes> buffer_;
  std::optional<http::request_parser<http::string_body>> parser_ = {};
  std::optional<http::response<http::empty_body>> go_on_ = {};
  std::optional<http::response<http::string_body>> answer_ = {};
  std::optional<http::response_serializer<http::string_body>> serializer_ = {};
  const HttpRoute* route_ = nullptr;
  std::string path_ = {};
  Clock::time_point started_at_ = {};
  std::int64_t lingered_ = 0;
  bool is_one_too_many_;
  bool is_idle_ = false, is_head_ = false, keeps_ = false, timed_out_ = false;
};

void HttpServer::Impl::accept() {
  acceptor.async_accept([this](error_code error, tcp::socket socket) {
    if (!acceptor.is_open()) return;
    if (error) {  // no descriptors left, it may be: others are closed meanwhile
      accept_pause.expires_after(milliseconds(100));
      accept_pause.async_wait([this](error_code stopped) {
        if (!stopped && acceptor.is_open()) accept();
      });
      return;
    }
    const auto most = static_cast<std::size_t>(limits.max_connections);
    if (connections.size() < most + std::min(most, kMostRefused)) {
      const auto connection =
          std::make_shared<Connection>(*this, std::move(socket), connections.size() >= most);
      connections.insert(connection);
      connection->start();
    }
    accept();
  });
}

void HttpServer::Impl::start_drain() {
  error_code ignored;
  acceptor.close(ignored);
  accept_pause.cancel();
  for (const auto& connection : std::set(connections)) {
    if (connection->is_idle()) connection->close();
  }
  last_call.expires_after(limits.drain);
  last_call.async_wait([this](error_code error) {
    if (!error) close_all();
  });
  // run() returns once no connection is left: the timer alone does not keep it.
  const auto look = std::make_shared<std::function<void()>>();
  const auto timer = std::make_shared<net::steady_timer>(context);
  *look = [this, timer, weak = std::weak_ptr(look)] {
    if (connections.empty()) {
      last_call.cancel();
      return;
    }
    timer->expires_after(milliseconds(20));
    timer->async_wait([self = weak.lock()](error_code) {
      if (self) (*self)();
    });
  };
  (*look)();
}

void HttpServer::Impl::close_all() {
  for (const auto& connection : std::set(connections)) connection->close();
}

HttpServer::HttpServer(const HttpAddress& address, HttpLimits limits, std::string token,
                       std::vector<HttpRoute> routes, HttpObserver& observer)
    : impl_(std::make_shared<Impl>(limits, std::move(token), std::move(routes), observer)) {
  const auto refuse = [&](const std::string& what) {
    throw InputError(
        fmt::format("cannot listen on {}, port {}: {}", address.host, address.port, what));
  };
  error_code error;
  const net::ip::address where =
      net::ip::make_address(address.host == "localhost" ? "127.0.0.1" : address.host, error);
  if (error) refuse("expected an address such as 127.0.0.1, 0.0.0.0 or ::1");
  const tcp::endpoint endpoint(where, static_cast<std::uint16_t>(address.port));
  tcp::acceptor& acceptor = impl_->acceptor;
  const auto must = [&] {
    if (error) refuse(error.message());
  };
  acceptor.open(endpoint.protocol(), error);
  must();
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  must();
  acceptor.bind(endpoint, error);
  must();
  acceptor.listen(net::socket_base::max_listen_connections, error);
  must();
  impl_->port = acceptor.local_endpoint(error).port();
  must();
}

HttpServer::~HttpServer() { impl_->close_all(); }

int HttpServer::port() const { return impl_->port; }

void HttpServer::run() {
  impl_->accept();
  impl_->context.run();
}

void HttpServer::drain() {
  impl_->is_draining = true;
  net::post(impl_->context, [impl = impl_] { impl->start_drain(); });
}

bool HttpServer::draining() const { return impl_->is_draining; }

}  // namespace penchant::pipeline
