#include "common/learn/adversary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/text.h"
#include "common/learn/sampling.h"

namespace tutti::learn {
namespace {

constexpr std::size_t kPartExamples = 256;  // changed at once when a model is measured
constexpr double kUsualSteps = 2.5;         // Madry et al.: all steps together, in radii
constexpr std::uint32_t kMostSteps = 1000;

Status CheckNumbers(const v1::AdversarySpec& spec) {
  if (spec.kind() != "fgsm" && spec.kind() != "pgd") {
    return InvalidArgument(
        Join("adversary.kind is \"", Escaped(spec.kind(), 40), "\", expected fgsm or pgd"));
  }
  if (!(spec.radius() > 0) || !std::isfinite(spec.radius())) {
    return InvalidArgument(Join("adversary.radius is ", spec.radius(),
                                ", expected a finite number above 0: how far a feature may move"));
  }
  if (spec.kind() == "pgd" && (spec.steps() == 0 || spec.steps() > kMostSteps)) {
    return InvalidArgument(
        Join("adversary.steps is ", spec.steps(), ", expected 1 to ", kMostSteps));
  }
  if (!(spec.step_size() >= 0) || !std::isfinite(spec.step_size())) {
    return InvalidArgument(Join("adversary.step_size is ", spec.step_size(),
                                ", expected a finite number of at least 0"));
  }
  if (!spec.range().empty() && !(spec.range_size() == 2 && spec.range(0) < spec.range(1))) {
    return InvalidArgument(Join("adversary.range has ", spec.range_size(),
                                " numbers, expected two, the smaller one first, or none"));
  }
  if (!(spec.share() > 0 && spec.share() <= 1)) {
    return InvalidArgument(
        Join("adversary.share is ", spec.share(), ", expected above 0 and at most 1"));
  }
  return OkStatus();
}

Status CheckModel(const model::Architecture& architecture) {
  if (architecture.vocabulary > 0) {
    return InvalidArgument(
        "adversary is for models that read numbers; this one reads tokens, and a token that is "
        "moved a little is none; use adversary.kind = \"none\"");
  }
  if (architecture.input != architecture.example) {
    return InvalidArgument(
        "adversary is for models that read the examples themselves; this one reads fixed features "
        "of them (model.features), and changed features need not be those of any example; use "
        "model.features = \"none\" or adversary.kind = \"none\"");
  }
  return OkStatus();
}

// Evenly from [-1, 1), one for each value; 24 bits each.
std::vector<float> Draws(SecureRng& rng, std::size_t count) {
  std::vector<std::uint32_t> bits(count);
  rng.Fill({reinterpret_cast<std::uint8_t*>(bits.data()), count * sizeof(bits[0])});
  std::vector<float> draws(count);
  std::transform(bits.begin(), bits.end(), draws.begin(), [](std::uint32_t value) {
    return static_cast<float>(value >> 8) * 0x1p-23F - 1.0F;
  });
  return draws;
}

// 0 for what is no number: such a gradient says nothing.
float SignOf(float value) { return value > 0 ? 1.0F : value < 0 ? -1.0F : 0.0F; }

// Rows `first` to `first + count`, of `width` features each.
Batch Rows(const DataView& data, std::size_t first, std::size_t count, std::size_t width) {
  Batch batch{.features = data.features.subspan(first * width, count * width)};
  if (data.targets.empty()) {
    batch.labels = data.labels.subspan(first, count);
  } else {
    batch.targets = data.targets.subspan(first, count);
  }
  return batch;
}

// As Evaluate has it.
void Prepare(Network& network, std::span<const float> weights) {
  network.UseLoss(network.architecture().classes == 1 ? Loss::kSquaredError : Loss::kCrossEntropy);
  network.Load(weights);
}

}  // namespace

bool HasAdversary(const v1::AdversarySpec& spec) {
  return !spec.kind().empty() && spec.kind() != "none";
}

StatusOr<Adversary> Adversary::Create(const v1::AdversarySpec& spec,
                                      const model::Architecture& architecture) {
  TUTTI_TRY(CheckNumbers(spec));
  TUTTI_TRY(CheckModel(architecture));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const bool pgd = spec.kind() == "pgd";
  const double step =
      spec.step_size() > 0 ? spec.step_size() : kUsualSteps * spec.radius() / spec.steps();
  Adversary adversary;
  adversary.random_start_ = pgd;
  adversary.steps_ = pgd ? spec.steps() : 1;
  adversary.radius_ = static_cast<float>(spec.radius());
  adversary.step_ = pgd ? static_cast<float>(step) : adversary.radius_;
  adversary.low_ = spec.range().empty() ? -kInfinity : static_cast<float>(spec.range(0));
  adversary.high_ = spec.range().empty() ? kInfinity : static_cast<float>(spec.range(1));
  adversary.share_ = spec.share();
  return adversary;
}

StatusOr<std::optional<Adversary>> Adversary::CreateIfAny(const v1::AdversarySpec& spec,
                                                          const model::Architecture& architecture) {
  if (!HasAdversary(spec)) return std::optional<Adversary>();
  TUTTI_ASSIGN(Adversary adversary, Create(spec, architecture));
  return std::optional<Adversary>(adversary);
}

float Adversary::Within(float value, float origin) const {
  const float low = std::max(origin - radius_, std::min(low_, origin));
  const float high = std::min(origin + radius_, std::max(high_, origin));
  return std::min(std::max(value, low), high);
}

StatusOr<std::vector<float>> Adversary::Changed(Network& network, const Batch& batch, Mode mode,
                                                SecureRng& rng) const {
  const std::span<const float> origin = batch.features;
  std::vector<float> features(origin.begin(), origin.end());
  if (random_start_) {
    const std::vector<float> draws = Draws(rng, features.size());
    for (std::size_t i = 0; i < features.size(); ++i) {
      features[i] = Within(origin[i] + radius_ * draws[i], origin[i]);
    }
  }
  for (std::uint32_t step = 0; step < steps_; ++step) {
    const Batch now{.features = features, .labels = batch.labels, .targets = batch.targets};
    TUTTI_ASSIGN(const std::vector<float> gradients, network.FeatureGradients(now, mode));
    for (std::size_t i = 0; i < features.size(); ++i) {
      features[i] = Within(features[i] + step_ * SignOf(gradients[i]), origin[i]);
    }
  }
  return features;
}

Status Adversary::ChangeShare(Network& network, const Batch& batch, std::span<float> features,
                              SecureRng& rng) const {
  const auto examples = static_cast<std::uint32_t>(batch.size());
  const std::vector<std::uint32_t> chosen = PoissonBatch(rng, examples, share_);
  if (chosen.empty()) return OkStatus();
  const std::size_t width = features.size() / examples;
  std::vector<float> rows;
  std::vector<std::uint32_t> labels;
  std::vector<float> targets;
  for (const std::uint32_t example : chosen) {
    const auto row = features.subspan(example * width, width);
    rows.insert(rows.end(), row.begin(), row.end());
    if (batch.targets.empty()) {
      labels.push_back(batch.labels[example]);
    } else {
      targets.push_back(batch.targets[example]);
    }
  }
  TUTTI_ASSIGN(const std::vector<float> changed,
               Changed(network, {.features = rows, .labels = labels, .targets = targets},
                       Mode::kTraining, rng));
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto row = std::span(changed).subspan(i * width, width);
    std::copy(row.begin(), row.end(),
              features.begin() + static_cast<std::ptrdiff_t>(chosen[i] * width));
  }
  return OkStatus();
}

