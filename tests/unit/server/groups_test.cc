// Rounds of several secure sums, and sums that fail their checks.
#include <algorithm>
#include <thread>

#include "common/base/text.h"
#include "common/model/safetensors.h"
#include "server/job_settings.h"
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

}  // namespace tutti::server
