// Uploads to the whole server that break off or are not what they announced.
#include <cmath>

#include "common/model/safetensors.h"
#include "server/job/job_settings.h"
#include "tests/catch.h"
#include "tests/unit/server/fixture.h"

namespace tutti::server {

namespace {

using test::Manner;
using test::TestClient;

}  // namespace

TEST_CASE("an upload that broke off goes on at its last whole chunk and counts once", "[server]") {
  Fixture fixture;
  auto clients = NewClients(*fixture.daemon, {"a", "b", "c"});
  v1::JobConfig job = SmallJob(1);
  job.mutable_model()->set_input_shape(0, 40'000);
  job.mutable_model()->set_classes(4);
  REQUIRE(Submit(*fixture.daemon, job).ok());
  PlayTogether(clients, Manner::kBrokenOff);
  const TestClient& broken = *clients[0];
  REQUIRE(broken.upload_statuses().size() == 2);
  REQUIRE(broken.upload_statuses()[0].error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  INFO(broken.upload_statuses()[1].error_message());
  REQUIRE(broken.upload_statuses()[1].ok());
  REQUIRE(broken.vector_bytes() > 400'000);
  REQUIRE(broken.resumed_at() == 256 * 1024);  // of the three quarters that arrived

  const auto layout = PrepareJob(job)->layout;
  const auto first = model::ReadSafetensors(AsBytes(broken.fetched_model()), layout);
  const std::string exported = Export(*fixture.daemon, 1);
  const auto second = model::ReadSafetensors(AsBytes(exported), layout);
  float farthest = 0;
  for (std::size_t i = 0; i < first->size(); ++i) {
    farthest = std::max(farthest, std::abs((*second)[i] - (*first)[i] - 0.2F));
  }
  REQUIRE(farthest < 4e-6F);
}

TEST_CASE("who uploads another vector than announced, or none of the ring, is named and out",
          "[server]") {
  for (const Manner manner : {Manner::kSpoiled, Manner::kPadded}) {
    Fixture fixture;
    auto clients = NewClients(*fixture.daemon, {"liar", "b", "c", "d", "e"});
    v1::JobConfig job = SmallJob(1);
    job.mutable_model()->set_input_shape(0, 29);  // 62 values would fill their last byte
    job.mutable_cohort()->set_size(5);
    job.mutable_cohort()->set_min_clients(4);
    REQUIRE(Submit(*fixture.daemon, job).ok());
    const std::vector<v1::RoundClosed> ends = PlayAll(clients, manner);
    INFO(ends[0].reason());
    REQUIRE(ends[0].outcome() == v1::OUTCOME_DROPPED);
    REQUIRE(ends[0].reason().find(manner == Manner::kSpoiled
                                      ? "does not have the SHA-256 its header announced"
                                      : "bits set behind the last of its") != std::string::npos);
    REQUIRE(clients[0]->upload_statuses()[0].error_code() == grpc::StatusCode::INVALID_ARGUMENT);
    for (std::size_t i = 1; i < ends.size(); ++i) {
      REQUIRE(ends[i].outcome() == v1::OUTCOME_PUBLISHED);
      REQUIRE(ends[i].survivors() == 4);
    }
  }
}

}  // namespace tutti::server
