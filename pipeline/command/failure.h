// SPDX-License-Identifier: Apache-2.0
// Failures of the program as messages and exit codes, whoever notices them: main, a thread whose
// exception nobody catches, a library that ends the process.
#pragma once

namespace penchant::pipeline {

/// Inside a catch: says what failed on stderr and returns the exit code. Does not return where
/// memory or threads ran out: libraries' destructors may need some.
int report_failure();

/// For the time of main: exceptions that nobody catches get their exit code before the process is
/// ended, and so do libraries that call exit() because they cannot start threads (libgomp).
class FailureHandlers {
 public:
  FailureHandlers();
  ~FailureHandlers();
  FailureHandlers(const FailureHandlers&) = delete;
  FailureHandlers& operator=(const FailureHandlers&) = delete;
};

}  // namespace penchant::pipeline
