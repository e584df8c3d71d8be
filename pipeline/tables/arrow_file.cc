// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/arrow_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/tables/arrow_status.h"

namespace penchant::pipeline {

ArrowFileWriter::ArrowFileWriter(std::filesystem::path path,
                                 const std::shared_ptr<arrow::Schema>& schema)
    : path_(std::move(path)), target_(path_) {
  const int copy = fcntl(target_.descriptor(), F_DUPFD_CLOEXEC, 0);  // Arrow closes it
  if (copy < 0)
    throw InputError(fmt::format("{}: cannot write: {}", path_.string(), std::strerror(errno)));
  file_ = take(arrow::io::FileOutputStream::Open(copy), path_);
  writer_ = take(arrow::ipc::MakeFileWriter(file_, schema), path_);
}

void ArrowFileWriter::write(const arrow::RecordBatch& batch) {
  check(writer_->WriteRecordBatch(batch), path_);
}

void ArrowFileWriter::commit() {
  check(writer_->Close(), path_);
  check(file_->Close(), path_);
  target_.commit();
}

}  // namespace penchant::pipeline
