// SPDX-License-Identifier: Apache-2.0
// Internal to partition/: the one call into METIS, with every guard it needs.
#pragma once

#include <vector>

#include "partition/partition.h"

namespace penchant::partition {

/// METIS_PartGraphKway on the pattern of `symmetric` without self loops. Requires 2 <= P <= N.
std::vector<graph::NodeId> partition_with_metis(const graph::CsrView& symmetric,
                                                const PartitionOptions& options);

}  // namespace penchant::partition
