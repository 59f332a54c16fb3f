#include "common/strategy/class_weights.h"

#include <cmath>

#include "tests/catch.h"

namespace tutti::strategy {
namespace {

v1::TaskSpec Task(const std::vector<double>& weights, std::uint32_t classes = 2) {
  v1::TaskSpec task;
  task.mutable_model()->set_classes(classes);
  for (const double weight : weights) task.mutable_training()->add_class_weights(weight);
  return task;
}

TEST_CASE("class weights fit the classes or are refused with the way out", "[strategy]") {
  REQUIRE(CheckClassWeights(Task({})).ok());
  REQUIRE(CheckClassWeights(Task({0.5, 4})).ok());
  const auto refusal = [](const v1::TaskSpec& task) {
    return std::string(MessageOf(CheckClassWeights(task)));
  };
  REQUIRE(refusal(Task({1, 2, 3})).find("expected one for each") != std::string::npos);
  for (const double wrong : {0.0, -1.0, 1001.0, std::nan("")}) {
    REQUIRE(refusal(Task({1, wrong})).find("above 0 and at most") != std::string::npos);
  }
  v1::TaskSpec number = Task({1}, 1);
  number.mutable_training()->set_loss("mse");
  REQUIRE(refusal(number).find("no class") != std::string::npos);
  v1::TaskSpec fair = Task({1, 2});
  fair.mutable_fairness()->set_rule("reweigh");
  REQUIRE(refusal(fair).find("reweigh") != std::string::npos);
}

}  // namespace
}  // namespace tutti::strategy
