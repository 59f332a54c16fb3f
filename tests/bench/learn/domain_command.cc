#include "tests/bench/learn/domain_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/learn/runtime.h"
#include "common/learn/train.h"
#include "common/model/architecture.h"
#include "common/model/safetensors.h"
#include "common/platform/files.h"
#include "tests/bench/learn/central.h"
#include "tests/bench/learn/federated.h"

namespace tutti::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxModelBytes = std::uint64_t{1} << 32;

struct Options {
  std::string job, client, model;
  std::vector<std::string> sets, client_sets;
  bool local = false, federated = false;
};

void Quiet(std::uint64_t /*done*/, std::uint64_t /*total*/) {}

double Rounded(double value) { return std::round(value * 1e4) / 1e4; }

// How likely the model holds the last class to be, row by row: from the loss of saying it.
StatusOr<std::vector<double>> ScoresOfLast(const v1::ModelSpec& model, const data::Dataset& test,
                                           std::span<const float> weights) {
  const std::uint32_t last = model.classes() - 1;
  const std::span<const float> features = test.features;
  std::vector<double> scores;
  for (std::size_t row = 0; row < test.examples; ++row) {
    TUTTI_ASSIGN(const learn::EvaluateResult one,
                 learn::Evaluate(model,
                                 {.features = features.subspan(row * test.width, test.width),
                                  .labels = std::span(&last, 1)},
                                 weights, Quiet));
    scores.push_back(std::exp(-one.loss));
  }
  return scores;
}

// The chance that a row of the last class scores above one of the others (ties count half).
double AreaUnderCurve(const std::vector<double>& scores, const data::Dataset& test,
                      std::uint32_t last) {
  double above = 0, pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (test.labels[i] != last) continue;
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (test.labels[j] == last) continue;
      above += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
      pairs += 1;
    }
  }
  return pairs > 0 ? above / pairs : 0.5;
}

// Of one group: how often the last class is said when it is said as often as it occurs, how many
// of its rows are found and how many others are called it wrongly. Null: no such rows.
Json GroupScore(const std::vector<double>& scores, const data::Dataset& test,
                const data::Groups& groups, std::uint32_t group, std::uint32_t last) {
  std::vector<double> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto occurs =
      static_cast<std::size_t>(std::count(test.labels.begin(), test.labels.end(), last));
  const double threshold = sorted[std::min(occurs, sorted.size() - 1)];
  double rows = 0, said = 0, of_last = 0, found = 0;
  for (std::size_t row = 0; row < test.examples; ++row) {
    if (groups.codes[row] != group) continue;
    const bool is_said = scores[row] > threshold, is_last = test.labels[row] == last;
    rows += 1;
    said += is_said ? 1 : 0;
    of_last += is_last ? 1 : 0;
    found += is_said && is_last ? 1 : 0;
  }
  const auto share = [](double part, double whole) {
    return whole > 0 ? Json(Rounded(part / whole)) : Json();
  };
  return {{"column", groups.column},
          {"group", groups.names[group]},
          {"examples", rows},
          {"are", share(of_last, rows)},
          {"said", share(said, rows)},
          {"found", share(found, of_last)},
          {"wrongly", share(said - found, rows - of_last)}};
}

// Accuracy and loss; of two classes also what does not hang on a threshold, and the groups.
StatusOr<Json> ScoreOf(const v1::ModelSpec& model, const data::Dataset& test,
                       std::span<const float> weights) {
  TUTTI_ASSIGN(
      const learn::EvaluateResult score,
      learn::Evaluate(model, {.features = test.features, .labels = test.labels}, weights, Quiet));
  Json json = {{"accuracy", Rounded(score.accuracy)}, {"loss", Rounded(score.loss)}};
  if (model.classes() != 2) return json;
  TUTTI_ASSIGN(const std::vector<double> scores, ScoresOfLast(model, test, weights));
  json["auc"] = Rounded(AreaUnderCurve(scores, test, 1));
  json["groups"] = Json::array();
  for (const data::Groups& groups : test.groups) {
    for (std::uint32_t group = 0; group < groups.names.size(); ++group) {
      json["groups"].push_back(GroupScore(scores, test, groups, group, 1));
    }
  }
  return json;
}

