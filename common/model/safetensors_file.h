// A safetensors file taken apart: where each tensor lies, after checking the header's form and
// every bound; and put together. Internal to common/model. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/model/layers.h"
#include "common/model/safetensors.h"

namespace tutti::model {

// kI8 is whole numbers times a scale each (compress.h); without scales they are kOther.
enum class Dtype { kF32, kF64, kF16, kBf16, kI8, kOther };
enum class Accept {
  kFloat32,  // what travels between coordinator and clients
  kAny       // an operator's file; tensors of kOther are not checked against their shape
};

struct Tensor {
  Dtype dtype = Dtype::kF32;
  Shape shape;
  std::uint64_t begin = 0;  // bytes from the start of the data
  std::uint64_t end = 0;
  // Of a compressed file (compress.h), read with Accept::kAny:
  BytesView scales;   // kI8: a float32 for each first index of the shape
  BytesView present;  // not empty: a bit for each value, the lowest first; the data holds those of
                      // the ones, in order, and the others are zero
};

struct SafetensorsFile {
  Metadata metadata;
  std::map<std::string, Tensor> tensors;
  BytesView data;
};

// InvalidArgument says what is wrong with the file. Scales and bits of a compressed file are with
// their tensor and no tensors of their own; their numbers fit the shape and the data.
StatusOr<SafetensorsFile> ParseSafetensors(BytesView bytes, Accept accept);

// Puts scales and bits to the tensors they belong to; what has none is left as it is. Part of
// ParseSafetensors.
Status JoinCompressed(SafetensorsFile& file);

// OK when the tensors cover the data once, from the first byte to the last.
Status CheckCovered(const SafetensorsFile& file);

// The values of a tensor as float32, finite or not; values.size() is the product of the shape and
// the tensor is not kOther (checked as our own invariants).
void ReadValues(const SafetensorsFile& file, const Tensor& tensor, std::span<float> values);

// One tensor to be written. `dtype` as the format names it.
struct RawTensor {
  std::string name;
  std::string dtype;
  Shape shape;
  BytesView data;
};
// The file, data in the order given; see WriteSafetensors.
Bytes WriteTensors(std::span<const RawTensor> tensors, const Metadata& metadata);

// A compressed file says so in its metadata; names of what belongs to a tensor.
inline constexpr char kCompressedKey[] = "tutti.compressed";
inline constexpr char kCompressedVersion[] = "1";
std::string ScalesName(const std::string& tensor);   // F32 [first size]
std::string PresentName(const std::string& tensor);  // U8 [bytes of bits]
std::string ShapeKey(const std::string& tensor);     // metadata: "10,64"

}  // namespace tutti::model
