#include "tests/bench/audit/training.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "common/base/text.h"
#include "common/dp/normal.h"
#include "common/learn/network.h"
#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "common/model/update_norm.h"
#include "tests/bench/audit/decode.h"

namespace tutti::audit {
namespace {

constexpr std::uint32_t kSpareInputs = 8;  // of the logistic model, for the base examples
// Bright enough that a canary's gradient is longer than usual clip norms and points almost wholly
// at the weights of its own input.
constexpr float kLogisticValue = 100;
constexpr float kPixelValue = 20;
constexpr std::uint64_t kDataSeed = 1;
constexpr std::uint64_t kMostFloats = 1 << 29;  // of features, and of gradients: 2 GiB

struct Shape {
  std::size_t width = 1;       // values of an example
  std::size_t base_width = 1;  // the first of them, which base examples use
  std::size_t first_place = 0;
  std::size_t places = 1;  // values that canaries use, from first_place on
  float canary_value = kPixelValue;
  bool apart = false;
};

Shape ShapeOf(const v1::ModelSpec& model) {
  Shape shape;
  for (const std::uint32_t size : model.input_shape()) {
    shape.width *= size;
  }
  shape.base_width = shape.places = shape.width;
  if (model.architecture() == "logistic" && shape.width > kSpareInputs) {
    shape.base_width = shape.first_place = kSpareInputs;
    shape.places = shape.width - kSpareInputs;
    shape.canary_value = kLogisticValue;
    shape.apart = true;
  }
  return shape;
}

Subject Filled(const v1::ModelSpec& model, const Shape& shape, std::uint32_t canaries,
               std::uint32_t base) {
  Subject subject{.model = model,
                  .features = std::vector<float>(shape.width * (base + canaries)),
                  .labels = {},
                  .base = base,
                  .canaries = canaries,
                  .apart = shape.apart};
  TestRng rng(kDataSeed);
  for (std::uint32_t i = 0; i < base; ++i) {
    for (std::uint32_t k = 0; k < shape.base_width; ++k) {
      subject.features[i * shape.width + k] = static_cast<float>(2 * rng.Unit() - 1);
    }
    subject.labels.push_back(static_cast<std::uint32_t>(rng.Below(model.classes())));
  }
  for (std::uint32_t i = 0; i < canaries; ++i) {
    const std::size_t place = shape.first_place + i % shape.places;
    subject.features[(base + i) * shape.width + place] = shape.canary_value;
    // More canaries than places share them with other labels.
    subject.labels.push_back(static_cast<std::uint32_t>((i / shape.places) % model.classes()));
  }
  return subject;
}

// The canaries' gradients at the weights a step starts from, searched for in its update.
class Search {
 public:
  Search(const TrainingAttack& attack, learn::Network network)
      : attack_(attack),
        network_(std::move(network)),
        noise_(attack.believed_noise > 0 ? attack.believed_noise : attack.claim.noise_multiplier) {
    const Subject& subject = attack.subject;
    // Who is in the data is what the attacker wants to know: it divides by the expected number.
    const double expected = subject.base + 0.5 * subject.canaries;
    unit_ = -attack.claim.sampling_rate * expected /
            (attack.claim.learning_rate * attack.claim.clip_norm);
  }

  Status Step(std::uint64_t step, std::span<const float> weights, std::vector<float> sum,
              std::span<Outcome> outcomes) {
    std::copy(weights.begin(), weights.end(), network_.weights().begin());
    for (float& value : sum) {
      value = static_cast<float>(value * unit_);
    }
    return attack_.subject.apart ? LookApart(step, sum, outcomes)
                                 : LookTogether(step, sum, outcomes);
  }

 private:
  double Chance(std::uint32_t canary, std::uint64_t step) const {
    return attack_.chance ? attack_.chance(canary, step) : attack_.claim.sampling_rate;
  }