// Splits the validation part off.
data::Dataset TakeValidation(data::Dataset& data) {
  const std::size_t first = data.training();
  data::Dataset test;
  test.examples = data.validation;
  test.width = data.width;
  test.features.assign(data.features.begin() + static_cast<std::ptrdiff_t>(first * data.width),
                       data.features.end());
  test.labels.assign(data.labels.begin() + static_cast<std::ptrdiff_t>(first), data.labels.end());
  for (data::Groups& groups : data.groups) {
    const auto cut = groups.codes.begin() + static_cast<std::ptrdiff_t>(first);
    test.groups.push_back(
        {.column = groups.column, .names = groups.names, .codes = {cut, groups.codes.end()}});
    groups.codes.erase(cut, groups.codes.end());
  }
  data.features.resize(first * data.width);
  data.labels.resize(first);
  data.examples = first;
  data.validation = 0;
  return test;
}

StatusOr<std::vector<float>> Trained(const v1::JobConfig& job, data::Dataset train,
                                     const data::Dataset& test, Json& json) {
  TUTTI_ASSIGN(CentralReport report, TrainCentrally(job, std::move(train), test, dp::Method::kPld,
                                                    [](auto, auto, double) {}));
  json["examples"] = report.examples;
  json["steps"] = report.steps;
  if (report.noise_multiplier > 0) {
    json["epsilon"] = std::ceil(report.epsilon * 1e3) / 1e3;
    json["noise_multiplier"] = report.noise_multiplier;
  }
  return std::move(report.weights);
}

// The rows client `index` trains on.
StatusOr<data::Dataset> PartOf(const v1::JobConfig& job, const v1::DataConfig& config,
                               std::uint32_t index) {
  v1::DataConfig own = config;
  own.mutable_slice()->set_index(index);
  TUTTI_ASSIGN(data::Dataset train, data::Load(own, job.model()));
  TakeValidation(train);
  return train;
}

// How the model does on each client's own validation rows: what is common need not serve all alike.
StatusOr<Json> OnEachClient(const v1::JobConfig& job, const v1::DataConfig& config,
                            std::span<const float> weights) {
  std::vector<double> accuracies, losses;
  for (std::uint32_t i = 0; i < config.slice().count(); ++i) {
    v1::DataConfig own = config;
    own.mutable_slice()->set_index(i);
    TUTTI_ASSIGN(data::Dataset part, data::Load(own, job.model()));
    const data::Dataset test = TakeValidation(part);
    if (test.examples == 0) continue;
    TUTTI_ASSIGN(const learn::EvaluateResult score,
                 learn::Evaluate(job.model(), {.features = test.features, .labels = test.labels},
                                 weights, Quiet));
    accuracies.push_back(score.accuracy);
    losses.push_back(score.loss);
  }
  if (accuracies.empty()) return Json();
  return Json{{"lowest_accuracy", Rounded(*std::min_element(accuracies.begin(), accuracies.end()))},
              {"highest_loss", Rounded(*std::max_element(losses.begin(), losses.end()))}};
}

// All clients together, round by round, without network and secure aggregation.
StatusOr<Json> Federated(const v1::JobConfig& job, const v1::DataConfig& config,
                         const data::Dataset& test) {
  std::vector<data::Dataset> clients;
  for (std::uint32_t i = 0; i < config.slice().count(); ++i) {
    TUTTI_ASSIGN(data::Dataset part, PartOf(job, config, i));
    clients.push_back(std::move(part));
  }
  TUTTI_ASSIGN(const JobReport report, RunJob(job, clients, test, [](const RoundReport&) {}));
  TUTTI_ASSIGN(Json json, ScoreOf(job.model(), test, report.weights));
  if (report.epsilon > 0) json["epsilon"] = std::ceil(report.epsilon * 1e3) / 1e3;
  json["clipped"] = Rounded(report.rounds.back().clipped_fraction);
  return json;
}

// Each client alone, on its own rows; measured on everybody's validation part.
StatusOr<Json> Locals(const v1::JobConfig& job, const v1::DataConfig& config,
                      const data::Dataset& test) {
  std::vector<double> accuracies, losses, areas;
  for (std::uint32_t i = 0; i < config.slice().count(); ++i) {
    TUTTI_ASSIGN(data::Dataset train, PartOf(job, config, i));
    Json ignored;
    TUTTI_ASSIGN(const std::vector<float> weights, Trained(job, std::move(train), test, ignored));
    TUTTI_ASSIGN(const Json score, ScoreOf(job.model(), test, weights));
    accuracies.push_back(score["accuracy"]);
    losses.push_back(score["loss"]);
    if (score.contains("auc")) areas.push_back(score["auc"]);
  }
  const auto mean = [](const std::vector<double>& values) {
    return Rounded(std::accumulate(values.begin(), values.end(), 0.0) /
                   static_cast<double>(values.size()));
  };
  Json json = {{"clients", accuracies.size()},
               {"accuracy", mean(accuracies)},
               {"smallest", *std::min_element(accuracies.begin(), accuracies.end())},
               {"largest", *std::max_element(accuracies.begin(), accuracies.end())},
               {"loss", mean(losses)}};
  if (!areas.empty()) json["auc"] = mean(areas);
  return json;
}

