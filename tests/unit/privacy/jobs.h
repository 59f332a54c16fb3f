// Tasks and rounds as jobs with noise in the sum have them.
#pragma once

#include "common/privacy/terms.h"
#include "tests/catch.h"

namespace tutti::privacy::testing {

inline v1::TaskSpec Task(const std::string& unit, const std::string& noise) {
  v1::TaskSpec task;
  task.set_job("job");
  task.set_rounds(20);
  task.set_values(1000);
  v1::TrainingSpec& training = *task.mutable_training();
  training.set_optimiser("sgd");
  training.set_learning_rate(0.5);
  training.set_batch_size(32);
  training.set_local_steps(1);
  v1::PrivacySpec& privacy = *task.mutable_privacy();
  privacy.set_unit(unit);
  privacy.set_noise(noise);
  privacy.set_clip_norm(0.25);
  privacy.set_noise_multiplier(1.5);
  privacy.set_delta(1e-5);
  privacy.set_clip_learning_rate(0.2);
  if (unit == "example") privacy.set_sampling_rate(0.02);
  task.mutable_secure_aggregation()->set_value_bits(20);
  task.mutable_secure_aggregation()->set_value_clip(unit == "example" ? 8 : 1);
  return task;
}

// Ten clients, of which one may be false; six have to be in a sum.
inline secagg::RoundConfig Unfitted() {
  secagg::RoundConfig round;
  round.job = "job";
  round.round = 3;
  round.attempt = 1;
  round.value_bits = 20;
  round.min_cohort = 6;
  round.min_survivors = 6;
  round.max_cohort = 10;
  round.corrupt_fraction = 0.1;
  return round;
}

inline secagg::RoundConfig Fitted(const v1::TaskSpec& task) {
  StatusOr<secagg::RoundConfig> round = FitRing(task, Unfitted());
  INFO(TextOf(round.status()));
  REQUIRE(round.ok());
  return *round;
}

inline Terms TermsFor(const v1::TaskSpec& task) {
  StatusOr<Terms> terms = TermsOf(task, Fitted(task));
  INFO(TextOf(terms.status()));
  REQUIRE(terms.ok());
  return *std::move(terms);
}

}  // namespace tutti::privacy::testing
