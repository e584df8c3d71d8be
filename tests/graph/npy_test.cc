// SPDX-License-Identifier: Apache-2.0
#include "graph/npy.h"

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/support/temporary_file.h"

namespace penchant::graph {
namespace {

using support::TemporaryFile;
using testing::HasSubstr;

template <typename T>
std::string npy_bytes(const std::vector<T>& values) {
  std::ostringstream out;
  const auto size = static_cast<std::int64_t>(values.size());
  write_npy<T>(out, values, std::span(&size, 1));
  return out.str();
}

/// The message that reading these bytes as float32 gives.
std::string complaint_about(const std::string& bytes) {
  const TemporaryFile file(bytes);
  try {
    read_npy<float>(file.path());
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr(file.path().string())) << "the message must name the file";
    return error.what();
  }
  return "no complaint";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto place = text.find(from);
  EXPECT_NE(place, std::string::npos);
  return text.replace(place, from.size(), to);
}

// The first bytes as numpy.lib.format documents them and as numpy.save writes them.
TEST(Npy, HeaderIsTheDocumentedOne) {
  const std::int64_t vector_shape[] = {3};
  const std::string header = npy_header("<f4", vector_shape);
  EXPECT_EQ(header.size() % 64, 0U);
  EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(static_cast<unsigned char>(header[8]) + 256U * static_cast<unsigned char>(header[9]),
            header.size() - 10);
  EXPECT_EQ(header.substr(10, 59), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  ");
  EXPECT_EQ(header.back(), '\n');
  const std::int64_t matrix_shape[] = {1000000, 64};
  EXPECT_THAT(npy_header("<f2", matrix_shape), HasSubstr("'shape': (1000000,64)"));
}

template <typename T>
class NpyRoundTrip : public testing::Test {};
using ElementTypes = testing::Types<std::int8_t, std::int32_t, std::int64_t, float>;
TYPED_TEST_SUITE(NpyRoundTrip, ElementTypes);

TYPED_TEST(NpyRoundTrip, GivesTheSameValues) {
  const std::vector<TypeParam> values = {TypeParam(0), TypeParam(1),
                                         std::numeric_limits<TypeParam>::lowest(),
                                         std::numeric_limits<TypeParam>::max(), TypeParam(42)};
  const TemporaryFile file(npy_bytes(values));
  EXPECT_EQ(read_npy<TypeParam>(file.path()), values);
}

TYPED_TEST(NpyRoundTrip, GivesAnEmptyArray) {
  const TemporaryFile file(npy_bytes(std::vector<TypeParam>{}));
  EXPECT_TRUE(read_npy<TypeParam>(file.path()).empty());
}

TEST(Npy, RefusesDamagedFiles) {
  const std::string good = npy_bytes(std::vector<float>{1.0F, 2.0F, 3.0F});
  EXPECT_EQ(complaint_about(good), "no complaint");
  EXPECT_THAT(complaint_about(""), HasSubstr("not a .npy file"));
  EXPECT_THAT(complaint_about("PAR1 something else altogether"), HasSubstr("not a .npy file"));
  EXPECT_THAT(complaint_about(good.substr(0, 40)), HasSubstr("header is cut off"));
  EXPECT_THAT(complaint_about(good.substr(0, good.size() - 1)), HasSubstr("2 of 3 elements"));
  EXPECT_THAT(complaint_about(good + "xxxx"), HasSubstr("4 bytes more than its 3 elements"));
  EXPECT_THAT(complaint_about(replaced(good, "'descr'", "'dtype'")),
              HasSubstr("damaged .npy header"));
  EXPECT_THAT(complaint_about(replaced(good, "(3,)", "(z,)")), HasSubstr("damaged .npy header"));
  EXPECT_THAT(complaint_about(replaced(good, "(3,)", "(-,)")), HasSubstr("damaged .npy header"));
}

TEST(Npy, RefusesAnotherTypeOrShape) {
  EXPECT_THAT(complaint_about(npy_bytes(std::vector<std::int32_t>{1})),
              HasSubstr("element type '<i4', expected '<f4'"));
  std::ostringstream out;
  const std::vector<float> values(6);
  const std::int64_t shape[] = {2, 3};
  write_npy<float>(out, values, shape);
  EXPECT_THAT(complaint_about(out.str()), HasSubstr("expected one dimension"));
}

TEST(Npy, MappedOfOneOrTwoDimensions) {
  std::ostringstream out;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const std::int64_t shape[] = {3, 2};
  write_npy<float>(out, values, shape);
  const TemporaryFile file(out.str());
  const MappedNpy<float> matrix(file.path());
  EXPECT_EQ(matrix.rows(), 3);
  EXPECT_EQ(matrix.cols(), 2);
  EXPECT_EQ(std::vector<float>(matrix.values().begin(), matrix.values().end()), values);
  {
    const TemporaryFile other(npy_bytes(std::vector<std::int32_t>{7, 8}));
    const MappedNpy<std::int32_t> vector(other.path());
    EXPECT_EQ(vector.rows(), 2);
    EXPECT_EQ(vector.cols(), 1);
    EXPECT_EQ(vector.values()[1], 8);
  }
  const auto complaint = [](const std::string& bytes) -> std::string {
    const TemporaryFile bad(bytes);
    try {
      const MappedNpy<float> mapped(bad.path());
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(bad.path().string()));
      return error.what();
    }
    return "no complaint";
  };
  const std::string good = out.str();
  EXPECT_THAT(complaint(""), HasSubstr("not a .npy file"));
  EXPECT_THAT(complaint(good.substr(0, 40)), HasSubstr("header is cut off"));
  EXPECT_THAT(complaint(good.substr(0, good.size() - 1)), HasSubstr("5 of 6 elements"));
  EXPECT_THAT(complaint(good + "x"), HasSubstr("1 bytes more"));
  EXPECT_THAT(complaint(replaced(good, "<f4", "<f8")), HasSubstr("element type '<f8'"));
  EXPECT_THAT(complaint(replaced(good, "False", "True ")), HasSubstr("damaged .npy header"));
  EXPECT_THAT(complaint(replaced(good, "(3,2)", "(3,x)")), HasSubstr("damaged .npy header"));
}

// A header may promise more than memory holds: the file's length is looked at first.
TEST(Npy, AHugePromiseIsFoundOutBeforeMemoryIsTaken) {
  std::string header = npy_header("<f4", std::vector<std::int64_t>{std::int64_t{1} << 60});
  EXPECT_THAT(complaint_about(header + "abcd"), HasSubstr("1 of 1152921504606846976 elements"));
}

TEST(Npy, MissingFileIsNamed) {
  try {
    read_npy<float>("/no/such/file.npy");
    FAIL() << "expected an InputError";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/no/such/file.npy: cannot open"));
  }
}

}  // namespace
}  // namespace penchant::graph
