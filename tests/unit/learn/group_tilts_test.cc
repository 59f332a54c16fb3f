// The terms that [fairness] adds to each example's loss. Torch headers come before Catch2's
// (tests/catch.h).
#include "common/learn/group_tilts.h"

#include "common/learn/per_example.h"

#include "common/learn/outcomes.h"
#include "common/learn/train.h"
#include "tests/unit/learn/seeded_rng.h"
#include "tests/unit/learn/single_examples.h"

namespace tutti::learn {
namespace {

const Progress kNoProgress = [](std::uint64_t, std::uint64_t) {};
constexpr std::uint32_t kNoGroup = 99;

v1::FairnessSpec FairnessOf(const std::string& rule, std::uint32_t positive = 1) {
  v1::FairnessSpec fairness;
  fairness.set_attribute("sex");
  fairness.add_groups("female");
  fairness.add_groups("male");
  fairness.set_rule(rule);
  fairness.set_positive_class(positive);
  return fairness;
}

GroupTilts TiltsOf(const std::string& rule, const std::vector<double>& tilts,
                   std::uint32_t positive = 1) {
  const auto result = GroupTilts::Create(FairnessOf(rule, positive), tilts);
  REQUIRE(result.ok());
  return *result;
}

TEST_CASE("a tilt is that of an example's group and label, and none for other groups",
          "[fairness]") {
  const GroupTilts penalty = TiltsOf("penalty", {1, 2, 3, 4}, 2);
  REQUIRE_FALSE(penalty.scales());
  REQUIRE(penalty.Of(0, 0) == 1);
  REQUIRE(penalty.Of(0, 2) == 2);
  REQUIRE(penalty.Of(1, 1) == 3);
  REQUIRE(penalty.Of(1, 2) == 4);
  REQUIRE(penalty.Of(2, 2) == 0);
  REQUIRE(penalty.Of(kNoGroup, 0) == 0);
  REQUIRE(penalty.Of(0xffffffff, 0) == 0);
  const GroupTilts weights = TiltsOf("reweigh", {1, 2, 3, 4});
  REQUIRE(weights.scales());
  REQUIRE(weights.Of(kNoGroup, 1) == 1);
  REQUIRE(TiltsOf("penalty", {}).empty());
  REQUIRE_FALSE(GroupTilts::Create(FairnessOf("penalty"), std::vector<double>{1, 2, 3}).ok());
  REQUIRE_FALSE(GroupTilts::Create(FairnessOf("penalty"), std::vector<double>{1, 2, 3, 99}).ok());
}

// Loss of softmax regression written down in double: factor * cross entropy + tilt * p.
struct Plain {
  std::size_t inputs, classes;
  std::vector<double> weights;  // matrix, then bias

