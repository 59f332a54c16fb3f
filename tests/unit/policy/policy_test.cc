#include "tests/unit/policy/case.h"

namespace tutti::policy {
namespace {

using testing::Case;
using testing::RequireAllowed;
using testing::RequireRefused;

TEST_CASE("an allowed round says what to train and what it costs", "[policy]") {
  const Plan plan = RequireAllowed([](Case&) {});
  REQUIRE(plan.with_privacy());
  REQUIRE(plan.sampling_rate == 250.0 / 7500);
  REQUIRE(plan.noise_multiplier == 1.1);
  REQUIRE(plan.steps == 20);
  REQUIRE(plan.event == dp::Event(dp::SubsampledGaussian{250.0 / 7500, 1.1, 20}));
  REQUIRE(plan.model_event == plan.event);
  REQUIRE(plan.delta == 1e-5);
  REQUIRE(plan.coordinator.before == 0);
  REQUIRE(plan.coordinator.round > 0);
  REQUIRE(plan.coordinator.after == plan.coordinator.round);
}

TEST_CASE("job names are matched by pattern", "[policy]") {
  REQUIRE(JobMatches("a", {}));
  REQUIRE(JobMatches("fashion-demo", {"digits", "fashion-*"}));
  REQUIRE(JobMatches("fashion-", {"fashion-*"}));
  REQUIRE(JobMatches("anything", {"*"}));
  REQUIRE(!JobMatches("fashion", {"fashion-*"}));
  REQUIRE(!JobMatches("fashion-demo", {"fashion"}));
  REQUIRE(!JobMatches("xfashion-demo", {"fashion-*"}));
  REQUIRE(!JobMatches("fashion-demo", {""}));
  RequireAllowed([](Case& c) { c.policy.add_jobs("fashion-*"); });
  RequireRefused([](Case& c) { c.policy.add_jobs("digits"); }, "POLICY", "jobs");
}

TEST_CASE("architectures and model sizes are the owner's choice", "[policy]") {
  RequireAllowed([](Case& c) { c.policy.add_architectures("lenet5"); });
  RequireRefused([](Case& c) { c.policy.add_architectures("mlp"); }, "POLICY", "lenet5");
  RequireAllowed([](Case& c) { c.policy.set_max_model_values(61706); });
  RequireRefused([](Case& c) { c.policy.set_max_model_values(61705); }, "POLICY",
                 "max_model_values");
}

TEST_CASE("what is not sent of a model counts as its size, and not as the task's values",
          "[policy]") {
  const auto frozen = [](Case& c) {
    c.task.mutable_model()->add_frozen("0.*");  // 156 of lenet5's
    c.task.set_values(61550);
    c.round.values = 61550;
  };
  RequireAllowed(frozen);
  RequireRefused(
      [&](Case& c) {
        frozen(c);
        c.task.set_values(61706);
        c.round.values = 61706;
      },
      "CONFIG_MISMATCH", "its model has 61550");
  RequireRefused(
      [&](Case& c) {
        frozen(c);
        c.policy.set_max_model_values(61600);
      },
      "POLICY", "the job's model has 61706 values");
}

TEST_CASE("strategies that would send more than the job's privacy covers are refused", "[policy]") {
  const auto correction = [](const char* name) {
    return [name](Case& c) { c.task.mutable_training()->set_correction(name); };
  };
  // The case protects examples by noise of this device: numbers of steps and losses have none.
  RequireRefused(correction("nova"), "CONFIG_MISMATCH", "without noise");
  RequireRefused([](Case& c) { c.task.mutable_training()->set_fairness_power(1); },
                 "CONFIG_MISMATCH", "without noise");
  RequireRefused(
      [](Case& c) {
        c.task.mutable_training()->set_correction("scaffold");
        c.task.mutable_training()->set_max_staleness(2);
      },
      "CONFIG_MISMATCH", "control variates are of the model");
  RequireRefused(correction("magic"), "CONFIG_MISMATCH", "expected none");
  RequireRefused([](Case& c) { c.task.mutable_training()->set_schedule("exponential"); },
                 "CONFIG_MISMATCH", "set it above 0");
  // Control variates come from noised steps, and the vector is as long as both say it is.
  RequireAllowed([&](Case& c) {
    correction("scaffold")(c);
    c.round.values *= 2;
  });
  RequireRefused(correction("scaffold"), "CONFIG_MISMATCH", "values");
}

TEST_CASE("personal parameters that the job's noise does not cover are refused", "[policy]") {
  const auto personal = [](Case& c) {
    c.task.mutable_model()->add_personal("0.*");
    c.task.set_values(61550);
    c.round.values = 61550;
  };
  RequireAllowed(personal);
  RequireRefused(
      [&](Case& c) {
        personal(c);
        c.task.mutable_privacy()->set_noise("distributed");
      },
      "CONFIG_MISMATCH", "trained without noise");
}

TEST_CASE("a model in a TorchScript file needs the owner's word for that very file", "[policy]") {
  const std::string hash(64, 'a');
  const auto script = [&](Case& c) {
    v1::ModelSpec& model = *c.task.mutable_model();
    model.set_architecture("torchscript");
    model.set_torchscript_sha256(hash);
    model.add_parameters()->set_name("w");
    model.mutable_parameters(0)->add_shape(static_cast<std::uint32_t>(c.task.values()));
  };
  RequireRefused(script, "POLICY", hash + ", which torchscript does not list");
  RequireRefused(
      [&](Case& c) {
        script(c);
        c.policy.add_torchscript(std::string(63, 'a') + "b");
      },
      "POLICY", "trainer.torchscript_directory");
  RequireAllowed([&](Case& c) {
    script(c);
    c.policy.add_torchscript(hash);
  });
  // A list of architectures holds for files as well.
  RequireRefused(
      [&](Case& c) {
        script(c);
        c.policy.add_torchscript(hash);
        c.policy.add_architectures("lenet5");
      },
      "POLICY", "is not in architectures");
}

TEST_CASE("a task's model can be built and has the size the task states", "[policy]") {
  const auto layer = [](Case& c) { c.task.mutable_model()->add_layers()->set_type("relu"); };
  RequireRefused(layer, "CONFIG_MISMATCH", "model.layers");
  RequireRefused([](Case& c) { c.task.mutable_model()->set_architecture("imprint"); },
                 "CONFIG_MISMATCH", "imprint");
  // A small number for the policy, a large model for the trainer.
  RequireRefused([](Case& c) { c.task.mutable_model()->set_classes(100000); }, "CONFIG_MISMATCH",
                 "states 61706 values");
  RequireRefused(
      [](Case& c) {
        c.task.set_values(0);
        c.round.values = 0;
      },
      "POLICY", "max_model_values");
}

TEST_CASE("what the data does not change is asked before anybody reads it", "[policy]") {
  Case c;
  REQUIRE(Screen(c.policy, c.task, c.round, 0).ok());
  c.data.examples = 0;
  REQUIRE(CodeOf(c.Decided().status()) == "DATA");
  REQUIRE(Screen(c.policy, c.task, c.round, 0).ok());
  REQUIRE(CodeOf(Screen(c.policy, c.task, c.round, 100000)) == "POLICY");
  c.policy.add_jobs("other");
  REQUIRE(CodeOf(Screen(c.policy, c.task, c.round, 0)) == "POLICY");
}

TEST_CASE("examples prepared by statistics of each other are no business of example privacy",
          "[policy]") {
  Case c;
  const std::vector<std::string> keys{"data.csv.columns \"income\".missing"};
  REQUIRE(CheckPreparation(c.task, {}).ok());
  const Status refused = CheckPreparation(c.task, keys);
  REQUIRE(CodeOf(refused) == "POLICY");
  REQUIRE(ReasonOf(refused).find("data.csv.means") != std::string::npos);
  REQUIRE(ReasonOf(refused).find("income") == std::string::npos);  // goes to the coordinator
  for (const char* unit : {"none", "client"}) {
    c.task.mutable_privacy()->set_unit(unit);
    REQUIRE(CheckPreparation(c.task, keys).ok());
  }
}

TEST_CASE("a sum of too few clients is never joined", "[policy]") {
  RequireAllowed([](Case& c) { c.policy.set_min_cohort(2); });
  RequireRefused([](Case& c) { c.policy.set_min_cohort(4); }, "POLICY", "min_cohort");
  RequireRefused([](Case& c) { c.round.min_survivors = 2; }, "POLICY", "min_cohort");
  RequireRefused([](Case& c) { c.round.min_cohort = 2; }, "POLICY", "min_cohort");
  RequireAllowed([](Case& c) {
    c.policy.set_min_cohort(8);
    c.round.min_cohort = 8;
    c.round.min_survivors = 8;
  });
}

TEST_CASE("a curious level can be ruled out", "[policy]") {
  const auto curious = [](Case& c) {
    c.task.mutable_secure_aggregation()->set_level("curious");
    c.round.level = secagg::ThreatLevel::kCurious;
  };
  RequireAllowed(curious);
  RequireAllowed([](Case& c) { c.policy.set_require_malicious_level(true); });
  RequireRefused(
      [&](Case& c) {
        curious(c);
        c.policy.set_require_malicious_level(true);
      },
      "POLICY", "require_malicious_level");
}

TEST_CASE("a job is closed against as many liars as the owner wants", "[policy]") {
  RequireAllowed([](Case& c) { c.policy.set_min_corrupt_fraction(0.1); });
  RequireRefused([](Case& c) { c.policy.set_min_corrupt_fraction(0.11); }, "POLICY",
                 "min_corrupt_fraction is 0.11");
}

TEST_CASE("the owner may refuse rounds that are split into groups", "[policy]") {
  const auto split = [](Case& c) {
    c.task.mutable_robust()->set_groups(3);
    c.round.groups = 3;
  };
  RequireAllowed([&](Case& c) {
    split(c);
    c.policy.set_allow_groups(true);
  });
  RequireRefused(split, "POLICY", "allow_groups");
  RequireRefused([](Case& c) { c.round.groups = 2; }, "CONFIG_MISMATCH", "groups");
}

TEST_CASE("the day's rounds are counted", "[policy]") {
  RequireAllowed([](Case& c) {
    c.policy.set_max_rounds_per_day(10);
    c.history.rounds_last_day = 9;
  });
  RequireRefused(
      [](Case& c) {
        c.policy.set_max_rounds_per_day(10);
        c.history.rounds_last_day = 10;
      },
      "POLICY", "max_rounds_per_day", StatusCode::kResourceExhausted);
}

TEST_CASE("too few examples sit out", "[policy]") {
  RequireAllowed([](Case& c) {
    c.data.examples = 500;
    c.policy.set_min_local_examples(500);
    c.task.mutable_privacy()->set_noise_multiplier(10);
  });
  RequireRefused(
      [](Case& c) {
        c.data.examples = 499;
        c.policy.set_min_local_examples(500);
      },
      "DATA", "499 examples");
  RequireRefused([](Case& c) { c.data.examples = 0; }, "DATA", "0 examples");
}

TEST_CASE("a batch larger than the data is a rate of one", "[policy]") {
  const Plan plan = RequireAllowed([](Case& c) {
    c.data.examples = 100;
    c.task.mutable_training()->set_local_steps(1);
    c.task.mutable_privacy()->set_noise_multiplier(3);
  });
  REQUIRE(plan.sampling_rate == 1);
}

TEST_CASE("steps come from steps or from epochs, and are bounded", "[policy]") {
  const auto epochs = [](Case& c) {
    c.task.mutable_training()->set_local_steps(0);
    c.task.mutable_training()->set_local_epochs(2);
    c.data.examples = 7501;
  };
  REQUIRE(RequireAllowed(epochs).steps == 62);
  RequireAllowed([&](Case& c) {
    epochs(c);
    c.policy.set_max_local_steps(62);
  });
  RequireRefused(
      [&](Case& c) {
        epochs(c);
        c.policy.set_max_local_steps(61);
      },
      "POLICY", "max_local_steps");
  RequireRefused([](Case& c) { c.task.mutable_training()->set_local_steps(0); }, "CONFIG_MISMATCH",
                 "local_steps");
  RequireRefused([](Case& c) { c.task.mutable_training()->set_local_epochs(1); }, "CONFIG_MISMATCH",
                 "local_epochs");
  RequireRefused([](Case& c) { c.task.mutable_training()->set_batch_size(0); }, "CONFIG_MISMATCH",
                 "batch_size");
}

TEST_CASE("a round that is not its task's is refused by field", "[policy]") {
  const std::string code = "CONFIG_MISMATCH";
  RequireRefused([](Case& c) { c.round.job = "other"; }, code, "other");
  RequireRefused([](Case& c) { c.task.set_job("../etc"); }, code, "job name");
  RequireRefused([](Case& c) { c.round.round = 0; }, code, "number 0");
  RequireRefused([](Case& c) { c.round.round = 31; }, code, "number 31");
  RequireAllowed([](Case& c) { c.round.round = 30; });
  RequireRefused([](Case& c) { c.round.level = secagg::ThreatLevel::kCurious; }, code, "level");
  RequireRefused([](Case& c) { c.round.values = 10; }, code, "values");
  RequireRefused([](Case& c) { c.round.value_bits = 21; }, code, "value_bits");
  RequireRefused([](Case& c) { c.round.value_clip = 2; }, code, "value_clip");
  RequireRefused([](Case& c) { c.round.corrupt_fraction = 0; }, code, "corrupt_fraction");
  RequireRefused([](Case& c) { c.round.dropout_fraction = 0.5; }, code, "dropout_fraction");
  RequireRefused([](Case& c) { c.round.privacy_bits = 20; }, code, "privacy_bits");
  RequireRefused([](Case& c) { c.round.liveness_bits = 5; }, code, "liveness_bits");
  RequireRefused([](Case& c) { c.round.weight_bits = 4; }, code, "weight_bits");
  RequireRefused([](Case& c) { c.task.mutable_secure_aggregation()->set_weighting("examples"); },
                 code, "weight_bits");
  RequireRefused([](Case& c) { c.task.mutable_secure_aggregation()->set_weighting("loss"); }, code,
                 "weighting");
}

TEST_CASE("a round of a sampled task has the sample's values", "[policy]") {
  const auto sampled = [](std::uint64_t values) {
    return [values](Case& c) {
      c.task.mutable_secure_aggregation()->set_sampled_fraction(0.25);
      c.round.values = values;
    };
  };
  RequireAllowed(sampled(15427));  // a quarter of 61706, rounded
  RequireRefused(sampled(61706), "CONFIG_MISMATCH", "values 61706, its task has 15427");
  RequireRefused([](Case& c) { c.task.mutable_secure_aggregation()->set_rotate(true); },
                 "CONFIG_MISMATCH", "values 61706, its task has 61952");
  RequireRefused(
      [&](Case& c) {
        sampled(15427)(c);
        c.task.mutable_training()->set_correction("scaffold");
        c.task.mutable_training()->set_optimiser("sgd");
      },
      "CONFIG_MISMATCH", "sampled_fraction is below 1 with correction");
}

TEST_CASE("a policy without limits decides nothing", "[policy]") {
  Case c;
  c.policy.set_max_epsilon_total(0);
  REQUIRE(c.Decided().status().code() == StatusCode::kInvalidArgument);
  Case d;
  d.policy.set_delta(0);
  REQUIRE(d.Decided().status().code() == StatusCode::kInvalidArgument);
  REQUIRE(Decide({}, c.task, c.round, c.data, c.history).status().code() ==
          StatusCode::kInvalidArgument);
}

TEST_CASE("peer text in a refusal is escaped", "[policy]") {
  RequireRefused(
      [](Case& c) {
        c.task.mutable_model()->set_architecture("x\n\x1b[31m");
        c.policy.add_architectures("mlp");
      },
      "POLICY", "x\\x0a");
}

}  // namespace
}  // namespace tutti::policy
