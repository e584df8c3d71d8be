// SPDX-License-Identifier: Apache-2.0
#include "models/safetensors.h"

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/support/temporary_file.h"

namespace penchant::models {
namespace {

using support::TemporaryFile;
using testing::HasSubstr;

const std::vector<float> kLarge = {1.0F, -2.5F, 3.0F, 0.0F, 1e-40F, 3e38F};
const std::vector<float> kSmall = {7.0F};

kernels::ConstFloatView matrix(const std::vector<float>& values, std::int64_t rows,
                               std::int64_t cols) {
  return {values.data(), rows, cols, cols, kernels::Device::cpu};
}

std::string bytes_of(const std::vector<NamedTensor>& tensors,
                     const std::map<std::string, std::string>& metadata = {}) {
  std::ostringstream out;
  write_safetensors(out, tensors, metadata);
  return out.str();
}

std::string two_tensors() {
  return bytes_of({{"weight", matrix(kLarge, 2, 3)}, {"alpha", matrix(kSmall, 1, 1)}},
                  {{"epoch", "3"}});
}

/// The message that reading these bytes gives.
std::string complaint_about(const std::string& bytes) {
  const TemporaryFile file(bytes);
  try {
    read_safetensors(file.path());
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr(file.path().string())) << "the message must name the file";
    return error.what();
  }
  return "no complaint";
}

std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string result(8, '\0');
  std::memcpy(result.data(), &length, 8);
  return result + rest;
}

/// The file with its header text replaced.
std::string with_header(const std::string& header, const std::string& data = "") {
  return with_length(header.size(), header + data);
}

TEST(Checkpoint, RoundTripKeepsBitsNamesAndMetadata) {
  const TemporaryFile file(two_tensors());
  const TensorFile got = read_safetensors(file.path());
  ASSERT_EQ(got.tensors.size(), 2U);
  EXPECT_EQ(got.find("weight", 2, 3, file.path()).data, kLarge);
  EXPECT_EQ(got.find("alpha", 1, 1, file.path()).data, kSmall);
  EXPECT_EQ(got.metadata.at("epoch"), "3");
}

TEST(Checkpoint, MappedTensorsAreTheSame) {
  const TemporaryFile file(two_tensors());
  const TensorFile got = map_safetensors(file.path());
  ASSERT_EQ(got.tensors.size(), 2U);
  const kernels::ConstFloatView weight = got.find("weight", 2, 3, file.path()).view();
  EXPECT_EQ(std::vector<float>(weight.data, weight.data + 6), kLarge);
  EXPECT_EQ(got.find_finite("alpha", 1, 1, file.path()).view().data[0], kSmall[0]);
  EXPECT_THROW(got.find("weight", 3, 2, file.path()), InputError);
  for (const std::string& bytes : {std::string(), two_tensors().substr(0, 20),
                                   two_tensors().substr(0, two_tensors().size() - 4),
                                   two_tensors() + "more", with_length(3, "{} 123")}) {
    const TemporaryFile bad(bytes);
    EXPECT_THROW(map_safetensors(bad.path()), InputError) << bytes.size();
  }
}

TEST(Checkpoint, NanAndInfinityKeepTheirBits) {
  std::vector<float> odd(3);
  const std::uint32_t patterns[] = {0x7FC12345U, 0xFF800000U, 0x80000000U};
  std::memcpy(odd.data(), patterns, sizeof(patterns));
  const TemporaryFile file(bytes_of({{"x", matrix(odd, 1, 3)}}));
  const TensorFile got = read_safetensors(file.path());
  EXPECT_EQ(std::memcmp(got.find("x", 1, 3, file.path()).data.data(), patterns, sizeof(patterns)),
            0);
  try {
    got.find_finite("x", 1, 3, file.path());
    FAIL() << "weights that are no numbers";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("damaged: element 0 of tensor 'x' is nan"));
  }
}

