// SPDX-License-Identifier: Apache-2.0
#include "pipeline/serve/openapi.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "pipeline/artifact/version.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

constexpr const char* kSchemas = R"json({
  "Id": {"description": "A raw id of the data set; a whole number stands for its digits.",
         "anyOf": [{"type": "string", "minLength": 1, "maxLength": 4096},
                   {"type": "integer", "minimum": -9223372036854775808, "maximum": 18446744073709551615}]},
  "Time": {"description": "ISO 8601, or Unix time in seconds (in milliseconds from 1e11 on).",
           "anyOf": [{"type": "string", "example": "2026-11-30T07:15:00Z",
                      "pattern": "^(197[1-9]|19[89][0-9]|20[0-9][0-9])-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[01]):[0-5][0-9])$"},
                     {"type": "string", "pattern": "^([0-9]{1,9}|[1-3][0-9]{9})$"},
                     {"type": "number", "minimum": 0, "maximum": 4102444799},
                     {"type": "number", "minimum": 100000000000, "maximum": 4102444799999}]},
  "History": {
    "description": "Oldest first; time and event are given of all events or of none.",
    "anyOf": [
      {"type": "array", "minItems": 1, "maxItems": 0,
       "items": {"anyOf": [{"$ref": "#/components/schemas/Id"},
                           {"type": "object", "required": ["item"], "additionalProperties": false,
                            "properties": {"item": {"$ref": "#/components/schemas/Id"}}}]}},
      {"type": "array", "minItems": 1, "maxItems": 0,
       "items": {"type": "object", "required": ["item", "time"], "additionalProperties": false,
                 "properties": {"item": {"$ref": "#/components/schemas/Id"},
                                "time": {"$ref": "#/components/schemas/Time"}}}},
      {"type": "array", "minItems": 1, "maxItems": 0,
       "items": {"type": "object", "required": ["item", "event"], "additionalProperties": false,
                 "properties": {"item": {"$ref": "#/components/schemas/Id"},
                                "event": {"$ref": "#/components/schemas/EventType"}}}},
      {"type": "array", "minItems": 1, "maxItems": 0,
       "items": {"type": "object", "required": ["item", "time", "event"],
                 "additionalProperties": false,
                 "properties": {"item": {"$ref": "#/components/schemas/Id"},
                                "time": {"$ref": "#/components/schemas/Time"},
                                "event": {"$ref": "#/components/schemas/EventType"}}}}]},
  "EventType": {"description": "One that the data set has, if it has any.",
                "type": "string", "minLength": 1, "maxLength": 4096},
  "Ranking": {"type": "string", "nullable": true, "enum": ["vectors", "full", null]},
  "Unknown": {"type": "string", "nullable": true, "enum": ["error", "skip", null]},
  "Where": {"type": "string", "nullable": true, "description": "Such as category = \"Dairy\" and price < 5."},
  "AtMost": {"type": "array", "nullable": true, "maxItems": 16, "items": {"type": "string"},
             "description": "Such as brand=2: at most so many items of one value."},
  "Ids": {"type": "array", "nullable": true, "maxItems": 100000, "items": {"$ref": "#/components/schemas/Id"}},
  "ListedItem": {"type": "object", "required": ["rank", "item", "score", "label"],
                 "properties": {"rank": {"type": "integer"}, "item": {"type": "string"},
                                "score": {"type": "number"}, "label": {"type": "string"}}},
  "List": {"type": "object", "required": ["items"],
           "properties": {"user": {"type": "string"}, "item": {"type": "string"},
                          "items": {"type": "array",
                                    "items": {"$ref": "#/components/schemas/ListedItem"}}}},
  "Vector": {"type": "array", "items": {"type": "number"}},
  "Error": {"type": "object", "required": ["error"],
            "properties": {"error": {"type": "object", "required": ["status", "code", "message"],
                                     "properties": {"status": {"type": "integer"},
                                                    "code": {"type": "string"},
                                                    "message": {"type": "string"}}}}},
  "Model": {"type": "object", "required": ["model", "model_hash", "data_hash", "users", "items"],
            "properties": {"model": {"type": "string"}, "model_hash": {"type": "string"},
                           "data_hash": {"type": "string"}, "users": {"type": "integer"},
                           "items": {"type": "integer"}, "status": {"type": "string"},
                           "version": {"type": "string"}}}
})json";

json schema_ref(const char* name) {
  return {{"$ref", std::string("#/components/schemas/") + name}};
}

/// Of a key that may as well be null.
json or_null(json schema) {
  if (!schema.contains("type"))
    return {{"anyOf",
             {std::move(schema),
              {{"type", "string"}, {"nullable", true}, {"enum", json::array({nullptr})}}}}};
  schema["nullable"] = true;
  if (schema.contains("enum")) schema["enum"].push_back(nullptr);
  return schema;
}