  // Into `gradient`, in clip norms and as long as it enters the sum.
  Status AddGradient(std::uint32_t id, std::span<float> gradient) {
    const Subject& subject = attack_.subject;
    const std::size_t width = subject.features.size() / subject.labels.size();
    TUTTI_TRY(network_
                  .AddGradients({.features = std::span(subject.features).subspan(id * width, width),
                                 .labels = std::span(subject.labels).subspan(id, 1)},
                                gradient)
                  .status());
    for (float& value : gradient) {
      value = static_cast<float>(value / attack_.claim.clip_norm);
    }
    if (!attack_.believed_unclipped) model::LimitNorm(gradient, 1);
    return OkStatus();
  }

  // Each gradient by itself: the others are at right angles.
  Status LookApart(std::uint64_t step, std::span<const float> sum, std::span<Outcome> outcomes) {
    std::vector<float> gradient(sum.size());
    for (std::uint32_t canary = 0; canary < outcomes.size(); ++canary) {
      const double chance = Chance(canary, step);
      if (chance <= 0) continue;
      std::fill(gradient.begin(), gradient.end(), 0.0F);
      TUTTI_TRY(AddGradient(attack_.subject.base + canary, gradient));
      const double norm = model::L2Norm(gradient);
      if (!(norm > 0)) continue;
      const double along = std::inner_product(sum.begin(), sum.end(), gradient.begin(), 0.0);
      Weigh({.amount = along / (norm * norm), .variance = noise_ * noise_ / (norm * norm)}, chance,
            outcomes[canary]);
    }
    return OkStatus();
  }

  // All gradients at once, those of the base examples too.
  Status LookTogether(std::uint64_t step, std::span<const float> sum, std::span<Outcome> outcomes) {
    const Subject& subject = attack_.subject;
    std::vector<float> gradients(sum.size() * subject.labels.size());
    std::vector<Prior> priors;
    for (std::uint32_t id = 0; id < subject.labels.size(); ++id) {
      TUTTI_TRY(AddGradient(id, std::span(gradients).subspan(id * sum.size(), sum.size())));
      const double mean =
          id < subject.base ? attack_.claim.sampling_rate : Chance(id - subject.base, step) / 2;
      priors.push_back({.mean = mean, .variance = mean * (1 - mean)});
    }
    const std::vector<Decoded> decoded = Decode(gradients, priors, sum, noise_);
    for (std::uint32_t canary = 0; canary < outcomes.size(); ++canary) {
      const double chance = Chance(canary, step);
      if (chance > 0) Weigh(decoded[subject.base + canary], chance, outcomes[canary]);
    }
    return OkStatus();
  }

  static void Weigh(const Decoded& found, double chance, Outcome& outcome) {
    const double here = std::log(chance) + (found.amount - 0.5) / found.variance;
    outcome.score += dp::LogAdd(std::log1p(-chance), here);
    outcome.projection += chance * found.amount;
  }

  const TrainingAttack& attack_;
  learn::Network network_;
  double noise_;     // multiplier that is believed in
  double unit_ = 1;  // turns an update into a sum of gradients in clip norms
};

// Rows of the data that is there.
struct Rows {
  std::vector<float> features;
  std::vector<std::uint32_t> labels;
  learn::DataView view() const { return {.features = features, .labels = labels}; }
};

Rows RowsOf(const Present& present) {
  const Subject& subject = present.subject;
  const std::size_t width = subject.features.size() / subject.labels.size();
  Rows rows;
  rows.features.reserve(present.ids.size() * width);
  for (const std::uint32_t id : present.ids) {
    const auto from = subject.features.begin() + static_cast<std::ptrdiff_t>(id * width);
    rows.features.insert(rows.features.end(), from, from + static_cast<std::ptrdiff_t>(width));
    rows.labels.push_back(subject.labels[id]);
  }
  return rows;
}

}  // namespace

StatusOr<Subject> SubjectOf(const v1::ModelSpec& model, std::uint32_t canaries,
                            std::uint32_t base) {
  TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(model));
  const Shape shape = ShapeOf(model);
  const std::size_t most = shape.places * model.classes();
  if (canaries > most) {
    return InvalidArgument(Join("the model has room for ", most, " different canaries, asked for ",
                                canaries, "; lower --canaries"));
  }
  const std::uint64_t examples = std::uint64_t{base} + canaries;
  const std::uint64_t width =
      std::max<std::uint64_t>(shape.width, shape.apart ? 0 : architecture.layout.values);
  if (examples * width > kMostFloats) {
    return InvalidArgument(Join("the attack would need ", examples * width,
                                " floats, expected at most ", kMostFloats,
                                "; lower --canaries and raise --runs"));
  }
  return Filled(model, shape, canaries, base);
}

