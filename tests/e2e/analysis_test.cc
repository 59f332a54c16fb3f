// Questions about the tables of real processes: what is published is what a plain loop over all
// rows together finds.
#include <cmath>
#include <sstream>

#include "common/config/load.h"
#include "common/config/round_template.h"
#include "common/config/validate.h"
#include "common/measure/answers.h"
#include "common/measure/metadata.h"
#include "common/measure/question_tally.h"
#include "tests/catch.h"
#include "tests/e2e/weights.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

using measure::Answer;

constexpr const char* kQuestions = R"(
[secure_aggregation]
corrupt_fraction = 0.0
dropout_fraction = 0.25
[cohort]
min_clients = 3
size = 3
[deadlines]
select_seconds = 1.0
retry_seconds = 0.2
[[questions]]
column = "f0"
statistic = "moments"
range = [-1, 4]
[[questions]]
column = "f1"
statistic = "histogram"
range = [-2, 4]
bins = 12
[[questions]]
column = "label"
statistic = "categories"
categories = ["0", "1"]
[[questions]]
column = "f2"
statistic = "count"
[[questions]]
column = "f3"
statistic = "moments"
range = [-10, 10]
)";

// Submits the job and waits for its end.
v1::TaskSpec RunSurvey(World& world, const std::string& name, const std::string& privacy,
                       int clients = 3) {
  const std::string file = world.folder() / (name + ".toml");
  WriteText(file, "name = \"" + name + "\"\nkind = \"analyse\"\nrounds = 1\n[privacy]\n" + privacy +
                      kQuestions);
  const Ran ran = world.Tutti({"run", file, "--set", "cohort.size=" + std::to_string(clients)});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 0);
  v1::JobConfig job;
  config::LoadFile(file, job);
  return config::TaskOf(job, 0);
}

// From the metadata of the job's newest checkpoint.
measure::OpenedCounts Published(World& world, const std::string& job) {
  const std::string file = world.folder() / (job + ".safetensors");
  const Ran ran = world.Tutti({"model", "export", job, "-o", file});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 0);
  const Json metadata = ReadWithPython(file).at("metadata");
  measure::OpenedCounts opened;
  std::istringstream counts(metadata.at("counts").get<std::string>());
  for (std::int64_t count = 0; counts >> count;) opened.counts.push_back(count);
  opened.clients = std::stoull(metadata.at("counts_clients").get<std::string>());
  opened.noise_multiplier = std::stod(metadata.at("counts_noise").get<std::string>());
  return opened;
}

// What one client with all rows would count.
std::vector<std::int64_t> CountedAlone(const v1::TaskSpec& task, const Table& table) {
  measure::QuestionTally tally = *measure::QuestionTally::Create(task);
  for (std::size_t row = 0; row < table.labels.size(); ++row) {
    tally.AddNumber(0, table.features[row][0]);
    tally.AddNumber(1, table.features[row][1]);
    if (!tally.AddCategory(2, std::to_string(table.labels[row]))) tally.AddOther(2);
    tally.AddPresent(3);
    tally.AddNumber(4, table.features[row][3]);
  }
  const std::vector<std::uint64_t> counts = tally.Counts();
  return {counts.begin(), counts.end()};
}

std::vector<Answer> Answers(const v1::TaskSpec& task, const std::vector<std::int64_t>& counts,
                            std::uint64_t clients, double noise) {
  const auto answers = measure::AnswersOf(task, counts, clients, noise);
  INFO(answers.status());
  REQUIRE(answers.ok());
  return *answers;
}

}  // namespace

TEST_CASE("without privacy the answers are those of the pooled table, exactly", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(3);
  const v1::TaskSpec task = RunSurvey(world, "survey", "unit = \"none\"");
  world.AwaitDone("survey");
  const measure::OpenedCounts opened = Published(world, "survey");
  REQUIRE(opened.clients == 3);
  REQUIRE(opened.noise_multiplier == Approx(0).margin(0));
  const std::vector<Answer> answers = Answers(task, opened.counts, 3, 0);

  const Table table = MakeTable(kTrainingRows, 1);
  const std::vector<Answer> alone = Answers(task, CountedAlone(task, table), 1, 0);
  for (const std::size_t question : {0U, 4U}) {
    REQUIRE(answers[question].mean.value == alone[question].mean.value);
    REQUIRE(answers[question].variance.value == alone[question].variance.value);
  }
  const Json figures = world.TuttiJson({"job", "report", "survey"}).at("figures");
  REQUIRE(figures.at(0).at("mean").at("value") == alone[0].mean.value);
  REQUIRE(figures.at(4).at("stddev").at("value") == alone[4].stddev.value);
  // By plain loops.
  constexpr double kRows = kTrainingRows;
  double mean = 0, square = 0;
  std::vector<double> bins(12);
  double below = 0, above = 0;
  for (const std::array<double, 4>& row : table.features) {
    mean += row[3] / kRows;
    square += row[3] * row[3] / kRows;
    if (row[1] < -2) {
      below += 1;
    } else if (row[1] > 4) {
      above += 1;
    } else {
      bins[static_cast<std::size_t>(std::min((row[1] + 2) * 2, 11.0))] += 1;
    }
  }
  REQUIRE(std::abs(answers[4].mean.value - mean) <= 20.0 / 131072);
  REQUIRE(std::abs(answers[4].variance.value - (square - mean * mean)) <= 400.0 / 65536);
  REQUIRE(answers[1].below.value == below);
  REQUIRE(answers[1].above.value == above);
  for (std::size_t bin = 0; bin < bins.size(); ++bin) {
    REQUIRE(answers[1].bins[bin].value == bins[bin]);
  }
  REQUIRE(answers[2].counts[0].value == kRows / 3);
  REQUIRE(answers[2].other.value == kRows / 3);
  REQUIRE(answers[3].present.value == kRows);
  REQUIRE(answers[3].missing.value == Approx(0).margin(0));
}

