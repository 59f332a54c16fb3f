// Federated evaluation with real processes: the sums the operator reads are those of all clients'
// examples, computed here in plain loops.
#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "tests/catch.h"
#include "tests/e2e/weights.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

const Weights kModel{.weight = {{{0.9, -0.2, 0, 0.1}, {0, 0.8, 0.3, -0.1}, {-0.4, 0, 0.7, 0.2}}},
                     .bias = {0.05, -0.1, 0.02}};
const std::vector<std::string> kWords{"north", "south", "east"};

// Three clients with tables of different sizes; the rows' regions take turns.
struct Clients {
  std::vector<Table> tables;
  explicit Clients(World& world) {
    for (std::uint32_t i = 0; i < 3; ++i) {
      const std::string name = "client-" + std::to_string(i);
      tables.push_back(MakeTable(70 + 45 * i, 300 + i));
      WriteText(world.folder() / (name + ".csv"), WithRegion(tables.back().Csv()));
      ClientOptions options{.data_file = name + ".csv"};
      options.data = "sensitive = [\"region\"]\n";
      world.Enrol(name, options);
      world.StartClient(name);
      world.AwaitAttached(name);
    }
  }

  static std::string WithRegion(const std::string& csv) {
    std::istringstream lines(csv);
    std::string text, line;
    for (std::size_t row = 0; std::getline(lines, line); ++row) {
      text += line + "," + (row == 0 ? "region" : kWords[(row - 1) % 3]) + "\n";
    }
    return text;
  }
};

std::vector<std::string> Measured(const World& world, const std::vector<std::string>& more = {}) {
  std::vector<std::string> sets{"kind=evaluate",
                                "rounds=1",
                                "privacy.unit=none",
                                "privacy.noise_multiplier=0.0",
                                "training.local_steps=0",
                                "cohort.size=3",
                                "cohort.min_clients=3",
                                "measure.bins=10",
                                "warm_start=" + world.folder() / "model.safetensors"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

const std::vector<std::string> kRegions{"fairness.attribute=region",
                                        "fairness.groups=[\"south\", \"north\"]",
                                        "fairness.positive_class=2"};

// What the model says of a row: the probability of each class, and the likeliest.
struct Answer {
  std::array<double, 3> probability{};
  std::size_t top = 0;
};
Answer Ask(const std::array<double, 4>& row) {
  Answer answer;
  double sum = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    double logit = kModel.bias[c];
    for (std::size_t f = 0; f < 4; ++f) logit += kModel.weight[c][f] * row[f];
    answer.probability[c] = std::exp(logit);
    sum += answer.probability[c];
    if (answer.probability[c] > answer.probability[answer.top]) answer.top = c;
  }
  for (double& p : answer.probability) p /= sum;
  return answer;
}

// The lanes of docs/measuring.md for three classes, ten bins and three rows of groups.
std::vector<std::int64_t> Central(const std::vector<Table>& tables, bool groups) {
  constexpr std::size_t kBins = 10;
  const std::size_t rows = groups ? 3 : 1;
  std::vector<std::int64_t> outcomes(rows * 9), scores(3 * 2 * kBins), calibration(2 * kBins);
  std::vector<std::int64_t> confidence(kBins), clients(kBins);
  std::int64_t loss = 0;
  for (const Table& table : tables) {
    std::vector<double> above(kBins);
    double own_loss = 0;
    std::size_t right = 0;
    for (std::size_t i = 0; i < table.labels.size(); ++i) {
      const Answer answer = Ask(table.features[i]);
      const auto label = static_cast<std::size_t>(table.labels[i]);
      const std::size_t group = !groups ? 0 : i % 3 == 0 ? 1 : i % 3 == 1 ? 0 : 2;  // south, north
      ++outcomes[9 * group + 3 * label + answer.top];
      right += answer.top == label ? 1 : 0;
      own_loss -= std::log(answer.probability[label]);
      for (std::size_t c = 0; c < 3; ++c) {
        const double odds = std::log(answer.probability[c] / (1 - answer.probability[c]));
        const auto bin =
            static_cast<std::size_t>(kBins * (0.5 + 0.5 * odds / (1 + std::abs(odds))));
        ++scores[(2 * c + (c == label ? 1 : 0)) * kBins + bin];
      }
      const double place = (answer.probability[answer.top] - 1.0 / 3) / (2.0 / 3) * kBins;
      const auto bin = std::min(static_cast<std::size_t>(place), kBins - 1);
      ++calibration[2 * bin];
      calibration[2 * bin + 1] += answer.top == label ? 1 : 0;
      above[bin] += place - static_cast<double>(bin);
    }
    for (std::size_t bin = 0; bin < kBins; ++bin) confidence[bin] += std::llround(100 * above[bin]);
    loss += std::llround(100 * own_loss);
    ++clients[right * kBins / table.labels.size()];
  }
  std::vector<std::int64_t> all;
  for (const auto* part : {&outcomes, &scores, &calibration, &confidence}) {
    all.insert(all.end(), part->begin(), part->end());
  }
  all.push_back(loss);
  all.insert(all.end(), clients.begin(), clients.end());
  return all;
}

}  // namespace

