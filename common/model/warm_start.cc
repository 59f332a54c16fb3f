#include "common/model/warm_start.h"

#include <algorithm>
#include <span>

#include "common/base/text.h"
#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "common/model/parts.h"
#include "common/model/safetensors_file.h"

namespace tutti::model {
namespace {

constexpr std::size_t kNamed = 12;  // in an error

// Empty when the tensor is this parameter's, otherwise why not.
std::string Difference(const Parameter& parameter, const SafetensorsFile& file) {
  const auto found = file.tensors.find(parameter.name);
  if (found == file.tensors.end()) {
    return "not in the file";
  }
  if (found->second.dtype == Dtype::kOther) {
    return "the file holds no floats";
  }
  return found->second.shape == parameter.shape
             ? std::string()
             : Join("the file has ", ShapeText(found->second.shape), ", the model ",
                    ShapeText(parameter.shape));
}

// The first names, the rest as a number.
std::string Some(std::span<const std::string> names, std::size_t most) {
  const std::size_t shown = std::min(names.size(), most);
  std::string text = JoinWith(names.first(shown), ", ");
  return shown == names.size() ? text : Join(text, " and ", names.size() - shown, " more");
}

Status CheckUsable(const v1::ModelSpec& spec, const Layout& layout, const Reuse& reuse) {
  if (reuse.taken.empty()) {
    return InvalidArgument(Join(
        "no tensor of the file has the name and shape of a parameter: ", Some(reuse.seeded, kNamed),
        reuse.unused.empty() ? "" : Join("; the file has ", Some(reuse.unused, kNamed))));
  }
  if (IsScript(spec) && !reuse.seeded.empty()) {
    return InvalidArgument(
        Join("a torchscript model needs all its weights from the file, which "
             "lacks ",
             Some(reuse.seeded, kNamed)));
  }
  for (const Parameter& parameter : layout.parameters) {
    const auto names = [&](const std::string& pattern) {
      return NameMatches(pattern, parameter.name);
    };
    if (std::any_of(spec.frozen().begin(), spec.frozen().end(), names) &&
        std::find(reuse.taken.begin(), reuse.taken.end(), parameter.name) == reuse.taken.end()) {
      return InvalidArgument(Join("model.frozen names ", Escaped(parameter.name, 80),
                                  ", which would stay random: the file has no tensor of this name "
                                  "and shape"));
    }
  }
  return OkStatus();
}

Reuse Compare(const Layout& layout, const SafetensorsFile& file) {
  Reuse reuse;
  for (const Parameter& parameter : layout.parameters) {
    if (const std::string why = Difference(parameter, file); why.empty()) {
      reuse.taken.push_back(parameter.name);
    } else {
      reuse.seeded.push_back(Join(Escaped(parameter.name, 80), " (", why, ")"));
    }
  }
  for (const auto& [name, tensor] : file.tensors) {
    if (std::none_of(layout.parameters.begin(), layout.parameters.end(),
                     [&](const Parameter& parameter) { return parameter.name == name; })) {
      reuse.unused.push_back(Escaped(name, 80));
    }
  }
  return reuse;
}

}  // namespace

StatusOr<Reuse> PlanReuse(const v1::ModelSpec& spec, const Layout& layout, BytesView bytes) {
  TUTTI_ASSIGN(const SafetensorsFile file, ParseSafetensors(bytes, Accept::kAny));
  Reuse reuse = Compare(layout, file);
  TUTTI_TRY(CheckUsable(spec, layout, reuse));
  return reuse;
}

StatusOr<std::vector<float>> ReuseWeights(const v1::ModelSpec& spec, const Layout& layout,
                                          BytesView bytes) {
  TUTTI_ASSIGN(const SafetensorsFile file, ParseSafetensors(bytes, Accept::kAny));
  TUTTI_TRY(CheckUsable(spec, layout, Compare(layout, file)));
  std::vector<float> weights = InitialWeights(layout, spec.seed());
  for (const Parameter& parameter : layout.parameters) {
    if (!Difference(parameter, file).empty()) {
      continue;
    }
    const Tensor& tensor = file.tensors.at(parameter.name);
    const auto values = std::span(weights).subspan(parameter.offset, parameter.values);
    ReadValues(file, tensor, values);
    if (!AllFinite(values)) {
      return InvalidArgument(Join("tensor \"", Escaped(parameter.name, 80),
                                  "\" of the safetensors file holds a NaN or infinite weight"));
    }
  }
  return weights;
}

std::string TextOf(const Reuse& reuse, std::size_t names) {
  std::string text = Join("taken from the file: ", reuse.taken.size(), " of ",
                          reuse.taken.size() + reuse.seeded.size(), " parameters");
  if (!reuse.taken.empty() && !reuse.complete()) {
    text += Join(" (", Some(reuse.taken, names), ")");
  }
  if (!reuse.seeded.empty()) {
    text += Join("\nfrom the seed: ", Some(reuse.seeded, names));
  }
  if (!reuse.unused.empty()) {
    text += Join("\nnot used of the file: ", Some(reuse.unused, names));
  }
  return text;
}

}  // namespace tutti::model
