// Tensors of compressed files, and the values of tensors of any kind.
#include <bit>
#include <charconv>
#include <cstring>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "common/base/text.h"
#include "common/model/architecture.h"
#include "common/model/safetensors_file.h"

namespace tutti::model {
namespace {

template <typename Value>
Value ValueAt(const std::uint8_t* data, std::uint64_t index) {
  Value value;
  std::memcpy(&value, data + index * sizeof(Value), sizeof(Value));
  return value;
}

// IEEE 754 binary16.
float FromHalf(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16U, exponent = (bits >> 10U) & 0x1fU,
                      mantissa = bits & 0x3ffU;
  if (exponent == 0) {  // zero, or below 2^-14
    const float size = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -size : size;
  }
  const std::uint32_t wide = exponent == 0x1fU ? 0xffU : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23U) | (mantissa << 13U));
}

void Convert(Dtype dtype, const std::uint8_t* data, std::span<float> values) {
  for (std::uint64_t i = 0; i < values.size(); ++i) {
    switch (dtype) {
      case Dtype::kF32:
        values[i] = ValueAt<float>(data, i);
        break;
      case Dtype::kF64:
        values[i] = static_cast<float>(ValueAt<double>(data, i));
        break;
      case Dtype::kF16:
        values[i] = FromHalf(ValueAt<std::uint16_t>(data, i));
        break;
      case Dtype::kBf16:
        values[i] = std::bit_cast<float>(std::uint32_t{ValueAt<std::uint16_t>(data, i)} << 16U);
        break;
      case Dtype::kI8:
        values[i] = static_cast<float>(ValueAt<std::int8_t>(data, i));
        break;
      case Dtype::kOther:
        break;
    }
  }
}

std::uint64_t Ones(BytesView bits) {
  return std::accumulate(bits.begin(), bits.end(), std::uint64_t{0},
                         [](std::uint64_t sum, std::uint8_t byte) {
                           return sum + static_cast<std::uint64_t>(std::popcount(byte));
                         });
}

bool IsSet(BytesView bits, std::uint64_t index) {
  return ((bits[index / 8] >> (index % 8)) & 1U) != 0;
}

// "10,64".
std::optional<Shape> ParseShape(std::string_view text) {
  Shape shape;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    std::uint64_t size = 0;
    const auto [stopped, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size == 0) return std::nullopt;
    shape.push_back(size);
    if (stopped == end) return shape;
    if (*stopped != ',') return std::nullopt;
    at = stopped + 1;
  }
}

const Tensor* Find(const SafetensorsFile& file, const std::string& name) {
  const auto found = file.tensors.find(name);
  return found == file.tensors.end() ? nullptr : &found->second;
}

BytesView DataOf(const SafetensorsFile& file, const Tensor& tensor) {
  return file.data.subspan(tensor.begin, tensor.end - tensor.begin);
}

// Gives the tensor its whole shape and the bits that say which values are there.
Status JoinPresent(const SafetensorsFile& file, const std::string& name, const Tensor& bits,
                   Tensor& tensor) {
  const auto text = file.metadata.find(ShapeKey(name));
  const std::optional<Shape> shape =
      text == file.metadata.end() ? std::nullopt : ParseShape(text->second);
  if (!shape) {
    return InvalidArgument(
        Join("it is stored without its zeros and the file does not state its shape; expected \"",
             Escaped(ShapeKey(name), 80), "\" in __metadata__, for instance 10,64"));
  }
  TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(*shape, kMaxValues, "a tensor"));
  const BytesView present = DataOf(file, bits);
  if (present.size() != (values + 7) / 8) {
    return InvalidArgument(Join("the bits of its values have ", present.size(), " bytes, ", values,
                                " values need ", (values + 7) / 8));
  }
  const std::uint64_t stored = ValuesOf(tensor.shape, kMaxValues, "a tensor").value_or(0);
  if (tensor.shape.size() != 1 || Ones(present) != stored) {
    return InvalidArgument(Join("the bits of its values say that ", Ones(present),
                                " are there, the file has ", stored));
  }
  if (values % 8 != 0 && (present.back() >> (values % 8)) != 0) {
    return InvalidArgument("the bits of its values go on behind the last");
  }
  tensor.shape = *shape;
  tensor.present = present;
  return OkStatus();
}

