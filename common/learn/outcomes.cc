#include "common/learn/outcomes.h"

#include <algorithm>

#include "common/base/text.h"

namespace tutti::learn {
namespace {

constexpr std::size_t kPartExamples = 256;  // predicted at once

}  // namespace

StatusOr<std::vector<std::uint64_t>> CountOutcomes(Network& network,
                                                   const v1::FairnessSpec& fairness,
                                                   const DataView& data,
                                                   std::span<const float> weights,
                                                   const Progress& progress) {
  const auto groups = static_cast<std::size_t>(fairness.groups_size());
  const std::uint32_t positive = fairness.positive_class();
  if (data.groups.size() != data.labels.size() || !data.targets.empty() ||
      positive >= network.architecture().classes) {
    return InvalidArgument(
        Join("outcomes need the group and the class of every example and a "
             "positive class the model has: found ",
             data.labels.size(), " labels, ", data.groups.size(),
             " groups and fairness.positive_class = ", positive));
  }
  if (weights.size() != network.architecture().layout.values) {
    return InvalidArgument(Join("received ", weights.size(), " weights, the model has ",
                                network.architecture().layout.values));
  }
  std::vector<std::uint64_t> counts(4 * groups);
  if (data.size() == 0) return counts;
  network.UseLoss(Loss::kCrossEntropy);
  network.Load(weights);
  const std::size_t classes = network.architecture().classes;
  const std::size_t width = data.features.size() / data.size();
  const std::uint64_t parts = (data.size() + kPartExamples - 1) / kPartExamples;
  for (std::size_t start = 0; start < data.size(); start += kPartExamples) {
    const std::size_t count = std::min(kPartExamples, data.size() - start);
    TUTTI_ASSIGN(const std::vector<float> outputs,
                 network.Outputs({.features = data.features.subspan(start * width, count * width),
                                  .labels = data.labels.subspan(start, count)}));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t group = data.groups[start + i];
      if (group >= groups) continue;
      const std::size_t label = data.labels[start + i] == positive ? 1 : 0;
      const auto row = outputs.begin() + static_cast<std::ptrdiff_t>(i * classes);
      const auto predicted =
          std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row;
      ++counts[4 * group + 2 * label + (predicted == positive ? 1 : 0)];
    }
    progress(start / kPartExamples + 1, parts);
  }
  return counts;
}

}  // namespace tutti::learn