Json Majority(const data::Dataset& train, const data::Dataset& test, std::uint32_t classes) {
  const auto counts = train.ClassCounts(classes);
  const auto most = std::max_element(counts.begin(), counts.end()) - counts.begin();
  const auto right = static_cast<double>(test.ClassCounts(classes)[static_cast<std::size_t>(most)]);
  return Json{{"class", most}, {"accuracy", Rounded(right / static_cast<double>(test.examples))}};
}

StatusOr<Json> Run(const Options& options, const v1::JobConfig& job, const v1::DataConfig& config) {
  v1::DataConfig whole = config;
  whole.mutable_slice()->Clear();
  TUTTI_ASSIGN(data::Dataset train, data::Load(whole, job.model()));
  if (train.validation == 0) {
    return InvalidArgument(
        "data.validation_fraction is 0 in the client file; what is measured on "
        "has to be kept from training, 0.2 for instance");
  }
  const data::Dataset test = TakeValidation(train);
  Json json = {{"bench", "domain"},
               {"job", job.name()},
               {"validation", test.examples},
               {"majority", Majority(train, test, job.model().classes())}};
  if (!options.model.empty()) {
    TUTTI_ASSIGN(const model::Layout layout, model::LayoutOf(job.model()));
    TUTTI_ASSIGN(const Bytes file, platform::ReadFile(options.model, kMaxModelBytes));
    TUTTI_ASSIGN(const std::vector<float> weights, model::ReadSafetensors(file, layout));
    TUTTI_ASSIGN(json["model"], ScoreOf(job.model(), test, weights));
    TUTTI_ASSIGN(json["model"]["clients"], OnEachClient(job, config, weights));
    return json;
  }
  Json facts;
  TUTTI_ASSIGN(const std::vector<float> weights, Trained(job, std::move(train), test, facts));
  TUTTI_ASSIGN(json["central"], ScoreOf(job.model(), test, weights));
  json["central"].update(facts);
  TUTTI_ASSIGN(json["central"]["clients"], OnEachClient(job, config, weights));
  if (options.federated) {
    TUTTI_ASSIGN(json["federated"], Federated(job, config, test));
  }
  if (options.local) {
    TUTTI_ASSIGN(json["local"], Locals(job, config, test));
  }
  return json;
}

}  // namespace

int DomainCommand(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Trains a job on all rows of a client file's data in one place, and with --local on each "
      "client's rows alone; both are measured on the rows the file keeps for validation, which is "
      "what an evaluator measures a federated model on. Prints one JSON line. With --model nothing "
      "is "
      "trained and that model is measured.",
      "tutti-bench domain");
  app.add_option("--job", options.job, "job file, as `tutti run` takes it")->required();
  app.add_option("--client", options.client, "client.toml with the data section")->required();
  app.add_option("--set", options.sets, "section.key=value over the job file; may be repeated");
  app.add_option("--client-set", options.client_sets, "the same over the client file");
  app.add_option("--model", options.model, "a model `tutti model export` wrote");
  app.add_flag("--local", options.local, "also each client alone");
  app.add_flag("--federated", options.federated,
               "also all clients together in this process: for choosing settings");
  CLI11_PARSE(app, argc, argv);
  const auto job =
      config::Load<v1::JobConfig>(options.job, {.environment = {}, .command_line = options.sets});
  const auto client = config::Load<v1::ClientConfig>(
      options.client, {.environment = {}, .command_line = options.client_sets});
  for (const auto* problems : {&job.problems, &client.problems}) {
    if (problems->empty()) continue;
    std::fputs(config::ToText(*problems).c_str(), stderr);
    return config::ExitCode(*problems);
  }
  learn::SetUp(1);
  const StatusOr<Json> line = Run(options, job.value, client.value.data());
  if (!line.ok()) {
    std::fprintf(stderr, "tutti-bench domain: %s\n", TextOf(line.status()).c_str());
    return 1;
  }
  std::printf("%s\n", line->dump().c_str());
  return 0;
}

}  // namespace tutti::bench
