#include "common/strategy/staleness.h"

#include <cmath>
#include <functional>
#include <limits>
#include <tuple>

#include "tests/catch.h"

namespace tutti::strategy {
namespace {

v1::TaskSpec Task() {
  v1::TaskSpec task;
  task.mutable_training()->set_max_staleness(3);
  task.mutable_training()->set_staleness_power(0.5);
  task.mutable_privacy()->set_unit("none");
  task.mutable_secure_aggregation()->set_level("curious");
  return task;
}

}  // namespace

TEST_CASE("an update counts one over one plus its rounds late, to the power", "[staleness]") {
  v1::TrainingSpec training = Task().training();
  REQUIRE(StalenessFactor(training, 0) == 1);
  REQUIRE(StalenessFactor(training, 3) == Approx(0.5));  // 1 / sqrt(4)
  training.set_staleness_power(2);
  REQUIRE(StalenessFactor(training, 1) == Approx(0.25));
  training.set_staleness_power(0);
  REQUIRE(StalenessFactor(training, 1000) == 1);
  training.set_staleness_power(10);
  for (std::uint64_t late = 0; late < 1000; ++late) {
    REQUIRE(StalenessFactor(training, late + 1) < StalenessFactor(training, late));
  }
  REQUIRE(StalenessFactor(training, 1000) > 0);
}

TEST_CASE("an update counts from its own round to the last that is not too late", "[staleness]") {
  v1::TrainingSpec training = Task().training();
  REQUIRE_FALSE(StillCounts(training, 5, 4));
  for (const std::uint64_t round : {5U, 6U, 7U, 8U}) REQUIRE(StillCounts(training, 5, round));
  REQUIRE_FALSE(StillCounts(training, 5, 9));
  REQUIRE_FALSE(StillCounts(training, 5, std::numeric_limits<std::uint64_t>::max()));
  training.set_max_staleness(0);
  REQUIRE_FALSE(StillCounts(training, 5, 5));
}

TEST_CASE("late updates are refused beside what belongs to one round's model", "[staleness]") {
  using Change = std::function<void(v1::TaskSpec&)>;
  const std::vector<std::pair<std::string, Change>> refused = {
      {"correction = \"scaffold\"",
       [](v1::TaskSpec& t) { t.mutable_training()->set_correction("scaffold"); }},
      {"correction = \"nova\"",
       [](v1::TaskSpec& t) { t.mutable_training()->set_correction("nova"); }},
      {"correction = \"ditto\"",
       [](v1::TaskSpec& t) { t.mutable_training()->set_correction("ditto"); }},
      {"fairness_power", [](v1::TaskSpec& t) { t.mutable_training()->set_fairness_power(1); }},
      {"agnostic_rate", [](v1::TaskSpec& t) { t.mutable_training()->set_agnostic_rate(1); }},
      {"fairness.attribute", [](v1::TaskSpec& t) { t.mutable_fairness()->set_attribute("sex"); }},
      {"clusters (k-means)",
       [](v1::TaskSpec& t) { t.mutable_model()->set_architecture("kmeans"); }},
      {"kind = \"evaluate\"", [](v1::TaskSpec& t) { t.set_kind("evaluate"); }},
      {"noise = \"distributed\" and unit = \"example\"",
       [](v1::TaskSpec& t) {
         t.mutable_privacy()->set_unit("example");
         t.mutable_privacy()->set_noise("distributed");
       }},
      {"noise = \"central\" and unit = \"example\"",
       [](v1::TaskSpec& t) {
         t.mutable_privacy()->set_unit("example");
         t.mutable_privacy()->set_noise("central");
       }},
      {"noise = \"tree\"",
       [](v1::TaskSpec& t) {
         t.mutable_privacy()->set_unit("client");
         t.mutable_privacy()->set_noise("tree");
       }},
      {"target_quantile", [](v1::TaskSpec& t) {
         t.mutable_privacy()->set_unit("client");
         t.mutable_privacy()->set_target_quantile(0.5);
       }}};
  for (const auto& [name, change] : refused) {
    v1::TaskSpec task = Task();
    change(task);
    const Status status = CheckStaleness(task);
    INFO(name << ": " << MessageOf(status));
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    REQUIRE(MessageOf(status).find("late updates cannot go with " + name) == 0);
    REQUIRE(MessageOf(status).find("or set training.max_staleness = 0") != std::string::npos);
    task.mutable_training()->set_max_staleness(0);
    REQUIRE(CheckStaleness(task).ok());
  }
}

TEST_CASE("late updates go with the privacy that holds for any update", "[staleness]") {
  for (const auto& [unit, noise] :
       std::vector<std::pair<std::string, std::string>>{{"none", ""},
                                                        {"none", "local"},
                                                        {"example", "local"},
                                                        {"client", "local"},
                                                        {"client", "distributed"},
                                                        {"client", "central"}}) {
    v1::TaskSpec task = Task();
    task.mutable_privacy()->set_unit(unit);
    task.mutable_privacy()->set_noise(noise);
    INFO(unit << " " << noise);
    REQUIRE(CheckStaleness(task).ok());
  }
}

TEST_CASE("against a coordinator that lies, late updates need the clients' own noise",
          "[staleness]") {
  for (const auto& [unit, noise, allowed] :
       std::vector<std::tuple<std::string, std::string, bool>>{{"none", "local", false},
                                                               {"none", "", false},
                                                               {"client", "central", false},
                                                               {"client", "distributed", true},
                                                               {"client", "local", true},
                                                               {"example", "local", true},
                                                               {"example", "", true}}) {
    v1::TaskSpec task = Task();
    task.mutable_privacy()->set_unit(unit);
    task.mutable_privacy()->set_noise(noise);
    for (const std::string level : {"malicious", ""}) {
      task.mutable_secure_aggregation()->set_level(level);
      const Status status = CheckStaleness(task);
      INFO(unit << " " << noise << ": " << MessageOf(status));
      REQUIRE(status.ok() == allowed);
      REQUIRE((allowed || MessageOf(status).find("level = \"malicious\"") != std::string::npos));
    }
  }
}

TEST_CASE("staleness settings out of range are refused", "[staleness]") {
  v1::TaskSpec task = Task();
  task.mutable_training()->set_max_staleness(1001);
  REQUIRE(MessageOf(CheckStaleness(task)) == "training.max_staleness is 1001, expected 0 to 1000");
  for (const double power : {-0.1, 10.1, std::nan("")}) {
    task = Task();
    task.mutable_training()->set_staleness_power(power);
    REQUIRE(MessageOf(CheckStaleness(task)).find("training.staleness_power is") == 0);
  }
}

}  // namespace tutti::strategy
