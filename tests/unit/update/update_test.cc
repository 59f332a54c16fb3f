#include "client/update/update.h"

#include <algorithm>
#include <limits>

#include "common/crypto/random.h"
#include "tests/catch.h"
#include "tests/seeded_rng.h"
#include "tests/unit/privacy/jobs.h"

namespace tutti::update {
namespace {

secagg::RoundConfig Round(std::uint32_t weight_bits) {
  secagg::RoundConfig round;
  round.job = "job";
  round.round = 1;
  round.values = 3;
  round.value_bits = 16;
  round.weight_bits = weight_bits;
  round.max_cohort = 4;
  return round;
}

v1::TaskSpec Weighted(const std::string& weighting) {
  v1::TaskSpec task;
  task.set_values(3);
  task.mutable_secure_aggregation()->set_weighting(weighting);
  return task;
}

}  // namespace

TEST_CASE("the weight lane holds one, or the examples up to what the round has bits for",
          "[update]") {
  crypto::SystemRng rng;
  const std::vector<float> update{0.5F, -0.5F, 0};
  const auto weight = [&](std::uint32_t bits, const std::string& weighting,
                          std::uint64_t examples) {
    const auto encoded =
        EncodeWithoutNoise(Round(bits), Weighted(weighting), update, examples, rng);
    REQUIRE(encoded.ok());
    REQUIRE(encoded->vector.count() == 4);
    return encoded->vector.extras().back();
  };
  REQUIRE(weight(0, "uniform", 500) == 1);
  REQUIRE(weight(8, "examples", 100) == 100);
  REQUIRE(weight(8, "examples", 500) == 256);
  REQUIRE(weight(8, "examples", 0) == 1);
  REQUIRE(weight(8, "uniform", 500) == 1);
}

TEST_CASE("an update with a value that is not finite is refused", "[update]") {
  crypto::SystemRng rng;
  std::vector<float> update{0.5F, std::numeric_limits<float>::quiet_NaN(), 0};
  const auto encoded = Encode(Round(0), Weighted("uniform"), {}, 1,
                              {update, {.update = update, .steps = 1}, 10, 0, 0}, rng);
  REQUIRE(encoded.status().code() == StatusCode::kOutOfRange);
}

TEST_CASE("a longer update is scaled down to the task's bound before it is encoded", "[update]") {
  crypto::SystemRng rng;
  v1::TaskSpec task = Weighted("uniform");
  task.mutable_robust()->set_max_update_norm(0.5);
  std::vector<float> update{0.6F, 0.8F, 0};
  const auto encoded =
      Encode(Round(0), task, {}, 1, {update, {.update = update, .steps = 1}, 10, 0, 0}, rng);
  REQUIRE(encoded.ok());
  REQUIRE(encoded->scaled_down);
  REQUIRE(update[0] < 0.3001F);
  REQUIRE(update[1] > 0.3999F);
}

TEST_CASE("a late update is encoded as the update times its factor", "[update][late]") {
  const std::vector<float> update{0.5F, -0.25F, 0.125F};
  std::vector<float> late = update;
  SeededSecureRng rng(3);
  const auto encoded = Encode(
      Round(0), Weighted("uniform"), {}, 1,
      {.update = late, .local = {.update = late, .steps = 1}, .examples = 10, .factor = 0.5}, rng);
  std::vector<float> half = {0.25F, -0.125F, 0.0625F};
  SeededSecureRng again(3);
  const auto expected = Encode(Round(0), Weighted("uniform"), {}, 1,
                               {half, {.update = half, .steps = 1}, 10, 0, 0}, again);
  REQUIRE(encoded.ok());
  REQUIRE(secagg::ToWire(encoded->vector) == secagg::ToWire(expected->vector));
  REQUIRE(encoded->vector.extras().back() == 1);  // it counts as one client all the same
}

TEST_CASE("a whole client's late update is clipped first and scaled then", "[update][late]") {
  for (const std::string noise : {"local", "distributed", "central"}) {
    v1::TaskSpec task = privacy::testing::Task("client", noise);
    const secagg::RoundConfig round = privacy::testing::Fitted(task);
    policy::Plan plan;
    plan.setting = privacy::SettingOf(task).value();
    plan.terms = privacy::testing::TermsFor(task);
    for (const float length : {0.1F, 4.0F}) {
      std::vector<float> update(1000);
      update[7] = length;
      SeededSecureRng rng(3);
      const auto encoded = Encode(round, task, plan, 0.25,
                                  {.update = update,
                                   .local = {.update = update, .steps = 1},
                                   .examples = 10,
                                   .factor = 0.5},
                                  rng);
      REQUIRE(encoded.ok());
      REQUIRE(update[7] == Approx(0.5 * std::min(length, 0.25F)).epsilon(1e-5));
    }
  }
}

TEST_CASE("counts go beside the update, or alone", "[update]") {
  crypto::SystemRng rng;
  secagg::RoundConfig round = Round(0);
  round.extra_lanes = 3;
  round.max_cohort = 4;
  policy::Plan plan;
  plan.counts.emplace();
  plan.counts->layout.families = {{"x", {2}, 1}};
  const std::vector<std::uint64_t> counts = {5, 70000};
  std::vector<float> update{0.5F, 0.25F, 0};
  Trained trained{update, {.update = update, .steps = 1}, 10, 0, 0, counts};
  const auto both = Encode(round, Weighted("uniform"), plan, 1, trained, rng);
  INFO(both.status());
  REQUIRE(both.ok());
  REQUIRE(both->vector.extras()[0] == 1);
  REQUIRE(both->vector.extras()[2] == 70000);
  plan.setting.update = false;
  round.values = 1;
  const auto alone = Encode(round, Weighted("uniform"), plan, 1, {.counts = counts}, rng);
  REQUIRE(alone.ok());
  REQUIRE(alone->vector.count() == 4);
  REQUIRE(alone->vector.extras()[1] == 5);
  REQUIRE_FALSE(Encode(round, Weighted("uniform"), plan, 1, {}, rng).ok());
}

TEST_CASE("the trainer is asked for privacy of examples only, with the plan's steps and noise",
          "[update]") {
  v1::TaskSpec task;
  task.mutable_training()->set_local_epochs(3);
  task.mutable_privacy()->set_unit("client");
  policy::Plan plan;
  plan.setting.unit = privacy::Unit::kClient;
  plan.steps = 7;
  plan.noise_multiplier = 1.5;
  const LocalTask whole = LocalTaskOf(task, plan, 2);
  REQUIRE(whole.privacy.unit() == "none");
  REQUIRE(whole.privacy.noise_multiplier() == 0);
  REQUIRE(whole.training.local_epochs() == 3);
  plan.setting.unit = privacy::Unit::kExample;
  const LocalTask single = LocalTaskOf(task, plan, 2);
  REQUIRE(single.privacy.unit() == "example");
  REQUIRE(single.privacy.clip_norm() == 2);
  REQUIRE(single.privacy.noise_multiplier() == 1.5);
  REQUIRE(single.training.local_steps() == 7);
  REQUIRE(single.training.local_epochs() == 0);
}

}  // namespace tutti::update