StatusOr<std::vector<float>> Perturb(Network& network, std::span<const float> weights,
                                     const DataView& batch, const v1::AdversarySpec& spec,
                                     SecureRng& rng) {
  TUTTI_ASSIGN(const Adversary adversary, Adversary::Create(spec, network.architecture()));
  TUTTI_TRY(CheckData(network.architecture(), batch, weights.size()));
  if (batch.size() == 0) return std::vector<float>();
  Prepare(network, weights);
  return adversary.Changed(network,
                           Rows(batch, 0, batch.size(), batch.features.size() / batch.size()),
                           Mode::kAnswering, rng);
}

StatusOr<EvaluateResult> RobustAccuracy(Network& network, const DataView& data,
                                        std::span<const float> weights,
                                        const v1::AdversarySpec& spec, SecureRng& rng,
                                        const Progress& progress) {
  TUTTI_ASSIGN(const Adversary adversary, Adversary::Create(spec, network.architecture()));
  TUTTI_TRY(CheckData(network.architecture(), data, weights.size()));
  const std::size_t examples = data.size();
  if (examples == 0) {
    return FailedPrecondition("there are no examples to evaluate on, expected at least one");
  }
  Prepare(network, weights);
  const std::size_t width = data.features.size() / examples;
  const std::uint64_t parts = (examples + kPartExamples - 1) / kPartExamples;
  BatchScore total;
  for (std::size_t first = 0; first < examples; first += kPartExamples) {
    Batch part = Rows(data, first, std::min(kPartExamples, examples - first), width);
    TUTTI_ASSIGN(const std::vector<float> changed,
                 adversary.Changed(network, part, Mode::kAnswering, rng));
    part.features = changed;
    TUTTI_ASSIGN(const BatchScore score, network.Score(part));
    total.loss_sum += score.loss_sum;
    total.correct += score.correct;
    total.absolute_error_sum += score.absolute_error_sum;
    progress(first / kPartExamples + 1, parts);
  }
  const auto count = static_cast<double>(examples);
  return EvaluateResult{.examples = examples,
                        .loss = total.loss_sum / count,
                        .accuracy = network.architecture().classes == 1
                                        ? -1
                                        : static_cast<double>(total.correct) / count,
                        .mean_absolute_error = total.absolute_error_sum / count};
}

}  // namespace tutti::learn
