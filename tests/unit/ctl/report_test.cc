// `tutti job report`: its texts, and the command against an Admin service in this process.
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/bytes.h"
#include "common/config/load.h"
#include "common/config/round_template.h"
#include "common/crypto/hash.h"
#include "common/measure/metadata.h"
#include "common/measure/tally.h"
#include "common/model/architecture.h"
#include "common/model/safetensors.h"
#include "server/ctl/commands.h"
#include "server/ctl/evaluation_report.h"
#include "server/ctl/group_report.h"
#include "tests/catch.h"

namespace tutti::ctl {
namespace {

bool Has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

v1::JobConfig Config(const std::string& kind, std::uint32_t classes) {
  v1::JobConfig config;
  config::SetDefaults(config);
  config.set_name("measure");
  config.set_kind(kind);
  config.set_rounds(1);
  config.mutable_model()->set_architecture(classes == 1 ? "linear" : "logistic");
  config.mutable_model()->add_input_shape(3);
  config.mutable_model()->set_classes(classes);
  config.mutable_training()->set_loss(classes == 1 ? "mse" : "cross_entropy");
  config.mutable_privacy()->set_unit("none");
  return config;
}

v1::JobConfig WithGroups(v1::JobConfig config) {
  config.mutable_fairness()->set_attribute("sex");
  config.mutable_fairness()->add_groups("female");
  config.mutable_fairness()->add_groups("male");
  config.mutable_fairness()->set_positive_class(1);
  return config;
}

// Counts of one client with 100 examples: 80 right, all sure by 3 to 1.
std::vector<std::int64_t> CountsOf(const v1::TaskSpec& task) {
  auto tally = measure::EvaluationTally::Create(task);
  REQUIRE(tally.ok());
  const float sure = std::log(0.75F), unsure = std::log(0.25F);
  for (std::uint32_t i = 0; i < 100; ++i) {
    if (tally->shape().number) {
      tally->AddNumber(0.25, 0.01 * i);
      continue;
    }
    const std::uint32_t label = i % 2;
    const std::uint32_t predicted = i % 10 < 8 ? label : 1 - label;
    tally->Add(label, predicted == 1 ? std::vector{unsure, sure} : std::vector{sure, unsure},
               (i / 2) % 3);
  }
  const std::vector<std::uint64_t> counts = tally->Counts();
  return {counts.begin(), counts.end()};
}

// Answers with one job whose newest checkpoint has counts.
class Coordinator final : public v1::Admin::Service {
 public:
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest*,
                      v1::JobReply* reply) override {
    reply->mutable_job()->set_name("measure");
    reply->mutable_job()->set_state("running");
    reply->mutable_job()->set_rounds_total(2);
    *reply->mutable_config() = config;
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      v1::RoundInfo& info = *reply->add_rounds();
      info.set_round(round);
      info.set_privacy_unit(opened.noise_multiplier > 0 ? "example" : "none");
      info.set_max_epsilon(opened.noise_multiplier > 0 ? 1.5 : 0);
      info.set_max_epsilon_models(info.max_epsilon());
      info.set_delta(1e-5);
    }
    return grpc::Status::OK;
  }
  grpc::Status ExportModel(grpc::ServerContext*, const v1::ExportModelRequest* request,
                           grpc::ServerWriter<v1::ExportChunk>* writer) override {
    asked = request->round();
    const auto layout = model::LayoutOf(config.model());
    model::Metadata metadata;
    if (with_counts) measure::SetCounts(opened, metadata);
    const Bytes file =
        model::WriteSafetensors(*layout, std::vector<float>(layout->values), metadata);
    v1::ExportChunk chunk;
    chunk.mutable_model()->set_bytes(file.size());
    chunk.mutable_model()->set_sha256(std::string(AsText(crypto::Sha256(file))));
    chunk.set_data(std::string(AsText(file)));
    writer->Write(chunk);
    return grpc::Status::OK;
  }

