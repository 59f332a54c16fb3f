#include "tests/bench/learn/domain_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
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
#include "tests/bench/learn/domain_score.h"
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

// Splits the validation part off.
data::Dataset TakeValidation(data::Dataset& data) {
  const std::size_t first = data.training();
  data::Dataset test;
  test.examples = data.validation;
  test.width = data.width;
  test.features.assign(data.features.begin() + static_cast<std::ptrdiff_t>(first * data.width),
                       data.features.end());
  test.labels.assign(data.labels.begin() + static_cast<std::ptrdiff_t>(first), data.labels.end());
  if (!data.targets.empty()) {
    test.targets.assign(data.targets.begin() + static_cast<std::ptrdiff_t>(first),
                        data.targets.end());
    data.targets.resize(first);
  }
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

// The client whose own validation rows the model does worst on: what is common need not serve all.
StatusOr<Json> WorstClient(const v1::JobConfig& job, const v1::DataConfig& config,
                           std::span<const float> weights) {
  Json worst;
  for (std::uint32_t i = 0; i < config.slice().count(); ++i) {
    v1::DataConfig own = config;
    own.mutable_slice()->set_index(i);
    TUTTI_ASSIGN(data::Dataset part, data::Load(own, job.model()));
    const data::Dataset test = TakeValidation(part);
    if (test.examples == 0) continue;
    TUTTI_ASSIGN(const learn::EvaluateResult score,
                 learn::Evaluate(job.model(), ViewOf(test), weights, Quiet));
    if (worst.is_null() || score.loss > worst["loss"].get<double>()) {
      worst = {{"client", i}, {"examples", test.examples}, {"loss", Rounded(score.loss)}};
      if (test.targets.empty()) worst["accuracy"] = Rounded(score.accuracy);
    }
  }
  return worst;
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
  Json sums = Json::object();
  std::vector<double> first;
  for (std::uint32_t i = 0; i < config.slice().count(); ++i) {
    TUTTI_ASSIGN(data::Dataset train, PartOf(job, config, i));
    Json ignored;
    TUTTI_ASSIGN(const std::vector<float> weights, Trained(job, std::move(train), test, ignored));
    TUTTI_ASSIGN(const Json score, ScoreOf(job.model(), test, weights));
    first.push_back(score.front());
    for (const auto& [key, value] : score.items()) {
      if (value.is_number()) sums[key] = sums.value(key, 0.0) + value.get<double>();
    }
  }
  for (auto& [key, value] : sums.items()) {
    value = Rounded(value.get<double>() / static_cast<double>(first.size()));
  }
  sums["clients"] = first.size();
  sums["smallest"] = *std::min_element(first.begin(), first.end());
  sums["largest"] = *std::max_element(first.begin(), first.end());
  return sums;
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
               {"baseline", BaselineOf(job.model(), train, test)}};
  if (!options.model.empty()) {
    TUTTI_ASSIGN(const model::Layout layout, model::LayoutOf(job.model()));
    TUTTI_ASSIGN(const Bytes file, platform::ReadFile(options.model, kMaxModelBytes));
    TUTTI_ASSIGN(const std::vector<float> weights, model::ReadSafetensors(file, layout));
    TUTTI_ASSIGN(json["model"], ScoreOf(job.model(), test, weights));
    TUTTI_ASSIGN(json["model"]["worst_client"], WorstClient(job, config, weights));
    return json;
  }
  Json facts;
  TUTTI_ASSIGN(const std::vector<float> weights, Trained(job, std::move(train), test, facts));
  TUTTI_ASSIGN(json["central"], ScoreOf(job.model(), test, weights));
  json["central"].update(facts);
  TUTTI_ASSIGN(json["central"]["worst_client"], WorstClient(job, config, weights));
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
