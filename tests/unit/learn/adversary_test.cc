// Changed examples against the methods' definitions written plainly, and what must never happen: a
// feature outside its bounds, an example that moves another one.
#include "common/learn/adversary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/unit/learn/adversaries.h"

namespace tutti::learn {
namespace {

const Progress kNoProgress = [](std::uint64_t, std::uint64_t) {};

// d loss / d x of a logistic model, from its weights [classes, features] and biases [classes].
std::vector<double> LogisticGradient(std::span<const float> weights, std::span<const float> x,
                                     std::uint32_t label, std::size_t classes) {
  const std::size_t width = x.size();
  std::vector<double> chance;
  double sum = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    double logit = weights[classes * width + c];
    for (std::size_t k = 0; k < width; ++k) {
      logit += static_cast<double>(weights[c * width + k]) * static_cast<double>(x[k]);
    }
    chance.push_back(std::exp(logit));
    sum += chance.back();
  }
  std::vector<double> gradient(width);
  for (std::size_t c = 0; c < classes; ++c) {
    const double slope = chance[c] / sum - (c == label ? 1 : 0);
    for (std::size_t k = 0; k < width; ++k) {
      gradient[k] += slope * static_cast<double>(weights[c * width + k]);
    }
  }
  return gradient;
}

double Sign(double value) { return value > 0 ? 1 : value < 0 ? -1 : 0; }

TEST_CASE("fgsm is one step of the radius along the sign of the gradient", "[adversary]") {
  World world = Make(Spec("logistic", {6}, 3), 20);
  const Batch batch = world.Rows(0, 20);
  const auto changed = Changed(Fgsm(0.25), world, batch);
  for (std::size_t i = 0; i < 20; ++i) {
    const auto x = batch.features.subspan(i * 6, 6);
    const auto gradient = LogisticGradient(world.network.weights(), x, world.labels[i], 3);
    for (std::size_t k = 0; k < 6; ++k) {
      REQUIRE(std::abs(gradient[k]) > 1e-5);  // else rounding would decide the sign
      REQUIRE(changed[i * 6 + k] == Approx(x[k] + 0.25 * Sign(gradient[k])).margin(1e-5));
    }
  }
}

TEST_CASE("pgd is steps that are brought back into the ball, from a start drawn from it",
          "[adversary]") {
  World world = Make(Spec("logistic", {6}, 3), 10);
  const Batch batch = world.Rows(0, 10);
  v1::AdversarySpec spec = Pgd(0.5, 4, 0.2);
  spec.add_range(-0.9);
  spec.add_range(1.1);
  const auto changed = Changed(spec, world, batch, 3);
  auto rng = SeededRng(3);
  std::vector<std::uint32_t> bits(60);
  rng.Fill({reinterpret_cast<std::uint8_t*>(bits.data()), 240});
  std::size_t at_the_edge = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    const auto x = batch.features.subspan(i * 6, 6);
    const auto bound = [&](double value, std::size_t k) {
      const double origin = x[k];
      return std::clamp(value, std::max(origin - 0.5, std::min(-0.9, origin)),
                        std::min(origin + 0.5, std::max(1.1, origin)));
    };
    std::vector<float> now;
    for (std::size_t k = 0; k < 6; ++k) {
      const double unit = std::ldexp(static_cast<double>(bits[i * 6 + k] >> 8), -23) - 1;
      now.push_back(static_cast<float>(bound(x[k] + 0.5 * unit, k)));
    }
    for (int step = 0; step < 4; ++step) {
      const auto gradient = LogisticGradient(world.network.weights(), now, world.labels[i], 3);
      for (std::size_t k = 0; k < 6; ++k) {
        now[k] = static_cast<float>(bound(now[k] + 0.2 * Sign(gradient[k]), k));
      }
    }
    for (std::size_t k = 0; k < 6; ++k) {
      REQUIRE(changed[i * 6 + k] == Approx(now[k]).margin(1e-5));
      at_the_edge += std::abs(std::abs(now[k] - x[k]) - 0.5F) < 1e-5F ? 1U : 0U;
    }
  }
  REQUIRE(at_the_edge > 10);
  REQUIRE(Changed(spec, world, batch, 4) != changed);
  // 0 stands for 2.5 radii over all steps.
  REQUIRE(Changed(Pgd(0.5, 4), world, batch) == Changed(Pgd(0.5, 4, 0.3125), world, batch));
}

TEST_CASE("no feature leaves the ball or the range, nor moves further out of it", "[adversary]") {
  for (const v1::AdversarySpec& kind : {Fgsm(0.3), Pgd(0.3, 5, 0.2)}) {
    v1::AdversarySpec spec = kind;
    spec.add_range(-0.5);
    spec.add_range(0.75);
    World world = Make(Spec("lenet5", {28, 28}, 10), 4);
    const Batch batch = world.Rows(0, 4);
    const auto changed = Changed(spec, world, batch);
    std::size_t moved = 0, outside = 0;
    for (std::size_t i = 0; i < changed.size(); ++i) {
      const float x = batch.features[i];
      REQUIRE(std::abs(changed[i] - x) <= 0.3F * (1 + 1e-6F));
      REQUIRE(changed[i] >= std::min(x, -0.5F));
      REQUIRE(changed[i] <= std::max(x, 0.75F));
      moved += changed[i] != x ? 1U : 0U;
      outside += x > 0.75F || x < -0.5F ? 1U : 0U;
    }
    REQUIRE(moved > changed.size() / 2);
    REQUIRE(outside > changed.size() / 10);
  }
}

