// The commands against an Admin service in this process, over a real unix socket.
#include "server/ctl/commands.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"
#include "common/model/safetensors.h"
#include "tests/catch.h"

namespace tutti::ctl {
namespace {

// Answers from memory, like a coordinator with one job named "digits".
class Coordinator final : public v1::Admin::Service {
 public:
  grpc::Status GetStatus(grpc::ServerContext*, const v1::StatusRequest*,
                         v1::StatusReply* reply) override {
    reply->set_version("1.2.3");
    reply->set_clients_enrolled(9);
    reply->set_clients_attached(8);
    return grpc::Status::OK;
  }
  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest* request,
                           v1::CreateTokenReply* reply) override {
    reply->set_token("tutti1-abc");
    reply->set_name(request->name());
    reply->set_role(request->role());
    return grpc::Status::OK;
  }
  grpc::Status ListClients(grpc::ServerContext*, const v1::ListClientsRequest*,
                           v1::ListClientsReply* reply) override {
    v1::ClientInfo& client = *reply->add_clients();
    client.set_name("clinic-1");
    client.set_role("trainer");
    client.set_state("attached");
    client.set_epsilon_spent(1.23401);
    client.set_epsilon_budget(8);
    client.set_last_refusal("\x1b[2J boo");
    client.set_ledger_entries(5);
    client.set_ledger_doubt("went back from 12 to 5 records");
    client.set_suspicion(3);
    v1::ClientInfo& liar = *reply->add_clients();
    liar.set_name("clinic-2");
    liar.set_role("trainer");
    liar.set_excluded("2 spoiled sums had it in common\n");
    return grpc::Status::OK;
  }
  grpc::Status RevokeClient(grpc::ServerContext*, const v1::RevokeClientRequest* request,
                            v1::RevokeClientReply*) override {
    return request->name() == "clinic-1"
               ? grpc::Status::OK
               : grpc::Status(grpc::StatusCode::NOT_FOUND, "no client named so\n");
  }
  grpc::Status ReadmitClient(grpc::ServerContext*, const v1::ReadmitClientRequest* request,
                             v1::ReadmitClientReply*) override {
    return request->name() == "clinic-2" ? grpc::Status::OK
                                         : grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                                                        "there is nothing to take back");
  }
  grpc::Status SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest* request,
                         v1::JobReply* reply) override {
    submitted = *request;
    if (request->job().name() == "taken") {
      return {grpc::StatusCode::ALREADY_EXISTS, "it differs in rounds"};
    }
    *reply->mutable_job() = Job("waiting", 0);
    return grpc::Status::OK;
  }
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::JobReply* reply) override {
    if (request->name() != "digits") {
      return {grpc::StatusCode::NOT_FOUND, "no job named " + request->name()};
    }
    *reply->mutable_job() = Job(end_state, 2);
    for (std::uint64_t round = 1; round <= 2; ++round) {
      *reply->add_rounds() = Round(round);
    }
    return grpc::Status::OK;
  }
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest*,
                        v1::ListJobsReply* reply) override {
    *reply->add_jobs() = Job("running", 1);
    return grpc::Status::OK;
  }
  grpc::Status StopJob(grpc::ServerContext*, const v1::StopJobRequest*,
                       v1::JobReply* reply) override {
    *reply->mutable_job() = Job("stopped", 1);
    return grpc::Status::OK;
  }
  // The first watcher loses the connection in the middle, as when the coordinator restarts.
  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::JobUpdate>* writer) override {
    if (request->name() != "digits") {
      return {grpc::StatusCode::NOT_FOUND, "no job named " + request->name()};
    }
    v1::JobUpdate update;
    *update.mutable_job() = Job("running", 1);
    *update.mutable_finished() = Round(1);
    writer->Write(update);
    if (watchers++ == 0) {
      return {grpc::StatusCode::UNAVAILABLE, "going down"};
    }
    *update.mutable_job() = Job(end_state, 2);
    *update.mutable_finished() = Round(2);
    writer->Write(update);
    return grpc::Status::OK;
  }
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsReply* reply) override {
    *reply->add_models() = Model();
    return grpc::Status::OK;
  }
  grpc::Status ExportModel(grpc::ServerContext*, const v1::ExportModelRequest* request,
                           grpc::ServerWriter<v1::ExportChunk>* writer) override {
    if (request->job() != "digits") {
      return {grpc::StatusCode::NOT_FOUND, "no model of " + request->job()};
    }
    v1::ExportChunk chunk;
    *chunk.mutable_model() = Model();
    chunk.set_manifest_json("{\"job\": \"digits\"}");
    chunk.set_data(kWeights.substr(0, 1000));
    writer->Write(chunk);
    v1::ExportChunk rest;
    rest.set_data(damage_export ? std::string(kWeights.size() - 1000, 'x') : kWeights.substr(1000));
    writer->Write(rest);
    return grpc::Status::OK;
  }

  static v1::JobInfo Job(const std::string& state, std::uint64_t done) {
    v1::JobInfo job;
    job.set_name("digits");
    job.set_state(state);
    job.set_rounds_done(done);
    job.set_rounds_total(2);
    job.set_accuracy(done == 0 ? -1 : 0.8);
    job.set_max_epsilon(1.5);
    job.set_reason(state == "failed" ? "20 rounds in a row failed" : "");
    return job;
  }
  static v1::RoundInfo Round(std::uint64_t number) {
    v1::RoundInfo round;
    round.set_round(number);
    round.set_survivors(8);
    round.set_accuracy(number == 1 ? -1 : 0.8);
    round.set_privacy_unit("example");
    round.set_model_sha256("\xff\x01");
    return round;
  }
  static v1::ModelInfo Model() {
    v1::ModelInfo model;
    model.set_job("digits");
    model.set_round(2);
    model.set_bytes(kWeights.size());
    const Digest digest = crypto::Sha256(AsBytes(kWeights));
    model.set_sha256(std::string(AsText(digest)));
    return model;
  }

  static std::string Weights() {
    model::Layout layout;
    layout.parameters = {{.name = "w", .shape = {25, 30}, .offset = 0, .values = 750}};
    layout.values = 750;
    return std::string(AsText(model::WriteSafetensors(layout, std::vector<float>(750, 0.5F), {})));
  }
  static inline const std::string kWeights = Weights();
  v1::SubmitJobRequest submitted;
  std::string end_state = "done";
  std::atomic<int> watchers = 0;
  bool damage_export = false;
};

