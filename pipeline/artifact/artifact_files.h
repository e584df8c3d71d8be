// SPDX-License-Identifier: Apache-2.0
// Which files an artefact of a kind is made of: what may be removed with it, and what its manifest
// may name.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace penchant::pipeline {

/// In a folder that a stage has begun to write and not finished.
inline constexpr const char* kUnfinishedName = "unfinished";
/// Ends the name of the folder beside it that an artefact grows in.
inline constexpr const char* kBeside = ".unfinished";

/// What a file is to its artefact.
enum class FileRole {
  none,      ///< nothing that a stage writes
  content,   ///< the manifest names it, with its hash
  resume,    ///< only a training that goes on needs it
  record,    ///< manifest, marker, stamp, results about the artefact, temporary files
  artefact,  ///< a file of an artefact inside this one
};

/// `name`: relative to the artefact's folder, with '/'.
FileRole file_role(std::string_view kind, std::string_view name);

/// The files below a folder (links are not followed), relative to it, in the order of their names;
/// none of a folder that is not there. Throws InputError where it cannot be listed.
std::vector<std::string> files_below(const std::filesystem::path& folder);

/// Removes all files but `except` that have a role in the kind, and the folders that are empty
/// then, `folder` itself too.
void remove_files_of(const std::filesystem::path& folder, std::string_view kind,
                     std::string_view except = {});

}  // namespace penchant::pipeline
