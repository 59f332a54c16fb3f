#include "common/model/compress.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "common/base/text.h"
#include "common/model/architecture.h"
#include "common/model/safetensors_file.h"

namespace tutti::model {
namespace {

constexpr float kLargestNumber = 127;
constexpr std::string_view kControl = "control.";

// One tensor of the model while it is changed.
struct Weights {
  std::string name;
  Shape shape;
  std::vector<float> values;
  bool changes() const { return shape.size() >= 2; }
};

Status CheckSettings(const CompressSettings& settings) {
  if (!(settings.sparsity >= 0 && settings.sparsity < 1)) {
    return InvalidArgument(Join("the share of weights to be pruned is ", settings.sparsity,
                                ", expected 0 up to but not including 1"));
  }
  if (!settings.int8 && settings.sparsity == 0) {
    return InvalidArgument(
        "nothing is asked for; expected int8, a share of weights to be pruned, or both");
  }
  return OkStatus();
}

// "control.w" beside a "w" of the same shape.
bool IsControl(const SafetensorsFile& file, const std::string& name, const Tensor& tensor) {
  if (name.rfind(kControl, 0) != 0) return false;
  const auto base = file.tensors.find(name.substr(kControl.size()));
  return base != file.tensors.end() && base->second.shape == tensor.shape;
}

// In the order the data lies in the file.
StatusOr<std::vector<Weights>> ReadModel(const SafetensorsFile& file,
                                         std::vector<std::string>& left_out) {
  std::vector<std::pair<std::uint64_t, Weights>> found;
  for (const auto& [name, tensor] : file.tensors) {
    if (IsControl(file, name, tensor)) {
      left_out.push_back(name);
      continue;
    }
    if (tensor.dtype == Dtype::kOther) {
      return InvalidArgument(
          Join("tensor \"", Escaped(name, 80), "\" of the file holds no floats; is it a model?"));
    }
    TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(tensor.shape, kMaxValues, "a tensor"));
    if (values == 0) {
      return InvalidArgument(Join("tensor \"", Escaped(name, 80), "\" of the file has shape ",
                                  ShapeText(tensor.shape), ", which holds no values"));
    }
    Weights weights{name, tensor.shape, std::vector<float>(values)};
    ReadValues(file, tensor, weights.values);
    if (!AllFinite(weights.values)) {
      return InvalidArgument(
          Join("tensor \"", Escaped(name, 80), "\" of the file holds a NaN or infinite weight"));
    }
    found.emplace_back(tensor.begin, std::move(weights));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Weights> model;
  for (auto& [begin, weights] : found) model.push_back(std::move(weights));
  if (std::none_of(model.begin(), model.end(), [](const Weights& w) { return w.changes(); })) {
    return InvalidArgument(Join("the file has ", model.size(),
                                " tensors, none of two dimensions or more; expected a model with "
                                "weights to compress"));
  }
  return model;
}

// The data of the tensors of the file to be, in the order they are to lie in: float32 first, so
// that all of it is aligned.
class FileParts {
 public:
  void AddFloats(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(values.data());
    floats_.push_back({name, "F32", shape, Bytes(bytes, bytes + values.size() * sizeof(float))});
  }
  void AddBytes(const std::string& name, const std::string& dtype, const Shape& shape, Bytes data) {
    bytes_.push_back({name, dtype, shape, std::move(data)});
  }

  StatusOr<Bytes> File(const Metadata& metadata) const {
    std::vector<RawTensor> tensors;
    std::set<std::string> names;
    for (const std::vector<Part>* const parts : {&floats_, &bytes_}) {
      for (const Part& part : *parts) {
        if (!names.insert(part.name).second) {
          return InvalidArgument(
              Join("the model has a tensor \"", Escaped(part.name, 80),
                   "\", a name that a part of another one needs; rename it before compressing"));
        }
        tensors.push_back({part.name, part.dtype, part.shape, part.data});
      }
    }
    return WriteTensors(tensors, metadata);
  }

 private:
  struct Part {
    std::string name;
    std::string dtype;
    Shape shape;
    Bytes data;
  };
  std::vector<Part> floats_;
  std::vector<Part> bytes_;
};

// Bits of the values that are not zero, and these alone.
template <typename Value>
std::pair<Bytes, std::vector<Value>> WithoutZeros(const std::vector<Value>& values) {
  Bytes bits((values.size() + 7) / 8);
  std::vector<Value> kept;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0) continue;
    bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | (1U << (i % 8)));
    kept.push_back(values[i]);
  }
  return {std::move(bits), std::move(kept)};
}

std::string ShapeWords(const Shape& shape) {
  std::vector<std::string> words;
  for (const std::uint64_t size : shape) words.push_back(std::to_string(size));
  return JoinWith(words, ",");
}

Bytes AsRaw(const std::vector<std::int8_t>& numbers) {
  return {reinterpret_cast<const std::uint8_t*>(numbers.data()),
          reinterpret_cast<const std::uint8_t*>(numbers.data()) + numbers.size()};
}