  double Loss(std::span<const float> x, std::uint32_t label, double factor, double tilt,
              std::uint32_t positive) const {
    std::vector<double> logits(classes);
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      logits[c] = weights[classes * inputs + c];
      for (std::size_t i = 0; i < inputs; ++i) logits[c] += weights[c * inputs + i] * x[i];
      sum += std::exp(logits[c]);
    }
    return factor * (std::log(sum) - logits[label]) + tilt * std::exp(logits[positive]) / sum;
  }
};

TEST_CASE("gradients with tilts and weights are those of finite differences", "[fairness]") {
  World world = Make(Spec("logistic", {4}, 3), 7);
  const std::span<const float> now = world.network.weights();
  const std::vector<float> factors{1, 0.5F, 2, 1, 0.1F, 3, 1}, tilts{0, -3, 5, 1, 0, -20, 40};
  for (const bool scaled : {false, true}) {
    Batch batch = world.Rows(0, 7);
    batch.tilted_class = 2;
    (scaled ? batch.factors : batch.tilts) = scaled ? factors : tilts;
    std::vector<float> gradient(now.size());
    REQUIRE(world.network.AddGradients(batch, gradient).ok());
    const auto total = [&](std::size_t k, double change) {
      Plain plain{4, 3, {now.begin(), now.end()}};
      plain.weights[k] += change;
      double sum = 0;
      for (std::size_t i = 0; i < 7; ++i) {
        sum += plain.Loss(std::span(world.features).subspan(4 * i, 4), world.labels[i],
                          scaled ? factors[i] : 1, scaled ? 0 : tilts[i], 2);
      }
      return sum;
    };
    for (std::size_t k = 0; k < now.size(); ++k) {
      const double numeric = (total(k, 1e-5) - total(k, -1e-5)) / 2e-5;
      REQUIRE(static_cast<double>(gradient[k]) == Approx(numeric).epsilon(1e-4).margin(1e-4));
    }
  }
}

TEST_CASE("whatever the way to per-example gradients, tilts are in them before the clipping",
          "[fairness]") {
  const at::Tensor x = at::arange(24).view({6, 4}).sin();
  const at::Tensor y = at::arange(6, at::kLong).remainder(3);
  const at::Tensor w = at::arange(12).view({3, 4}).cos().set_requires_grad(true);
  const std::vector<at::Tensor> parameters{w};
  const Forward forward = [&](const at::Tensor& in) { return at::linear(in, w); };
  const at::Tensor factors = at::linspace(0.1, 3, 6), tilts = at::linspace(-20, 30, 6);
  constexpr double kClip = 0.7;
  for (const bool scaled : {false, true}) {
    const ExampleTerms terms{scaled ? factors : at::Tensor(), scaled ? at::Tensor() : tilts, 2};
    // d loss / d logits, by hand: softmax's derivative in both parts.
    const at::Tensor p = at::softmax(x.matmul(w.detach().t()), 1);
    at::Tensor delta = p - at::one_hot(y, 3).to(at::kFloat);
    if (scaled) {
      delta = delta * factors.unsqueeze(1);
    } else {
      const at::Tensor of_class = p.select(1, 2).unsqueeze(1);
      const at::Tensor unit = at::one_hot(at::full({6}, 2, at::kLong), 3).to(at::kFloat);
      delta = delta + tilts.unsqueeze(1) * of_class * (unit - p);
    }
    const at::Tensor norms = delta.norm(2, 1) * x.norm(2, 1);
    const at::Tensor clipped = delta * (kClip / norms).clamp_max(1.0).unsqueeze(1);
    const at::Tensor expected = clipped.t().matmul(x);
    for (const GradientMethod method :
         {GradientMethod::kBookKeeping, GradientMethod::kVmap, GradientMethod::kSingleExamples}) {
      const auto sum =
          ClipBy(method, {forward, parameters, x, y, kClip, Loss::kCrossEntropy, terms});
      INFO(MethodName(method) << " " << sum.status());
      REQUIRE(sum.ok());
      REQUIRE(at::allclose(sum->norms, norms, 1e-4, 1e-5));
      REQUIRE(at::allclose(sum->gradients[0], expected, 1e-4, 1e-5));
    }
  }
}

TEST_CASE("an example that is left out takes its tilt with it", "[fairness]") {
  World world = Make(Spec("logistic", {4}, 2), 5);
  const std::vector<float> tilts{5, -5, 10, 20, -20};
  const auto sum_of = [&](std::size_t first, std::size_t count, std::vector<float>& sum) {
    Batch batch = world.Rows(first, count);
    batch.tilts = std::span(tilts).subspan(first, count);
    REQUIRE(world.network.AddClippedGradients(batch, 0.5, sum).ok());
  };
  std::vector<float> expected(world.network.weights().size()), sum = expected;
  sum_of(0, 2, expected);
  sum_of(3, 2, expected);
  world.features[2 * 4] = std::nanf("");
  sum_of(0, 5, sum);
  for (std::size_t k = 0; k < sum.size(); ++k) {
    REQUIRE(sum[k] == Approx(expected[k]).margin(1e-6));
  }
}

struct Job {
  v1::ModelSpec model = Spec("logistic", {2}, 2);
  v1::TrainingSpec training;
  v1::PrivacySpec privacy;
  std::vector<float> features{1, 0.5F, -1, 0.25F, 0.5F, -0.5F, 2, 1};
  std::vector<std::uint32_t> labels{0, 1, 1, 0};
  std::vector<std::uint32_t> groups{0, 1, 0, kNoGroup};

