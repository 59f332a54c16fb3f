#include "client/policy/policy.h"

#include <cmath>
#include <functional>
#include <string>

#include "tests/catch.h"

namespace tutti::policy {
namespace {

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
void RequireRefused(const std::function<void(Case&)>& change, const std::string& code,
                    const std::string& word, StatusCode status = StatusCode::kPermissionDenied) {
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
Plan RequireAllowed(const std::function<void(Case&)>& change) {
  Case c;
  change(c);
  const StatusOr<Plan> plan = c.Decided();
  INFO(TextOf(plan.status()));
  REQUIRE(plan.ok());
  return *plan;
}

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

TEST_CASE("what was spent before counts", "[policy]") {
  const Plan plan = RequireAllowed([](Case& c) {
    c.history.events = {dp::SubsampledGaussian{0.01, 1.1, 1000}};
  });
  REQUIRE(plan.coordinator.before > 1);
  REQUIRE(plan.coordinator.after > plan.coordinator.before);
  REQUIRE(plan.coordinator.after < plan.coordinator.before + plan.coordinator.round);
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

TEST_CASE("training without privacy needs the owner's word and costs no budget", "[policy]") {
  const auto none = [](Case& c) { c.task.mutable_privacy()->set_unit("none"); };
  RequireRefused(none, "POLICY", "allow_without_privacy");
  const Plan plan = RequireAllowed([&](Case& c) {
    none(c);
    c.policy.set_allow_without_privacy(true);
    c.history.events = {dp::UnknownRelease{}};
  });
  REQUIRE(!plan.with_privacy());
  REQUIRE(dp::StepsOf(plan.event) == 0);
  REQUIRE(plan.noise_multiplier == 0);
  REQUIRE(plan.steps == 20);
  RequireRefused([](Case& c) { c.task.mutable_privacy()->set_unit("group"); }, "CONFIG_MISMATCH",
                 "privacy.unit");
  RequireRefused([](Case& c) { c.task.mutable_privacy()->clear_unit(); }, "CONFIG_MISMATCH",
                 "privacy.unit");
}

TEST_CASE("whose noise is trusted is the owner's choice", "[policy]") {
  const auto by = [](const std::string& noise) {
    return [noise](Case& c) {
      c.task.mutable_privacy()->set_unit("client");
      c.task.mutable_privacy()->set_noise(noise);
      c.task.mutable_privacy()->set_noise_multiplier(100);
      c.round = *privacy::FitRing(c.task, c.round);
    };
  };
  for (const char* const noise : {"central", "tree"}) {
    RequireRefused(by(noise), "POLICY", "privacy.noise");
    RequireRefused(
        [&](Case& c) {
          by(noise)(c);
          c.policy.add_noise("local");
          c.policy.add_noise("distributed");
        },
        "POLICY", "coordinator is trusted");
    const Plan plan = RequireAllowed([&](Case& c) {
      by(noise)(c);
      c.policy.add_noise(noise);
      c.policy.set_max_epsilon_total(1000);
    });
    REQUIRE(std::isinf(plan.coordinator.after));
    REQUIRE(plan.models.after > 0);
    REQUIRE(std::isfinite(plan.models.after));
  }
  const Plan shares = RequireAllowed([&](Case& c) {
    by("distributed")(c);
    c.policy.set_max_epsilon_total(1000);
  });
  REQUIRE(shares.terms.has_value());
  REQUIRE(shares.models.after <= shares.coordinator.after);
  RequireRefused(
      [&](Case& c) {
        by("distributed")(c);
        c.policy.add_noise("local");
      },
      "POLICY", "corrupt_fraction");
}

TEST_CASE("the budget counts what the owner's trust leaves to count", "[policy]") {
  const auto central = [](Case& c) {
    c.task.mutable_privacy()->set_unit("client");
    c.task.mutable_privacy()->set_noise("central");
    c.round = *privacy::FitRing(c.task, c.round);
    c.policy.add_noise("central");
  };
  Case c;
  central(c);
  c.policy.set_max_epsilon_total(1000);
  const double models = c.Decided()->models.after;
  RequireRefused(
      [&](Case& d) {
        central(d);
        d.policy.set_max_epsilon_total(models * 0.99);
      },
      "BUDGET_EXHAUSTED", "whoever sees only the models", StatusCode::kResourceExhausted);
  // An owner who trusts the coordinator no more has spent all there is with it.
  RequireRefused([](Case& d) { d.history.events = {dp::UnknownRelease{}}; }, "BUDGET_EXHAUSTED",
                 "against the coordinator inf", StatusCode::kResourceExhausted);
}

TEST_CASE("a tree is paid for once and covers no more rounds than planned", "[policy]") {
  const auto tree = [](std::uint64_t rounds_before) {
    return [rounds_before](Case& c) {
      c.task.mutable_privacy()->set_unit("client");
      c.task.mutable_privacy()->set_noise("tree");
      c.task.mutable_privacy()->set_noise_multiplier(10);
      c.task.mutable_privacy()->set_planned_rounds(3);
      c.round = *privacy::FitRing(c.task, c.round);
      c.policy.add_noise("tree");
      c.policy.set_max_epsilon_total(1000);
      c.history.rounds_of_job = rounds_before;
    };
  };
  REQUIRE(RequireAllowed(tree(0)).models.round > 0);
  REQUIRE(RequireAllowed(tree(1)).models.round == 0);
  REQUIRE(RequireAllowed(tree(2)).models.round == 0);
  RequireRefused(tree(3), "POLICY", "planned_rounds", StatusCode::kResourceExhausted);
}

TEST_CASE("weights and metrics of private data are not summed with privacy on", "[policy]") {
  const auto weighted = [](Case& c) {
    c.task.mutable_secure_aggregation()->set_weighting("examples");
    c.round.weight_bits = 10;
  };
  RequireRefused(weighted, "CONFIG_MISMATCH", "weighting");
  RequireRefused([](Case& c) { c.round.extra_lanes = 2; }, "CONFIG_MISMATCH", "extra lanes");
  RequireAllowed([&](Case& c) {
    weighted(c);
    c.round.extra_lanes = 3;
    c.task.mutable_privacy()->set_unit("none");
    c.policy.set_allow_without_privacy(true);
  });
}

TEST_CASE("noise and clip stay inside the owner's limits", "[policy]") {
  RequireAllowed([](Case& c) { c.policy.set_min_noise_multiplier(1.1); });
  RequireRefused([](Case& c) { c.policy.set_min_noise_multiplier(1.11); }, "POLICY",
                 "min_noise_multiplier");
  for (const double clip : {0.0, -1.0, 101.0, std::nan("")}) {
    RequireRefused([&](Case& c) { c.task.mutable_privacy()->set_clip_norm(clip); }, "POLICY",
                   "max_clip_norm");
  }
  RequireAllowed([](Case& c) { c.task.mutable_privacy()->set_clip_norm(100); });
  for (const double noise : {-1.0, std::nan(""), static_cast<double>(INFINITY)}) {
    RequireRefused([&](Case& c) { c.task.mutable_privacy()->set_noise_multiplier(noise); },
                   "POLICY", "noise_multiplier");
  }
  // No owner's limit lets a private job run without noise.
  RequireRefused(
      [](Case& c) {
        c.policy.set_min_noise_multiplier(0);
        c.task.mutable_privacy()->set_noise_multiplier(0);
      },
      "POLICY", "without noise");
}

TEST_CASE("noise is calibrated over the planned rounds", "[policy]") {
  const auto target = [](Case& c) {
    c.task.mutable_privacy()->set_noise_multiplier(0);
    c.task.mutable_privacy()->set_target_epsilon(3);
    c.policy.set_max_epsilon_total(3);
  };
  Case c;
  target(c);
  const double noise = c.Decided()->noise_multiplier;
  // Every planned round fits the target, and little is left after the last.
  for (int round = 1; round <= 30; ++round) {
    c.round.round = static_cast<std::uint64_t>(round);
    const StatusOr<Plan> plan = c.Decided();
    REQUIRE(plan.ok());
    REQUIRE(plan->noise_multiplier == noise);
    c.history.events.push_back(plan->event);
  }
  REQUIRE(CodeOf(c.Decided().status()) == "BUDGET_EXHAUSTED");
  const Plan fewer = RequireAllowed([&](Case& d) {
    target(d);
    d.task.mutable_privacy()->set_planned_rounds(10);
  });
  REQUIRE(fewer.noise_multiplier < noise);
  RequireRefused(
      [&](Case& d) {
        target(d);
        d.task.mutable_privacy()->set_target_epsilon(1e-6);
      },
      "POLICY", "target");
  RequireRefused(
      [&](Case& d) {
        target(d);
        d.task.set_rounds(std::uint64_t{1} << 40);
      },
      "CONFIG_MISMATCH", "steps in all");
  RequireRefused(
      [&](Case& d) {
        target(d);
        d.policy.set_min_noise_multiplier(noise + 0.1);
      },
      "POLICY", "min_noise_multiplier");
}

TEST_CASE("the budget ends the device's part, with the numbers", "[policy]") {
  Case c;
  const double round = c.Decided()->coordinator.round;
  RequireAllowed([&](Case& d) { d.policy.set_max_epsilon_total(round * 1.0001); });
  RequireRefused([&](Case& d) { d.policy.set_max_epsilon_total(0.01); }, "BUDGET_EXHAUSTED",
                 "max_epsilon_total", StatusCode::kResourceExhausted);
  RequireRefused(
      [](Case& d) {
        d.history.events = {dp::SubsampledGaussian{0.01, 0.5, 10000}};
      },
      "BUDGET_EXHAUSTED", "spent", StatusCode::kResourceExhausted);
  RequireRefused([](Case& d) { d.history.events = {dp::UnknownRelease{}}; }, "BUDGET_EXHAUSTED",
                 "inf", StatusCode::kResourceExhausted);
  RequireAllowed([&](Case& d) { d.policy.set_max_epsilon_round(round * 1.0001); });
  RequireRefused([&](Case& d) { d.policy.set_max_epsilon_round(0.01); }, "POLICY",
                 "max_epsilon_round");
}

TEST_CASE("a round that does not fit is made as long as what is left", "[policy]") {
  Case c;
  const double round = c.Decided()->coordinator.round;
  for (const bool total : {true, false}) {
    const Plan plan = RequireAllowed([&](Case& d) {
      total ? d.policy.set_max_epsilon_total(round * 0.99)
            : d.policy.set_max_epsilon_round(round * 0.99);
    });
    REQUIRE(plan.steps_asked == 20);
    REQUIRE(plan.steps < 20);
    REQUIRE(plan.steps > 0);
    REQUIRE(dp::StepsOf(plan.event) == plan.steps);
    REQUIRE(plan.coordinator.after <= round * 0.99);
    const dp::Event more = dp::WithSteps(plan.event, plan.steps + 1);
    REQUIRE(dp::SpentEpsilon({&more, 1}, 1e-5)->epsilon > round * 0.99);
  }
  REQUIRE(RequireAllowed([](Case&) {}).steps_asked == 0);
}

TEST_CASE("a refused cost says which bound it was and the ways out", "[policy]") {
  const auto reason = [](const std::function<void(Case&)>& change) {
    Case c;
    change(c);
    return ReasonOf(c.Decided().status());
  };
  const std::string ways =
      "; this device sits out until its owner raises the bound in policy.toml and restarts "
      "tutti-client, or the job costs less";
  const std::string total = reason([](Case& c) { c.policy.set_max_epsilon_total(0.125); });
  INFO(total);
  REQUIRE(total.find("max_epsilon_total is 0.125 at delta 1e-05, spent against the coordinator "
                     "0.000, with this round ") == 0);
  REQUIRE(total.ends_with(ways));
  REQUIRE(total.size() <= 512);  // what a decline may carry
  const std::string one = reason([](Case& c) { c.policy.set_max_epsilon_round(0.125); });
  INFO(one);
  REQUIRE(one.find(", max_epsilon_round is 0.125" + ways) != std::string::npos);
}

TEST_CASE("the policy's delta rules, whatever the job calls its own", "[policy]") {
  const Plan loose = RequireAllowed([](Case& c) { c.task.mutable_privacy()->set_delta(0.01); });
  const Plan usual = RequireAllowed([](Case&) {});
  REQUIRE(loose.coordinator.after == usual.coordinator.after);
  const Plan strict = RequireAllowed([](Case& c) { c.policy.set_delta(1e-8); });
  REQUIRE(strict.coordinator.after > usual.coordinator.after);
  RequireAllowed([](Case& c) { c.data.examples = 99999; });
  RequireRefused([](Case& c) { c.data.examples = 100000; }, "POLICY", "delta");
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