TEST_CASE("the sums of an evaluation are those of all clients' examples, exactly", "[e2e]") {
  World world;
  world.StartServer();
  const Clients clients(world);
  WriteText(world.folder() / "model.safetensors", SafetensorsOf(kModel));
  std::vector<std::string> words = world.RunCommand("measure", Measured(world, kRegions));
  words.emplace_back("--watch");
  const Ran watched = world.Tutti(words);
  INFO(watched.out << watched.error);
  REQUIRE(watched.exit_code == 0);
  REQUIRE(Contains(watched.out, "tutti job report measure"));
  REQUIRE(world.Job("measure").rounds(0).survivors() == 3);
  const Json report = world.TuttiJson({"job", "report", "measure"});
  REQUIRE(report.at("clients") == 3);
  REQUIRE(report.at("noise_multiplier") == 0);
  REQUIRE(report.at("counts").get<std::vector<std::int64_t>>() == Central(clients.tables, true));
  const double examples = 70 + 115 + 160;
  REQUIRE(report.at("figures").at("examples").at("value") == examples);
  const Ran text = world.Tutti({"job", "report", "measure", "--round", "1"});
  INFO(text.out << text.error);
  REQUIRE(text.exit_code == 0);
  REQUIRE(Contains(text.out, "345"));
  REQUIRE(Contains(text.out, "gaps between them"));

  // A job that measures changes no weight.
  const std::string file = world.folder() / "after.safetensors";
  REQUIRE(world.Tutti({"model", "export", "measure", "-o", file}).exit_code == 0);
  const Weights after = WeightsFrom(ReadWithPython(file).at("tensors"));
  REQUIRE(LargestDifference(after, kModel) < 1e-6);
}

TEST_CASE("an evaluation with noise is debited, and its sums are near the true ones", "[e2e]") {
  World world;
  world.StartServer();
  const Clients clients(world);
  WriteText(world.folder() / "model.safetensors", SafetensorsOf(kModel));
  world.Submit("noisy", Measured(world, {"privacy.unit=example", "privacy.noise_multiplier=2.0",
                                         "privacy.noise=distributed"}));
  world.AwaitDone("noisy");
  const Json report = world.TuttiJson({"job", "report", "noisy"});
  REQUIRE(report.at("noise_multiplier") >= 2.0);
  const auto counts = report.at("counts").get<std::vector<std::int64_t>>();
  const std::vector<std::int64_t> exact = Central(clients.tables, false);
  REQUIRE(counts.size() == exact.size());
  REQUIRE(counts != exact);
  // Outcomes: 2 * sqrt(6 families) in each of nine lanes, and twice that is allowed for.
  for (std::size_t i = 0; i < 9; ++i) {
    REQUIRE(std::abs(static_cast<double>(counts[i] - exact[i])) < 8 * 2 * std::sqrt(6.0));
  }
  REQUIRE(world.Job("noisy").rounds(0).max_epsilon() > 0);
  REQUIRE(world.ClientInfo("client-0").epsilon_spent() > 0);
  REQUIRE(world.LedgerVerifies("client-0"));
}

TEST_CASE("devices whose owners list no such column take no part, and their logs say why",
          "[e2e]") {
  World world;
  world.StartServer();
  const Clients clients(world);
  WriteText(world.folder() / "model.safetensors", SafetensorsOf(kModel));
  std::vector<std::string> sets = Measured(world, kRegions);
  sets.insert(sets.end(), {"fairness.attribute=income", "deadlines.max_failures=2"});
  world.Submit("refused", sets);
  REQUIRE(WaitUntil([&] { return world.Job("refused").job().state() == "failed"; }));
  // An attempt may end before the slowest has looked at its table.
  bool told = false;
  for (const std::string name : {"client-0", "client-1", "client-2"}) {
    told |= Contains(world.ClientLog(name), "data.sensitive does not list");
  }
  REQUIRE(told);
  REQUIRE(!Contains(world.ServerLog(), "data.sensitive"));
  REQUIRE(world.Tutti({"job", "report", "refused"}).exit_code != 0);
}

TEST_CASE("a job that evaluates another model's file is refused", "[e2e]") {
  World world;
  world.StartServer();
  WriteText(world.folder() / "model.safetensors", SafetensorsOf(kModel));
  const Ran ran = world.Tutti(
      world.RunCommand("other", Measured(world, {"model.architecture=mlp", "model.hidden=[7]"})));
  INFO(ran.error);
  REQUIRE(ran.exit_code != 0);
  REQUIRE(Contains(ran.error, "warm_start"));
}

}  // namespace tutti::e2e
