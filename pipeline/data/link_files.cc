// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/link_files.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/npy.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Csr;
using graph::CsrView;
using nlohmann::json;

namespace {

/// Why these are no links of users; empty if they are.
std::string fault_of(const CsrView& links, bool directed) {
  if (links.values.size() != links.columns.size()) return "a link has no weight";
  for (std::int64_t user = 0; user < links.num_rows; ++user) {
    const auto row = links.row(user);
    if (std::find(row.begin(), row.end(), static_cast<graph::NodeId>(user)) != row.end())
      return fmt::format("user {} is linked to itself", user);
  }
  if (std::any_of(links.values.begin(), links.values.end(),
                  [](float value) { return !(value > 0.0F); }))
    return "a weight is not above 0";
  if (!directed && !graph::is_symmetric(links)) return "they do not go both ways";
  return {};
}

}  // namespace

std::string links_file(std::size_t number) { return fmt::format("links{}", number); }

json links_to_json(const std::vector<graph::UserLinks>& links) {
  json list = json::array();
  for (const graph::UserLinks& kind : links)
    list.push_back({{"name", kind.name}, {"directed", kind.directed}});
  return list;
}

std::vector<graph::UserLinks> read_links(const fs::path& directory, const json& manifest,
                                         std::int64_t num_users) {
  std::vector<graph::UserLinks> all;
  std::set<std::string> names;
  for (const json& entry : manifest.value("links", json::array())) {
    graph::UserLinks kind{
        entry.at("name").get<std::string>(), entry.at("directed").get<bool>(), {}};
    const fs::path stem = directory / links_file(all.size());
    const auto refuse = [&](const std::string& why) {
      throw InputError(fmt::format("{}.*.npy: damaged: {}", stem.string(), why));
    };
    if (!names.insert(kind.name).second)
      refuse(fmt::format("two kinds of links are named '{}'", kind.name));
    kind.links = Csr{num_users, num_users,
                     graph::read_npy<graph::EdgeOffset>(stem.string() + ".offsets.npy"),
                     graph::read_npy<graph::NodeId>(stem.string() + ".columns.npy"),
                     graph::read_npy<float>(stem.string() + ".values.npy")};
    try {
      graph::validate(kind.links.view());
    } catch (const InputError& error) {
      refuse(error.what());
    }
    if (const std::string fault = fault_of(kind.links.view(), kind.directed); !fault.empty())
      refuse(fault);
    all.push_back(std::move(kind));
  }
  return all;
}

std::string dataset_hash(const json& files, const json& attributes, const json& links) {
  return hash_bytes(files.dump() + attributes.dump() + (links.empty() ? "" : links.dump()));
}

}  // namespace penchant::pipeline
