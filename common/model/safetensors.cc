#include "common/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/model/architecture.h"

namespace tutti::model {
namespace {

static_assert(std::endian::native == std::endian::little,
              "float32 data is copied as it lies in memory");

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxDepth = 3;  // {"name": {"shape": [..]}}

struct Tensor {
  Shape shape;
  std::uint64_t begin = 0;  // bytes from the start of the data
  std::uint64_t end = 0;
};

struct File {
  Metadata metadata;
  std::map<std::string, Tensor> tensors;
  BytesView data;
};

// True when brackets outside strings nest deeper than kMaxDepth: the parser and its destructor
// never see such input.
bool NestsTooDeep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) {
        return true;
      }
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

// The header as JSON. A name that occurs twice is refused: readers disagree on which one counts.
StatusOr<json> ParseHeader(std::string_view text) {
  if (NestsTooDeep(text)) {
    return InvalidArgument(Join("the safetensors header nests deeper than ", kMaxDepth, " levels"));
  }
  std::vector<std::set<std::string>> names;
  std::string repeated;
  const auto see = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      names.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      names.pop_back();
    } else if (event == json::parse_event_t::key && !names.empty()) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!names.back().insert(name).second) {
        repeated = Join("\"", Escaped(name, 80), "\"");
      }
    }
    return true;
  };
  try {
    json header = json::parse(text.begin(), text.end(), see, /*allow_exceptions=*/false);
    if (header.is_discarded() || !header.is_object()) {
      return InvalidArgument("the safetensors header is not a JSON object");
    }
    if (!repeated.empty()) {
      return InvalidArgument(Join("the safetensors header holds the name ", repeated, " twice"));
    }
    return header;
  } catch (const std::exception& error) {
    return InvalidArgument(
        Join("the safetensors header is not JSON (nlohmann-json: ", Escaped(error.what()), ")"));
  }
}

StatusOr<std::vector<std::uint64_t>> Numbers(const json& value, std::string_view what) {
  if (!value.is_array()) {
    return InvalidArgument(Join(what, " is not a list of whole numbers"));
  }
  std::vector<std::uint64_t> numbers;
  for (const json& item : value) {
    if (!item.is_number_unsigned()) {
      return InvalidArgument(Join(what, " is not a list of whole numbers"));
    }
    numbers.push_back(item.get<std::uint64_t>());
  }
  return numbers;
}

StatusOr<Tensor> ReadTensor(const json& entry, std::size_t data_bytes) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    return InvalidArgument("expected exactly dtype, shape and data_offsets");
  }
  const json& dtype = entry["dtype"];
  if (!dtype.is_string() || dtype.get_ref<const std::string&>() != "F32") {
    return InvalidArgument("dtype is not \"F32\"; save the weights as 32-bit floats");
  }
  Tensor tensor;
  TUTTI_ASSIGN(tensor.shape, Numbers(entry["shape"], "shape"));
  TUTTI_ASSIGN(const std::vector<std::uint64_t> offsets,
               Numbers(entry["data_offsets"], "data_offsets"));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_bytes) {
    return InvalidArgument(
        Join("data_offsets do not lie in order within the ", data_bytes, " bytes of data"));
  }
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(tensor.shape, kMaxValues, "a tensor"));
  if (tensor.end - tensor.begin != values * sizeof(float)) {
    return InvalidArgument(Join("data_offsets span ", tensor.end - tensor.begin,
                                " bytes, the shape needs ", values * sizeof(float)));
  }
  return tensor;
}

StatusOr<Metadata> ReadMetadata(const json& entry) {
  if (!entry.is_object()) {
    return InvalidArgument("__metadata__ of the safetensors file is not an object of texts");
  }
  Metadata metadata;
  for (const auto& [name, value] : entry.items()) {
    if (!value.is_string()) {
      return InvalidArgument("__metadata__ of the safetensors file is not an object of texts");
    }
    metadata.emplace(name, value.get<std::string>());
  }
  return metadata;
}

StatusOr<File> ReadFile(BytesView bytes) {
  if (bytes.size() < kLengthBytes) {
    return InvalidArgument(
        Join("a safetensors file of ", bytes.size(), " bytes is cut off, expected at least 8"));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxSafetensorsHeader) {
    return InvalidArgument(Join("the safetensors header states ", length,
                                " bytes, expected at most ", kMaxSafetensorsHeader));
  }
  if (length > bytes.size() - kLengthBytes) {
    return InvalidArgument(Join("the safetensors header states ", length,
                                " bytes, the file has only ", bytes.size() - kLengthBytes,
                                " after it; it is cut off"));
  }
  File file{.metadata = {}, .tensors = {}, .data = bytes.subspan(kLengthBytes + length)};
  TUTTI_ASSIGN(const json header, ParseHeader(AsText(bytes.subspan(kLengthBytes, length))));
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      TUTTI_ASSIGN(file.metadata, ReadMetadata(entry));
      continue;
    }
    StatusOr<Tensor> tensor = ReadTensor(entry, file.data.size());
    if (!tensor.ok()) {
      return Annotate(tensor.status(),
                      Join("tensor \"", Escaped(name, 80), "\" of the safetensors file"));
    }
    file.tensors.emplace(name, *std::move(tensor));
  }
  return file;
}

// The data is covered once, from the first byte to the last.
Status CheckCovered(const File& file) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> parts;
  for (const auto& [name, tensor] : file.tensors) {
    parts.emplace_back(tensor.begin, tensor.end);
  }
  std::sort(parts.begin(), parts.end());
  std::uint64_t covered = 0;
  for (const auto& [begin, end] : parts) {
    if (begin != covered) {
      return InvalidArgument(Join("the tensors of the safetensors file ",
                                  begin < covered ? "overlap" : "leave a gap", " at byte ",
                                  std::min(begin, covered), " of the data"));
    }
    covered = end;
  }
  if (covered != file.data.size()) {
    return InvalidArgument(Join("the safetensors file has ", file.data.size(),
                                " bytes of data, its tensors name ", covered));
  }
  return OkStatus();
}

Status CheckFits(const File& file, const Layout& layout) {
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
  ordered_json header = ordered_json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = ordered_json::object();
    for (const auto& [name, value] : metadata) {
      header["__metadata__"][name] = value;
    }
  }
  for (const Parameter& parameter : layout.parameters) {
    header[parameter.name] = {{"dtype", "F32"},
                              {"shape", parameter.shape},
                              {"data_offsets",
                               {parameter.offset * sizeof(float),
                                (parameter.offset + parameter.values) * sizeof(float)}}};
  }
  std::string text = header.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  ByteWriter writer;
  writer.U64(text.size());
  writer.Raw(AsBytes(text));
  Bytes file = writer.Take();
  const std::size_t start = file.size();
  file.resize(start + values.size_bytes());
  if (!values.empty()) {
    std::memcpy(file.data() + start, values.data(), values.size_bytes());
  }
  return file;
}

StatusOr<std::vector<float>> ReadSafetensors(BytesView bytes, const Layout& layout) {
  TUTTI_ASSIGN(const File file, ReadFile(bytes));
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
  TUTTI_ASSIGN(const File file, ReadFile(bytes));
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
  TUTTI_ASSIGN(File file, ReadFile(bytes));
  return std::move(file.metadata);
}

StatusOr<std::vector<v1::ParameterSpec>> SafetensorsParameters(BytesView bytes) {
  TUTTI_ASSIGN(const File file, ReadFile(bytes));
  std::vector<std::pair<std::uint64_t, v1::ParameterSpec>> found;
  for (const auto& [name, tensor] : file.tensors) {
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
