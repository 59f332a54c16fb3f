#include "common/strategy/sum_vector.h"

#include <cmath>
#include <functional>

#include "tests/catch.h"

namespace tutti::strategy {
namespace {

v1::TaskSpec Task(const std::string& correction) {
  v1::TaskSpec task;
  task.set_job("strategies");
  task.set_rounds(5);
  task.set_values(3);
  task.mutable_training()->set_optimiser("sgd");
  task.mutable_training()->set_learning_rate(0.5);
  task.mutable_training()->set_correction(correction);
  task.mutable_privacy()->set_unit("none");
  task.mutable_secure_aggregation()->set_value_bits(20);
  task.mutable_secure_aggregation()->set_value_clip(1);
  task.mutable_secure_aggregation()->set_weighting("uniform");
  return task;
}

v1::TaskSpec Fair(double power) {
  v1::TaskSpec task = Task("none");
  task.mutable_training()->set_fairness_power(power);
  return task;
}

std::vector<float> MeanOf(const std::vector<std::vector<float>>& vectors) {
  std::vector<float> mean(vectors.front().size());
  for (const std::vector<float>& vector : vectors) {
    for (std::size_t i = 0; i < mean.size(); ++i) {
      mean[i] += vector[i] / static_cast<float>(vectors.size());
    }
  }
  return mean;
}

const std::vector<float> kFirst{0.5F, -0.25F, 0.125F};
const std::vector<float> kSecond{-0.125F, 0.75F, 0.0F};

TEST_CASE("without a strategy the update is the vector and the mean the step", "[strategy]") {
  const v1::TaskSpec task = Task("none");
  REQUIRE(SumShapeOf(task) == SumShape{3, 0, 0});
  const auto vector = MakeSumVector(task, {.update = kFirst, .steps = 4});
  REQUIRE(vector.ok());
  REQUIRE(*vector == kFirst);
  const auto opened = OpenSumVector(task, *vector);
  REQUIRE(opened.ok());
  REQUIRE(opened->update == kFirst);
  REQUIRE(opened->control_change.empty());
}

TEST_CASE("nova averages updates per step and scales by the mean number of steps", "[strategy]") {
  const v1::TaskSpec task = Task("nova");
  REQUIRE(SumShapeOf(task) == SumShape{3, 0, 1});
  const auto first = MakeSumVector(task, {.update = kFirst, .steps = 2});
  const auto second = MakeSumVector(task, {.update = kSecond, .steps = 10});
  REQUIRE(first.ok());
  const auto opened = OpenSumVector(task, MeanOf({*first, *second}));
  REQUIRE(opened.ok());
  for (std::size_t i = 0; i < 3; ++i) {
    // tau_eff * mean(d_i), Wang et al. 2020, equation (6) with p_i = 1/2.
    const double expected = 6.0 * (static_cast<double>(kFirst[i]) / 2 + kSecond[i] / 10.0) / 2;
    REQUIRE(static_cast<double>(opened->update[i]) == Approx(expected).margin(1e-5));
  }
}

TEST_CASE("steps are normalised by the weights their gradients have in the update", "[strategy]") {
  // Reference: the recursion itself, with a gradient of 1 in every step.
  for (const std::uint64_t steps : {1U, 2U, 7U, 100U}) {
    v1::TrainingSpec training = Task("nova").training();
    REQUIRE(NormalisedSteps(training, steps) == static_cast<double>(steps));
    training.set_momentum(0.9);
    double buffer = 0, moved = 0;
    for (std::uint64_t k = 0; k < steps; ++k) {
      buffer = 0.9 * buffer + 1;
      moved += buffer;
    }
    REQUIRE(NormalisedSteps(training, steps) == Approx(moved));
    training.set_momentum(0);
    training.set_proximal(0.3);
    double position = 0;  // w - w0 with rate 0.5: w -= 0.5 * (1 + 0.3 * (w - w0))
    for (std::uint64_t k = 0; k < steps; ++k) position -= 0.5 * (1 + 0.3 * position);
    REQUIRE(NormalisedSteps(training, steps) == Approx(-position / 0.5));
  }
}

TEST_CASE("q-FFL follows the paper's update", "[strategy]") {
  const double q = 2, rate = 0.5;
  const v1::TaskSpec task = Fair(q);
  REQUIRE(SumShapeOf(task) == SumShape{3, 0, 1});
  const double losses[] = {1.5, 0.25};
  const std::vector<float>* updates[] = {&kFirst, &kSecond};
  std::vector<std::vector<float>> vectors;
  double numerator[3] = {}, denominator = 0;
  for (int k = 0; k < 2; ++k) {
    const auto vector =
        MakeSumVector(task, {.update = *updates[k], .steps = 3, .initial_loss = losses[k]});
    REQUIRE(vector.ok());
    vectors.push_back(*vector);
    // Algorithm 2 with L = 1 / rate: dw = L (w - w_k), D = F^q dw, h = q F^(q-1) |dw|^2 + L F^q.
    double square = 0;
    for (const float value : *updates[k]) square += std::pow(static_cast<double>(value) / rate, 2);
    for (std::size_t i = 0; i < 3; ++i) {
      numerator[i] += std::pow(losses[k], q) * static_cast<double>((*updates[k])[i]) / rate;
    }
    denominator += q * std::pow(losses[k], q - 1) * square + std::pow(losses[k], q) / rate;
  }
  const auto opened = OpenSumVector(task, MeanOf(vectors));
  REQUIRE(opened.ok());
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(static_cast<double>(opened->update[i]) ==
            Approx(numerator[i] / denominator).epsilon(1e-5));
  }
}

TEST_CASE("scaffold sends the change of its control variate beside the update", "[strategy]") {
  const v1::TaskSpec task = Task("scaffold");
  REQUIRE(SumShapeOf(task) == SumShape{3, 3, 0});
  const std::vector<float> common{0.25F, 0, -0.5F}, own{0.125F, 0.5F, 0};
  const LocalResult local{.update = kFirst, .steps = 4, .control = common, .client_control = own};
  const std::vector<float> next = NextControl(task, local);
  // Option II: c_i - c + (x - y) / (K eta).
  REQUIRE(next == std::vector<float>{0.125F - 0.25F - 0.25F, 0.5F + 0.125F, 0.5F - 0.0625F});
  const auto vector = MakeSumVector(task, local);
  REQUIRE(vector.ok());
  const auto opened = OpenSumVector(task, *vector);
  REQUIRE(opened.ok());
  REQUIRE(opened->update == kFirst);
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(opened->control_change[i] == Approx(next[i] - own[i]));
  }
  // A device without one starts at zero.
  const LocalResult fresh{.update = kFirst, .steps = 4, .control = common, .client_control = {}};
  REQUIRE(MakeSumVector(task, fresh)->at(3) == Approx(0.5 * (-0.25 - 0.25)));
  // A wrong length is an error, whatever sent it.
  REQUIRE_FALSE(MakeSumVector(task, {.update = kFirst, .steps = 4}).ok());
}