  v1::JobConfig config;
  measure::OpenedCounts opened;
  std::uint64_t rounds = 2;
  std::uint64_t asked = 0;
  bool with_counts = true;
};

struct World {
  std::string folder;
  Coordinator coordinator;
  std::unique_ptr<grpc::Server> server;
  std::ostringstream out, error;

  explicit World(const v1::JobConfig& config) {
    coordinator.config = config;
    char name[] = "/tmp/tutti_report_XXXXXX";
    folder = ::mkdtemp(name);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket(), grpc::InsecureServerCredentials());
    builder.RegisterService(&coordinator);
    server = builder.BuildAndStart();
    REQUIRE(server != nullptr);
  }
  ~World() {
    server->Shutdown();
    std::filesystem::remove_all(folder);
  }
  std::string socket() const { return folder + "/admin.sock"; }
  int Report(std::vector<std::string> options = {}) {
    std::vector<std::string> words{"job", "report", "measure", "--socket", socket()};
    words.insert(words.end(), options.begin(), options.end());
    const Parsed parsed = Parse(words);
    REQUIRE(parsed.arguments.has_value());
    Console console{
        .out = out, .error = error, .seconds = [] { return 0.0; }, .wait_seconds = [](double) {}};
    return Execute(*parsed.arguments, "", console);
  }
};

TEST_CASE("a report of an evaluation has its figures, classes, clients and groups", "[report]") {
  const v1::JobConfig config = WithGroups(Config("evaluate", 2));
  World world(config);
  world.coordinator.opened = {CountsOf(config::TaskOf(config, 8)), 1, 0};
  INFO(world.error.str());
  REQUIRE(world.Report() == 0);
  const std::string text = world.out.str();
  INFO(text);
  REQUIRE(Has(text, "measure, round 2 of 2"));
  REQUIRE(Has(text, "the model of warm_start"));
  REQUIRE(Has(text, "1 clients"));
  REQUIRE(Has(text, "nothing: the sums are exact"));
  REQUIRE(Has(text, "80.00 +/- "));
  REQUIRE(Has(text, "confusion matrix"));
  REQUIRE(Has(text, "lowest"));
  REQUIRE(Has(text, "80.0 to 85.0"));
  REQUIRE(Has(text, "groups of sex"));
  REQUIRE(Has(text, "female"));
  REQUIRE(Has(text, "(none of these)"));
  REQUIRE(Has(text, "equalised_odds"));
  REQUIRE(!Has(text, "*"));
  REQUIRE(world.coordinator.asked == 2);
}

TEST_CASE("noise is told, and what it hides is starred or not known", "[report]") {
  const v1::JobConfig config = WithGroups(Config("evaluate", 2));
  World world(config);
  world.coordinator.opened = {CountsOf(config::TaskOf(config, 8)), 1, 0.8};
  REQUIRE(world.Report() == 0);
  const std::string text = world.out.str();
  INFO(text);
  REQUIRE(Has(text, "one example: noise multiplier 0.8, largest epsilon 1.500"));
  REQUIRE(Has(text, "* most of the doubt is privacy noise"));
  REQUIRE(Has(text, "not known"));
  REQUIRE(Has(text, "hidden by the noise"));
}

TEST_CASE("a report for programs has every figure and the counts", "[report]") {
  const v1::JobConfig config = WithGroups(Config("evaluate", 2));
  World world(config);
  world.coordinator.opened = {CountsOf(config::TaskOf(config, 8)), 1, 0};
  REQUIRE(world.Report({"--json", "--round", "1"}) == 0);
  REQUIRE(world.coordinator.asked == 1);
  const auto json = nlohmann::json::parse(world.out.str());
  REQUIRE(json["kind"] == "evaluate");
  REQUIRE(json["round"] == 1);
  REQUIRE(json["counts"].size() == world.coordinator.opened.counts.size());
  const auto& figures = json["figures"];
  REQUIRE(figures["accuracy"]["value"] == Approx(0.8));
  REQUIRE(figures["confusion"][1][1] == 40);
  REQUIRE(figures["loss"]["value"] ==
          Approx(0.8 * std::log(4.0 / 3) + 0.2 * std::log(4.0)).epsilon(1e-3));
  REQUIRE(figures["robust_accuracy"].is_null());
  REQUIRE(figures["client_accuracy"]["lowest"][0] == Approx(0.8));
  REQUIRE(figures["fairness"]["gaps"]["demographic_parity"]["low"] == 0);
  REQUIRE(figures["groups"]["male"]["examples"]["value"] == 34);
}

