#include "common/dp/accountant.h"
#include "tests/unit/policy/case.h"

namespace tutti::policy {
namespace {

using testing::Case;
using testing::RequireAllowed;
using testing::RequireRefused;

TEST_CASE("what was spent before counts", "[policy]") {
  const Plan plan = RequireAllowed([](Case& c) {
    c.history.events = {dp::SubsampledGaussian{0.01, 1.1, 1000}};
  });
  REQUIRE(plan.coordinator.before > 1);
  REQUIRE(plan.coordinator.after > plan.coordinator.before);
  REQUIRE(plan.coordinator.after < plan.coordinator.before + plan.coordinator.round);
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
    c.task.mutable_privacy()->set_unit("none");
    c.policy.set_allow_without_privacy(true);
  });
}

void LookAtGroups(Case& c) {
  c.task.mutable_model()->set_classes(10);
  c.task.mutable_fairness()->set_attribute("sex");
  c.task.mutable_fairness()->add_groups("female");
  c.task.mutable_fairness()->add_groups("male");
  c.task.mutable_privacy()->set_counts_noise_multiplier(2);
  c.round.extra_lanes = 9;
}

TEST_CASE("a round has the counts of its task and no others", "[policy]") {
  RequireAllowed(LookAtGroups);
  for (const std::uint32_t lanes : {1U, 8U, 10U}) {
    RequireRefused(
        [&](Case& c) {
          LookAtGroups(c);
          c.round.extra_lanes = lanes;
        },
        "CONFIG_MISMATCH", "extra lanes");
  }
  RequireRefused(
      [](Case& c) {
        LookAtGroups(c);
        c.task.mutable_fairness()->set_positive_class(10);
      },
      "CONFIG_MISMATCH", "positive_class");
}

// A job without a model that asks how many cells of a column are there.
void Analyse(Case& c) {
  c.task.set_kind("analyse");
  c.task.clear_model();
  c.task.clear_training();
  c.task.set_values(0);
  v1::QuestionSpec& question = *c.task.add_questions();
  question.set_column("age");
  question.set_statistic("count");
  c.task.mutable_privacy()->set_noise_multiplier(2);
  c.round.values = 1;
  c.round.extra_lanes = 1 + 2;
}

TEST_CASE("questions need no architecture, but noise, budget and a name", "[policy]") {
  const Plan plan = RequireAllowed([](Case& c) {
    Analyse(c);
    c.policy.add_architectures("mlp");
    c.policy.set_max_model_values(1);
  });
  REQUIRE_FALSE(plan.setting.update);
  REQUIRE(plan.steps == 0);
  REQUIRE(plan.noise_multiplier == 2);
  REQUIRE(plan.coordinator.round > 0);
  const auto refused = [](const std::function<void(Case&)>& change, const std::string& code,
                          const std::string& word) {
    RequireRefused(
        [&](Case& c) {
          Analyse(c);
          change(c);
        },
        code, word);
  };
  refused([](Case& c) { c.policy.add_jobs("digits"); }, "POLICY", "jobs");
  refused([](Case& c) { c.policy.set_min_noise_multiplier(3); }, "POLICY", "min_noise_multiplier");
  refused([](Case& c) { c.task.mutable_privacy()->set_unit("none"); }, "POLICY",
          "allow_without_privacy");
  refused([](Case& c) { c.round.extra_lanes = 2; }, "CONFIG_MISMATCH", "extra lanes");
  refused([](Case& c) { c.task.mutable_questions(0)->set_statistic("rows"); }, "CONFIG_MISMATCH",
          "questions[0].statistic");
}

TEST_CASE("counts are charged beside the update, and never go without noise", "[policy]") {
  const Plan plan = RequireAllowed(LookAtGroups);
  REQUIRE(plan.counts_event.has_value());
  const Plan alone = RequireAllowed([](Case&) {});
  REQUIRE(plan.coordinator.round > alone.coordinator.round);
  REQUIRE(plan.coordinator.round <
          alone.coordinator.round + dp::SpentEpsilon({&*plan.counts_event, 1}, 1e-5)->epsilon);
  RequireRefused(
      [](Case& c) {
        LookAtGroups(c);
        c.task.mutable_privacy()->set_counts_noise_multiplier(0);
      },
      "POLICY", "counts_noise_multiplier");
  RequireRefused(
      [](Case& c) {
        LookAtGroups(c);
        c.policy.set_min_noise_multiplier(1.1);
        c.task.mutable_privacy()->set_counts_noise_multiplier(1);
      },
      "POLICY", "counts_noise_multiplier would be 1");
  // The steps get fewer so that both fit.
  const Plan shrunk = RequireAllowed([](Case& c) {
    LookAtGroups(c);
    c.task.mutable_privacy()->set_counts_noise_multiplier(8);
    c.policy.set_max_epsilon_total(1.5);
  });
  REQUIRE(shrunk.steps < shrunk.steps_asked);
  REQUIRE(shrunk.coordinator.after <= 1.5);
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

}  // namespace
}  // namespace tutti::policy