TEST_CASE("a checkpoint of scaffold holds the control variate behind the model", "[strategy]") {
  model::Layout layout;
  layout.parameters = {{"0.weight", {2}, 0, 2, 1, model::Start::kUniform},
                       {"0.bias", {1}, 2, 1, 1, model::Start::kUniform}};
  layout.values = 3;
  const model::Layout both = CheckpointLayout(Task("scaffold"), layout);
  REQUIRE(both.values == 6);
  REQUIRE(both.parameters[3].name == "control.0.bias");
  REQUIRE(both.parameters[3].offset == 5);
  REQUIRE(both.parameters[3].start == model::Start::kZero);
  REQUIRE(CheckpointLayout(Task("nova"), layout) == layout);
}

TEST_CASE("scalars a client cannot have are refused and wrong sums found", "[strategy]") {
  REQUIRE(MakeSumVector(Task("nova"), {.update = kFirst, .steps = 70000}).status().code() ==
          StatusCode::kFailedPrecondition);
  REQUIRE(
      MakeSumVector(Fair(5), {.update = kFirst, .steps = 1, .initial_loss = 100}).status().code() ==
      StatusCode::kFailedPrecondition);
  REQUIRE(
      MakeSumVector(Fair(1), {.update = kFirst, .steps = 1, .initial_loss = NAN}).status().code() ==
      StatusCode::kFailedPrecondition);
  REQUIRE(MakeSumVector(Task("none"), {.update = kFirst, .steps = 0}).status().code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(OpenSumVector(Task("nova"), {0.1F, 0.1F, 0.1F, 0.0F}).status().code() ==
          StatusCode::kDataLoss);
  REQUIRE(OpenSumVector(Fair(1), {0.1F, 0.1F, 0.1F, -0.5F}).status().code() ==
          StatusCode::kDataLoss);
  REQUIRE(OpenSumVector(Task("nova"), {0.1F, 0.1F, 0.1F}).status().code() ==
          StatusCode::kInvalidArgument);
}

TEST_CASE("combinations that would send more than is covered are refused by name", "[strategy]") {
  const auto refusal = [](v1::TaskSpec task, const std::function<void(v1::TaskSpec&)>& change) {
    REQUIRE(CheckStrategy(task).ok());
    change(task);
    const Status status = CheckStrategy(task);
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    return std::string(MessageOf(status));
  };
  const auto private_examples = [](v1::TaskSpec& task) {
    task.mutable_privacy()->set_unit("example");
    task.mutable_privacy()->set_noise("local");
  };
  for (const v1::TaskSpec& task : {Task("nova"), Fair(1)}) {
    REQUIRE(refusal(task, private_examples).find("without noise") != std::string::npos);
    REQUIRE(refusal(task, [](v1::TaskSpec& t) {
              t.mutable_secure_aggregation()->set_value_bits(8);
            }).find("at least 16") != std::string::npos);
    REQUIRE(refusal(task, [](v1::TaskSpec& t) {
              t.mutable_robust()->set_max_update_norm(1);
            }).find("max_update_norm") != std::string::npos);
  }
  v1::TaskSpec scaffold = Task("scaffold");
  private_examples(scaffold);
  REQUIRE(CheckStrategy(scaffold).ok());  // its noise is in both vectors
  REQUIRE(refusal(Task("scaffold"), [](v1::TaskSpec& t) {
            t.mutable_privacy()->set_unit("client");
          }).find("without noise") != std::string::npos);
  REQUIRE(refusal(scaffold, [](v1::TaskSpec& t) {
            t.mutable_privacy()->set_noise("distributed");
          }).find("without noise") != std::string::npos);
  REQUIRE(refusal(Task("scaffold"), [](v1::TaskSpec& t) {
            t.mutable_training()->set_momentum(0.9);
          }).find("momentum = 0") != std::string::npos);
  for (const std::string name : {"nova", "scaffold"}) {
    REQUIRE(refusal(Task(name), [](v1::TaskSpec& t) {
              t.mutable_training()->set_optimiser("adam");
            }).find("\"sgd\"") != std::string::npos);
    REQUIRE(refusal(Task(name), [](v1::TaskSpec& t) {
              t.mutable_training()->set_average_decay(0.5);
            }).find("average_decay = 0") != std::string::npos);
    REQUIRE(refusal(Task(name), [](v1::TaskSpec& t) {
              t.mutable_training()->set_fairness_power(1);
            }).find("keep one of the two") != std::string::npos);
  }
  REQUIRE(refusal(Fair(1), [](v1::TaskSpec& t) {
            t.mutable_secure_aggregation()->set_weighting("examples");
          }).find("uniform") != std::string::npos);
  REQUIRE(refusal(Task("none"), [](v1::TaskSpec& t) {
            t.mutable_training()->set_correction("ditto");
          }).find("training.proximal") != std::string::npos);
  REQUIRE(refusal(Task("none"), [](v1::TaskSpec& t) {
            t.mutable_training()->set_correction("magic");
          }).find("expected none") != std::string::npos);
}

TEST_CASE("strategies that keep every parameter do not go with models trained in part",
          "[strategy]") {
  v1::TaskSpec scaffold = Task("scaffold");
  scaffold.mutable_model()->add_frozen("0.*");
  REQUIRE(std::string(MessageOf(CheckStrategy(scaffold)))
              .find("its control variates are of all parameters") != std::string::npos);
  scaffold.mutable_model()->clear_frozen();
  scaffold.mutable_model()->set_adapter_rank(2);
  REQUIRE_FALSE(CheckStrategy(scaffold).ok());
  v1::TaskSpec ditto = Task("ditto");
  ditto.mutable_training()->set_proximal(0.1);
  ditto.mutable_model()->add_frozen("0.*");
  REQUIRE(CheckStrategy(ditto).ok());
  ditto.mutable_model()->add_personal("2.*");
  REQUIRE(std::string(MessageOf(CheckStrategy(ditto))).find("remove model.personal") !=
          std::string::npos);
}

}  // namespace
}  // namespace tutti::strategy
