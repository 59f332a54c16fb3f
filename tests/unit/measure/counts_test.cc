#include "common/measure/counts.h"

#include <cmath>

#include "tests/catch.h"

namespace tutti::measure {
namespace {

bool Says(const Status& status, std::string_view words) {
  return MessageOf(status).find(words) != std::string_view::npos;
}

v1::TaskSpec FairTask() {
  v1::TaskSpec task;
  task.set_kind("train");
  task.mutable_model()->set_classes(2);
  task.mutable_fairness()->set_attribute("sex");
  task.mutable_fairness()->add_groups("female");
  task.mutable_fairness()->add_groups("male");
  task.mutable_fairness()->set_positive_class(1);
  return task;
}

TEST_CASE("training counts outcomes of groups, and nothing without groups", "[measure]") {
  const auto layout = LayoutOf(FairTask());
  REQUIRE(layout.ok());
  REQUIRE(layout->lanes() == 8);
  REQUIRE(LayoutOf(v1::TaskSpec())->empty());
}

TEST_CASE("contradictions between groups and model are refused by key", "[measure]") {
  v1::TaskSpec task = FairTask();
  task.mutable_fairness()->set_positive_class(2);
  REQUIRE(Says(LayoutOf(task).status(), "positive_class"));
  task = FairTask();
  task.mutable_fairness()->set_groups(1, "female");
  REQUIRE(Says(LayoutOf(task).status(), "twice"));
  task.mutable_fairness()->mutable_groups()->RemoveLast();
  REQUIRE(Says(LayoutOf(task).status(), "fairness.groups"));
  task = FairTask();
  task.set_kind("bake");
  REQUIRE(Says(LayoutOf(task).status(), "kind"));
}

TEST_CASE("families are found by name, and share the noise by what an example changes",
          "[measure]") {
  const CountLayout layout{{{"a", {2, 3}, 1}, {"b", {1}, 1}, {"c", {4}, 2.5}}};
  REQUIRE(layout.lanes() == 11);
  REQUIRE(layout.Find("c").first == 7);
  REQUIRE(layout.Find("c").lanes == 4);
  REQUIRE(layout.Find("d").lanes == 0);
  const std::vector<double> stddevs = NoiseStddevs(layout, 2);
  // One example, in the metric of the noise, moves the whole by at most 1 / noise multiplier.
  const double moved = std::sqrt(std::pow(1 / stddevs[0], 2) + std::pow(1 / stddevs[6], 2) +
                                 std::pow(2.5 / stddevs[7], 2));
  REQUIRE(moved == Approx(0.5));
}

TEST_CASE("a job cannot ask for more lanes than there are", "[measure]") {
  const CountLayout layout{{{"a", {100000, 100000, 100000}, 1}}};
  REQUIRE(layout.lanes() > kMaxCountLanes);
}

}  // namespace
}  // namespace tutti::measure
