// Jobs, checkpoints and restarts of the whole server.
#include <algorithm>
#include <filesystem>

#include "common/base/text.h"
#include "common/model/safetensors.h"
#include "common/platform/files.h"
#include "server/job/job_settings.h"
#include "tests/catch.h"
#include "tests/unit/server/fixture.h"

namespace tutti::server {

namespace {

using test::TestClient;

}  // namespace

TEST_CASE("three clients' mean moves the model, survives a restart and is the next round's start",
          "[server]") {
  Fixture fixture;
  auto clients = NewClients(*fixture.daemon, {"a", "b", "c"});
  const grpc::Status submitted = Submit(*fixture.daemon, SmallJob(2));
  INFO(submitted.error_message());
  REQUIRE(submitted.ok());
  PlayTogether(clients);
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
  auto clients = NewClients(*fixture.daemon, {"a", "b", "c"});
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

TEST_CASE("a damaged checkpoint sends the job back to the one before", "[server]") {
  Fixture fixture;
  auto clients = NewClients(*fixture.daemon, {"a", "b", "c"});
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
