#include "common/measure/metadata.h"

#include "tests/catch.h"

namespace tutti::measure {
namespace {

Bytes Checkpoint(const model::Metadata& metadata) {
  return model::WriteSafetensors(model::Layout(), {}, metadata);
}

v1::TaskSpec TwoGroups() {
  v1::TaskSpec task;
  task.mutable_fairness()->set_attribute("sex");
  task.mutable_fairness()->add_groups("a");
  task.mutable_fairness()->add_groups("b");
  return task;
}

TEST_CASE("counts survive a checkpoint, negative ones too", "[measure]") {
  const CountLayout layout{{{"x", {3}, 1}}};
  model::Metadata metadata;
  SetCounts({{5, -7, 0}, 12, 4.25}, metadata);
  const auto found = CountsOf(layout, Checkpoint(metadata));
  REQUIRE(found.ok());
  REQUIRE((*found)->counts == std::vector<std::int64_t>{5, -7, 0});
  REQUIRE((*found)->clients == 12);
  REQUIRE((*found)->noise_multiplier == 4.25);
  REQUIRE_FALSE(CountsOf(layout, Checkpoint({}))->has_value());
}

TEST_CASE("damaged counts and tilts are errors", "[measure]") {
  const CountLayout layout{{{"x", {3}, 1}}};
  for (const char* const counts : {"1 2", "1 2 3 4", "1 2 x", "1  2 3", "1 2 3 ", " 1 2 3", ""}) {
    INFO(counts);
    const Bytes file =
        Checkpoint({{"counts", counts}, {"counts_clients", "3"}, {"counts_noise", "0"}});
    REQUIRE(CountsOf(layout, file).status().code() == StatusCode::kDataLoss);
  }
  const Bytes no_clients = Checkpoint({{"counts", "1 2 3"}, {"counts_noise", "0"}});
  REQUIRE_FALSE(CountsOf(layout, no_clients).ok());
  for (const char* const tilts : {"1 2 3", "1 2 3 nan", "1 2 3 51", "1 2 3 4 5", "1 2 3 inf"}) {
    INFO(tilts);
    REQUIRE(TiltsOf(TwoGroups(), Checkpoint({{"tilts", tilts}})).status().code() ==
            StatusCode::kDataLoss);
  }
}

TEST_CASE("tilts are read by jobs that look at groups, and may be missing", "[measure]") {
  model::Metadata metadata;
  SetTilts({0.5, -0.25, 0, 50}, {0.125}, metadata);
  REQUIRE(*TiltsOf(TwoGroups(), Checkpoint(metadata)) == std::vector<double>{0.5, -0.25, 0, 50});
  REQUIRE(*DualOf(Checkpoint(metadata)) == std::vector<double>{0.125});
  REQUIRE(TiltsOf(v1::TaskSpec(), Checkpoint(metadata))->empty());
  REQUIRE(TiltsOf(TwoGroups(), Checkpoint({}))->empty());
}

}  // namespace
}  // namespace tutti::measure
