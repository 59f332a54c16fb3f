#include "tests/unit/server/fixture.h"

#include <thread>

#include "common/config/load.h"
#include "server/rpc/servers.h"
#include "tests/catch.h"

namespace tutti::server {

using test::Manner;
using test::TestClient;

Fixture::Fixture() {
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

void Fixture::Start() {
  auto started = Daemon::Start(config, clock);
  INFO(TextOf(started.status()));
  REQUIRE(started.ok());
  daemon = *std::move(started);
}

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

std::vector<v1::RoundClosed> PlayAll(std::vector<std::unique_ptr<TestClient>>& clients,
                                     Manner first) {
  std::vector<v1::RoundClosed> ends(clients.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] {
      ends[i] =
          clients[i]->PlayRound(0.1F * static_cast<float>(i + 1), i == 0 ? first : Manner::kPlain);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return ends;
}

void PlayTogether(std::vector<std::unique_ptr<TestClient>>& clients, Manner first) {
  for (const v1::RoundClosed& end : PlayAll(clients, first)) {
    INFO(end.reason());
    REQUIRE(end.outcome() == v1::OUTCOME_PUBLISHED);
    REQUIRE(end.survivors() == clients.size());
  }
}

std::vector<std::unique_ptr<TestClient>> NewClients(const Daemon& daemon,
                                                    const std::vector<std::string>& names) {
  std::vector<std::unique_ptr<TestClient>> clients;
  for (const std::string& name : names) {
    clients.push_back(std::make_unique<TestClient>(daemon, name));
  }
  return clients;
}

}  // namespace tutti::server