double LossOf(Network& network, const Batch& batch) { return network.Score(batch)->loss_sum; }

TEST_CASE("changed examples have a larger loss, and steps find a larger one than one step",
          "[adversary]") {
  v1::ModelSpec mlp = Spec("mlp", {12}, 4);
  mlp.add_hidden(16);
  for (const v1::ModelSpec& spec : {Spec("logistic", {12}, 4), mlp, Spec("lenet5", {28, 28}, 10),
                                    Spec("cnn1d", {1, 24}, 3), Spec("gru", {2, 9}, 3)}) {
    INFO(spec.architecture());
    World world = Make(spec, 16);
    Batch batch = world.Rows(0, 16);
    const double plain = LossOf(world.network, batch);
    const auto one = Changed(Fgsm(0.1), world, batch);
    const auto steps = Changed(Pgd(0.1, 20), world, batch);
    batch.features = one;
    const double fast = LossOf(world.network, batch);
    batch.features = steps;
    REQUIRE(fast > plain);
    REQUIRE(LossOf(world.network, batch) > plain + 0.95 * (fast - plain));
  }
}

TEST_CASE("models that predict a number are led away from it", "[adversary]") {
  for (const Loss loss : {Loss::kSquaredError, Loss::kHuber}) {
    World world = Make(Spec("linear", {5}, 1), 8, loss);
    Batch batch = world.Rows(0, 8);
    const auto before = world.network.Score(batch);
    const auto changed = Changed(Fgsm(0.2), world, batch);
    batch.features = changed;
    const auto after = world.network.Score(batch);
    double slope = 0;  // a step moves the prediction by radius times this
    for (std::size_t k = 0; k < 5; ++k) slope += std::abs(world.network.weights()[k]);
    REQUIRE(after->absolute_error_sum ==
            Approx(before->absolute_error_sum + 8 * 0.2 * slope).epsilon(1e-4));
  }
}

TEST_CASE("an example never moves another one", "[adversary]") {
  v1::ModelSpec normed = Spec("lenet5", {28, 28}, 10);
  normed.set_normalisation("group");
  for (const v1::ModelSpec& spec :
       {Spec("logistic", {9}, 3), normed, Spec("resnet", {1, 8, 8}, 4)}) {
    INFO(spec.architecture());
    World world = Make(spec, 8);
    for (const v1::AdversarySpec& kind : {Fgsm(0.1), Pgd(0.1, 3)}) {
      const auto before = Changed(kind, world, world.Rows(0, 8));
      World other = Make(spec, 8);
      for (std::size_t k = 0; k < other.width; ++k) other.features[5 * other.width + k] = 9;
      other.labels[5] = (other.labels[5] + 1) % spec.classes();
      const auto after = Changed(kind, other, other.Rows(0, 8));
      for (std::size_t i = 0; i < 8; ++i) {
        const bool same =
            std::equal(before.begin() + static_cast<std::ptrdiff_t>(i * world.width),
                       before.begin() + static_cast<std::ptrdiff_t>((i + 1) * world.width),
                       after.begin() + static_cast<std::ptrdiff_t>(i * world.width));
        REQUIRE(same == (i != 5));
      }
    }
  }
}

TEST_CASE("adding an example moves the sum of the others' clipped gradients by the clip norm",
          "[adversary]") {
  World world = Make(Spec("lenet5", {28, 28}, 10), 9);
  constexpr double kClip = 0.3;
  const auto sum_of = [&](std::size_t examples) {
    Batch batch = world.Rows(0, examples);
    const auto changed = Changed(Fgsm(0.1), world, batch);
    batch.features = changed;
    std::vector<float> sum(world.network.weights().size());
    REQUIRE(world.network.AddClippedGradients(batch, kClip, sum).ok());
    return sum;
  };
  const auto with = sum_of(9);
  auto difference = sum_of(8);
  for (std::size_t i = 0; i < with.size(); ++i) difference[i] = with[i] - difference[i];
  REQUIRE(Norm(difference) > 0.1 * kClip);
  REQUIRE(Norm(difference) < kClip * (1 + 1e-4));  // float32 sums of nine
}

