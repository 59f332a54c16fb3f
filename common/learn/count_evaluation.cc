#include "common/learn/count_evaluation.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "common/base/text.h"
#include "common/learn/adversary.h"
#include "common/learn/outcomes.h"
#include "common/measure/groups.h"
#include "common/measure/tally.h"

namespace tutti::learn {
namespace {

constexpr std::size_t kPartExamples = 256;  // computed at once

Status CheckGroups(const measure::EvaluationShape& shape, std::size_t groups,
                   std::size_t examples) {
  const std::size_t expected = shape.rows > 1 ? examples : 0;
  if (groups == expected) return OkStatus();
  return InvalidArgument(Join("found the groups of ", groups, " examples, expected ", expected));
}

// One part of the data: the examples from `start` on.
Batch PartOf(const DataView& data, std::size_t start, std::size_t count) {
  const std::size_t width = data.features.size() / data.size();
  Batch batch{.features = data.features.subspan(start * width, count * width)};
  if (data.targets.empty()) {
    batch.labels = data.labels.subspan(start, count);
  } else {
    batch.targets = data.targets.subspan(start, count);
  }
  return batch;
}

StatusOr<std::vector<float>> NumbersOf(Network& network, const Batch& batch) {
  TUTTI_ASSIGN(std::vector<float> outputs, network.Outputs(batch));
  const bool numbers =
      std::none_of(outputs.begin(), outputs.end(), [](float value) { return std::isnan(value); });
  if (numbers) return outputs;
  return FailedPrecondition(
      "the model answers an example with something that is no number, so there is nothing to "
      "count; warm_start with a model that did not diverge");
}

void CountPart(const Batch& batch, std::span<const float> outputs,
               std::span<const std::uint32_t> groups, measure::EvaluationTally& tally) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (tally.shape().number) {
      tally.AddNumber(outputs[i], batch.targets[i]);
      continue;
    }
    const std::size_t classes = tally.shape().classes;
    tally.Add(batch.labels[i], outputs.subspan(i * classes, classes),
              groups.empty() ? 0 : groups[i]);
  }
}

}  // namespace

StatusOr<std::vector<std::uint64_t>> CountEvaluation(Network& network, const v1::TaskSpec& task,
                                                     const DataView& data,
                                                     std::span<const std::uint32_t> groups,
                                                     std::span<const float> weights, SecureRng& rng,
                                                     const Progress& progress) {
  TUTTI_ASSIGN(measure::EvaluationTally tally, measure::EvaluationTally::Create(task));
  std::optional<Adversary> adversary;
  if (tally.shape().robust) {
    TUTTI_ASSIGN(adversary, Adversary::CreateIfAny(task.adversary(), network.architecture()));
  }
  TUTTI_TRY(CheckData(network.architecture(), data, weights.size()));
  TUTTI_TRY(CheckGroups(tally.shape(), groups.size(), data.size()));
  const std::size_t examples = data.size();
  if (examples == 0) {
    return FailedPrecondition("there are no examples to evaluate on, expected at least one");
  }
  network.UseLoss(tally.shape().number ? Loss::kSquaredError : Loss::kCrossEntropy);
  network.Load(weights);
  const std::uint64_t parts = (examples + kPartExamples - 1) / kPartExamples;
  for (std::size_t start = 0; start < examples; start += kPartExamples) {
    const std::size_t count = std::min(kPartExamples, examples - start);
    Batch batch = PartOf(data, start, count);
    TUTTI_ASSIGN(const std::vector<float> outputs, NumbersOf(network, batch));
    CountPart(batch, outputs, groups.empty() ? groups : groups.subspan(start, count), tally);
    if (adversary) {
      TUTTI_ASSIGN(const std::vector<float> changed,
                   adversary->Changed(network, batch, Mode::kAnswering, rng));
      batch.features = changed;
      TUTTI_ASSIGN(const BatchScore score, network.Score(batch));
      tally.AddRobust(count, score.correct);
    }
    progress(start / kPartExamples + 1, parts);
  }
  return tally.Counts();
}

StatusOr<std::vector<std::uint64_t>> CountBesideTraining(Network& network, const v1::TaskSpec& task,
                                                         const DataView& data,
                                                         std::span<const float> weights,
                                                         SecureRng& rng, const Progress& progress) {
  std::vector<std::uint64_t> counts;
  if (measure::HasGroups(task)) {
    TUTTI_ASSIGN(counts, CountOutcomes(network, task.fairness(), data, weights, progress));
  }
  if (task.validation()) {
    DataView alike = data;
    alike.groups = {};
    TUTTI_ASSIGN(const std::vector<std::uint64_t> answers,
                 CountEvaluation(network, task, alike, {}, weights, rng, progress));
    counts.insert(counts.end(), answers.begin(), answers.end());
  }
  return counts;
}

}  // namespace tutti::learn