struct World {
  std::string folder;
  Coordinator coordinator;
  std::unique_ptr<grpc::Server> server;
  std::ostringstream out, error;
  double now = 0;

  World() {
    char name[] = "/tmp/tutti_ctl_XXXXXX";
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

  int Run(std::vector<std::string> words, const std::string& socket_path = "") {
    out.str("");
    error.str("");
    words.push_back("--socket");
    words.push_back(socket_path.empty() ? socket() : socket_path);
    const Parsed parsed = Parse(words);
    REQUIRE(parsed.arguments.has_value());
    // Waiting takes no time here.
    Console console{.out = out,
                    .error = error,
                    .live = false,
                    .columns = 80,
                    .seconds = [this] { return now; },
                    .wait_seconds = [this](double seconds) { now += seconds; }};
    return Execute(*parsed.arguments, "", console);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder + "/" + name, std::ios::binary) << text;
    return folder + "/" + name;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder + "/" + name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
};

bool Has(const std::ostringstream& stream, const std::string& text) {
  return stream.str().find(text) != std::string::npos;
}

const std::string kJob =
    "name = \"digits\"\nrounds = 2\n[model]\narchitecture = \"logistic\"\ninput_shape = [4]\n"
    "classes = 2\n[training]\nlearning_rate = 0.5\nbatch_size = 16\nlocal_steps = 2\n"
    "[privacy]\ntarget_epsilon = 2\n[cohort]\nsize = 4\n";

TEST_CASE("status, clients and jobs are listed as text and as JSON", "[ctl]") {
  World world;
  REQUIRE(world.Run({"status"}) == 0);
  REQUIRE(Has(world.out, "clients:         8 connected, 9 enrolled\n"));
  REQUIRE(world.Run({"clients"}) == 0);
  REQUIRE(Has(world.out, "clinic-1  trainer  attached"));
  REQUIRE(Has(world.out, "1.235  8.000"));
  REQUIRE(
      Has(world.out, "warning: the privacy ledger of clinic-1 went back from 12 to 5 records; "));
  REQUIRE_FALSE(Has(world.out, "\x1b"));
  REQUIRE(world.Run({"job", "list"}) == 0);
  REQUIRE(Has(world.out, "digits  running  1 of 2"));
  REQUIRE(world.Run({"model", "list"}) == 0);

  REQUIRE(world.Run({"status", "--json"}) == 0);
  REQUIRE(nlohmann::json::parse(world.out.str())["clients_attached"] == 8);
  REQUIRE(world.Run({"clients", "--json"}) == 0);
  const auto clients = nlohmann::json::parse(world.out.str());
  REQUIRE(clients["clients"][0]["epsilon_spent"] == Approx(1.23401));
  REQUIRE_FALSE(Has(world.out, "\x1b"));
  REQUIRE(world.Run({"job", "show", "digits", "--json"}) == 0);
  const auto job = nlohmann::json::parse(world.out.str());
  REQUIRE(job["rounds"].size() == 2);
  REQUIRE(job["rounds"][0]["accuracy"].is_null());
  REQUIRE(job["rounds"][0]["model_sha256"] == "ff01");
  REQUIRE(job["job"]["rounds_total"] == 2);
  REQUIRE(job["config"].is_null());
}

TEST_CASE("a token stands alone on standard output", "[ctl]") {
  World world;
  REQUIRE(world.Run({"token", "create", "--name", "a", "--role", "evaluator"}) == 0);
  REQUIRE(world.out.str() == "tutti1-abc\n");
  REQUIRE(Has(world.error, "good for one evaluator named a"));
}

TEST_CASE("suspicion and exclusion are shown with the way out, and taken back", "[ctl]") {
  World world;
  REQUIRE(world.Run({"clients"}) == 0);
  REQUIRE(Has(world.out, "  3 "));
  REQUIRE(Has(world.out, "  excluded "));
  REQUIRE(Has(world.out,
              "warning: clinic-2 is in no round: 2 spoiled sums had it in common\\x0a; have its "
              "owner check the device, then `tutti clients readmit clinic-2`\n"));
  REQUIRE(world.Run({"clients", "--json"}) == 0);
  const auto clients = nlohmann::json::parse(world.out.str())["clients"];
  REQUIRE(clients[0]["suspicion"] == 3);
  REQUIRE(clients[1]["excluded"].get<std::string>().find("2 spoiled sums") == 0);
  REQUIRE(world.Run({"clients", "readmit", "clinic-2"}) == 0);
  REQUIRE(Has(world.out, "nothing is held against client clinic-2 any more"));
  REQUIRE(world.Run({"clients", "readmit", "clinic-1"}) == 1);
  REQUIRE(Has(world.error, "nothing to take back"));
}

TEST_CASE("what the coordinator refuses is told and ends with 1", "[ctl]") {
  World world;
  REQUIRE(world.Run({"clients", "revoke", "clinic-1"}) == 0);
  REQUIRE(world.Run({"clients", "revoke", "nobody"}) == 1);
  REQUIRE(world.error.str() == "tutti: no client named so\\x0a\n");
  REQUIRE(world.Run({"job", "show", "none"}) == 1);
  REQUIRE(world.Run({"job", "watch", "none"}) == 1);
  REQUIRE(world.Run({"job", "resume", "digits"}) == 1);  // not implemented by this coordinator
  REQUIRE(world.Run({"job", "stop", "digits"}) == 0);
}

TEST_CASE("a coordinator that is not there ends with 69 and the way out", "[ctl]") {
  World world;
  REQUIRE(world.Run({"status"}, world.folder + "/none") == 69);
  REQUIRE(Has(world.error, "there is no such socket; start one with `tutti-server run`"));
  const std::string dead = world.Write("dead.sock", "");
  REQUIRE(world.Run({"status"}, dead) == 69);
  REQUIRE(Has(world.error, "does not answer"));
  REQUIRE(world.Run({"job", "watch", "digits"}, dead) == 69);
}

TEST_CASE("the socket is the one that is named, else the first that exists", "[ctl]") {
  World world;
  const std::vector<std::string> usual{world.folder + "/none", world.socket()};
  REQUIRE(*FindSocket({}, "", usual) == world.socket());
  REQUIRE(*FindSocket({.socket = world.socket()}, "/none", {}) == world.socket());
  REQUIRE(*FindSocket({}, world.socket(), {}) == world.socket());
  REQUIRE(FindSocket({}, "/none", usual).status().code() == StatusCode::kUnavailable);
  REQUIRE(FindSocket({}, "", {"/none"}).status().code() == StatusCode::kUnavailable);
}

TEST_CASE("a job is submitted with its defaults", "[ctl]") {
  World world;
  const std::string file = world.Write("job.toml", kJob);
  REQUIRE(world.Run({"run", file, "--set", "cohort.size=5"}) == 0);
  REQUIRE(world.coordinator.submitted.job().cohort().size() == 5);
  REQUIRE(world.coordinator.submitted.job().deadlines().train_seconds() == Approx(600));
  REQUIRE(Has(world.out, "tutti job watch digits"));
  REQUIRE(world.Run({"run", file, "--set", "name=taken"}) == 1);
  REQUIRE(Has(world.error, "there is another job named taken (it differs in rounds)"));
}

TEST_CASE("a wrong job is not submitted: all problems are listed, with 78", "[ctl]") {
  World world;
  const std::string file =
      world.Write("job.toml", kJob + "min_clients = 9\nnonsense = 1\n[training2]\n");
  REQUIRE(world.Run({"run", file}) == 78);
  REQUIRE(Has(world.error, "job.toml:15:1: cohort.min_clients: "));
  REQUIRE(Has(world.error, "job.toml:16:1: cohort.nonsense: "));
  REQUIRE(Has(world.error, "job.toml:17:2: training2: "));
  REQUIRE(Has(world.error, "3 problems; nothing was submitted"));
  REQUIRE(world.coordinator.submitted.job().name().empty());
  REQUIRE(world.Run({"run", world.folder + "/none.toml"}) == 78);
}

TEST_CASE("a file is checked and printed without a coordinator", "[ctl]") {
  World world;
  const std::string file = world.Write("job.toml", kJob);
  REQUIRE(world.Run({"run", file, "--check-config"}, "/none") == 0);
  REQUIRE(world.out.str() == file + ": no problems\n");
  REQUIRE(world.Run({"run", file, "--print-config"}, "/none") == 0);
  REQUIRE(Has(world.out, "rounds = 2 "));
  REQUIRE(Has(world.out, "# default\n"));
  REQUIRE(world.coordinator.submitted.job().name().empty());
}

TEST_CASE("a warm start travels with the job, named by its contents", "[ctl]") {
  World world;
  world.Write("first.safetensors", "weights");
  const std::string file = world.Write("job.toml", "warm_start = \"first.safetensors\"\n" + kJob);
  REQUIRE(world.Run({"run", file}) == 0);
  REQUIRE(world.coordinator.submitted.warm_start() == "weights");
  REQUIRE(world.coordinator.submitted.job().warm_start() ==
          "sha256:" + ToHex(crypto::Sha256(AsBytes("weights"))));
  std::filesystem::remove(world.folder + "/first.safetensors");
  REQUIRE(world.Run({"run", file}) == 78);
}

TEST_CASE("what a warm start of another model is used for is told before the job goes out",
          "[ctl]") {
  World world;
  model::Layout other;  // the job's bias, and a weight for five features
  other.parameters = {{.name = "0.weight", .shape = {2, 5}, .offset = 0, .values = 10},
                      {.name = "0.bias", .shape = {2}, .offset = 10, .values = 2}};
  other.values = 12;
  world.Write("first.safetensors",
              ToString(model::WriteSafetensors(other, std::vector<float>(12, 0.5F), {})));
  const std::string file = world.Write("job.toml", "warm_start = \"first.safetensors\"\n" + kJob);
  REQUIRE(world.Run({"run", file}) == 0);
  REQUIRE(Has(world.error,
              "warm_start: taken from the file: 1 of 2 parameters (0.bias)\n"
              "from the seed: 0.weight (the file has [2, 5], the model [2, 4])\n"));
}

TEST_CASE("watching survives a restart of the coordinator and ends with the table", "[ctl]") {
  World world;
  const std::string file = world.Write("job.toml", kJob);
  REQUIRE(world.Run({"run", file, "--watch"}) == 0);
  REQUIRE(world.coordinator.watchers == 2);
  REQUIRE(Has(world.out, "round 1 of 2: 8 in, 0 dropped"));
  REQUIRE(Has(world.out, "the coordinator broke the watching off; trying again\n"));
  REQUIRE(Has(world.out, "round 2 of 2: 8 in, 0 dropped, test accuracy 80.00 %"));
  REQUIRE(
      Has(world.out, "round  in  dropped  groups  test accuracy  epsilon: coordinator  models"));
  REQUIRE(Has(world.out, "job digits is done: test accuracy 80.00 %"));
  REQUIRE_FALSE(Has(world.out, "\x1b"));
}

TEST_CASE("a job that failed ends the watching with 1 and the reason", "[ctl]") {
  World world;
  world.coordinator.end_state = "failed";
  REQUIRE(world.Run({"job", "watch", "digits"}) == 1);
  REQUIRE(Has(world.error, "job digits is failed: 20 rounds in a row failed"));
}

TEST_CASE("a model is written with its manifest after its SHA-256 was checked", "[ctl]") {
  World world;
  const std::string file = world.folder + "/digits.safetensors";
  REQUIRE(world.Run({"model", "export", "digits", "-o", file}) == 0);
  REQUIRE(world.Read("digits.safetensors") == Coordinator::kWeights);
  REQUIRE(world.Read("digits.manifest.json") == "{\"job\": \"digits\"}\n");
  REQUIRE(Has(world.out, "(checked)"));
  // What exists stays, unless it may be replaced.
  REQUIRE(world.Run({"model", "export", "digits", "-o", file}) == 64);
  REQUIRE(world.Run({"model", "export", "digits", "-o", file, "--force", "--json"}) == 0);
  REQUIRE(nlohmann::json::parse(world.out.str())["round"] == 2);
}

TEST_CASE("a job's model is compressed without an export before", "[ctl]") {
  World world;
  const std::string file = world.folder + "/small.safetensors";
  REQUIRE(world.Run({"model", "compress", "digits", "--int8", "-o", file}) == 0);
  REQUIRE(world.Read("small.safetensors").find("\"dtype\":\"I8\"") != std::string::npos);
  REQUIRE(Has(world.out, "750 of 750 values"));
  world.coordinator.damage_export = true;
  REQUIRE(world.Run({"model", "compress", "digits", "--int8", "-o", file, "--force"}) == 1);
  REQUIRE(Has(world.error, "nothing was written"));
}

TEST_CASE("a damaged model leaves no file behind", "[ctl]") {
  World world;
  world.coordinator.damage_export = true;
  const auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(world.folder), {});
  };
  const auto before = files();
  REQUIRE(world.Run({"model", "export", "digits", "-o", world.folder + "/a.safetensors"}) == 1);
  REQUIRE(Has(world.error, "nothing was written"));
  REQUIRE(world.Run({"model", "export", "none", "-o", world.folder + "/a.safetensors"}) == 1);
  REQUIRE(files() == before);
  REQUIRE(world.Run({"model", "export", "digits", "-o", world.folder + "/no/folder"}) == 77);
}

}  // namespace
}  // namespace tutti::ctl