TEST_CASE("each example of a step is changed by a coin of its own, anew each time", "[adversary]") {
  World world = Make(Spec("logistic", {3}, 2), 400);
  v1::AdversarySpec spec = Fgsm(0.5);
  spec.set_share(0.3);
  const Adversary adversary = Of(spec, world.network);
  const Batch batch = world.Rows(0, 400);
  const auto whole = Changed(Fgsm(0.5), world, batch);
  auto rng = SeededRng(2);
  const auto step = [&] {
    std::vector<float> features(batch.features.begin(), batch.features.end());
    REQUIRE(adversary.ChangeShare(world.network, batch, features, rng).ok());
    return features;
  };
  const auto first = step();
  std::size_t changed = 0;
  for (std::size_t i = 0; i < 400; ++i) {
    const auto row = [i](std::span<const float> all) {
      return std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(3 * i),
                                all.begin() + static_cast<std::ptrdiff_t>(3 * i + 3));
    };
    const bool is_changed = row(first) != row(batch.features);
    changed += is_changed ? 1U : 0U;
    REQUIRE(row(first) == (is_changed ? row(whole) : row(batch.features)));
  }
  REQUIRE(changed > 80);  // 120 are expected, with a deviation of 9
  REQUIRE(changed < 160);
  REQUIRE(step() != first);
}

TEST_CASE("perturbing a batch sets the weights it is given", "[adversary]") {
  World world = Make(Spec("logistic", {6}, 3), 12);
  const DataView data{.features = world.features, .labels = world.labels};
  const std::vector<float> weights(world.network.weights().begin(), world.network.weights().end());
  const auto expected = Changed(Fgsm(0.25), world, world.Rows(0, 12));
  std::fill(world.network.weights().begin(), world.network.weights().end(), 0.0F);
  auto rng = SeededRng(1);
  REQUIRE(*Perturb(world.network, weights, data, Fgsm(0.25), rng) == expected);
  REQUIRE(Perturb(world.network, weights, {}, Fgsm(0.25), rng)->empty());
  // Together they are what is measured.
  const auto robust = RobustAccuracy(world.network, data, weights, Fgsm(0.25), rng, kNoProgress);
  const auto score = world.network.Score({.features = expected, .labels = world.labels});
  REQUIRE(robust->accuracy == Approx(static_cast<double>(score->correct) / 12));
  REQUIRE(robust->loss == Approx(score->loss_sum / 12));

  REQUIRE(Perturb(world.network, std::span(weights).first(5), data, Fgsm(1), rng).status().code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(RobustAccuracy(world.network, {}, weights, Fgsm(1), rng, kNoProgress).status().code() ==
          StatusCode::kFailedPrecondition);
}

TEST_CASE("where a gradient is no number nothing is moved", "[adversary]") {
  World world = Make(Spec("logistic", {2}, 2), 3);
  world.network.weights()[0] = std::numeric_limits<float>::quiet_NaN();
  const Batch batch = world.Rows(0, 3);
  const auto changed = Changed(Fgsm(0.25), world, batch);
  REQUIRE(std::equal(changed.begin(), changed.end(), batch.features.begin()));
}

void RequireRefused(const v1::AdversarySpec& spec, const v1::ModelSpec& model, const char* text) {
  const auto adversary = Adversary::Create(spec, *model::ArchitectureOf(model));
  INFO(adversary.status());
  REQUIRE(adversary.status().code() == StatusCode::kInvalidArgument);
  REQUIRE(MessageOf(adversary.status()).find(text) != std::string_view::npos);
}

TEST_CASE("adversaries that contradict themselves or the model are refused by name",
          "[adversary]") {
  const v1::ModelSpec model = Spec("logistic", {4}, 2);
  v1::AdversarySpec spec = Fgsm(0);
  RequireRefused(spec, model, "adversary.radius is 0, expected a finite number above 0");
  spec = Fgsm(std::numeric_limits<double>::quiet_NaN());
  RequireRefused(spec, model, "adversary.radius");
  spec = Fgsm(1);
  spec.set_kind("carlini");
  RequireRefused(spec, model, "adversary.kind is \"carlini\", expected fgsm or pgd");
  RequireRefused(Pgd(1, 0), model, "adversary.steps is 0, expected 1 to 1000");
  RequireRefused(Pgd(1, 2, -1), model, "adversary.step_size is -1");
  spec = Fgsm(1);
  spec.add_range(1);
  RequireRefused(spec, model, "adversary.range has 1 numbers, expected two");
  spec.add_range(1);
  RequireRefused(spec, model, "the smaller one first");
  spec = Fgsm(1);
  spec.set_share(0);
  RequireRefused(spec, model, "adversary.share is 0");

  v1::ModelSpec text = Spec("text_bag", {7}, 2);
  text.set_vocabulary(20);
  RequireRefused(Fgsm(1), text, "this one reads tokens");
  v1::ModelSpec scattering = Spec("logistic", {28, 28}, 10);
  scattering.set_features("scattering");
  RequireRefused(Fgsm(1), scattering, "model.features");

  REQUIRE(!HasAdversary({}));
  v1::AdversarySpec none;
  none.set_kind("none");
  REQUIRE(!HasAdversary(none));
  REQUIRE(!Adversary::CreateIfAny(none, *model::ArchitectureOf(text))->has_value());
}

}  // namespace
}  // namespace tutti::learn
