// One client's way of a sampled update, with and without noise in the sum.
#include <cmath>
#include <map>

#include "client/update/update.h"
#include "common/privacy/vector.h"
#include "common/secagg/encoding.h"
#include "common/strategy/packing.h"
#include "tests/catch.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"

namespace tutti::update {
namespace {

constexpr std::uint64_t kValues = 400;

v1::TaskSpec Task(const std::string& unit, const std::string& noise) {
  v1::TaskSpec task;
  task.set_job("job");
  task.set_rounds(20);
  task.set_values(kValues);
  task.mutable_training()->set_optimiser("sgd");
  task.mutable_training()->set_learning_rate(0.5);
  task.mutable_training()->set_batch_size(32);
  task.mutable_training()->set_local_steps(1);
  v1::PrivacySpec& privacy = *task.mutable_privacy();
  privacy.set_unit(unit);
  privacy.set_noise(noise);
  privacy.set_clip_norm(0.25);
  privacy.set_noise_multiplier(1e-4);
  privacy.set_delta(1e-5);
  v1::SecureAggregationSpec& secagg = *task.mutable_secure_aggregation();
  secagg.set_value_bits(24);
  secagg.set_value_clip(1);
  secagg.set_weighting("uniform");
  secagg.set_sampled_fraction(0.25);
  return task;
}

secagg::RoundConfig Round() {
  secagg::RoundConfig round;
  round.job = "job";
  round.round = 3;
  round.attempt = 1;
  round.value_bits = 24;
  round.min_cohort = 3;
  round.min_survivors = 3;
  round.max_cohort = 4;
  return round;
}

std::vector<float> Update() {
  std::vector<float> update(kValues);
  for (std::size_t i = 0; i < kValues; ++i) update[i] = 0.01F * static_cast<float>(i % 13 + 1);
  return update;
}

// Three clients send `update`; the mean as the coordinator's optimiser is given it.
std::vector<float> Mean(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                        const policy::Plan& plan, double clip_norm) {
  SeededSecureRng rng(8);
  secagg::RingVector sum(round.layout());
  std::vector<float> update = Update();
  for (int client = 0; client < 3; ++client) {
    const auto encoded = Encode(round, task, plan, clip_norm,
                                {update, {.update = update, .steps = 1}, 100, 0, 0}, rng);
    INFO(encoded.status());
    REQUIRE(encoded.ok());
    secagg::AddTo(sum, encoded->vector);
  }
  auto mean = secagg::DecodeSum(round, sum, 3);
  REQUIRE(mean.ok());
  if (!plan.terms) return *strategy::Unpack(task, round, std::move(mean->mean));
  auto vector = privacy::Unrotate(*plan.terms, round, std::move(mean->mean));
  const auto opened = privacy::OpenVector(task, *plan.terms, *std::move(vector), 3,
                                          privacy::UnitScale(task, clip_norm));
  return *strategy::SpreadSample(task, round, opened.update);
}

}  // namespace

TEST_CASE("of a sampled update the drawn quarter arrives and nothing else", "[update]") {
  const v1::TaskSpec task = Task("none", "local");
  secagg::RoundConfig round = Round();
  round.values = strategy::PackedValues(task);
  REQUIRE(round.values == kValues / 4);
  const std::vector<float> update = Update();
  const std::vector<float> mean = Mean(task, round, {}, 1);
  std::uint64_t drawn = 0;
  for (std::size_t i = 0; i < kValues; ++i) {
    if (mean[i] == 0) continue;
    ++drawn;
    REQUIRE(mean[i] == Approx(update[i]).margin(1e-6));
  }
  REQUIRE(drawn == kValues / 4);
}

TEST_CASE("with noise in the sum a client's sample, and not its update, has the clip norm",
          "[update]") {
  const v1::TaskSpec task = Task("client", "local");
  policy::Plan plan;
  plan.setting = *privacy::SettingOf(task.privacy());
  const auto round = privacy::FitRing(task, Round());
  INFO(round.status());
  REQUIRE(round.ok());
  REQUIRE(round->values == 128);  // 100 values and padding
  plan.terms = *privacy::TermsOf(task, *round);
  // What a unit can move is what it is without sampling.
  v1::TaskSpec whole = task;
  whole.mutable_secure_aggregation()->set_sampled_fraction(1);
  const privacy::Terms all = *privacy::TermsOf(whole, *privacy::FitRing(whole, Round()));
  REQUIRE(plan.terms->l2_sensitivity * plan.terms->step <= all.l2_sensitivity * all.step * 1.001);
  const std::vector<float> mean = Mean(task, *round, plan, 0.25);
  double squares = 0;
  for (const float value : mean) squares += static_cast<double>(value) * value;
  REQUIRE(std::sqrt(squares) == Approx(0.25).epsilon(1e-2));
}

}  // namespace tutti::update
