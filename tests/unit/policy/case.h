// A round that the owner's policy allows as it stands, to be changed one thing at a time.
#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "client/policy/policy.h"
#include "tests/catch.h"

namespace tutti::policy::testing {

// Everything Decide looks at, allowed as it stands.
struct Case {
  v1::PolicyConfig policy;
  v1::TaskSpec task;
  secagg::RoundConfig round;
  DataFacts data{7500};
  History history;

  Case() {
    policy.set_max_epsilon_total(4);
    policy.set_max_epsilon_round(1000);
    policy.set_delta(1e-5);
    policy.set_min_noise_multiplier(0.3);
    policy.set_max_clip_norm(100);
    policy.set_min_cohort(3);
    policy.set_max_rounds_per_day(100000);
    policy.set_max_model_values(100000000);
    policy.set_max_local_steps(100000);
    policy.set_min_local_examples(1);

    task.set_job("fashion-demo");
    task.set_rounds(30);
    task.set_values(61706);
    task.mutable_model()->set_architecture("lenet5");
    task.mutable_model()->add_input_shape(28);
    task.mutable_model()->add_input_shape(28);
    task.mutable_model()->set_classes(10);
    task.mutable_training()->set_batch_size(250);
    task.mutable_training()->set_local_steps(20);
    task.mutable_privacy()->set_unit("example");
    task.mutable_privacy()->set_clip_norm(1);
    task.mutable_privacy()->set_noise_multiplier(1.1);
    task.mutable_privacy()->set_delta(1e-5);
    v1::SecureAggregationSpec& secagg = *task.mutable_secure_aggregation();
    secagg.set_level("malicious");
    secagg.set_value_bits(20);
    secagg.set_value_clip(1);
    secagg.set_corrupt_fraction(0.1);
    secagg.set_dropout_fraction(0.1);
    secagg.set_privacy_bits(40);
    secagg.set_liveness_bits(20);
    secagg.set_weighting("uniform");

    round.job = task.job();
    round.round = 1;
    round.values = task.values();
    round.max_cohort = 8;
  }

  StatusOr<Plan> Decided() const { return Decide(policy, task, round, data, history); }
};

// The rule holds: with `change` the round is refused with `code` and `word` in the text.
inline void RequireRefused(const std::function<void(Case&)>& change, const std::string& code,
                           const std::string& word,
                           StatusCode status = StatusCode::kPermissionDenied) {
  Case c;
  change(c);
  const Status refusal = c.Decided().status();
  INFO(word << ": " << TextOf(refusal));
  REQUIRE(refusal.code() == status);
  REQUIRE(CodeOf(refusal) == code);
  REQUIRE(TextOf(refusal) == code + ": " + ReasonOf(refusal));
  REQUIRE(ReasonOf(refusal).find(word) != std::string::npos);
}

// The rule is no wider: with `change` the round is still allowed.
inline Plan RequireAllowed(const std::function<void(Case&)>& change) {
  Case c;
  change(c);
  const StatusOr<Plan> plan = c.Decided();
  INFO(TextOf(plan.status()));
  REQUIRE(plan.ok());
  return *plan;
}

}  // namespace tutti::policy::testing