TEST_CASE("a report of predicted numbers is in the target's unit, and warns of the clip",
          "[report]") {
  v1::JobConfig config = Config("evaluate", 1);
  config.mutable_secure_aggregation()->set_value_clip(0.5);
  World world(config);
  world.coordinator.opened = {CountsOf(config::TaskOf(config, 4)), 1, 0};
  REQUIRE(world.Report() == 0);
  INFO(world.out.str());
  REQUIRE(Has(world.out.str(), "mean absolute error"));
  REQUIRE(Has(world.out.str(), "raise secure_aggregation.value_clip"));
  world.out.str("");
  REQUIRE(world.Report({"--json"}) == 0);
  const auto figures = nlohmann::json::parse(world.out.str())["figures"];
  REQUIRE(figures["clipped"]["value"] == Approx(0.24));
  REQUIRE(figures["clip"] == 0.5);
}

TEST_CASE("a report of training with [fairness] is of the model the round began with", "[report]") {
  const v1::JobConfig config = WithGroups(Config("train", 2));
  World world(config);
  world.coordinator.opened = {{40, 10, 5, 45, 30, 30, 20, 20}, 3, 0};
  INFO(world.error.str());
  REQUIRE(world.Report() == 0);
  const std::string text = world.out.str();
  INFO(text);
  REQUIRE(Has(text, "the model of round 1, with which round 2 began"));
  REQUIRE(Has(text, "there is a gap"));
  world.out.str("");
  REQUIRE(world.Report({"--json"}) == 0);
  const auto figures = nlohmann::json::parse(world.out.str())["figures"];
  REQUIRE(figures["rates"]["female"]["tpr"]["value"] == Approx(0.9));
  REQUIRE(figures["gaps"]["equal_opportunity"]["favoured"] == "female");
}

TEST_CASE("jobs without counts say what to do instead of a report", "[report]") {
  World trains(Config("train", 2));
  REQUIRE(trains.Report() == 1);
  REQUIRE(Has(trains.error.str(), "trains and counts nothing"));
  REQUIRE(Has(trains.error.str(), "kind = \"evaluate\""));

  const v1::JobConfig config = Config("evaluate", 2);
  World early(config);
  early.coordinator.rounds = 0;
  REQUIRE(early.Report() == 1);
  REQUIRE(Has(early.error.str(), "has no round yet"));

  World bare(config);
  bare.coordinator.with_counts = false;
  REQUIRE(bare.Report() == 1);
  REQUIRE(Has(bare.error.str(), "holds no counts"));
  bare.error.str("");
  REQUIRE(bare.Report({"--round", "7"}) == 1);
  REQUIRE(Has(bare.error.str(), "has no round 7, it has 1 to 2"));

  World other(config);
  other.coordinator.opened = {{1, 2, 3}, 1, 0};
  REQUIRE(other.Report() == 1);
  REQUIRE(Has(other.error.str(), "counts"));
}

TEST_CASE("words of a job cannot colour the terminal", "[report]") {
  v1::JobConfig config = WithGroups(Config("evaluate", 2));
  config.mutable_fairness()->set_groups(0, "\x1b[31mred");
  config.mutable_fairness()->set_attribute("\x1b[2J");
  World world(config);
  world.coordinator.opened = {CountsOf(config::TaskOf(config, 8)), 1, 0};
  REQUIRE(world.Report() == 0);
  REQUIRE(!Has(world.out.str(), "\x1b"));
}

}  // namespace
}  // namespace tutti::ctl