Status JoinScales(const SafetensorsFile& file, const Tensor* scales, Tensor& tensor) {
  const Shape expected = tensor.shape.empty() ? Shape{} : Shape{tensor.shape.front()};
  if (scales == nullptr || expected.empty() || scales->dtype != Dtype::kF32 ||
      scales->shape != expected) {
    return InvalidArgument(
        Join("its values are int8 and the file has no fitting scales; expected float32 of shape ",
             ShapeText(expected)));
  }
  tensor.scales = DataOf(file, *scales);
  return OkStatus();
}

Status JoinParts(const SafetensorsFile& file, const std::string& name, Tensor& tensor) {
  if (const Tensor* const bits = Find(file, PresentName(name))) {
    if (tensor.dtype != Dtype::kI8 && tensor.dtype != Dtype::kF32) {
      return InvalidArgument("it is stored without its zeros, expected float32 or int8");
    }
    TUTTI_TRY(JoinPresent(file, name, *bits, tensor));
  }
  return tensor.dtype == Dtype::kI8 ? JoinScales(file, Find(file, ScalesName(name)), tensor)
                                    : OkStatus();
}

}  // namespace

std::string ScalesName(const std::string& tensor) { return tensor + ".scale"; }
std::string PresentName(const std::string& tensor) { return tensor + ".present"; }
std::string ShapeKey(const std::string& tensor) { return "shape." + tensor; }

Status JoinCompressed(SafetensorsFile& file) {
  const auto version = file.metadata.find(kCompressedKey);
  if (version == file.metadata.end()) {
    for (auto& [name, tensor] : file.tensors) {
      if (tensor.dtype == Dtype::kI8) tensor.dtype = Dtype::kOther;
    }
    return OkStatus();
  }
  if (version->second != kCompressedVersion) {
    return InvalidArgument(Join("the safetensors file is compressed in version ",
                                Escaped(version->second, 20), ", this program reads version ",
                                kCompressedVersion, "; use a newer one"));
  }
  SafetensorsFile joined{.metadata = file.metadata, .tensors = {}, .data = file.data};
  std::vector<std::string> parts;
  for (const auto& [name, tensor] : file.tensors) {
    Tensor whole = tensor;
    if (const Status status = JoinParts(file, name, whole); !status.ok()) {
      return Annotate(status, Join("tensor \"", Escaped(name, 80), "\" of the compressed file"));
    }
    if (!whole.scales.empty()) parts.push_back(ScalesName(name));
    if (!whole.present.empty()) parts.push_back(PresentName(name));
    joined.tensors.emplace(name, std::move(whole));
  }
  for (const std::string& name : parts) joined.tensors.erase(name);
  file = std::move(joined);
  return OkStatus();
}

void ReadValues(const SafetensorsFile& file, const Tensor& tensor, std::span<float> values) {
  TUTTI_CHECK(tensor.dtype != Dtype::kOther);
  const std::uint8_t* const data = file.data.data() + tensor.begin;
  if (tensor.present.empty()) {
    Convert(tensor.dtype, data, values);
  } else {
    std::vector<float> stored(Ones(tensor.present));
    Convert(tensor.dtype, data, stored);
    for (std::uint64_t i = 0, next = 0; i < values.size(); ++i) {
      values[i] = IsSet(tensor.present, i) ? stored[next++] : 0.0F;
    }
  }
  if (tensor.scales.empty()) return;
  const std::uint64_t channels = tensor.scales.size() / sizeof(float);
  const std::uint64_t width = values.size() / channels;
  for (std::uint64_t i = 0; i < values.size(); ++i) {
    values[i] *= ValueAt<float>(tensor.scales.data(), i / width);
  }
}

}  // namespace tutti::model