TEST_CASE("with privacy the answers are off by their noise, and the ledgers know", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(3);
  const Table table = MakeTable(kTrainingRows, 1);
  for (const std::string source : {"local", "distributed"}) {
    INFO(source);
    const v1::TaskSpec task =
        RunSurvey(world, source, "noise = \"" + source + "\"\nnoise_multiplier = 1.0");
    world.AwaitDone(source);
    const measure::OpenedCounts opened = Published(world, source);
    REQUIRE(opened.clients == 3);
    REQUIRE(opened.noise_multiplier >= 0.99);
    const std::vector<Answer> alone = Answers(task, CountedAlone(task, table), 1, 1e-9);
    const std::vector<Answer> answers = Answers(task, opened.counts, 3, opened.noise_multiplier);
    // Five half widths are ten standard deviations.
    const auto near = [](const measure::Figure& found, const measure::Figure& expected) {
      return found.half_width > 0 && std::abs(found.value - expected.value) <= 5 * found.half_width;
    };
    REQUIRE(near(answers[0].mean, alone[0].mean));
    REQUIRE(near(answers[0].variance, alone[0].variance));
    REQUIRE(near(answers[1].bins[4], alone[1].bins[4]));
    REQUIRE(near(answers[2].shares[1], alone[2].shares[1]));
    REQUIRE(near(answers[3].present, alone[3].present));
    bool differs = false;  // it would be strange otherwise
    for (std::size_t i = 0; i < 12; ++i) {
      differs |= answers[1].bins[i].value != alone[1].bins[i].value;
    }
    REQUIRE(differs);
  }
  for (const std::string name : {"client-0", "client-1", "client-2"}) {
    REQUIRE(world.LedgerVerifies(name));
    REQUIRE(world.ClientStatus(name).at("data").at(0).at("epsilon_spent") > 1.0);
  }
}

TEST_CASE("the answers prepare every client's table alike", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(3);
  RunSurvey(world, "survey", "unit = \"none\"");
  world.AwaitDone("survey");
  const Ran report = world.Tutti({"job", "report", "survey", "--toml", "--label", "label"});
  INFO(report.error << report.out);
  REQUIRE(report.exit_code == 0);
  // The job asked for two words of three; the owner adds the third.
  std::string prepared = report.out;
  const std::size_t at = prepared.find("[\"0\", \"1\"]");
  REQUIRE(at != prepared.npos);
  prepared.replace(at, 10, "[\"0\", \"1\", \"2\"]");
  world.Configure("client-0");
  std::string file = ReadText(world.ClientConfig("client-0"));
  const std::string usual = "[data.csv]\nlabel = \"label\"\n";
  REQUIRE(Contains(file, usual));
  file.replace(file.find(usual), usual.size(), prepared);
  WriteText(world.ClientConfig("client-0"), file);
  const Ran inspected =
      Run({world.ClientProgram(), "data", "inspect", "--config", world.ClientConfig("client-0")});
  INFO(inspected.error << inspected.out);
  REQUIRE(inspected.exit_code == 0);
  REQUIRE(Contains(inspected.out, "features   f0, f3"));
}

TEST_CASE("a device without the column sits out, and only its own log says why", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(3);
  WriteText(world.folder() / "other.csv", "f0,f1,f2,label\n1,2,3,0\n2,3,4,1\n");
  world.Enrol("odd", {.data_file = "other.csv"});
  world.StartClient("odd");
  world.AwaitAttached("odd");
  RunSurvey(world, "survey", "unit = \"none\"", 4);
  world.AwaitDone("survey");
  REQUIRE(world.AwaitRefusal("survey", "odd", "DATA"));
  REQUIRE(Published(world, "survey").clients == 3);
  const std::string told = world.Job("survey").rounds(0).DebugString();
  REQUIRE_FALSE(Contains(told, "other.csv"));
  REQUIRE_FALSE(Contains(told, "f3"));
  REQUIRE(Contains(world.ClientLog("odd"), "a column \\\"f3\\\", which is not there"));
}

}  // namespace tutti::e2e