TEST(Checkpoint, PaddingOfRowsIsNotWritten) {
  const std::vector<float> padded = {1, 2, -9, -9, 3, 4, -9, -9};
  const TemporaryFile file(bytes_of({{"x", {padded.data(), 2, 2, 4, kernels::Device::cpu}}}));
  EXPECT_EQ(read_safetensors(file.path()).find("x", 2, 2, file.path()).data,
            (std::vector<float>{1, 2, 3, 4}));
}

// The format: 8 bytes of header length, the header as JSON, the numbers; the data starts on 8
// bytes.
TEST(Checkpoint, LayoutIsTheDocumentedOne) {
  const std::string bytes = two_tensors();
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0U);
  EXPECT_EQ(bytes.size(), 8 + length + 7 * sizeof(float));
  const std::string header = bytes.substr(8, length);
  EXPECT_THAT(header, HasSubstr(R"("weight":{"data_offsets":[0,24],"dtype":"F32","shape":[2,3]})"));
  EXPECT_THAT(header, HasSubstr(R"("alpha":{"data_offsets":[24,28],"dtype":"F32","shape":[1,1]})"));
  EXPECT_EQ(std::memcmp(bytes.data() + 8 + length, kLarge.data(), 24), 0);
}

TEST(Checkpoint, NoTensorsAtAll) {
  const TemporaryFile file(bytes_of({}, {{"a", "b"}}));
  EXPECT_TRUE(read_safetensors(file.path()).tensors.empty());
}

TEST(Checkpoint, RowsAreWrittenInTheOrderAskedFor) {
  const std::vector<graph::NodeId> order = {1, 0};
  NamedTensor tensor{"x", matrix(kLarge, 2, 3)};
  tensor.rows = order;
  const TemporaryFile file(bytes_of({tensor}));
  std::vector<float> want(kLarge.begin() + 3, kLarge.end());
  want.insert(want.end(), kLarge.begin(), kLarge.begin() + 3);
  EXPECT_EQ(read_safetensors(file.path()).find("x", 2, 3, file.path()).data, want);
}

// A tensor without elements shares its offset with its neighbour: neither may be lost, whatever
// their names.
TEST(Checkpoint, ZeroSizeTensorsKeepTheirPlace) {
  for (const char* const name : {"a_before", "z_behind"}) {
    const std::vector<NamedTensor> orders[] = {
        {{name, matrix({}, 0, 3)}, {"m", matrix(kLarge, 2, 3)}},
        {{"m", matrix(kLarge, 2, 3)}, {name, matrix({}, 4, 0)}},
        {{name, matrix({}, 0, 3)}, {"other", matrix({}, 0, 3)}, {"m", matrix(kLarge, 2, 3)}}};
    for (const auto& tensors : orders) {
      const std::string complaint = complaint_about(bytes_of(tensors));
      EXPECT_EQ(complaint, "no complaint") << name;
      if (complaint != "no complaint") continue;
      const TemporaryFile file(bytes_of(tensors));
      const TensorFile got = read_safetensors(file.path());
      EXPECT_EQ(got.tensors.size(), tensors.size()) << name;
      for (const NamedTensor& tensor : tensors)
        EXPECT_NO_THROW(got.find(tensor.name, tensor.value.rows, tensor.value.cols, file.path()));
    }
  }
}

TEST(Checkpoint, EveryTruncationIsNoticed) {
  const std::string good = two_tensors();
  EXPECT_EQ(complaint_about(good), "no complaint");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(complaint_about(good.substr(0, size)), HasSubstr("damaged"))
        << size << " of " << good.size() << " bytes";
  }
}

TEST(Checkpoint, EveryFlippedBitOfTheDataIsNoticed) {
  const std::string good = two_tensors();
  for (std::size_t place = good.size() - 28; place < good.size(); ++place) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[place] = static_cast<char>(bad[place] ^ (1 << bit));
      EXPECT_THAT(complaint_about(bad), HasSubstr("hash")) << "byte " << place << ", bit " << bit;
    }
  }
}

