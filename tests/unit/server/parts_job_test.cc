// Jobs that train a part of their model, and jobs that start from another model's weights.
#include "common/model/architecture.h"
#include "common/model/safetensors.h"
#include "server/job/next_model.h"
#include "tests/catch.h"
#include "tests/unit/server/fixture.h"

namespace tutti::server {
namespace {

// 0.weight [5, 2], 0.bias [5], 2.weight [3, 5], 2.bias [3]
v1::JobConfig PartJob() {
  v1::JobConfig job = SmallJob(1);
  v1::ModelSpec& model = *job.mutable_model();
  model.set_architecture("mlp");
  model.clear_input_shape();
  model.add_input_shape(2);
  model.clear_hidden();
  model.add_hidden(5);
  model.set_classes(3);
  return job;
}

Bytes Whole(const model::Layout& layout) {
  std::vector<float> values(layout.values);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  return model::WriteSafetensors(layout, values, {});
}

}  // namespace

TEST_CASE("only what all train together is in the vector, and the rest keeps its values",
          "[server]") {
  v1::JobConfig config = PartJob();
  const Bytes base = Whole(model::LayoutOf(config.model()).value());
  config.set_warm_start("sha256:of the base");
  config.mutable_model()->add_frozen("0.*");
  config.mutable_model()->add_personal("2.bias");
  const auto job = PrepareJob(config);
  INFO(job.status());
  REQUIRE(job.ok());
  REQUIRE(job->layout.values == 33);
  REQUIRE(job->task.values() == 15);
  REQUIRE(job->settings.config.values == 15);
  const auto first = FirstCheckpoint(*job, base);
  REQUIRE(first.ok());
  const auto next = MakeNextModel(*job, *first, {.round = 1, .clients = 3},
                                  {{{std::vector<float>(15, 0.5F), 3}, 0}});
  INFO(next.status());
  REQUIRE(next.ok());
  const auto before = model::ReadSafetensors(*first, job->layout).value();
  const auto after = model::ReadSafetensors(next->checkpoint, job->layout).value();
  for (std::size_t i = 0; i < 33; ++i) {
    const bool common = i >= 15 && i < 30;
    REQUIRE(after[i] == Approx(before[i] + (common ? 0.5F : 0.0F)));
  }
}

TEST_CASE("a job may start from the weights of a model with another last layer", "[server]") {
  v1::JobConfig other = PartJob();
  other.mutable_model()->set_classes(7);
  const Bytes base = Whole(model::LayoutOf(other.model()).value());
  v1::JobConfig config = PartJob();
  config.set_warm_start("sha256:of the base");
  const auto job = PrepareJob(config);
  REQUIRE(job.ok());
  const auto first = FirstCheckpoint(*job, base);
  REQUIRE(first.ok());
  const auto values = model::ReadSafetensors(*first, job->layout).value();
  for (std::size_t i = 0; i < 15; ++i) REQUIRE(values[i] == static_cast<float>(i + 1));
  REQUIRE(values[15] != 16.0F);  // from the seed

  v1::JobConfig wide = PartJob();
  wide.mutable_model()->set_hidden(0, 6);
  wide.mutable_model()->set_classes(4);
  const auto strange = FirstCheckpoint(*PrepareJob(wide), Whole(job->layout));
  REQUIRE(std::string(MessageOf(strange.status())).find("warm_start: ") == 0);
}

}  // namespace tutti::server
