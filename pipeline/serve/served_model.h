// SPDX-License-Identifier: Apache-2.0
// A data set and a model in memory, ready to answer one request after another without making anything
// anew: what a first look-up makes is made before the first request.
#pragma once

#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/data/histories.h"
#include "pipeline/explain/explainer.h"
#include "pipeline/model/lists.h"
#include "pipeline/serve/posted_events.h"
#include "pipeline/serve/request_json.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

/// Lists and scores are those of the verbs recommend, similar and score, bit for bit. Users with
/// posted events are people by what they had: their known events and these. Not for several threads
/// at once.
class ServedModel {
 public:
  /// Reads all of both. Throws InputError.
  ServedModel(const Config& config, const std::string& data, const std::string& model);
  const Dataset& dataset() const { return loaded_->dataset; }
  const Model& model() const { return loaded_->model; }

  /// How a list is made: beside others in one cheap call, of users by vectors or near items; of users
  /// by the full score; of people by what they had.
  enum class Way { vectors, full_score, people };
  Way way_of(const ListRequest& request, const PostedEvents& posted) const;
  /// Whether two that are made in the same way can be in one call of lists().
  bool is_alike(const ListRequest& a, const ListRequest& b, Way way) const;
  /// The answers in JSON, or what is wrong with one of them. The requests are alike.
  struct Answered {
    std::string body = {};
    std::exception_ptr wrong = nullptr;
  };
  std::vector<Answered> lists(std::span<const ListRequest* const> requests, Way way,
                              const PostedEvents& posted);
  /// Throw RequestError, InputError.
  std::string scores(const ScoreRequest& request, const PostedEvents& posted);
  std::string vectors(const VectorsRequest& request, const PostedEvents& posted);
  /// Of a user with posted events by these as well. The first makes what others use.
  std::string explanation(const ExplainRequest& request, const PostedEvents& posted);

  /// Throws RequestError for an event type that the data set does not have.
  void check_type(const std::string& event) const;
  /// What an event without one counts as: the first; empty if the data set has none.
  std::string default_type() const;
  /// Whether the training and validation rows have it.
  bool knows(const PostedEvent& event) const;

 private:
  struct Kept {
    std::string key;
    std::unique_ptr<ListMaker> lists;
  };
  struct KeptChoice {
    std::string key;
    ItemChoice choice;
  };
  struct KeptVector {
    std::uint64_t version;
    std::vector<float> vector;
  };

  void warm();
  Ranking ranking_of(const ListRequest& request) const;
  SeenItems seen_of(const ListRequest& request) const;
  std::int64_t checked_length(const ListRequest& request) const;
  std::string key_of(const ListRequest& request) const;
  ListMaker& lists_for(const ListRequest& request);
  const ItemChoice& choice_for(const ListRequest& request);
  std::string list_body(const ListRequest& request, std::span<const ScoredItem> items) const;
  std::vector<PersonEvent> asked_events(const ListRequest& request) const;
  Histories asked_history(const ListRequest& request) const;
  /// Oldest first; none: the user has no posted event of an item of the data set.
  std::vector<PersonEvent> events_with(const std::string& user, const PostedEvents& posted) const;
  /// Nothing: the user has no posted event of an item of the data set.
  std::optional<Histories> history_with(const std::string& user, const PostedEvents& posted) const;
  /// Of a user with such events; made once for each post.
  const std::vector<float>& vector_with(const std::string& user, const Histories& history,
                                        const PostedEvents& posted);
  KnownOfEvents known_of(const ListRequest& request) const;
  std::vector<Answered> lists_of_owners(std::span<const ListRequest* const> requests);
  std::vector<Answered> lists_of_people(std::span<const ListRequest* const> requests,
                                        const PostedEvents& posted);
  std::vector<std::vector<ScoredItem>> ranked_people(std::span<const ListRequest* const> requests,
                                                     std::span<const Histories> people,
                                                     const PostedEvents& posted);
  graph::NodeId find(const graph::Dictionary& ids, const std::string& raw, const char* kind) const;

  Config config_;
  std::unique_ptr<Loaded> loaded_;
  KnownOfEvents known_of_events_;
  std::unique_ptr<Explainer> explainer_;                      ///< null until something is asked
  std::list<Kept> kept_;                                      ///< the last used first
  std::list<KeptChoice> kept_choices_;                        ///< the last used first
  std::unordered_map<std::string, KeptVector> kept_vectors_;  ///< by user
};

}  // namespace penchant::pipeline
