// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/base64.h"

#include <arrow/util/base64.h>

namespace penchant::pipeline {

std::string base64_of(std::string_view bytes) { return arrow::util::base64_encode(bytes); }

}  // namespace penchant::pipeline
