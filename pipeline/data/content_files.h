// SPDX-License-Identifier: Apache-2.0
// What X.data holds of attributes made of vectors (graph::ContentSpace): of the attribute at place a
// contentA.items.npy, its landmarks, contentA.landmarks.npy, their vectors, and of texts
// contentA.pieces.npy and contentA.projection.npy (docs/formats.md).
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/catalog.h"
#include "graph/dictionary.h"

namespace penchant::pipeline {

/// "content0" and so on.
std::string content_file(std::size_t attribute);
/// What the manifest says of an attribute made of vectors: width, and of which texts.
nlohmann::json content_to_json(const graph::Attribute& attribute);
/// [V] the items that an attribute's values name.
std::vector<graph::NodeId> landmark_items(const graph::Attribute& attribute,
                                          const graph::Dictionary& items);
/// Fills `content` of the attributes of `catalog` that the manifest's list says are made of vectors;
/// landmarks that no item has become values behind the others. Throws InputError for files that are
/// damaged, nlohmann::json::exception for what is missing.
void read_content(const std::filesystem::path& directory, const nlohmann::json& attributes,
                  const graph::Dictionary& items, graph::Catalog& catalog);

/// Gives `part`, an attribute with some values of `whole`, the landmarks of it that are among
/// `items`, each as a value.
void keep_landmarks(const graph::Attribute& whole, const graph::Dictionary& items,
                    graph::Attribute& part);

}  // namespace penchant::pipeline
