// What strategies add to each step's gradient.
#include "common/learn/network.h"
#include "common/learn/train.h"
#include "tests/catch.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

const Progress kNoProgress = [](std::uint64_t, std::uint64_t) {};
const std::vector<float> kFeatures{1, 0.5F, -1, 0.25F, 0.5F, -0.5F};
const std::vector<std::uint32_t> kLabels{0, 1, 1};
const std::vector<float> kStart{0.3F, -0.1F, 0.2F, 0.5F, 0.0F, -0.4F};

struct Job {
  v1::ModelSpec model;
  v1::TrainingSpec training;
  v1::PrivacySpec privacy;
  Job(std::uint32_t steps, const std::string& unit) {
    model.set_architecture("logistic");
    model.add_input_shape(2);
    model.set_classes(2);
    training.set_optimiser("sgd");
    training.set_learning_rate(0.5);
    training.set_batch_size(3);
    training.set_local_steps(steps);
    privacy.set_unit(unit);
    privacy.set_clip_norm(1);
  }
  std::vector<float> Update(const StepTerms& terms) const {
    std::vector<float> weights = kStart;
    auto rng = SeededRng(1);
    const auto result = Train(model, training, privacy, {.features = kFeatures, .labels = kLabels},
                              weights, rng, kNoProgress, {.terms = terms});
    REQUIRE(result.ok());
    return weights;
  }
};

TEST_CASE("a drift is added to the gradient of every step, with privacy after the clipping",
          "[train]") {
  const std::vector<float> drift{0.5F, -4, 0, 1, 0, 2};  // longer than the clip norm
  for (const std::string unit : {"none", "example"}) {
    const Job job(1, unit);
    const std::vector<float> plain = job.Update({}), moved = job.Update({.drift = drift});
    for (std::size_t i = 0; i < drift.size(); ++i) {
      REQUIRE(moved[i] == Approx(plain[i] - 0.5F * drift[i]).margin(1e-6));
    }
  }
}

TEST_CASE("a pull towards the received weights starts with the second step", "[train]") {
  REQUIRE(Job(1, "none").Update({.pull = 0.8}) == Job(1, "none").Update({}));
  // Step by step: w1 = w0 - r g(w0), w2 = w1 - r (g(w1) + mu (w1 - w0)).
  const std::vector<float> one = Job(1, "none").Update({}), two = Job(2, "none").Update({}),
                           pulled = Job(2, "none").Update({.pull = 0.8});
  for (std::size_t i = 0; i < one.size(); ++i) {
    REQUIRE(pulled[i] == Approx(two[i] - 0.5F * 0.8F * one[i]).margin(1e-6));
  }
}

TEST_CASE("a pull towards an anchor elsewhere counts from the first step", "[train]") {
  const std::vector<float> anchor(6, 1.0F);
  const std::vector<float> plain = Job(1, "none").Update({}),
                           pulled = Job(1, "none").Update({.pull = 0.2, .anchor = anchor});
  for (std::size_t i = 0; i < plain.size(); ++i) {
    REQUIRE(pulled[i] == Approx(plain[i] - 0.5F * 0.2F * (kStart[i] - 1)).margin(1e-6));
  }
}

TEST_CASE("terms that do not fit the model are refused", "[train]") {
  const Job job(1, "none");
  const std::vector<float> few(5);
  for (const StepTerms& terms :
       {StepTerms{.drift = few}, StepTerms{.pull = 1, .anchor = few}, StepTerms{.pull = -1}}) {
    std::vector<float> weights = kStart;
    auto rng = SeededRng(1);
    const auto result =
        Train(job.model, job.training, job.privacy, {.features = kFeatures, .labels = kLabels},
              weights, rng, kNoProgress, {.terms = terms});
    REQUIRE(result.status().code() == StatusCode::kInvalidArgument);
    REQUIRE(weights == kStart);
  }
}

}  // namespace
}  // namespace tutti::learn
