// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/shop_files.h"

#include <fstream>

#include <fmt/format.h>

#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"

namespace penchant::pipeline {

namespace {

constexpr const char* kEventNames[] = {"view", "cart", "purchase"};
constexpr std::int64_t kLinesPerBlock = 65536;

}  // namespace

void write_shop_events(const graph::Shop& shop, const std::filesystem::path& path,
                       Progress& progress) {
  write_file_atomically(path, [&](std::ostream& out) {
    out << "user,item,event,time,session\n";
    fmt::memory_buffer block;
    const std::int64_t total = shop.options().num_events;
    for (std::int64_t k = 0; k < total; ++k) {
      const graph::GeneratedEvent event = shop.event(k);
      fmt::format_to(std::back_inserter(block), "u{},i{},{},{},s{}\n", event.user, event.item,
                     kEventNames[static_cast<int>(event.event)], event.time_ms, event.session);
      if (k % kLinesPerBlock == kLinesPerBlock - 1 || k == total - 1) {
        out.write(block.data(), static_cast<std::streamsize>(block.size()));
        block.clear();
        progress.update(k + 1, total, "events");
        stop_if_asked(progress);
      }
    }
  });
}

}  // namespace penchant::pipeline
