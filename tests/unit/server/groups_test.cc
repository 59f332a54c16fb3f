// Rounds of several secure sums, and sums that fail their checks.
#include <algorithm>
#include <thread>

#include "common/base/text.h"
#include "common/model/safetensors.h"
#include "server/job/job_settings.h"
#include "tests/catch.h"
#include "tests/unit/server/fixture.h"

namespace tutti::server {

namespace {

using test::TestClient;

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

}  // namespace tutti::server
