// The whole server in one process, over real mutual TLS on loopback.
#include <algorithm>
#include <filesystem>
#include <thread>

#include "common/base/text.h"
#include "common/config/load.h"
#include "common/model/safetensors.h"
#include "common/platform/clock.h"
#include "common/platform/files.h"
#include "server/job_settings.h"
#include "server/rpc/servers.h"
#include "tests/catch.h"
#include "tests/unit/server/fixed_clock.h"
#include "tests/unit/server/test_client.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::server {
namespace {

using test::Credentials;
using test::TestClient;

// Real time, moved by what the test says: for expiry.
class MovedClock final : public Clock {
 public:
  Instant Now() const override { return real_.Now(); }
  WallSeconds Wall() const override { return real_.Wall() + moved; }
  std::atomic<WallSeconds> moved{0};

 private:
  platform::RealClock real_;
};

struct Fixture {
  Fixture() {
    rpc::PrepareEnvironment();
    InitSettings init;
    init.state_directory = folder / "state";
    REQUIRE(InitStateDirectory(init, clock).ok());
    config::SetDefaults(config);
    config.set_state_directory(folder / "state");
    config.set_address("127.0.0.1:0");
    config.set_enrolment_address("127.0.0.1:0");
    config.set_metrics_address("off");
    Start();
  }
  void Start() {
    auto started = Daemon::Start(config, clock);
    INFO(TextOf(started.status()));
    REQUIRE(started.ok());
    daemon = *std::move(started);
  }

  test::TemporaryDirectory folder;
  MovedClock clock;
  v1::ServerConfig config;
  std::unique_ptr<Daemon> daemon;
};

v1::JobConfig SmallJob(std::uint32_t rounds) {
  v1::JobConfig job;
  config::SetDefaults(job);
  job.set_name("small");
  job.set_rounds(rounds);
  job.mutable_model()->set_architecture("logistic");
  job.mutable_model()->add_input_shape(30);
  job.mutable_model()->set_classes(2);
  job.mutable_training()->set_learning_rate(0.1);
  job.mutable_training()->set_batch_size(8);
  job.mutable_training()->set_local_steps(1);
  job.mutable_privacy()->set_noise_multiplier(1.0);
  job.mutable_cohort()->set_size(3);
  job.mutable_cohort()->set_min_clients(3);
  job.mutable_evaluation()->set_every(0);
  return job;
}

grpc::Status Submit(const Daemon& daemon, const v1::JobConfig& job) {
  grpc::ClientContext context;
  v1::SubmitJobRequest request;
  *request.mutable_job() = job;
  v1::JobReply reply;
  return test::LocalAdmin(daemon)->SubmitJob(&context, request, &reply);
}

v1::JobReply GetJob(const Daemon& daemon) {
  grpc::ClientContext context;
  v1::GetJobRequest request;
  request.set_name("small");
  request.set_with_rounds(true);
  v1::JobReply reply;
  REQUIRE(test::LocalAdmin(daemon)->GetJob(&context, request, &reply).ok());
  return reply;
}

std::string Export(const Daemon& daemon, std::uint64_t round) {
  grpc::ClientContext context;
  v1::ExportModelRequest request;
  request.set_job("small");
  request.set_round(round);
  const auto reader = test::LocalAdmin(daemon)->ExportModel(&context, request);
  std::string bytes;
  v1::ExportChunk chunk;
  while (reader->Read(&chunk)) {
    bytes += chunk.data();
  }
  REQUIRE(reader->Finish().ok());
  return bytes;
}

void PlayTogether(std::vector<std::unique_ptr<TestClient>>& clients, bool spoil = false) {
  std::vector<v1::RoundClosed> ends(clients.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] {
      ends[i] = clients[i]->PlayRound(0.1F * static_cast<float>(i + 1), spoil && i == 0);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const v1::RoundClosed& end : ends) {
    INFO(end.reason());
    REQUIRE(end.outcome() == v1::OUTCOME_PUBLISHED);
    REQUIRE(end.survivors() == clients.size());
  }
}

std::vector<std::unique_ptr<TestClient>> ThreeClients(const Daemon& daemon) {
  std::vector<std::unique_ptr<TestClient>> clients;
  for (const char* name : {"a", "b", "c"}) {
    clients.push_back(std::make_unique<TestClient>(daemon, name));
  }
  return clients;
}

}  // namespace

