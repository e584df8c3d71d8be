// SPDX-License-Identifier: Apache-2.0
// What clients may ask for: bodies of JSON, checked against the limits. Ids are texts or whole
// numbers, which stand for their digits.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/data/item_filter.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/ranking.h"
#include "pipeline/serve/posted_events.h"

namespace penchant::pipeline {

/// What is answered to a request that cannot be.
class RequestError : public std::exception {
 public:
  RequestError(int status, std::string code, std::string message)
      : status_(status), code_(std::move(code)), message_(std::move(message)) {}
  int status() const { return status_; }
  const std::string& code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int status_;
  std::string code_, message_;
};

struct RequestLimits {
  std::int64_t max_history = 1'000;  ///< events of a history, pairs, vectors, events of a post
  std::int64_t max_k = 1'000;
};

/// An event of a history in a request.
struct AskedEvent {
  std::string item, event;  ///< event: name of its type, or empty
  std::optional<std::int64_t> time_ms;
};
using AskedHistory = std::vector<AskedEvent>;

/// The list of a user, a history or near an item: exactly one of the three.
struct ListRequest {
  std::optional<std::string> user, item;
  std::optional<AskedHistory> history;
  std::int64_t k = 20;
  std::optional<Ranking> ranking;
  std::optional<SeenItems> seen;
  ItemFilterOptions filter;
  std::string filter_key;  ///< equal for equal filters; empty: all items may be listed
  UnknownRawIds unknown = UnknownRawIds::error;
};
struct ScoreRequest {
  std::vector<std::pair<std::string, std::string>> pairs;  ///< of user and item
  std::optional<Ranking> ranking;
  bool unknown_is_zero = false;
};
struct VectorsRequest {
  std::vector<std::string> users, items;
  std::optional<AskedHistory> history;
};

/// Why an item is for a user or a history, or near another: exactly one of the three.
struct ExplainRequest {
  std::string item;
  std::optional<std::string> user, similar;
  std::optional<AskedHistory> history;
  std::optional<Ranking> ranking;
  std::int64_t top = 10;
};

/// These throw RequestError, which names the key and what was expected.
ListRequest parse_recommend_request(std::string_view body, const RequestLimits& limits);
ListRequest parse_similar_request(std::string_view body, const RequestLimits& limits);
ScoreRequest parse_score_request(std::string_view body, const RequestLimits& limits);
VectorsRequest parse_vectors_request(std::string_view body, const RequestLimits& limits);
ExplainRequest parse_explain_request(std::string_view body, const RequestLimits& limits);
/// Events without a time are of `now_ms`.
std::vector<PostedEvent> parse_events_request(std::string_view body, const RequestLimits& limits,
                                              std::int64_t now_ms);

}  // namespace penchant::pipeline
