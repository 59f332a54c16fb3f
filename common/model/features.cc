#include "common/model/features.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/model/scattering.h"

namespace tutti::model {

bool HasFeatures(const v1::ModelSpec& spec) {
  return !spec.features().empty() && spec.features() != "none";
}

StatusOr<Shape> FeatureShape(const v1::ModelSpec& spec, const Shape& example) {
  if (!HasFeatures(spec)) {
    if (spec.feature_groups() != 0) {
      return InvalidArgument(Join("model.feature_groups is ", spec.feature_groups(),
                                  ", but is read only with features = \"scattering\"; remove it"));
    }
    return example;
  }
  if (spec.features() != "scattering") {
    return InvalidArgument(Join("model.features is \"", Escaped(spec.features(), 40),
                                "\", expected none or scattering"));
  }
  if (example.size() != 3) {
    return InvalidArgument(
        "model.features is \"scattering\", expected images: model.input_shape [height, width] or "
        "[channels, height, width]");
  }
  TUTTI_TRY(CheckScatteringSize(example[1], example[2]));
  const Shape shape{example[0] * kScatteringChannels, example[1] / kScatteringStep,
                    example[2] / kScatteringStep};
  TUTTI_TRY(ValuesOf(shape, kMaxActivations, "model.features").status());
  if (spec.feature_groups() != 0 && shape[0] % spec.feature_groups() != 0) {
    return InvalidArgument(Join("model.feature_groups is ", spec.feature_groups(),
                                ", expected a divisor of the ", shape[0], " channels"));
  }
  return shape;
}

StatusOr<std::vector<float>> FeaturesOf(const v1::ModelSpec& spec, std::span<const float> examples,
                                        const FeatureProgress& progress) {
  TUTTI_ASSIGN(const Architecture architecture, ArchitectureOf(spec));
  TUTTI_ASSIGN(const std::uint64_t input,
               ValuesOf(architecture.example, kMaxActivations, "model.input_shape"));
  TUTTI_ASSIGN(const std::uint64_t output,
               ValuesOf(architecture.input, kMaxActivations, "model.features"));
  const std::size_t count = examples.size() / input;
  if (examples.size() != count * input) {
    return InvalidArgument(
        Join("found ", examples.size(), " values, expected examples of ", input, " values each"));
  }
  if (!HasFeatures(spec)) {
    return std::vector<float>(examples.begin(), examples.end());
  }
  Scattering scattering(architecture.example[1], architecture.example[2]);
  std::vector<float> features(count * output);
  constexpr std::size_t kAtOnce = 64;  // examples between two signs of life
  for (std::size_t start = 0; start < count; start += kAtOnce) {
    const std::size_t some = std::min(kAtOnce, count - start);
    // The channels of an image are images of their own, and their features follow each other.
    scattering.Transform(examples.subspan(start * input, some * input),
                         std::span(features).subspan(start * output, some * output));
    for (std::size_t i = 0; spec.feature_groups() != 0 && i < some; ++i) {
      NormaliseGroups(std::span(features).subspan((start + i) * output, output),
                      spec.feature_groups());
    }
    progress(start + some, count);
  }
  return features;
}

void NormaliseGroups(std::span<float> values, std::size_t groups) {
  const std::size_t size = values.size() / groups;
  for (std::size_t first = 0; first < values.size(); first += size) {
    const std::span<float> group = values.subspan(first, size);
    double sum = 0;
    for (const float value : group) {
      sum += static_cast<double>(value);
    }
    const double mean = sum / static_cast<double>(size);
    double squares = 0;
    for (const float value : group) {
      squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    }
    const double scale = 1 / std::sqrt(squares / static_cast<double>(size) + kNormEpsilon);
    for (float& value : group) {
      value = static_cast<float>((static_cast<double>(value) - mean) * scale);
    }
  }
}

}  // namespace tutti::model
