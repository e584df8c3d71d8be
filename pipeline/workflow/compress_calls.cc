// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/compress_calls.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/compress/compressed_network.h"
#include "pipeline/compress/compressed_vectors.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

std::string percent(const json& share) {
  return share.is_null() ? "nothing to lose" : fmt::format("{:.2f} %", 100.0 * share.get<double>());
}

std::string quality_text(const json& said) {
  std::string text;
  if (const json& judged = said.at("validation"); !judged.is_null()) {
    for (const auto& [name, value] : judged.items()) {
      if (!value.is_object()) continue;
      text += fmt::format("  {:<12} {:.4f} -> {:.4f}, lost {}\n", name,
                          value.at("before").get<double>(), value.at("after").get<double>(),
                          percent(value.at("lost")));
    }
    text += fmt::format("  on the validation rows of {} users{}\n",
                        judged.at("users").get<std::int64_t>(),
                        said.at("saw_validation").get<bool>()
                            ? ", which the model was trained on as well: what is lost counts, not "
                              "how high it is"
                            : "");
  } else {
    text += "  the data set has no validation part: only lists were compared\n";
  }
  for (const auto& [name, value] : said.items()) {
    if (name.starts_with("overlap@") && !value.is_null())
      text += fmt::format("  {:<12} {:.3f} of the first items are the same\n", name,
                          value.get<double>());
  }
  return text;
}

std::string size_text(const char* name, const json& size) {
  return fmt::format("  {:<12} {} -> {} bytes, {:.2f} times smaller\n", name,
                     size.at("float_bytes").get<std::int64_t>(),
                     size.at("bytes").get<std::int64_t>(),
                     size.at("ratio").is_null() ? 0.0 : size.at("ratio").get<double>());
}

/// Where much is lost: a small catalogue has room for few bits.
std::string advice_text(const json& said) {
  constexpr double kMuch = 0.05;
  if (!said.contains("code") || said.at("validation").is_null()) return "";
  for (const auto& [name, value] : said.at("validation").items()) {
    const bool is_recall = name.starts_with("recall@") && !value.at("lost").is_null();
    if (is_recall && value.at("lost").get<double>() > kMuch) {
      return fmt::format(
          "  more than {:.0f} % of {} is lost: --bytes gives codes more room, --vectors int8 loses "
          "next to nothing\n",
          100.0 * kMuch, name);
    }
  }
  return "";
}

std::string network_text(const json& said) {
  std::string text =
      fmt::format("{}: an int8 network, ranges from {} training histories\n{}",
                  said.at("out").get<std::string>(),
                  said.at("calibration_histories").get<std::int64_t>(), quality_text(said));
  for (const auto& [size, times] : said.at("people").items()) {
    text +=
        fmt::format("  {:<12} {:.3f} -> {:.3f} ms, {:.2f} times as fast\n",
                    size == "1" ? "1 person" : size + " people", times.at("float_ms").get<double>(),
                    times.at("int8_ms").get<double>(), times.at("times_faster").get<double>());
  }
  if (!said.at("vnni").get<bool>())
    text +=
        "  this machine has no AVX-512 VNNI: an int8 network answers alike, and is not faster\n";
  return text;
}

}  // namespace

json compress_by(const CompressFlags& flags, const Config& config, Progress& progress) {
  if (flags.vectors.empty() == flags.network.empty())
    throw InputError("compress: expected one of --vectors (int8, pq) and --network (int8)");
  if (!flags.network.empty()) {
    if (flags.network != "int8")
      throw InputError(fmt::format("--network is '{}', expected int8", flags.network));
    if (flags.code_bytes || flags.seed)
      throw InputError("compress: --bytes and --seed are of --vectors pq");
    const Loaded loaded(config, flags.data, flags.model, DatasetUse::everything);
    return compress_network(flags.model, loaded.dataset, *loaded.backend, flags.out, progress);
  }
  CompressOptions options;
  options.vectors = parse_enum<VectorCompression>(flags.vectors, "--vectors");
  options.code_bytes = flags.code_bytes;
  if (flags.seed) {
    if (options.vectors != VectorCompression::pq)
      throw InputError("compress: --seed is of --vectors pq; int8 draws nothing");
    options.seed = static_cast<graph::Seed>(*flags.seed);
  }
  const Loaded loaded(config, flags.data, flags.model, DatasetUse::everything);
  if (!loaded.model.has_interest())
    return compress_vectors(loaded.model, options, flags.out, progress);
  const Model before = Model::open(flags.model, loaded.dataset, *loaded.backend, KnownPart::train);
  return compress_vectors(loaded.model, options, flags.out, progress, &before);
}

std::string compress_text(const json& said) {
  if (said.contains("network")) return network_text(said);
  std::string text =
      fmt::format("{}: {} of {} items and {} users\n", said.at("out").get<std::string>(),
                  said.at("vectors").get<std::string>(), said.at("num_items").get<std::int64_t>(),
                  said.at("num_users").get<std::int64_t>());
  text += size_text("items", said.at("items")) + size_text("users", said.at("users"));
  if (said.contains("code")) {
    const json& code = said.at("code");
    text += fmt::format("  an item's code has {} sub-vectors of {} bits, {} bytes\n",
                        code.at("sub_quantizers").get<std::int64_t>(),
                        code.at("bits").get<std::int64_t>(), code.at("bytes").get<std::int64_t>());
  }
  return text + quality_text(said) + advice_text(said);
}

}  // namespace penchant::pipeline