StatusOr<Subject> SubjectOf(const std::string& model, std::uint32_t canaries, std::uint32_t base) {
  v1::ModelSpec spec;
  spec.set_seed(1);
  if (model == "logistic") {
    spec.set_architecture("logistic");
    spec.add_input_shape(kSpareInputs + canaries);
    spec.set_classes(2);
  } else if (model == "mlp" || model == "lenet") {
    spec.set_architecture(model == "mlp" ? "mlp" : "lenet5");
    spec.add_input_shape(28);
    spec.add_input_shape(28);
    spec.set_classes(10);
    if (model == "mlp") spec.add_hidden(256);
  } else {
    return InvalidArgument(
        Join("model is \"", Escaped(model, 40), "\", expected logistic, mlp or lenet"));
  }
  return SubjectOf(spec, canaries, base);
}

StatusOr<std::vector<Outcome>> Attack(const TrainingAttack& attack, const Release& release,
                                      SecureRng& coins) {
  const Subject& subject = attack.subject;
  Present present{.subject = subject, .ids = std::vector<std::uint32_t>(subject.base)};
  std::iota(present.ids.begin(), present.ids.end(), 0U);
  std::vector<Outcome> outcomes(subject.canaries);
  for (std::uint32_t canary = 0; canary < subject.canaries; ++canary) {
    outcomes[canary].included = UniformBelow(coins, 2) == 1;
    if (outcomes[canary].included) present.ids.push_back(subject.base + canary);
  }
  TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(subject.model));
  TUTTI_ASSIGN(learn::Network network, learn::Network::Create(architecture));
  TUTTI_ASSIGN(std::vector<float> weights, model::InitialWeights(subject.model));
  Search search(attack, std::move(network));
  for (std::uint64_t step = 0; step < attack.claim.steps; ++step) {
    std::vector<float> update = weights;
    TUTTI_TRY(release(present, step, update));
    TUTTI_TRY(search.Step(step, weights, update, outcomes));
    std::transform(weights.begin(), weights.end(), update.begin(), weights.begin(), std::plus<>());
    if (attack.progress) attack.progress(step + 1);
  }
  return outcomes;
}

StepSpecs SpecsOf(const Claim& claim) {
  StepSpecs specs;
  specs.training.set_optimiser("sgd");
  specs.training.set_learning_rate(claim.learning_rate);
  specs.training.set_batch_size(1);  // the rate decides
  specs.training.set_local_steps(1);
  specs.privacy.set_unit("example");
  specs.privacy.set_clip_norm(claim.clip_norm);
  specs.privacy.set_noise_multiplier(claim.noise_multiplier);
  specs.privacy.set_sampling_rate(claim.sampling_rate);
  return specs;
}

Status TrainStep(const Present& present, const StepSpecs& specs, std::span<float> weights,
                 SecureRng& rng) {
  const Rows rows = RowsOf(present);
  return learn::Train(present.subject.model, specs.training, specs.privacy, rows.view(), weights,
                      rng, [](std::uint64_t, std::uint64_t) {})
      .status();
}

Status TrainSummedStep(const Present& present, const RoundToAttack& round, const StepSpecs& specs,
                       std::span<float> weights, SecureRng& rng) {
  StepSpecs alone = specs;
  alone.privacy.set_noise_multiplier(0);
  std::vector<std::vector<float>> updates(1, {weights.begin(), weights.end()});
  TUTTI_TRY(TrainStep(present, alone, updates[0], rng));
  const double unit_scale =
      round.task.privacy().clip_norm() * specs.training.learning_rate() /
      (specs.privacy.sampling_rate() * static_cast<double>(present.ids.size()));
  TUTTI_ASSIGN(const std::vector<float> opened, OpenedSum(round, updates, unit_scale, rng));
  std::transform(opened.begin(), opened.end(), weights.begin(),
                 [&](float value) { return static_cast<float>(value * unit_scale); });
  return OkStatus();
}

}  // namespace tutti::audit