json json_content(json schema) { return {{"application/json", {{"schema", std::move(schema)}}}}; }

json object_schema(json properties, json required) {
  return {{"type", "object"},
          {"additionalProperties", false},
          {"properties", std::move(properties)},
          {"required", std::move(required)}};
}

json list_of(json items, std::int64_t most) {
  return {{"type", "array"}, {"items", std::move(items)}, {"maxItems", most}};
}

void add_errors(json& responses, std::initializer_list<std::pair<const char*, const char*>> all) {
  for (const auto& [status, text] : all)
    responses[status] = {{"description", text}, {"content", json_content(schema_ref("Error"))}};
}

json get_operation(const char* summary, json content, bool is_open) {
  json responses = {{"200", {{"description", "The answer"}, {"content", std::move(content)}}}};
  add_errors(responses, {{"400", "No HTTP"}, {"503", "About to end"}});
  if (!is_open) add_errors(responses, {{"401", "No token"}, {"429", "Too many requests"}});
  json operation = {{"summary", summary}, {"responses", std::move(responses)}};
  if (is_open) operation["security"] = json::array();
  return operation;
}

json post_operation(const char* summary, json body, json answer) {
  json responses = {
      {"200", {{"description", "The answer"}, {"content", json_content(std::move(answer))}}}};
  add_errors(responses,
             {{"400", "The body is not what was expected, or beyond a limit"},
              {"401", "No token"},
              {"404", "Unknown user or item, or no log of events"},
              {"408", "Too slow"},
              {"411", "No Content-Length"},
              {"413", "The body is too large"},
              {"415", "No JSON"},
              {"417", "Unknown expectation"},
              {"422",
               "The data set in use has no such event type or attribute, or has pseudonyms and "
               "the id is none"},
              {"429", "Too many requests"},
              {"503", "About to end, or not now"}});
  json operation = {{"summary", summary}, {"responses", std::move(responses)}};
  if (!body.is_null())
    operation["requestBody"] = {{"required", true}, {"content", json_content(std::move(body))}};
  return operation;
}

/// So that it says which attributes can be counted.
void limit_at_most(json& schema, const graph::Catalog& catalog) {
  std::string names;
  for (const graph::Attribute& attribute : catalog.attributes) {
    if (attribute.kind != graph::AttributeKind::categorical &&
        attribute.kind != graph::AttributeKind::list)
      continue;
    if (!names.empty()) names += '|';
    for (const char letter : attribute.name) {
      if (std::string_view("\\^$.|?*+()[]{}").find(letter) != std::string_view::npos) names += '\\';
      names += letter;
    }
  }
  if (names.empty())
    schema["maxItems"] = 0;
  else
    schema["items"]["pattern"] = "^(" + names + ")=0*[1-9][0-9]{0,17}$";
}

json list_properties(std::int64_t max_k, json own) {
  own["k"] = or_null({{"type", "integer"},
                      {"minimum", 1},
                      {"maximum", max_k},
                      {"default", std::min<std::int64_t>(20, max_k)}});
  own["where"] = schema_ref("Where");
  own["at_most"] = schema_ref("AtMost");
  own["only_items"] = schema_ref("Ids");
  own["exclude"] = schema_ref("Ids");
  own["unknown"] = schema_ref("Unknown");
  return own;
}

}  // namespace