// The hash covers the data. A damaged header may read as another name or another note, but never as
// other numbers, and nothing but InputError may come out of it.
TEST(Checkpoint, AFlippedBitOfTheHeaderNeverChangesNumbers) {
  const std::string good = two_tensors();
  for (std::size_t place = 0; place < good.size() - 28; ++place) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[place] = static_cast<char>(bad[place] ^ (1 << bit));
      const TemporaryFile file(bad);
      try {
        const TensorFile got = read_safetensors(file.path());
        ASSERT_EQ(got.tensors.size(), 2U) << "byte " << place << ", bit " << bit;
        EXPECT_EQ(got.tensors[0].data, kLarge) << "byte " << place << ", bit " << bit;
        EXPECT_EQ(got.tensors[1].data, kSmall) << "byte " << place << ", bit " << bit;
      } catch (const InputError&) {
      } catch (const std::exception& error) {
        ADD_FAILURE() << "byte " << place << ", bit " << bit << ": " << error.what();
      }
    }
  }
}

TEST(Checkpoint, BytesBehindTheDataAreNoticed) {
  EXPECT_THAT(complaint_about(two_tensors() + "x"), HasSubstr("damaged"));
}

TEST(Checkpoint, RefusesWhatIsNotOurFormat) {
  EXPECT_THAT(complaint_about("PK\x03\x04 a zip archive that is long enough"),
              HasSubstr("not a safetensors file"));
  EXPECT_THAT(complaint_about(with_length(std::uint64_t{1} << 62, "{}")),
              HasSubstr("not a safetensors file"));
  EXPECT_THAT(complaint_about(with_header("{}")), HasSubstr("damaged")) << "no metadata";
  EXPECT_THAT(complaint_about(with_header("[1, 2]")), HasSubstr("damaged"));
  EXPECT_THAT(complaint_about(with_header("not json")), HasSubstr("damaged"));
  EXPECT_THAT(complaint_about(with_header(
                  R"({"__metadata__":{},"x":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}})",
                  "12345678")),
              HasSubstr("not float32"));
  EXPECT_THAT(
      complaint_about(with_header(
          R"({"__metadata__":{},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "1234")),
      HasSubstr("damaged"));
  EXPECT_THAT(complaint_about(with_header(
                  R"({"__metadata__":{},"x":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}})",
                  "1234")),
              HasSubstr("damaged"));
  EXPECT_THAT(complaint_about(with_header(R"({"__metadata__":{}})")), HasSubstr("hash"));
}

// A header may promise more than memory holds, or a product that overflows: still an InputError.
TEST(Checkpoint, AHugePromiseIsAnInputError) {
  const char* const promises[] = {
      R"([1099511627776,1024],"data_offsets":[0,4503599627370496])",
      R"([4611686018427387904,1],"data_offsets":[0,0])",
      R"([4294967296,4294967296],"data_offsets":[0,0])",
  };
  for (const std::string shape : promises) {
    const std::string header = R"({"__metadata__":{},"x":{"dtype":"F32","shape":)" + shape + "}}";
    try {
      EXPECT_THAT(complaint_about(with_header(header)), HasSubstr("damaged"));
    } catch (const std::exception& error) {
      ADD_FAILURE() << header << "\n  gave " << error.what();
    }
  }
}

TEST(Checkpoint, FindNamesFileTensorAndShapes) {
  const TemporaryFile file(two_tensors());
  const TensorFile got = read_safetensors(file.path());
  const auto complaint = [&](const char* name, std::int64_t rows,
                             std::int64_t cols) -> std::string {
    try {
      got.find(name, rows, cols, file.path());
    } catch (const InputError& error) {
      return error.what();
    }
    return "no complaint";
  };
  EXPECT_EQ(complaint("weight", 3, 2),
            file.path().string() + ": tensor 'weight' is 2 x 3, expected 3 x 2");
  EXPECT_EQ(complaint("beta", 1, 1), file.path().string() + ": has no tensor 'beta'");
}

TEST(Checkpoint, MissingFileIsNamed) {
  try {
    read_safetensors("/no/such/file.safetensors");
    FAIL() << "expected an InputError";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/no/such/file.safetensors: cannot open"));
  }
}

}  // namespace
}  // namespace penchant::models
