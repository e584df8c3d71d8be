// SPDX-License-Identifier: Apache-2.0
// What became of the rows of a log or an item table, as verbs print it.
#pragma once

#include <string>

#include "pipeline/tables/account.h"

namespace penchant::pipeline {

/// A line for rows read, rows kept and each reason why one is not.
std::string rows_table(const char* name, const RowCounts& rows);

}  // namespace penchant::pipeline
