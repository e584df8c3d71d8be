// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report.h"

#include <cstdlib>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/commit.h"
#include "pipeline/library_versions.h"
#include "pipeline/manifest.h"
#include "pipeline/version.h"

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

void replace_mark(std::string& page, const std::string& mark, const std::string& text) {
  const std::size_t place = page.find(mark);
  PENCHANT_ASSERT(place != std::string::npos);
  page.replace(place, mark.size(), text);
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
  std::string page = read_part(folder / "report.html",
                               "build or install Penchant again, or name the folder that has it "
                               "in PENCHANT_SHARE");
  const std::string plotly = read_part(
      folder / "plotly.min.js",
      "the charts' script comes with the Python package plotly; `make build` installs and copies "
      "it, or copy plotly/package_data/plotly.min.js of `pip install plotly` there");
  replace_mark(page, "@TITLE@", escaped(facts.value("title", "model")));
  // Raw ids and names may hold bytes that are not UTF-8.
  replace_mark(page, "@FACTS@",
               for_script(facts.dump(-1, ' ', false, json::error_handler_t::replace)));
  replace_mark(page, "@PLOTLY@", plotly);
  return page;
}

fs::path find_data_of(const fs::path& model_directory) {
  const json manifest = read_manifest(model_directory, "model");
  const auto hash = manifest.at("data_hash").get<std::string>();
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
