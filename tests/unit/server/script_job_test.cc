// Jobs of a TorchScript model: the coordinator never sees the file, only its hash and weights.
#include "common/model/safetensors.h"
#include "server/job/job_settings.h"
#include "tests/catch.h"
#include "tests/unit/server/fixture.h"

namespace tutti::server {
namespace {

v1::JobConfig ScriptJob() {
  v1::JobConfig job = SmallJob(1);
  job.mutable_model()->Clear();
  job.mutable_model()->set_architecture("torchscript");
  job.mutable_model()->set_torchscript_sha256(std::string(64, 'a'));
  job.mutable_model()->add_input_shape(2);
  job.mutable_model()->set_classes(3);
  job.mutable_model()->set_activation("relu");
  job.mutable_model()->set_normalisation("none");
  job.mutable_model()->set_features("none");
  job.mutable_model()->set_width(16);
  job.set_warm_start("sha256:of the weights");
  return job;
}

Bytes FirstWeights() {
  model::Layout layout;
  layout.parameters = {{.name = "w", .shape = {3, 2}, .offset = 0, .values = 6},
                       {.name = "b", .shape = {3}, .offset = 6, .values = 3}};
  layout.values = 9;
  return model::WriteSafetensors(layout, std::vector<float>(9, 0.5F), {});
}

}  // namespace

TEST_CASE("a TorchScript job has the layout of its first weights", "[server]") {
  const Bytes weights = FirstWeights();
  const auto completed = CompletedJob(ScriptJob(), weights);
  REQUIRE(completed.ok());
  const auto prepared = PrepareJob(*completed);
  INFO(prepared.status());
  REQUIRE(prepared.ok());
  REQUIRE(prepared->layout.values == 9);
  REQUIRE(prepared->task.values() == 9);
  REQUIRE(prepared->task.model().parameters(1).name() == "b");
  const auto checkpoint = FirstCheckpoint(*prepared, weights);
  REQUIRE(model::ReadSafetensors(*checkpoint, prepared->layout)->front() == 0.5F);
  // Submitted again it is the same job, and a layout that is listed stays.
  REQUIRE(CompletedJob(*completed, weights)->SerializeAsString() == completed->SerializeAsString());
}

TEST_CASE("a TorchScript job without usable first weights is refused", "[server]") {
  const v1::JobConfig job = ScriptJob();
  const auto refusal = [](const Status& status) { return std::string(MessageOf(status)); };
  REQUIRE(refusal(PrepareJob(*CompletedJob(job, {})).status()).find("model.parameters is empty") !=
          std::string::npos);
  const Bytes damaged(20);
  REQUIRE(refusal(CompletedJob(job, damaged).status()).find("warm_start: ") == 0);
  const auto prepared = PrepareJob(*CompletedJob(job, FirstWeights()));
  REQUIRE(refusal(FirstCheckpoint(*prepared, {}).status()).find("came without first weights") !=
          std::string::npos);
  v1::JobConfig unnamed = *CompletedJob(job, FirstWeights());
  unnamed.clear_warm_start();
  REQUIRE(refusal(PrepareJob(unnamed).status()).find("warm_start: missing") != std::string::npos);
}

}  // namespace tutti::server
