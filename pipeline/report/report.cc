// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report/report.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/commit.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/library_versions.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/version.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// share/penchant of an installation, or of the build tree.
fs::path share_folder() {
  if (const char* chosen = std::getenv("PENCHANT_SHARE"); chosen != nullptr && *chosen != '\0')
    return chosen;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& folder : {program.parent_path() / "share/penchant",
                                 program.parent_path().parent_path() / "share/penchant"}) {
    if (fs::exists(folder / "report.html")) return folder;
  }
  return program.parent_path().parent_path() / "share/penchant";
}

std::string read_part(const fs::path& path, const char* remedy) {
  try {
    return graph::read_file(path);
  } catch (const InputError& error) {
    throw InputError(fmt::format("report: {}: {}", error.what(), remedy));
  }
}

struct Mark {
  std::string_view name;  ///< "@FACTS@"
  std::string text;
};

/// The page with the texts in place of the first of each mark, in one pass: what is filled in may
/// hold marks itself. Throws InputError for a page that lacks one.
std::string fill_in(std::string_view page, const std::vector<Mark>& marks, const fs::path& path) {
  std::vector<std::pair<std::size_t, const Mark*>> places;
  for (const Mark& mark : marks) {
    const std::size_t place = page.find(mark.name);
    if (place == std::string_view::npos)
      throw InputError(fmt::format("report: {} has no {}: it is not the page of this version",
                                   path.string(), mark.name));
    places.emplace_back(place, &mark);
  }
  std::sort(places.begin(), places.end());
  std::string result;
  std::size_t done = 0;
  for (const auto& [place, mark] : places) {
    result += page.substr(done, place - done);
    result += mark->text;
    done = place + mark->name.size();
  }
  result += page.substr(done);
  return result;
}

/// JSON for a script element, where no "<" may stand: "</script" would end it, and after
/// "<!--<script" its own end would not.
std::string for_script(const std::string& text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (c == '<')
      result += "\\u003c";  // only strings hold one
    else
      result += c;
  }
  return result;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '<')
      result += "&lt;";
    else if (c == '&')
      result += "&amp;";
    else
      result += c;
  }
  return result;
}

}  // namespace

std::string report_page(const json& given) {
  json facts = given;
  facts["versions"]["penchant, this page"] = fmt::format("{} ({})", kVersion, kCommit);
  facts["versions"]["compiler"] = kCompilerVersion;
  const fs::path folder = share_folder();
  const fs::path path = folder / "report.html";
  const std::string page =
      read_part(path,
                "build or install Penchant again, or name the folder that has it "
                "in PENCHANT_SHARE");
  const std::string plotly = read_part(
      folder / "plotly.min.js",
      "the charts' script comes with the Python package plotly; `make build` installs and copies "
      "it, or copy plotly/package_data/plotly.min.js of `pip install plotly` there");
  return fill_in(
      page,
      {{"@TITLE@", escaped(facts.value("title", "model"))},
       // Raw ids and names may hold bytes that are not UTF-8.
       {"@FACTS@", for_script(facts.dump(-1, ' ', false, json::error_handler_t::replace))},
       {"@PLOTLY@", plotly}},
      path);
}

fs::path find_data_of(const fs::path& model_directory) {
  const json manifest = read_manifest(model_directory, "model");
  if (manifest.contains("privacy")) {
    throw InputError(fmt::format(
        "report: a private model, as {}, does not say what it was trained on, expected --data "
        "X.data",
        model_directory.string()));
  }
  std::string hash;
  take_values(model_directory / kManifestName, [&] { manifest.at("data_hash").get_to(hash); });
  const fs::path folder = fs::absolute(model_directory / "..").lexically_normal();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory() || manifest_kind(entry.path()) != kDataArtifact ||
        !is_finished(entry.path(), kDataArtifact) ||
        entry.path().extension() == ".unfinished")  // replaced a moment ago
      continue;
    const json other = read_manifest(entry.path(), kDataArtifact);
    if (other.value("hash", json()) == hash) return entry.path();
  }
  throw InputError(
      fmt::format("report: no data set of hash {} beside {}, expected --data X.data: the one that "
                  "the model was trained on",
                  hash, model_directory.string()));
}

}  // namespace penchant::pipeline
