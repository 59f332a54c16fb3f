// A safetensors file taken apart: where each tensor lies, after checking the header's form and
// every bound. Internal to common/model. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/model/layers.h"
#include "common/model/safetensors.h"

namespace tutti::model {

enum class Dtype { kF32, kF64, kF16, kBf16, kOther };
enum class Accept {
  kFloat32,  // what travels between coordinator and clients
  kAny       // an operator's file; tensors of kOther are not checked against their shape
};

struct Tensor {
  Dtype dtype = Dtype::kF32;
  Shape shape;
  std::uint64_t begin = 0;  // bytes from the start of the data
  std::uint64_t end = 0;
};

struct SafetensorsFile {
  Metadata metadata;
  std::map<std::string, Tensor> tensors;
  BytesView data;
};

// InvalidArgument says what is wrong with the file.
StatusOr<SafetensorsFile> ParseSafetensors(BytesView bytes, Accept accept);

// OK when the tensors cover the data once, from the first byte to the last.
Status CheckCovered(const SafetensorsFile& file);

}  // namespace tutti::model
