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

namespace tutti::audit {
namespace {

constexpr std::uint32_t kSpareInputs = 8;  // of the logistic model, for the base examples
// Bright enough that a canary's gradient is longer than usual clip norms and points almost wholly
// at the weights of its own input.
constexpr float kLogisticValue = 100;
constexpr float kPixelValue = 20;
constexpr std::uint64_t kDataSeed = 1;
constexpr std::uint64_t kMostFeatures = 1 << 29;  // 2 GiB

struct Shape {
  std::size_t width = 1;       // values of an example
  std::size_t base_width = 1;  // the first of them, which base examples use
  std::size_t first_place = 0;
  std::size_t places = 1;  // values that canaries use, from first_place on
  float canary_value = kPixelValue;
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
  }
  return shape;
}

Subject Filled(const v1::ModelSpec& model, const Shape& shape, std::uint32_t canaries,
               std::uint32_t base) {
  Subject subject{.model = model,
                  .features = std::vector<float>(shape.width * (base + canaries)),
                  .labels = {},
                  .base = base,
                  .canaries = canaries};
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
      : attack_(attack), network_(std::move(network)), gradient_(network_.weights().size()) {
    const Subject& subject = attack.subject;
    // Who is in the data is what the attacker wants to know: it divides by the expected number.
    const double expected = subject.base + 0.5 * subject.canaries;
    unit_ = -attack.claim.sampling_rate * expected /
            (attack.claim.learning_rate * attack.claim.clip_norm);
  }

  Status Step(std::uint64_t step, std::span<const float> weights, std::span<const float> update,
              std::span<Outcome> outcomes) {
    std::copy(weights.begin(), weights.end(), network_.weights().begin());
    for (std::uint32_t canary = 0; canary < attack_.subject.canaries; ++canary) {
      TUTTI_TRY(Look(step, canary, update, outcomes[canary]));
    }
    return OkStatus();
  }

 private:
  Status Look(std::uint64_t step, std::uint32_t canary, std::span<const float> update,
              Outcome& outcome) {
    const Subject& subject = attack_.subject;
    const Claim& claim = attack_.claim;
    const double chance = attack_.chance ? attack_.chance(canary, step) : claim.sampling_rate;
    if (chance <= 0) {
      return OkStatus();
    }
    const std::size_t row = subject.base + canary;
    const std::size_t width = subject.features.size() / subject.labels.size();
    std::fill(gradient_.begin(), gradient_.end(), 0.0F);
    TUTTI_TRY(
        network_
            .AddGradients({.features = std::span(subject.features).subspan(row * width, width),
                           .labels = std::span(subject.labels).subspan(row, 1)},
                          gradient_)
            .status());
    const double norm = model::L2Norm(gradient_);
    if (!(norm > 0)) {
      return OkStatus();
    }
    const double along =
        std::inner_product(update.begin(), update.end(), gradient_.begin(), 0.0) * unit_ / norm;
    const double shift = std::min(1.0, norm / claim.clip_norm);
    const double noise =
        attack_.believed_noise > 0 ? attack_.believed_noise : claim.noise_multiplier;
    const double here = std::log(chance) + (along - shift / 2) * shift / (noise * noise);
    outcome.score += dp::LogAdd(std::log1p(-chance), here);
    outcome.projection += chance * along;
    return OkStatus();
  }

  const TrainingAttack& attack_;
  learn::Network network_;
  std::vector<float> gradient_;
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
  TUTTI_TRY(model::ArchitectureOf(model).status());
  const Shape shape = ShapeOf(model);
  const std::size_t most = shape.places * model.classes();
  if (canaries > most) {
    return InvalidArgument(Join("the model has room for ", most, " different canaries, asked for ",
                                canaries, "; lower --canaries"));
  }
  const std::uint64_t values = (std::uint64_t{base} + canaries) * shape.width;
  if (values > kMostFeatures) {
    return InvalidArgument(Join("the data would have ", values,
                                " feature values, expected at most ", kMostFeatures,
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