std::string openapi_document(const ServeOptions& options, const Dataset& dataset) {
  const RequestLimits& limits = options.requests;
  const std::int64_t num_items = dataset.num_items();
  const std::int64_t max_k = std::max<std::int64_t>(1, std::min(limits.max_k, num_items));
  json schemas = json::parse(kSchemas);
  for (json& form : schemas["History"]["anyOf"]) form["maxItems"] = limits.max_history;
  if (!dataset.event_names.empty()) schemas["EventType"]["enum"] = dataset.event_names;
  limit_at_most(schemas["AtMost"], dataset.catalog);
  const json history = schema_ref("History");
  json paths;
  const auto recommend = [&](const char* key, json schema) {
    return object_schema(
        list_properties(
            max_k, {{key, std::move(schema)},
                    {"ranking", schema_ref("Ranking")},
                    {"seen", or_null({{"type", "string"}, {"enum", {"auto", "mask", "keep"}}})}}),
        {key});
  };
  paths["/recommend"]["post"] = post_operation(
      "The best items for a user, or for a history",
      {{"oneOf", {recommend("user", schema_ref("Id")), recommend("history", history)}}},
      schema_ref("List"));
  paths["/similar"]["post"] = post_operation(
      "The items nearest to an item by cosine",
      object_schema(
          list_properties(std::max<std::int64_t>(1, std::min(limits.max_k, num_items - 1)),
                          {{"item", schema_ref("Id")}}),
          {"item"}),
      schema_ref("List"));
  const json pair =
      object_schema({{"user", schema_ref("Id")}, {"item", schema_ref("Id")}}, {"user", "item"});
  paths["/score"]["post"] = post_operation(
      "Scores of pairs of a user and an item",
      object_schema({{"pairs", list_of(pair, limits.max_history)},
                     {"ranking", schema_ref("Ranking")},
                     {"unknown", or_null({{"type", "string"}, {"enum", {"error", "zero"}}})}},
                    {"pairs"}),
      {{"type", "object"},
       {"required", {"score", "scores"}},
       {"properties", {{"score", {{"type", "string"}}}, {"scores", schema_ref("Vector")}}}});
  const json ids = or_null(list_of(schema_ref("Id"), limits.max_history));
  json vectors =
      object_schema({{"users", ids}, {"items", ids}, {"history", or_null(history)}}, json::array());
  vectors.erase("required");
  const auto owned = [](const char* owner) {
    return json{
        {"type", "array"},
        {"items",
         {{"type", "object"},
          {"required", {owner, "vector"}},
          {"properties", {{owner, {{"type", "string"}}}, {"vector", schema_ref("Vector")}}}}}};
  };
  paths["/vectors"]["post"] =
      post_operation("Vectors of users, items and a history", std::move(vectors),
                     {{"type", "object"},
                      {"required", {"dimension"}},
                      {"properties",
                       {{"dimension", {{"type", "integer"}}},
                        {"users", owned("user")},
                        {"items", owned("item")},
                        {"history", schema_ref("Vector")}}}});
  const auto explain = [&](const char* key, json schema, bool ranked) {
    json properties = {{"item", schema_ref("Id")}, {key, std::move(schema)}};
    properties["top"] = or_null({{"type", "integer"},
                                 {"minimum", 1},
                                 {"maximum", limits.max_k},
                                 {"default", std::min<std::int64_t>(10, limits.max_k)}});
    if (ranked) properties["ranking"] = schema_ref("Ranking");
    return object_schema(std::move(properties), {"item", key});
  };
  paths["/explain"]["post"] = post_operation(
      "Why an item is for a user or a history, or near another item",
      {{"oneOf",
        {explain("user", schema_ref("Id"), true), explain("history", history, true),
         explain("similar", schema_ref("Id"), false)}}},
      {{"type", "object"},
       {"required", {"item", "score", "sentence", "parts", "residual", "paths", "attributes"}},
       {"properties", {{"score", {{"type", "number"}}}, {"sentence", {{"type", "string"}}}}}});
  json events = list_of(object_schema({{"user", schema_ref("Id")},
                                       {"item", schema_ref("Id")},
                                       {"time", or_null(schema_ref("Time"))},
                                       {"event", or_null(schema_ref("EventType"))}},
                                      {"user", "item"}),
                        limits.max_history);
  events["minItems"] = 1;
  paths["/events"]["post"] =
      post_operation("Events that count from the next answer on",
                     object_schema({{"events", std::move(events)}}, {"events"}),
                     {{"type", "object"},
                      {"required", {"accepted"}},
                      {"properties",
                       {{"accepted", {{"type", "integer"}}},
                        {"unknown_users", {{"type", "integer"}}},
                        {"unknown_items", {{"type", "integer"}}}}}});
  paths["/reload"]["post"] =
      post_operation("Takes the model that lies there now", json(), schema_ref("Model"));
  add_errors(paths["/reload"]["post"]["responses"], {{"409", "It cannot be; the old one stays"}});
  paths["/health"]["get"] = get_operation("Whether it answers, and by which model",
                                          json_content(schema_ref("Model")), true);
  paths["/metrics"]["get"] =
      get_operation("For Prometheus", {{"text/plain", {{"schema", {{"type", "string"}}}}}}, false);
  paths["/openapi.json"]["get"] =
      get_operation("This description", json_content({{"type", "object"}}), false);
  json document = {{"openapi", "3.0.3"},
                   {"info",
                    {{"title", "Penchant"},
                     {"version", kVersion},
                     {"description", "Lists, scores and vectors of one model."},
                     {"license", {{"name", "Apache-2.0"}}}}},
                   {"paths", std::move(paths)},
                   {"components", {{"schemas", std::move(schemas)}}}};
  if (!options.token_file.empty()) {
    document["components"]["securitySchemes"]["token"] = {{"type", "http"}, {"scheme", "bearer"}};
    document["security"] = json::array({{{"token", json::array()}}});
  }
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace penchant::pipeline
