// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/frames.h"

#include <arrow/api.h>
#include <arrow/c/bridge.h>

#include "pipeline/tables/arrow_status.h"
#include "pipeline/tables/text_lines.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

void Frames::add(const std::string& name, ArrowArrayStream* stream) {
  const auto reader = take(arrow::ImportRecordBatchReader(stream), name);
  Frame frame;
  while (const auto batch = take(reader->Next(), name)) {
    check(batch->Validate(), name);
    frame.num_rows += batch->num_rows();
    frame.batches.push_back(batch);
  }
  if (frame.batches.empty())
    frame.batches.push_back(take(arrow::RecordBatch::MakeEmpty(reader->schema()), name));
  check(reader->Close(), name);
  frames_.insert_or_assign(name, std::move(frame));
}

const Frame* Frames::find(const fs::path& name) const {
  const auto found = frames_.find(name.string());
  return found == frames_.end() ? nullptr : &found->second;
}

bool holds_nothing(const fs::path& path, const TableReadOptions& options) {
  const Frame* frame = frame_of(path, options);
  return frame == nullptr ? holds_nothing(path) : frame->batches.front()->num_columns() == 0;
}

void export_frame(const Frame& frame, ArrowArrayStream* stream) {
  const auto reader =
      take(arrow::RecordBatchReader::Make(frame.batches, frame.batches.front()->schema()), "table");
  check(arrow::ExportRecordBatchReader(reader, stream), "table");
}

}  // namespace penchant::pipeline
