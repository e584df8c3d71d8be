// SPDX-License-Identifier: Apache-2.0
// What each key of the configuration goes with: a key that is given and has no effect is told of,
// never dropped. One table serves the check, its messages and docs/configuration.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"

namespace penchant::pipeline {

/// What a verb reads of a configuration.
struct VerbSettings {
  std::string_view verb;
  std::vector<std::string_view> prefixes;  ///< of keys: "data.", "run.threads"
  std::vector<std::string_view> except;    ///< keys of these that it does not read all the same
};
/// Throws std::out_of_range for a verb without a configuration.
const VerbSettings& settings_of(std::string_view verb);

/// Finds keys that were given and have no effect. On the command line each is an error. In a file,
/// which may serve many models and verbs, a key of the section data is an error and one of another
/// model is warned of; keys that hold their default are named in one warning; sections that the
/// verb does not read are nobody's business. `configs`: a key is used if any of them uses it.
/// Throws InputError.
void check_settings(std::span<const Config> configs, const VerbSettings& verb, Progress& progress);
void check_settings(const Config& config, std::string_view verb, Progress& progress);

/// Whether a key of the configuration says something under its other values.
bool has_effect(const Config& config, std::string_view key);

/// What a key goes with, for people: "data.format table or recbole"; empty: it always has an
/// effect.
std::string goes_with(std::string_view key);

}  // namespace penchant::pipeline
