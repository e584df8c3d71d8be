// SPDX-License-Identifier: Apache-2.0
// Recording of repeated steps without a GPU: which runs are plain, recorded, updated or made anew,
// and that every run does the step's work exactly once whatever fails.
#include "kernels/cuda/step_recorder.h"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace penchant::kernels::cuda {
namespace {

/// A stream that does work at once, or holds it while it records.
struct Stream {
  bool recording = false;
  bool spoiled = false;     ///< the next recordings do not become whole
  bool changed = false;     ///< the next update finds other kernels
  bool unmakeable = false;  ///< no graph can be made
  int held = 0;
  int in_graph = 0;
  int done = 0;
  std::string calls;

  void work() { ++(recording ? held : done); }
  void begin() {
    recording = true;
    held = 0;
    calls += 'b';
  }
  bool end() {
    recording = false;
    calls += 'e';
    return !spoiled;
  }
  bool update() {
    calls += 'u';
    if (!changed) in_graph = held;
    return !changed;
  }
  void make() {
    calls += 'm';
    if (unmakeable) throw DeviceError("out of memory");
    in_graph = held;
  }
  void launch() {
    calls += 'l';
    done += in_graph;
  }
};

TEST(StepRecorder, RecordsAfterTwoPlainRunsAndUpdatesOneGraph) {
  Stream stream;
  StepRecorder<Stream> recorder;
  for (int run = 0; run < 5; ++run) {
    recorder.run(stream, [&] { stream.work(), stream.work(), stream.work(); });
    EXPECT_EQ(stream.done, 3 * (run + 1));
  }
  EXPECT_EQ(stream.calls,
            "beml"
            "beul"
            "beul");
}

TEST(StepRecorder, OtherKernelsMakeAnotherGraph) {
  Stream stream;
  StepRecorder<Stream> recorder;
  for (int run = 0; run < 3; ++run) recorder.run(stream, [&] { stream.work(); });
  stream.changed = true;
  stream.calls.clear();
  recorder.run(stream, [&] { stream.work(), stream.work(); });
  EXPECT_EQ(stream.calls, "beuml");
  EXPECT_EQ(stream.done, 5);
}

TEST(StepRecorder, WhatCannotBeRecordedIsRunPlainlyOnce) {
  for (const bool library_refuses : {false, true}) {
    Stream stream;
    StepRecorder<Stream> recorder;
    for (int run = 0; run < 20; ++run) {
      recorder.run(stream, [&] {
        stream.work();
        if (!stream.recording) return;
        if (library_refuses) throw DeviceError("not while a graph is recorded");
        throw NotRecordable();
      });
      EXPECT_EQ(stream.done, run + 1);
      EXPECT_FALSE(stream.recording);
    }
    EXPECT_EQ(stream.calls, "bebebebe") << "four attempts, then none";
  }
}

TEST(StepRecorder, ARecordingThatIsNotWholeIsRunPlainlyAndTriedAgain) {
  Stream stream;
  StepRecorder<Stream> recorder;
  for (int run = 0; run < 8; ++run) {
    stream.spoiled = run == 3 || run == 5;
    recorder.run(stream, [&] { stream.work(); });
    EXPECT_EQ(stream.done, run + 1);
  }
  EXPECT_EQ(stream.calls,
            "beml"
            "be"
            "beul"
            "be"
            "beul"
            "beul");
}

TEST(StepRecorder, AGraphThatCannotBeMadeIsRunPlainlyAndTriedAgain) {
  Stream stream;
  StepRecorder<Stream> recorder;
  for (int run = 0; run < 8; ++run) {
    stream.unmakeable = run == 2 || run == 5;
    stream.changed = run == 5;
    recorder.run(stream, [&] { stream.work(); });
    EXPECT_EQ(stream.done, run + 1);
  }
  EXPECT_EQ(stream.calls,
            "bem"
            "beml"
            "beul"
            "beum"
            "beml"
            "beul")
      << "none is updated or launched that was not made";
}

TEST(StepRecorder, GraphsThatCannotBeMadeAreGivenUp) {
  Stream stream;
  stream.unmakeable = true;
  StepRecorder<Stream> recorder;
  for (int run = 0; run < 20; ++run) recorder.run(stream, [&] { stream.work(); });
  EXPECT_EQ(stream.done, 20);
  EXPECT_EQ(stream.calls, "bembembembem");
}

TEST(StepRecorder, AMistakeOfTheCallerEndsTheRecording) {
  Stream stream;
  StepRecorder<Stream> recorder;
  for (int run = 0; run < 2; ++run) recorder.run(stream, [&] { stream.work(); });
  EXPECT_THROW(recorder.run(stream, [] { throw InputError("shape"); }), InputError);
  EXPECT_FALSE(stream.recording);
  EXPECT_EQ(stream.calls, "be");
}

}  // namespace
}  // namespace penchant::kernels::cuda
