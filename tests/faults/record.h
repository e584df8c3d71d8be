// SPDX-License-Identifier: Apache-2.0
// What a process does to files, in order, for power_cuts.py to replay up to a point. One record is
// a line of words, paths last and absolute, and behind "write" the bytes themselves:
//   write NODE OFFSET COUNT \n BYTES    to the file of that inode number
//   size NODE BYTES                     ftruncate
//   open NODE PATH                      for writing, also created; "trunc" where it was emptied
//   flush NODE PATH                     fsync or fdatasync of a file or a folder
//   mkdir PATH | unlink PATH
//   rename FROM \t TO | exchange FROM \t TO
#pragma once

#include <sys/types.h>

namespace penchant::faults {

void open_record();
bool recording();
void record_open(int file, int flags);
void record_write(int file, const void* from, ssize_t count, off_t offset);
void record_size(int file, off_t size);
void record_flush(int file);
void record_rename(const char* from, const char* to, bool exchange);
void record_name(const char* what, const char* path);

}  // namespace penchant::faults
