// SPDX-License-Identifier: Apache-2.0
// A generated shop as the files that a user would have.
#pragma once

#include <filesystem>

#include "graph/shop.h"
#include "pipeline/artifact/progress.h"

namespace penchant::pipeline {

/// Lines "user,item,event,time,session", one an event, with a header.
void write_shop_events(const graph::Shop& shop, const std::filesystem::path& path,
                       Progress& progress);

}  // namespace penchant::pipeline
