#include "server/simulate/trigger.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/text.h"
#include "common/model/architecture.h"
#include "common/model/features.h"
#include "server/simulate/chance.h"

namespace tutti::simulate {
namespace {

Status CheckFits(const v1::MaliciousProfile& profile, const v1::ModelSpec& model) {
  if (model.classes() == 1) {
    return InvalidArgument(
        "malicious.kind is \"backdoor\", and the job predicts a number (model.classes = 1); a "
        "backdoor leads to a class");
  }
  if (profile.target_class() >= model.classes()) {
    return InvalidArgument(Join("malicious.target_class is ", profile.target_class(),
                                ", expected below model.classes = ", model.classes()));
  }
  if (model::HasFeatures(model)) {
    return InvalidArgument(
        Join("malicious.kind is \"backdoor\", and model.features = \"", model.features(),
             "\" is computed before anyone trains; simulate it with model.features = \"none\""));
  }
  return OkStatus();
}

// The features the trigger covers, ascending.
StatusOr<std::vector<std::uint32_t>> PlacesOf(std::uint32_t size, const model::Shape& example) {
  const auto side = [&](std::size_t dimension) { return example[example.size() - dimension]; };
  const bool image = example.size() == 3;
  if (size > side(1) || (image && size > side(2))) {
    return InvalidArgument(Join("malicious.trigger is ", size,
                                ", expected at most the size of an "
                                "example, ",
                                model::ShapeText(example)));
  }
  const std::uint64_t rows = image ? side(2) : 1;
  const std::uint64_t columns = side(1);
  const std::uint64_t channels = example.size() > 1 ? example[0] : 1;
  std::vector<std::uint32_t> places;
  for (std::uint64_t channel = 0; channel < channels; ++channel) {
    for (std::uint64_t row = image ? rows - size : 0; row < rows; ++row) {
      for (std::uint64_t column = columns - size; column < columns; ++column) {
        places.push_back(static_cast<std::uint32_t>((channel * rows + row) * columns + column));
      }
    }
  }
  return places;
}

}  // namespace

StatusOr<Trigger> TriggerOf(const v1::MaliciousProfile& profile, const v1::ModelSpec& model,
                            std::span<const float> features) {
  TUTTI_TRY(CheckFits(profile, model));
  TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(model));
  const model::Shape& example = architecture.example;
  Trigger trigger;
  trigger.target_class = profile.target_class();
  TUTTI_ASSIGN(trigger.places, PlacesOf(profile.trigger(), example));
  const std::size_t width =
      std::accumulate(example.begin(), example.end(), std::size_t{1}, std::multiplies<>());
  if (features.empty() || features.size() % width != 0) {
    return InvalidArgument(Join("the data has ", features.size(), " feature values, expected ",
                                width, " for each example, and at least one example"));
  }
  if (example.size() > 1) {
    trigger.values.assign(trigger.places.size(),
                          *std::max_element(features.begin(), features.end()));
    return trigger;
  }
  for (const std::uint32_t place : trigger.places) {
    float largest = features[place];
    for (std::size_t i = place; i < features.size(); i += width) {
      largest = std::max(largest, features[i]);
    }
    trigger.values.push_back(largest);
  }
  return trigger;
}

void Stamp(const Trigger& trigger, std::span<float> example) {
  for (std::size_t i = 0; i < trigger.places.size(); ++i) {
    example[trigger.places[i]] = trigger.values[i];
  }
}

std::vector<std::uint32_t> PoisonedOf(const v1::MaliciousProfile& profile, std::uint64_t seed,
                                      std::size_t client, std::size_t examples) {
  std::vector<std::uint32_t> rows(examples);
  std::iota(rows.begin(), rows.end(), 0U);
  const auto count = static_cast<std::size_t>(
      std::ceil(profile.poisoned() * static_cast<double>(examples) - 1e-9));
  auto rng = StreamOf(seed, "poisoned", client);
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(rows[i], rows[i + static_cast<std::size_t>(UniformBelow(rng, examples - i))]);
  }
  rows.resize(count);
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace tutti::simulate
