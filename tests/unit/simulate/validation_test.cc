// Simulations of jobs whose clients count how the received model does (evaluation.by = "clients").
#include "tests/catch.h"
#include "tests/unit/simulate/trial.h"

namespace tutti::simulate {
namespace {

std::vector<std::string> ByClients(std::vector<std::string> more) {
  more.insert(more.end(), {"rounds=8", "cohort.size=5", "evaluation.by=clients"});
  return more;
}

Outcome RunImages(std::vector<std::string> more, bool secure, std::size_t threads = 1) {
  static const ImageFiles files(240, 80);
  return RunTrial(NewTrial(files, ImageJob(ByClients(std::move(more))), {"seed=3"}), threads,
                  secure);
}

TEST_CASE("each round tells how its clients found the model before", "[simulate]") {
  const Report report = RunImages({}, false).report;
  REQUIRE(report.rounds.size() == 8);
  for (const RoundReport& round : report.rounds) {
    REQUIRE(round.clients_loss);
    REQUIRE(round.clients_accuracy);
  }
  // The first model knows nothing, whatever it guesses; the last ones know a lot.
  REQUIRE(*report.rounds.back().clients_accuracy > 0.9);
  REQUIRE(*report.rounds.back().clients_loss < *report.rounds.front().clients_loss / 2);
}

TEST_CASE("counted answers steer the same with masks and on any number of threads", "[simulate]") {
  // A factor so small that the second half of the job hardly moves once a loss is no better.
  const std::vector<std::string> plateau{"training.schedule=plateau", "training.plateau_rounds=1",
                                         "training.plateau_factor=0.001",
                                         "training.learning_rate=2"};
  const Outcome outcome = RunImages(plateau, false);
  const auto& rounds = outcome.report.rounds;
  bool worse = false;
  for (std::size_t i = 1; i < rounds.size(); ++i) {
    if (worse) REQUIRE(rounds[i].update_norm < 0.05 * rounds.front().update_norm);
    double best = *rounds.front().clients_loss;
    for (std::size_t k = 0; k < i; ++k) best = std::min(best, *rounds[k].clients_loss);
    worse = worse || *rounds[i].clients_loss >= best;
  }
  REQUIRE(worse);
  REQUIRE(RunImages(plateau, false, 3).model == outcome.model);
  REQUIRE(RunImages(plateau, true).model == outcome.model);
}

TEST_CASE("a job ends early by what its clients counted", "[simulate]") {
  const Report report =
      RunImages({"training.learning_rate=1e-9", "evaluation.patience=2"}, false).report;
  REQUIRE(report.done);
  REQUIRE(report.rounds.size() < 8);
  REQUIRE(report.ended.find("ended early") != std::string::npos);
}

TEST_CASE("answers are noisy with privacy and cost epsilon", "[simulate]") {
  const std::vector<std::string> privacy{"privacy.unit=example", "privacy.noise_multiplier=1",
                                         "privacy.delta=1e-3"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), privacy.begin(), privacy.end());
    return RunImages(std::move(more), false).report;
  };
  const Report loud = with({"privacy.counts_noise_multiplier=100"});
  const Report quiet = with({"privacy.counts_noise_multiplier=1"});
  REQUIRE(quiet.epsilon_coordinator > loud.epsilon_coordinator + 0.1);
  REQUIRE(quiet.rounds.back().clients_loss);
  // 100 * 2 ln 10 an example on the sum over 150 examples says nothing, and is not said.
  REQUIRE_FALSE(loud.rounds.back().clients_loss);
}

}  // namespace
}  // namespace tutti::simulate
