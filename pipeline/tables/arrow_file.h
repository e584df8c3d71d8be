// SPDX-License-Identifier: Apache-2.0
// Arrow's file format ("Feather 2"). For the files that include Arrow only.
#pragma once

#include <filesystem>
#include <memory>

#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

#include "graph/files.h"

namespace penchant::pipeline {

/// A file that is whole or absent: destroyed before commit() it leaves nothing.
class ArrowFileWriter {
 public:
  /// Throws InputError, as write() and commit() do, that names the file and the system's reason.
  ArrowFileWriter(std::filesystem::path path, const std::shared_ptr<arrow::Schema>& schema);
  void write(const arrow::RecordBatch& batch);
  void commit();

 private:
  std::filesystem::path path_;
  graph::NewFile target_;
  std::shared_ptr<arrow::io::FileOutputStream> file_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

}  // namespace penchant::pipeline
