// SPDX-License-Identifier: Apache-2.0
// What the program's exit status means; also in `penchant --help` and README.md.
#pragma once

namespace penchant::pipeline {

enum ExitCode : int {
  kExitOk = 0,
  kExitBug = 1,     ///< a fault of the program itself
  kExitUsage = 2,   ///< usage or input: nothing half-written looks finished
  kExitDevice = 3,  ///< a device or vendor library failed, or the device asked for is not there
  kExitMemory = 4,  ///< out of memory or threads
  kExitInterrupted = 130,  ///< stopped by SIGINT, SIGTERM or SIGHUP; training has a checkpoint if
                           ///< it had got that far
};

}  // namespace penchant::pipeline
