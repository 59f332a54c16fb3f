#include "common/model/safetensors_file.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <set>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/architecture.h"

namespace tutti::model {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxDepth = 3;  // {"name": {"shape": [..]}}

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

// Bytes of one value; 0 for types that hold no weights.
std::size_t BytesOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return 4;
    case Dtype::kF64:
      return 8;
    case Dtype::kF16:
    case Dtype::kBf16:
      return 2;
    case Dtype::kI8:
      return 1;
    case Dtype::kOther:
      return 0;
  }
  return 0;
}

Dtype DtypeOf(const std::string& name) {
  if (name == "F32") return Dtype::kF32;
  if (name == "F64") return Dtype::kF64;
  if (name == "F16") return Dtype::kF16;
  if (name == "I8") return Dtype::kI8;
  return name == "BF16" ? Dtype::kBf16 : Dtype::kOther;
}

StatusOr<Tensor> ReadTensor(const json& entry, std::size_t data_bytes, Accept accept) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    return InvalidArgument("expected exactly dtype, shape and data_offsets");
  }
  const json& dtype = entry["dtype"];
  Tensor tensor;
  tensor.dtype = dtype.is_string() ? DtypeOf(dtype.get_ref<const std::string&>()) : Dtype::kOther;
  if (tensor.dtype != Dtype::kF32 && accept == Accept::kFloat32) {
    return InvalidArgument("dtype is not \"F32\"; save the weights as 32-bit floats");
  }
  TUTTI_ASSIGN(tensor.shape, Numbers(entry["shape"], "shape"));
  TUTTI_ASSIGN(const std::vector<std::uint64_t> offsets,
               Numbers(entry["data_offsets"], "data_offsets"));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_bytes) {
    return InvalidArgument(
        Join("data_offsets do not lie in order within the ", data_bytes, " bytes of data"));
  }
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  if (tensor.dtype == Dtype::kOther) {
    return tensor;
  }
  TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(tensor.shape, kMaxValues, "a tensor"));
  const std::uint64_t bytes = values * BytesOf(tensor.dtype);
  if (tensor.end - tensor.begin != bytes) {
    return InvalidArgument(
        Join("data_offsets span ", tensor.end - tensor.begin, " bytes, the shape needs ", bytes));
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

}  // namespace

StatusOr<SafetensorsFile> ParseSafetensors(BytesView bytes, Accept accept) {
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
  SafetensorsFile file{.metadata = {}, .tensors = {}, .data = bytes.subspan(kLengthBytes + length)};
  TUTTI_ASSIGN(const json header, ParseHeader(AsText(bytes.subspan(kLengthBytes, length))));
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      TUTTI_ASSIGN(file.metadata, ReadMetadata(entry));
      continue;
    }
    StatusOr<Tensor> tensor = ReadTensor(entry, file.data.size(), accept);
    if (!tensor.ok()) {
      return Annotate(tensor.status(),
                      Join("tensor \"", Escaped(name, 80), "\" of the safetensors file"));
    }
    file.tensors.emplace(name, *std::move(tensor));
  }
  if (accept == Accept::kAny) TUTTI_TRY(JoinCompressed(file));
  return file;
}

Status CheckCovered(const SafetensorsFile& file) {
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

Bytes WriteTensors(std::span<const RawTensor> tensors, const Metadata& metadata) {
  ordered_json header = ordered_json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = ordered_json::object();
    for (const auto& [name, value] : metadata) {
      header["__metadata__"][name] = value;
    }
  }
  std::uint64_t bytes = 0;
  for (const RawTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {bytes, bytes + tensor.data.size()}}};
    bytes += tensor.data.size();
  }
  std::string text = header.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  ByteWriter writer;
  writer.U64(text.size());
  writer.Raw(AsBytes(text));
  Bytes file = writer.Take();
  file.reserve(file.size() + bytes);
  for (const RawTensor& tensor : tensors) {
    file.insert(file.end(), tensor.data.begin(), tensor.data.end());
  }
  return file;
}

}  // namespace tutti::model
