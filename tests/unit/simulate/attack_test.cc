// Clients that plant a backdoor, models that are measured with changed examples, and models that
// give way to better ones.
#include <optional>

#include "tests/unit/simulate/trial.h"

namespace tutti::simulate {
namespace {

// One client of twelve replaces the model by its own; the trigger is a square of 5 pixels.
const std::vector<std::string> kBackdoor{"malicious.share=0.09",   "malicious.kind=backdoor",
                                         "malicious.strength=12",  "malicious.target_class=1",
                                         "malicious.poisoned=0.3", "malicious.trigger=5"};

double Success(const Outcome& outcome) { return *outcome.report.rounds.back().backdoor_success; }

TEST_CASE(
    "a backdoor goes into the plain mean, and neither into the median of groups nor past a "
    "bound on the norm",
    "[simulate]") {
  const ImageFiles files(240, 120);
  const auto run = [&](std::vector<std::string> more, std::vector<std::string> world = kBackdoor) {
    more.push_back("rounds=6");
    return RunTrial(NewTrial(files, ImageJob(std::move(more)), std::move(world)), 1, false);
  };
  std::vector<std::string> nobody = kBackdoor;
  nobody[0] = "malicious.share=0";
  const Outcome honest = run({}, nobody);
  REQUIRE(Success(honest) < 0.1);

  const Outcome mean = run({});
  REQUIRE(mean.report.rounds.back().malicious == 1);
  REQUIRE(Success(mean) > 0.9);
  REQUIRE(Accuracy(mean) > 0.9);

  const Outcome median = run({"robust.groups=4", "robust.rule=median"});
  REQUIRE(median.report.rounds.back().malicious == 1);
  REQUIRE(Success(median) < 0.2);
  REQUIRE(Accuracy(median) > 0.9);

  // A liar that ignores the bound spoils its group's sum, which is left out.
  const Outcome bounded = run({"robust.groups=3", "robust.max_update_norm=1.5"});
  REQUIRE(bounded.report.rounds.front().groups_left_out == 1);
  REQUIRE(bounded.report.excluded == 1);
  REQUIRE(honest.report.rounds.front().update_norm < 1);
  REQUIRE(Success(bounded) < 0.2);
  REQUIRE(Accuracy(bounded) > 0.9);
}

TEST_CASE("a backdoor is measured on the examples of other classes alone, whoever trains",
          "[simulate]") {
  const ImageFiles files(120, 40);
  const Outcome quiet = RunTrial(NewTrial(files, ImageJob()), 1, false);
  REQUIRE(!quiet.report.rounds.back().backdoor_success);
  const Trial trial = NewTrial(files, ImageJob(), kBackdoor);
  const Outcome one = RunTrial(trial, 1, false);
  const Outcome other = RunTrial(trial, 3, true);
  REQUIRE(one.model == other.model);
  REQUIRE(Success(one) == Success(other));
  REQUIRE(Success(one) * 20 == Approx(std::round(Success(one) * 20)));  // of 20 examples
}

TEST_CASE("a backdoor the job cannot have is refused before anyone trains", "[simulate]") {
  const ImageFiles files(30, 10);
  auto job = SmallJob(ImageJob());
  const auto world = SmallWorld({"clients=10"});
  auto examples = LoadExamples({.data = files.folder(), .test = "", .test_fraction = 0},
                               job.config.model(), world);
  v1::MaliciousProfile profile = SmallWorld(kBackdoor).malicious();
  profile.set_target_class(2);
  const auto data = LearningDataOf(job.config.model(), *examples, {{}, profile});
  REQUIRE(TextOf(data.status()).find("malicious.target_class is 2") != std::string::npos);
}

TEST_CASE("models of a job with an adversary train on changed examples and are measured with them",
          "[simulate]") {
  const ImageFiles files(240, 80);
  const std::vector<std::string> adversary{"adversary.kind=pgd", "adversary.radius=0.2",
                                           "adversary.steps=5", "adversary.range=0,1", "rounds=20"};
  const Trial trial = NewTrial(files, ImageJob(adversary));
  const Outcome hardened = RunTrial(trial, 1, false);
  REQUIRE(RunTrial(trial, 3, true).model == hardened.model);

  Trial plain = NewTrial(files, ImageJob({"rounds=20"}));
  const Outcome not_measured = RunTrial(plain, 1, false);
  REQUIRE(!not_measured.report.rounds.back().robust_accuracy);
  auto data = std::make_shared<LearningData>(*plain.data);
  data->adversary = trial.job.config.adversary();
  plain.data = data;
  const Outcome usual = RunTrial(plain, 1, false);
  REQUIRE(usual.model == not_measured.model);
  REQUIRE(Accuracy(usual) > 0.95);
  REQUIRE(Accuracy(hardened) > 0.95);
  const double before = *usual.report.rounds.back().robust_accuracy;
  const double after = *hardened.report.rounds.back().robust_accuracy;
  INFO(before << " " << after);
  REQUIRE(before < Accuracy(usual));
  REQUIRE(after > before + 0.05);
}

TEST_CASE("a model that is too much worse gives way to the best one", "[simulate]") {
  const ImageFiles files(240, 80);
  const std::vector<std::string> liar{"malicious.share=0.09", "malicious.kind=sign_flip",
                                      "malicious.strength=60", "seed=3"};
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"rounds=8", "cohort.size=5", "evaluation.every=1"});
    return RunTrial(NewTrial(files, ImageJob(std::move(more)), liar), 1, false).report;
  };
  const Report harmed = run({});
  const Report rescued = run({"evaluation.max_loss_increase=0.5"});
  REQUIRE(rescued.done);
  REQUIRE(rescued.rounds.size() == 8);
  std::optional<std::uint64_t> dropped;
  for (const RoundReport& round : rescued.rounds) {
    if (round.back_to == 0) continue;
    dropped = round.round;
    REQUIRE(round.malicious > 0);
    REQUIRE(round.back_to < round.round);
    const RoundReport& best = rescued.rounds[round.back_to - 1];
    REQUIRE(*round.test_loss > 1.5 * *best.test_loss);
  }
  REQUIRE(dropped);
  REQUIRE(*rescued.rounds.back().test_loss < *harmed.rounds.back().test_loss);
}

}  // namespace
}  // namespace tutti::simulate
