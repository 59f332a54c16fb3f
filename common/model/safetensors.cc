#include "common/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/model/architecture.h"
#include "common/model/safetensors_file.h"

namespace tutti::model {
namespace {

static_assert(std::endian::native == std::endian::little,
              "float32 data is copied as it lies in memory");

Status CheckFits(const SafetensorsFile& file, const Layout& layout) {
  for (const Parameter& parameter : layout.parameters) {
    const auto found = file.tensors.find(parameter.name);
    if (found == file.tensors.end()) {
      return InvalidArgument(Join("the safetensors file has no tensor \"", parameter.name,
                                  "\", which the model needs; is it a file of another model?"));
    }
    if (found->second.shape != parameter.shape) {
      return InvalidArgument(Join("tensor \"", parameter.name,
                                  "\" of the safetensors file has another shape than the model's"));
    }
  }
  if (file.tensors.size() != layout.parameters.size()) {
    return InvalidArgument(Join("the safetensors file has ", file.tensors.size(),
                                " tensors, the model ", layout.parameters.size()));
  }
  return CheckCovered(file);
}

Status CheckFinite(std::span<const float> values) {
  if (AllFinite(values) || !Guard("model.weights")) {
    return OkStatus();
  }
  return InvalidArgument("the safetensors file holds a NaN or infinite weight");
}

}  // namespace

bool AllFinite(std::span<const float> values) {
  // Adding bit tests instead of leaving early lets the compiler use vectors.
  std::uint32_t bad = 0;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    bad |= static_cast<std::uint32_t>((bits & 0x7f800000U) == 0x7f800000U);
  }
  return bad == 0;
}

Bytes WriteSafetensors(const Layout& layout, std::span<const float> values,
                       const Metadata& metadata) {
  TUTTI_CHECK(values.size() == layout.values);
  std::vector<RawTensor> tensors;
  for (const Parameter& parameter : layout.parameters) {
    const std::span<const float> own = values.subspan(parameter.offset, parameter.values);
    tensors.push_back({parameter.name,
                       "F32",
                       parameter.shape,
                       {reinterpret_cast<const std::uint8_t*>(own.data()), own.size_bytes()}});
  }
  return WriteTensors(tensors, metadata);
}

StatusOr<std::vector<float>> ReadSafetensors(BytesView bytes, const Layout& layout) {
  TUTTI_ASSIGN(const SafetensorsFile file, ParseSafetensors(bytes, Accept::kFloat32));
  TUTTI_TRY(CheckFits(file, layout));
  std::vector<float> values(layout.values);
  for (const Parameter& parameter : layout.parameters) {
    std::memcpy(values.data() + parameter.offset,
                file.data.data() + file.tensors.at(parameter.name).begin,
                parameter.values * sizeof(float));
  }
  TUTTI_TRY(CheckFinite(values));
  return values;
}

StatusOr<std::span<const float>> ViewSafetensors(BytesView bytes, const Layout& layout) {
  TUTTI_ASSIGN(const SafetensorsFile file, ParseSafetensors(bytes, Accept::kFloat32));
  TUTTI_TRY(CheckFits(file, layout));
  for (const Parameter& parameter : layout.parameters) {
    if (file.tensors.at(parameter.name).begin != parameter.offset * sizeof(float)) {
      return FailedPrecondition(
          "the tensors of the safetensors file lie in another order than the model's");
    }
  }
  if (reinterpret_cast<std::uintptr_t>(file.data.data()) % alignof(float) != 0) {
    return FailedPrecondition("the data of the safetensors file is not aligned for floats");
  }
  const std::span<const float> values(reinterpret_cast<const float*>(file.data.data()),
                                      layout.values);
  TUTTI_TRY(CheckFinite(values));
  return values;
}

StatusOr<Metadata> SafetensorsMetadata(BytesView bytes) {
  TUTTI_ASSIGN(SafetensorsFile file, ParseSafetensors(bytes, Accept::kFloat32));
  return std::move(file.metadata);
}

StatusOr<std::vector<v1::ParameterSpec>> SafetensorsParameters(BytesView bytes) {
  TUTTI_ASSIGN(const SafetensorsFile file, ParseSafetensors(bytes, Accept::kAny));
  std::vector<std::pair<std::uint64_t, v1::ParameterSpec>> found;
  for (const auto& [name, tensor] : file.tensors) {
    if (tensor.dtype == Dtype::kOther) {
      return InvalidArgument(
          Join("tensor \"", Escaped(name, 80), "\" of the safetensors file holds no floats"));
    }
    v1::ParameterSpec parameter;
    parameter.set_name(name);
    for (const std::uint64_t size : tensor.shape) {
      if (size == 0 || size > std::numeric_limits<std::uint32_t>::max()) {
        return InvalidArgument(Join("tensor \"", Escaped(name, 80),
                                    "\" of the safetensors file has a size of ", size,
                                    ", expected 1 to 2^32 - 1"));
      }
      parameter.add_shape(static_cast<std::uint32_t>(size));
    }
    found.emplace_back(tensor.begin, std::move(parameter));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<v1::ParameterSpec> parameters;
  for (auto& [begin, parameter] : found) {
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

}  // namespace tutti::model