  explicit Job(const std::string& unit) {
    training.set_optimiser("sgd");
    training.set_learning_rate(1);
    training.set_batch_size(4);
    training.set_local_steps(1);
    privacy.set_unit(unit);
    privacy.set_clip_norm(0.3);
  }
  DataView view() const { return {.features = features, .labels = labels, .groups = groups}; }
  StatusOr<std::vector<float>> Update(const GroupTilts& tilts) const {
    std::vector<float> weights{0.3F, -0.1F, 0.2F, 0.5F, 0.0F, -0.4F};
    auto rng = SeededRng(1);
    TrainHooks hooks;
    hooks.tilts = tilts;
    const auto result = Train(model, training, privacy, view(), weights, rng, kNoProgress, hooks);
    TUTTI_TRY(result.status());
    return weights;
  }
};

TEST_CASE("training steps along the tilted gradients, with privacy along the clipped ones",
          "[fairness]") {
  const std::vector<double> tilts{4, -6, 8, 3};
  for (const std::string unit : {"none", "example"}) {
    for (const std::string rule : {"penalty", "reweigh"}) {
      const Job job(unit);
      const std::vector<double> used =
          rule == "reweigh" ? std::vector<double>{4, 0.5, 8, 3} : tilts;
      const auto update = job.Update(TiltsOf(rule, used));
      REQUIRE(update.ok());
      // What each example adds, by the network alone.
      auto network = Network::Create(*model::ArchitectureOf(job.model));
      network->Load(std::vector<float>{0.3F, -0.1F, 0.2F, 0.5F, 0.0F, -0.4F});
      const bool scales = rule == "reweigh";
      const float idle = scales ? 1.0F : 0.0F;
      // (0, 0), (1, 1), (0, 1), no group
      const std::vector<float> terms{static_cast<float>(used[0]), static_cast<float>(used[3]),
                                     static_cast<float>(used[1]), idle};
      std::vector<double> expected(6);
      for (std::size_t i = 0; i < 4; ++i) {
        Batch one{.features = std::span(job.features).subspan(2 * i, 2),
                  .labels = std::span(job.labels).subspan(i, 1)};
        (scales ? one.factors : one.tilts) = std::span(terms).subspan(i, 1);
        std::vector<float> gradient(6);
        REQUIRE(network->AddGradients(one, gradient).ok());
        const double factor = unit == "none" ? 1 : std::min(1.0, 0.3 / Norm(gradient));
        for (std::size_t k = 0; k < 6; ++k) expected[k] -= factor * gradient[k] / 4;
      }
      for (std::size_t k = 0; k < 6; ++k) {
        REQUIRE(static_cast<double>((*update)[k]) == Approx(expected[k]).margin(1e-5));
      }
    }
  }
}

TEST_CASE("tilts that change nothing leave training as it is", "[fairness]") {
  for (const std::string unit : {"none", "example"}) {
    const Job job(unit);
    const std::vector<float> plain = *job.Update({});
    const std::vector<float> zeros = *job.Update(TiltsOf("penalty", {0, 0, 0, 0}));
    const std::vector<float> ones = *job.Update(TiltsOf("reweigh", {1, 1, 1, 1}));
    for (std::size_t k = 0; k < plain.size(); ++k) {
      REQUIRE(zeros[k] == Approx(plain[k]).margin(1e-7));
      REQUIRE(ones[k] == Approx(plain[k]).margin(1e-7));
    }
  }
}

TEST_CASE("tilts need groups of all examples and a class the model has", "[fairness]") {
  Job job("none");
  const auto code = [&](const GroupTilts& tilts) { return job.Update(tilts).status().code(); };
  REQUIRE(code(TiltsOf("penalty", {1, 1, 1, 1}, 2)) == StatusCode::kInvalidArgument);
  job.groups.pop_back();
  REQUIRE(code(TiltsOf("penalty", {1, 1, 1, 1})) == StatusCode::kInvalidArgument);
  REQUIRE(code({}) == StatusCode::kOk);
}

TEST_CASE("outcomes are counted by group, label and prediction", "[fairness]") {
  const v1::ModelSpec spec = Spec("logistic", {1}, 3);
  auto network = Network::Create(*model::ArchitectureOf(spec));
  // The largest output is that of class 0 below 1, of class 2 above, and class 1 never.
  const std::vector<float> weights{0, 0, 1, 1, -9, 0};
  std::vector<float> features;
  std::vector<std::uint32_t> labels, groups;
  std::vector<std::uint64_t> expected(8);
  TestRng rng(3);
  for (std::size_t i = 0; i < 1000; ++i) {  // more than are predicted at once
    features.push_back(static_cast<float>(4 * rng.Unit() - 1));
    labels.push_back(static_cast<std::uint32_t>(rng.Below(3)));
    groups.push_back(static_cast<std::uint32_t>(rng.Below(3)));  // the last is no group
    if (groups.back() == 2) continue;
    ++expected[4 * groups.back() + (labels.back() == 2 ? 2 : 0) + (features.back() > 1 ? 1 : 0)];
  }
  const DataView data{.features = features, .labels = labels, .groups = groups};
  const v1::FairnessSpec fairness = FairnessOf("none", 2);
  const auto counts = CountOutcomes(*network, fairness, data, weights, kNoProgress);
  REQUIRE(counts.ok());
  REQUIRE(*counts == expected);
  REQUIRE(*CountOutcomes(*network, fairness, {}, weights, kNoProgress) ==
          std::vector<std::uint64_t>(8));
  const DataView without{.features = features, .labels = labels};
  REQUIRE_FALSE(CountOutcomes(*network, fairness, without, weights, kNoProgress).ok());
  REQUIRE_FALSE(CountOutcomes(*network, FairnessOf("none", 3), data, weights, kNoProgress).ok());
  REQUIRE_FALSE(
      CountOutcomes(*network, fairness, data, std::span(weights).first(5), kNoProgress).ok());
}

}  // namespace
}  // namespace tutti::learn
