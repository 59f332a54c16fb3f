#include "common/model/script.h"

#include <algorithm>
#include <set>

#include "common/base/text.h"

namespace tutti::model {
namespace {

constexpr std::size_t kSha256Digits = 64;

// Printable ASCII: names end up in files, logs and messages.
bool IsParameterName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxParameterName && name != "__metadata__" &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Keys that describe layers: a script has its own.
Status CheckNoLayers(const v1::ModelSpec& spec) {
  const auto refuse = [](std::string_view key) {
    return InvalidArgument(
        Join("model.", key, " is set, but a torchscript model has its own layers; remove it"));
  };
  if (spec.layers_size() != 0) {
    return refuse("layers");
  }
  if (spec.hidden_size() != 0) {
    return refuse("hidden");
  }
  if (!spec.normalisation().empty() && spec.normalisation() != "none") {
    return refuse("normalisation");
  }
  if (spec.vocabulary() != 0) {
    return refuse("vocabulary");
  }
  if (spec.adapter_rank() != 0) {
    return refuse("adapter_rank");
  }
  return OkStatus();
}

Status AddParameter(const v1::ParameterSpec& spec, Layout& layout) {
  if (!IsParameterName(spec.name())) {
    return InvalidArgument(Join("found the name \"", Escaped(spec.name(), 80), "\", expected 1 to ",
                                kMaxParameterName, " printable characters without spaces"));
  }
  const Shape shape(spec.shape().begin(), spec.shape().end());
  if (shape.size() > kMaxParameterDimensions ||
      std::find(shape.begin(), shape.end(), 0U) != shape.end()) {
    return InvalidArgument(Join("found a shape of ", shape.size(), " sizes, expected at most ",
                                kMaxParameterDimensions, ", each at least 1"));
  }
  TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(shape, kMaxValues, "a parameter"));
  if (layout.values + values > kMaxValues) {
    return ResourceExhausted(
        Join("the model passes ", kMaxValues, " values here; make it smaller"));
  }
  layout.parameters.push_back(
      {.name = spec.name(), .shape = shape, .offset = layout.values, .values = values});
  layout.values += values;
  return OkStatus();
}

}  // namespace

bool IsScript(const v1::ModelSpec& spec) { return spec.architecture() == "torchscript"; }

bool IsSha256Text(std::string_view text) {
  return text.size() == kSha256Digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Status DescribeScript(const v1::ModelSpec& spec, Architecture& result) {
  TUTTI_TRY(CheckNoLayers(spec));
  if (!IsSha256Text(spec.torchscript_sha256())) {
    return InvalidArgument(Join("model.torchscript_sha256 is \"",
                                Escaped(spec.torchscript_sha256(), 80),
                                "\", expected the 64 hexadecimal digits, in lower case, that "
                                "sha256sum prints for the file"));
  }
  if (spec.parameters().empty()) {
    return InvalidArgument(
        "model.parameters is empty, expected the name and shape of each of the script's "
        "parameters; submit the job with warm_start, which names them");
  }
  if (static_cast<std::size_t>(spec.parameters_size()) > kMaxScriptParameters) {
    return InvalidArgument(Join("model.parameters has ", spec.parameters_size(),
                                " entries, expected at most ", kMaxScriptParameters));
  }
  std::set<std::string_view> names;
  for (int i = 0; i < spec.parameters_size(); ++i) {
    const v1::ParameterSpec& parameter = spec.parameters(i);
    if (const Status added = AddParameter(parameter, result.layout); !added.ok()) {
      return Annotate(added, Join("model.parameters ", i + 1));
    }
    if (!names.insert(parameter.name()).second) {
      return InvalidArgument(
          Join("model.parameters ", i + 1, ": the name \"", parameter.name(), "\" stands twice"));
    }
  }
  result.script_sha256 = spec.torchscript_sha256();
  return OkStatus();
}

Status CheckNoScript(const v1::ModelSpec& spec) {
  if (!spec.torchscript_sha256().empty() || spec.parameters_size() != 0) {
    return InvalidArgument(Join("model.",
                                spec.parameters_size() != 0 ? "parameters" : "torchscript_sha256",
                                " is set, but is read only with architecture = \"torchscript\""));
  }
  return OkStatus();
}

}  // namespace tutti::model