// Adds `values` (float or int8) with all of them or without the zeros, what is smaller.
template <typename Value>
void AddSmallest(const Weights& weights, const std::vector<Value>& values, FileParts& parts,
                 Metadata& metadata) {
  const auto add = [&](const Shape& shape, const std::vector<Value>& data) {
    if constexpr (std::is_same_v<Value, float>) {
      parts.AddFloats(weights.name, shape, data);
    } else {
      parts.AddBytes(weights.name, "I8", shape, AsRaw(data));
    }
  };
  auto [bits, kept] = WithoutZeros(values);
  if (bits.size() + kept.size() * sizeof(Value) >= values.size() * sizeof(Value)) {
    add(weights.shape, values);
    return;
  }
  add({kept.size()}, kept);
  const std::uint64_t bytes = bits.size();
  parts.AddBytes(PresentName(weights.name), "U8", {bytes}, std::move(bits));
  metadata[ShapeKey(weights.name)] = ShapeWords(weights.shape);
}

// Rounds the tensor channel by channel and adds it.
void AddRounded(const Weights& weights, FileParts& parts, Metadata& metadata, Compressed& result) {
  const std::size_t channels = weights.shape.front();
  const std::size_t width = weights.values.size() / channels;
  std::vector<std::int8_t> numbers;
  std::vector<float> scales;
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const auto values = std::span(weights.values).subspan(channel * width, width);
    const RoundedChannel rounded = RoundChannel(values);
    for (std::size_t i = 0; i < width; ++i) {
      const double back = static_cast<double>(rounded.numbers[i]) * rounded.scale;
      result.largest_weight_error =
          std::max(result.largest_weight_error, std::abs(back - values[i]));
    }
    numbers.insert(numbers.end(), rounded.numbers.begin(), rounded.numbers.end());
    scales.push_back(rounded.scale);
  }
  result.zeros +=
      static_cast<std::uint64_t>(std::count(numbers.begin(), numbers.end(), std::int8_t{0}));
  parts.AddFloats(ScalesName(weights.name), {channels}, scales);
  AddSmallest(weights, numbers, parts, metadata);
}

}  // namespace

void PruneSmallest(double sparsity, std::span<const std::span<float>> parts) {
  std::vector<float> sizes;
  for (const std::span<float> part : parts) {
    for (const float value : part) sizes.push_back(std::abs(value));
  }
  const auto count =
      static_cast<std::size_t>(std::llround(sparsity * static_cast<double>(sizes.size())));
  if (count == 0 || count > sizes.size()) return;
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(sizes.begin(), middle, sizes.end());
  const float limit = *middle;
  auto below = static_cast<std::size_t>(
      std::count_if(sizes.begin(), middle, [&](float size) { return size < limit; }));
  std::size_t equal = count - below;  // that go, of those of just this size
  for (const std::span<float> part : parts) {
    for (float& value : part) {
      const float size = std::abs(value);
      if (size < limit) {
        value = 0;
      } else if (size == limit && equal > 0) {
        value = 0;
        --equal;
      }
    }
  }
}

RoundedChannel RoundChannel(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  RoundedChannel rounded{.numbers = std::vector<std::int8_t>(values.size()), .scale = 0};
  if (largest == 0) return rounded;
  rounded.scale = std::max(largest / kLargestNumber, std::numeric_limits<float>::min());
  while (!std::isfinite(kLargestNumber * rounded.scale)) {
    rounded.scale = std::nextafter(rounded.scale, 0.0F);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float number = std::round(values[i] / rounded.scale);
    rounded.numbers[i] =
        static_cast<std::int8_t>(std::clamp(number, -kLargestNumber, kLargestNumber));
  }
  return rounded;
}

StatusOr<Compressed> CompressModel(BytesView bytes, const CompressSettings& settings) {
  TUTTI_TRY(CheckSettings(settings));
  TUTTI_ASSIGN(const SafetensorsFile file, ParseSafetensors(bytes, Accept::kAny));
  Compressed result;
  TUTTI_ASSIGN(std::vector<Weights> model, ReadModel(file, result.left_out));
  std::vector<std::span<float>> changing;
  for (Weights& weights : model) {
    result.values += weights.values.size();
    if (!weights.changes()) continue;
    result.weights += weights.values.size();
    changing.emplace_back(weights.values);
  }
  PruneSmallest(settings.sparsity, changing);
  Metadata metadata = file.metadata;
  for (const Weights& weights : model) metadata.erase(ShapeKey(weights.name));
  metadata[kCompressedKey] = kCompressedVersion;
  FileParts parts;
  for (const Weights& weights : model) {
    if (!weights.changes()) {
      parts.AddFloats(weights.name, weights.shape, weights.values);
    } else if (settings.int8) {
      AddRounded(weights, parts, metadata, result);
    } else {
      result.zeros += static_cast<std::uint64_t>(
          std::count(weights.values.begin(), weights.values.end(), 0.0F));
      AddSmallest(weights, weights.values, parts, metadata);
    }
  }
  TUTTI_ASSIGN(result.file, parts.File(metadata));
  // What cannot be read again is not given out: names that clash, a header that became too long.
  const Status readable = ParseSafetensors(result.file, Accept::kAny).status();
  if (!readable.ok()) return Annotate(readable, "the compressed file");
  return result;
}

}  // namespace tutti::model