TEST_CASE("three clients' mean moves the model, survives a restart and is the next round's start",
          "[server]") {
  Fixture fixture;
  auto clients = ThreeClients(*fixture.daemon);
  const grpc::Status submitted = Submit(*fixture.daemon, SmallJob(2));
  INFO(submitted.error_message());
  REQUIRE(submitted.ok());
  PlayTogether(clients, true);
  // A spoiled vector and a short one were refused before the right one was taken.
  REQUIRE(clients[0]->upload_statuses().size() == 3);
  REQUIRE(clients[0]->upload_statuses()[0].error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  REQUIRE(clients[0]->upload_statuses()[1].error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  REQUIRE(clients[0]->upload_statuses()[2].ok());

  const auto layout = PrepareJob(SmallJob(2))->layout;
  const auto first = model::ReadSafetensors(AsBytes(clients[0]->fetched_model()), layout);
  const std::string exported = Export(*fixture.daemon, 1);
  const auto second = model::ReadSafetensors(AsBytes(exported), layout);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  for (std::size_t i = 0; i < first->size(); ++i) {
    // Mean of 0.1, 0.2, 0.3; 20-bit values of up to 1: rounding moves each by less than 2^-19.
    REQUIRE((*second)[i] - (*first)[i] == Approx(0.2).margin(4e-6));
  }
  v1::JobReply job = GetJob(*fixture.daemon);
  REQUIRE(job.job().rounds_done() == 1);
  REQUIRE(job.rounds_size() == 1);
  REQUIRE(job.rounds(0).survivors() == 3);
  REQUIRE(job.rounds(0).privacy_unit() == "example");
  REQUIRE(job.rounds(0).delta() == Approx(1e-5));
  REQUIRE(job.rounds(0).bytes_up() > 3 * 63 * 4);

  fixture.daemon.reset();
  fixture.Start();
  std::vector<std::unique_ptr<TestClient>> others;
  for (const char* name : {"d", "e", "f"}) {
    others.push_back(std::make_unique<TestClient>(*fixture.daemon, name));
  }
  grpc::ClientContext watching;
  v1::WatchJobRequest watch;
  watch.set_name("small");
  const auto updates = test::LocalAdmin(*fixture.daemon)->WatchJob(&watching, watch);
  PlayTogether(others);
  REQUIRE(others[0]->fetched_model() == exported);
  v1::JobUpdate update, last;
  bool finished = false;
  while (updates->Read(&update)) {
    finished = finished || (update.has_finished() && update.finished().round() == 2);
    last = update;
  }
  REQUIRE(updates->Finish().ok());
  REQUIRE(finished);
  REQUIRE(last.job().state() == "done");
  job = GetJob(*fixture.daemon);
  REQUIRE(job.job().state() == "done");
  REQUIRE(job.rounds_size() == 2);
}

TEST_CASE("a privacy ledger that went back is shown to the operator and remembered", "[server]") {
  Fixture fixture;
  auto clients = ThreeClients(*fixture.daemon);
  REQUIRE(Submit(*fixture.daemon, SmallJob(3)).ok());
  PlayTogether(clients);
  PlayTogether(clients);
  const auto client_called = [&](const std::string& name) {
    grpc::ClientContext context;
    v1::ListClientsReply reply;
    REQUIRE(test::LocalAdmin(*fixture.daemon)->ListClients(&context, {}, &reply).ok());
    const auto found =
        std::find_if(reply.clients().begin(), reply.clients().end(),
                     [&](const v1::ClientInfo& client) { return client.name() == name; });
    REQUIRE(found != reply.clients().end());
    return *found;
  };
  for (const char* name : {"a", "b", "c"}) {
    REQUIRE(client_called(name).ledger_entries() == 2);
    REQUIRE(client_called(name).ledger_doubt().empty());
  }
  fixture.daemon.reset();
  fixture.Start();
  clients[1]->Reconnect(*fixture.daemon);
  clients[1]->ledger_entries = 1;
  clients[1]->AttachOnce();
  for (int start = 0; start < 2; ++start) {
    REQUIRE(client_called("a").ledger_doubt().empty());
    REQUIRE(client_called("b").ledger_doubt() == "went back from 2 to 1 records");
    REQUIRE(client_called("b").ledger_entries() == 1);
    fixture.daemon.reset();
    fixture.Start();
  }
}

namespace {

// One round of as many clients as there are values; how it was closed for each.
std::vector<v1::RoundClosed> PlayWith(const Daemon& daemon, const std::vector<float>& values) {
  std::vector<std::unique_ptr<TestClient>> clients;
  std::vector<v1::RoundClosed> closed(values.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < values.size(); ++i) {
    clients.push_back(std::make_unique<TestClient>(daemon, Join("c", i)));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    threads.emplace_back([&, i] { closed[i] = clients[i]->PlayRound(values[i]); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return closed;
}

v1::JobConfig GroupJob(std::uint32_t groups, const std::string& rule, double max_update_norm) {
  v1::JobConfig job = SmallJob(1);
  job.mutable_robust()->set_groups(groups);
  job.mutable_robust()->set_rule(rule);
  job.mutable_robust()->set_max_update_norm(max_update_norm);
  job.mutable_cohort()->set_size(3 * groups);
  return job;
}

// How far the first value moved from the first weights, which all clients start from.
float Moved(const Daemon& daemon, const v1::JobConfig& job) {
  const auto prepared = PrepareJob(job);
  const auto first = model::ReadSafetensors(*FirstCheckpoint(*prepared, {}), prepared->layout);
  const std::string exported = Export(daemon, 1);
  const auto second = model::ReadSafetensors(AsBytes(exported), prepared->layout);
  return second->front() - first->front();
}

}  // namespace

TEST_CASE("the median of three groups is not moved by a client that sends a far update",
          "[server]") {
  Fixture fixture;
  const v1::JobConfig job = GroupJob(3, "median", 0);
  REQUIRE(Submit(*fixture.daemon, job).ok());
  std::vector<float> values(9, 0.1F);
  values[4] = 0.9F;
  for (const v1::RoundClosed& closed : PlayWith(*fixture.daemon, values)) {
    REQUIRE(closed.outcome() == v1::OUTCOME_PUBLISHED);
    REQUIRE(closed.survivors() == 3);
  }
  REQUIRE(Moved(*fixture.daemon, job) == Approx(0.1).margin(4e-6));
  const v1::JobReply reply = GetJob(*fixture.daemon);
  REQUIRE(reply.rounds(0).groups() == 3);
  REQUIRE(reply.rounds(0).groups_left_out() == 0);
  REQUIRE(reply.rounds(0).survivors() == 9);
}

// The model has 62 values: a mean of 0.1 each has norm 0.79, one of a group with 0.9 among
// them 2.9.
TEST_CASE("a group whose mean is longer than allowed is left out and its members are told",
          "[server]") {
  Fixture fixture;
  const v1::JobConfig job = GroupJob(2, "mean", 1.0);
  REQUIRE(Submit(*fixture.daemon, job).ok());
  std::vector<float> values(6, 0.1F);
  values[0] = 0.9F;
  const std::vector<v1::RoundClosed> closed = PlayWith(*fixture.daemon, values);
  REQUIRE(closed[0].outcome() == v1::OUTCOME_FAILED);
  REQUIRE(closed[0].reason().find("max_update_norm is 1") != std::string::npos);
  REQUIRE(std::count_if(closed.begin(), closed.end(), [](const v1::RoundClosed& one) {
            return one.outcome() == v1::OUTCOME_PUBLISHED;
          }) == 3);
  REQUIRE(Moved(*fixture.daemon, job) == Approx(0.1).margin(4e-6));
  const v1::JobReply reply = GetJob(*fixture.daemon);
  REQUIRE(reply.rounds(0).groups_left_out() == 1);
  REQUIRE(reply.rounds(0).survivors() == 3);
}

TEST_CASE("a sum that fails its checks is not published when no other is there", "[server]") {
  Fixture fixture;
  REQUIRE(Submit(*fixture.daemon, GroupJob(1, "mean", 1.0)).ok());
  for (const v1::RoundClosed& closed : PlayWith(*fixture.daemon, {0.1F, 0.9F, 0.1F})) {
    REQUIRE(closed.outcome() == v1::OUTCOME_FAILED);
    REQUIRE(closed.reason().find("SUM_REJECTED") != std::string::npos);
  }
  REQUIRE(GetJob(*fixture.daemon).job().rounds_done() == 0);
}

namespace {

// The trainers', by name.
std::vector<std::uint32_t> Suspicion(const Daemon& daemon) {
  grpc::ClientContext context;
  v1::ListClientsReply reply;
  REQUIRE(test::LocalAdmin(daemon)->ListClients(&context, {}, &reply).ok());
  std::vector<std::uint32_t> suspicion;
  for (const v1::ClientInfo& client : reply.clients()) {
    if (client.role() == "trainer") {
      suspicion.push_back(client.suspicion());
    }
  }
  return suspicion;
}

grpc::StatusCode Readmit(const Daemon& daemon, const std::string& name) {
  grpc::ClientContext context;
  v1::ReadmitClientRequest request;
  request.set_name(name);
  v1::ReadmitClientReply reply;
  return test::LocalAdmin(daemon)->ReadmitClient(&context, request, &reply).error_code();
}

}  // namespace

TEST_CASE("who was in a spoiled sum stays a suspect over a restart until it is readmitted",
          "[server]") {
  Fixture fixture;
  REQUIRE(Submit(*fixture.daemon, GroupJob(1, "mean", 1.0)).ok());
  PlayWith(*fixture.daemon, {0.1F, 0.9F, 0.1F});
  REQUIRE(Suspicion(*fixture.daemon) == std::vector<std::uint32_t>{1, 1, 1});
  fixture.daemon.reset();
  fixture.Start();
  REQUIRE(Suspicion(*fixture.daemon) == std::vector<std::uint32_t>{1, 1, 1});
  REQUIRE(Readmit(*fixture.daemon, "nobody") == grpc::StatusCode::NOT_FOUND);
  REQUIRE(Readmit(*fixture.daemon, "c1") == grpc::StatusCode::OK);
  REQUIRE(Suspicion(*fixture.daemon) == std::vector<std::uint32_t>{0, 0, 0});
  REQUIRE(Readmit(*fixture.daemon, "c1") == grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_CASE("a damaged checkpoint sends the job back to the one before", "[server]") {
  Fixture fixture;
  auto clients = ThreeClients(*fixture.daemon);
  REQUIRE(Submit(*fixture.daemon, SmallJob(2)).ok());
  PlayTogether(clients);
  fixture.daemon.reset();
  for (const auto& entry :
       std::filesystem::directory_iterator(fixture.folder / "state/models/small")) {
    if (entry.path().filename().string().starts_with("1-") &&
        entry.path().extension() == ".safetensors") {
      std::filesystem::resize_file(entry.path(), 100);
    }
  }
  fixture.Start();
  const v1::JobReply job = GetJob(*fixture.daemon);
  REQUIRE(job.job().rounds_done() == 0);
  REQUIRE(job.rounds_size() == 0);
  REQUIRE(job.job().state() == "running");
}

TEST_CASE("a job is taken once, and another one of the same name is refused", "[server]") {
  Fixture fixture;
  REQUIRE(Submit(*fixture.daemon, SmallJob(2)).ok());
  REQUIRE(Submit(*fixture.daemon, SmallJob(2)).ok());
  REQUIRE(Submit(*fixture.daemon, SmallJob(3)).error_code() == grpc::StatusCode::ALREADY_EXISTS);
  v1::JobConfig wrong = SmallJob(2);
  wrong.set_name("../evil");
  REQUIRE(Submit(*fixture.daemon, wrong).error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  grpc::ClientContext context;
  v1::StopJobRequest stop;
  stop.set_name("small");
  v1::JobReply reply;
  REQUIRE(test::LocalAdmin(*fixture.daemon)->StopJob(&context, stop, &reply).ok());
  REQUIRE(reply.job().state() == "stopped");
  fixture.daemon.reset();
  fixture.Start();
  REQUIRE(GetJob(*fixture.daemon).job().state() == "stopped");
  grpc::ClientContext again;
  v1::ResumeJobRequest resume;
  resume.set_name("small");
  REQUIRE(test::LocalAdmin(*fixture.daemon)->ResumeJob(&again, resume, &reply).ok());
  REQUIRE(reply.job().state() == "running");
}

TEST_CASE("a token enrols one client, for its name and time only", "[server]") {
  Fixture fixture;
  const std::string token = test::NewToken(*fixture.daemon, "", "trainer");
  REQUIRE(test::Enrol(*fixture.daemon, token, "Bad Name").status.error_code() ==
          grpc::StatusCode::INVALID_ARGUMENT);
  REQUIRE(test::Enrol(*fixture.daemon, token, "a").status.ok());
  REQUIRE(test::Enrol(*fixture.daemon, token, "b").status.error_code() ==
          grpc::StatusCode::UNAUTHENTICATED);
  const std::string second = test::NewToken(*fixture.daemon, "", "trainer");
  REQUIRE(test::Enrol(*fixture.daemon, second, "a").status.error_code() ==
          grpc::StatusCode::ALREADY_EXISTS);
  const std::string bound = test::NewToken(*fixture.daemon, "c", "evaluator");
  const auto enrolled = test::Enrol(*fixture.daemon, bound, "wanted");
  REQUIRE(enrolled.status.ok());
  const auto info = crypto::ReadCertificatePem(enrolled.credentials.certificate_pem);
  REQUIRE(info->name == "c");
  REQUIRE(info->role == "evaluator");
  fixture.clock.moved = 86'400;
  REQUIRE(test::Enrol(*fixture.daemon, second, "d").status.error_code() ==
          grpc::StatusCode::UNAUTHENTICATED);
}

TEST_CASE("guessing tokens is slowed down", "[server]") {
  rpc::FailureLimit limit(20);
  for (int i = 0; i < 20; ++i) {
    REQUIRE(!limit.Exceeded(Instant(5000)));
    limit.Count(Instant(5000 + i));
  }
  REQUIRE(limit.Exceeded(Instant(5999)));
  REQUIRE(!limit.Exceeded(Instant(6000)));
}

TEST_CASE("calls are allowed by certificate, role and standing", "[server]") {
  Fixture fixture;
  TestClient client(*fixture.daemon, "a");
  const auto list = [&](const Credentials& credentials) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::ListClientsReply reply;
    return v1::Admin::NewStub(test::Connect(fixture.daemon->port(), credentials))
        ->ListClients(&context, {}, &reply)
        .error_code();
  };
  REQUIRE(list(client.credentials()) == grpc::StatusCode::PERMISSION_DENIED);
  Credentials nobody = client.credentials();
  nobody.certificate_pem.clear();
  nobody.key_pem.clear();
  REQUIRE(list(nobody) == grpc::StatusCode::UNAVAILABLE);  // no handshake without a certificate
  const auto admin =
      test::Enrol(*fixture.daemon, test::NewToken(*fixture.daemon, "", "operator"), "admin");
  REQUIRE(list(admin.credentials) == grpc::StatusCode::OK);

  const auto attach = [&](const std::string& role, std::uint32_t version) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::AttachRequest request;
    request.set_role(role);
    request.set_protocol_version(version);
    const auto notices = client.stub().Attach(&context, request);
    v1::Notice notice;
    if (notices->Read(&notice) && notice.has_welcome()) {
      return grpc::StatusCode::OK;
    }
    return notices->Finish().error_code();
  };
  REQUIRE(attach("trainer", 1) == grpc::StatusCode::OK);
  REQUIRE(attach("evaluator", 1) == grpc::StatusCode::PERMISSION_DENIED);
  REQUIRE(attach("king", 1) == grpc::StatusCode::INVALID_ARGUMENT);
  REQUIRE(attach("trainer", 2) == grpc::StatusCode::FAILED_PRECONDITION);
  grpc::ClientContext context;
  v1::RevokeClientRequest revoke;
  revoke.set_name("a");
  v1::RevokeClientReply revoked;
  REQUIRE(test::LocalAdmin(*fixture.daemon)->RevokeClient(&context, revoke, &revoked).ok());
  REQUIRE(attach("trainer", 1) == grpc::StatusCode::PERMISSION_DENIED);
}

TEST_CASE("an unusable key or certificate is named", "[server]") {
  Fixture fixture;
  fixture.daemon.reset();
  const std::string pki = fixture.folder / "state/pki";
  const auto refusal = [&](const std::string& file, const std::string& text) {
    const std::string path = pki + "/" + file;
    const std::string kept = *platform::ReadTextFile(path, 1 << 16);
    REQUIRE(platform::WriteFileDurably(path, AsBytes(text), 0600).ok());
    const Status status = Daemon::Start(fixture.config, fixture.clock).status();
    REQUIRE(platform::WriteFileDurably(path, AsBytes(kept), 0600).ok());
    INFO(TextOf(status));
    return !status.ok() && TextOf(status).find(path) != std::string::npos;
  };
  for (const char* file : {"ca.pem", "ca.key", "server.key"}) {
    INFO(file);
    REQUIRE(refusal(file, "garbage"));
  }
  REQUIRE(refusal("ca.pem", *platform::ReadTextFile(pki + "/operator.pem", 1 << 16)));
  fixture.Start();
}

TEST_CASE("a second server on the same state directory or port is refused", "[server]") {
  Fixture fixture;
  REQUIRE(Daemon::Start(fixture.config, fixture.clock).status().code() == StatusCode::kAborted);
  v1::ServerConfig other = fixture.config;
  InitSettings init;
  init.state_directory = fixture.folder / "other";
  REQUIRE(InitStateDirectory(init, fixture.clock).ok());
  REQUIRE(InitStateDirectory(init, fixture.clock).code() == StatusCode::kAlreadyExists);
  other.set_state_directory(init.state_directory);
  other.set_address("127.0.0.1:" + std::to_string(fixture.daemon->port()));
  const Status taken = Daemon::Start(other, fixture.clock).status();
  REQUIRE(taken.code() == StatusCode::kUnavailable);
  REQUIRE(TextOf(taken).find("in use") != std::string::npos);
  std::filesystem::permissions(fixture.folder / "other/pki/ca.key",
                               std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  REQUIRE(Daemon::Start(other, fixture.clock).status().code() == StatusCode::kPermissionDenied);
}

}  // namespace tutti::server
