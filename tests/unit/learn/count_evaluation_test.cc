#include "common/learn/count_evaluation.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "client/trainer/service.h"
#include "client/trainer/shared_values.h"
#include "common/learn/adversary.h"
#include "common/measure/evaluation_figures.h"
#include "common/measure/groups.h"
#include "common/model/architecture.h"
#include "tests/catch.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

const Progress kQuiet = [](std::uint64_t, std::uint64_t) {};

v1::TaskSpec Task(std::uint32_t classes) {
  v1::TaskSpec task;
  task.set_kind("evaluate");
  task.mutable_model()->set_architecture(classes == 1 ? "linear" : "logistic");
  task.mutable_model()->add_input_shape(2);
  task.mutable_model()->set_classes(classes);
  task.mutable_training()->set_loss(classes == 1 ? "mse" : "cross_entropy");
  task.mutable_measure()->set_bins(10);
  task.mutable_secure_aggregation()->set_value_clip(4);
  return task;
}

Network NetworkOf(const v1::TaskSpec& task) {
  return *Network::Create(*model::ArchitectureOf(task.model()));
}

// Points of three classes, more than one part of the network's work.
struct Points {
  std::vector<float> features;
  std::vector<std::uint32_t> labels;
  explicit Points(std::size_t count) {
    TestRng rng(3);
    for (std::size_t i = 0; i < count; ++i) {
      features.push_back(static_cast<float>(4 * rng.Unit() - 2));
      features.push_back(static_cast<float>(4 * rng.Unit() - 2));
      labels.push_back(static_cast<std::uint32_t>(3 * rng.Unit()));
    }
  }
  DataView view() const { return {.features = features, .labels = labels}; }
};

// Of three classes: weights {3, 2}, then biases.
const std::vector<float> kWeights{1, 0, 0, 1, -1, -1, 0.1F, 0, -0.1F};

TEST_CASE("counts of a network are those of its formula, example by example", "[count]") {
  const v1::TaskSpec task = Task(3);
  const Points points(700);
  Network network = NetworkOf(task);
  auto rng = SeededRng(1);
  const auto counts = CountEvaluation(network, task, points.view(), {}, kWeights, rng, kQuiet);
  INFO(counts.status());
  REQUIRE(counts.ok());
  std::vector<std::uint64_t> matrix(9);
  double loss = 0;
  for (std::size_t i = 0; i < points.labels.size(); ++i) {
    double logits[3], sum = 0;
    std::size_t top = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      logits[c] = double{kWeights[2 * c]} * double{points.features[2 * i]} +
                  double{kWeights[2 * c + 1]} * double{points.features[2 * i + 1]} +
                  double{kWeights[6 + c]};
      sum += std::exp(logits[c]);
      top = logits[c] > logits[top] ? c : top;
    }
    ++matrix[3 * points.labels[i] + top];
    loss += std::log(sum) - logits[points.labels[i]];
  }
  const measure::CountLayout layout = *measure::LayoutOf(task);
  const auto found = measure::Of(layout, measure::kOutcomes, std::span(*counts));
  REQUIRE(std::vector<std::uint64_t>(found.begin(), found.end()) == matrix);
  const auto summed = measure::Of(layout, measure::kLoss, std::span(*counts));
  REQUIRE(static_cast<double>(summed[0]) == Approx(100 * loss).margin(1));
}

TEST_CASE("counts agree with what Evaluate says of the same model", "[count]") {
  const v1::TaskSpec task = Task(3);
  const Points points(700);
  Network network = NetworkOf(task);
  auto rng = SeededRng(1);
  const auto counts = CountEvaluation(network, task, points.view(), {}, kWeights, rng, kQuiet);
  const auto score = Evaluate(network, points.view(), kWeights, kQuiet);
  const std::vector<std::int64_t> sums(counts->begin(), counts->end());
  const auto figures = measure::ClassEvaluationOf(task, {.counts = sums});
  REQUIRE(figures->all.confusion.accuracy.value == score->accuracy);
  REQUIRE(figures->loss.value == Approx(score->loss).epsilon(1e-4));
}

TEST_CASE("accuracy against an adversary is counted beside the accuracy", "[count]") {
  v1::TaskSpec task = Task(3);
  task.mutable_adversary()->set_kind("fgsm");
  task.mutable_adversary()->set_radius(0.3);
  task.mutable_adversary()->set_share(1);
  const Points points(700);
  Network network = NetworkOf(task);
  auto rng = SeededRng(1);
  const auto counts = CountEvaluation(network, task, points.view(), {}, kWeights, rng, kQuiet);
  INFO(counts.status());
  REQUIRE(counts.ok());
  const auto robust =
      RobustAccuracy(network, points.view(), kWeights, task.adversary(), rng, kQuiet);
  const std::vector<std::int64_t> sums(counts->begin(), counts->end());
  const auto figures = measure::ClassEvaluationOf(task, {.counts = sums});
  REQUIRE(figures->robust_accuracy->value == Approx(robust->accuracy));
  REQUIRE(figures->robust_accuracy->value < figures->all.confusion.accuracy.value - 0.05);
}

TEST_CASE("predicted numbers are counted by their errors", "[count]") {
  const v1::TaskSpec task = Task(1);
  const std::vector<float> features{1, 1, 0, 2, -1, 0};
  const std::vector<float> targets{3, 0, -1};
  const std::vector<float> weights{1, 2, 0.5F};  // 3.5, 4.5, -0.5; errors 0.5, 4.5, 0.5
  Network network = NetworkOf(task);
  auto rng = SeededRng(1);
  const auto counts = CountEvaluation(network, task, {.features = features, .targets = targets}, {},
                                      weights, rng, kQuiet);
  INFO(counts.status());
  REQUIRE(counts.ok());
  // Clip 4: 0.5 / 4 twice and 1; squares (1/8)^2 twice and 1.
  REQUIRE(std::vector<std::uint64_t>(counts->begin(), counts->begin() + 4) ==
          std::vector<std::uint64_t>{3, 1, 12500, 10313});
}

TEST_CASE("what cannot be counted is refused", "[count]") {
  const v1::TaskSpec task = Task(3);
  const Points points(10);
  Network network = NetworkOf(task);
  auto rng = SeededRng(1);
  const auto refused = [&](const v1::TaskSpec& asked, const DataView& data,
                           const std::vector<std::uint32_t>& groups,
                           const std::vector<float>& weights) {
    return CountEvaluation(network, asked, data, groups, weights, rng, kQuiet).status();
  };
  REQUIRE(refused(task, {}, {}, kWeights).code() == StatusCode::kFailedPrecondition);
  std::vector<float> diverged = kWeights;
  diverged[0] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(MessageOf(refused(task, points.view(), {}, diverged)).find("diverge") !=
          std::string_view::npos);
  REQUIRE(refused(task, points.view(), {}, {1, 2}).code() == StatusCode::kInvalidArgument);
  REQUIRE(refused(task, points.view(), std::vector<std::uint32_t>(10), kWeights).code() ==
          StatusCode::kInvalidArgument);
  v1::TaskSpec grouped = task;
  grouped.mutable_fairness()->set_attribute("sex");
  grouped.mutable_fairness()->add_groups("f");
  grouped.mutable_fairness()->add_groups("m");
  REQUIRE(refused(grouped, points.view(), {}, kWeights).code() == StatusCode::kInvalidArgument);
  REQUIRE(refused(grouped, points.view(), std::vector<std::uint32_t>(9), kWeights).code() ==
          StatusCode::kInvalidArgument);
}

// A table with a sensitive column, and the trainer's service on it.
class Clinic {
 public:
  Clinic() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tutti-count-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    std::ofstream file(folder_ / "table.csv");
    file << "x,y,sex,label\n";
    const char* words[] = {"f", "m", "x"};
    TestRng rng(8);
    for (int i = 0; i < 300; ++i) {
      const double x = 4 * rng.Unit() - 2, y = 4 * rng.Unit() - 2;
      file << x << "," << y << "," << words[i % 3] << "," << (x + y + rng.Unit() > 0.5 ? 1 : 0)
           << "\n";
    }
  }
  ~Clinic() { std::filesystem::remove_all(folder_); }

  v1::CountRequest Request() const {
    v1::CountRequest request;
    *request.mutable_task() = Task(2);
    request.mutable_data()->set_format("csv");
    request.mutable_data()->set_file((folder_ / "table.csv").string());
    request.mutable_data()->mutable_csv()->set_label("label");
    request.mutable_data()->add_sensitive("sex");
    request.set_values(6);
    return request;
  }

  v1::TrainerReply Answer(const v1::CountRequest& count) {
    trainer::SharedValues block = *trainer::SharedValues::Create(6);
    block.Write(0, std::vector<float>{-1, -1, 1, 1, 0, 0});
    v1::TrainerRequest request;
    *request.mutable_count() = count;
    auto rng = SeededRng(1);
    trainer::Service service({}, rng);
    return service.Answer(request, block.fd(), [](const v1::TrainerProgress&) {});
  }

 private:
  std::filesystem::path folder_;
};

TEST_CASE("the trainer counts groups by their words", "[count]") {
  Clinic clinic;
  v1::CountRequest request = clinic.Request();
  request.mutable_task()->mutable_fairness()->set_attribute("sex");
  request.mutable_task()->mutable_fairness()->add_groups("m");
  request.mutable_task()->mutable_fairness()->add_groups("f");
  request.mutable_task()->mutable_fairness()->set_positive_class(1);
  const v1::TrainerReply reply = clinic.Answer(request);
  INFO(reply.error().text());
  REQUIRE(reply.has_counted());
  REQUIRE(reply.counted().examples() == 300);
  const std::vector<std::int64_t> counts(reply.counted().counts().begin(),
                                         reply.counted().counts().end());
  const auto figures = measure::ClassEvaluationOf(request.task(), {.counts = counts});
  REQUIRE(figures.ok());
  for (const measure::PartFigures& group : figures->groups) {
    REQUIRE(group.confusion.examples.value == 100);
    REQUIRE(group.confusion.accuracy.value > 0.8);
  }
}

TEST_CASE("the trainer measures on the validation part alone", "[count]") {
  Clinic clinic;
  v1::CountRequest request = clinic.Request();
  request.mutable_data()->set_validation_fraction(0.3);
  const v1::TrainerReply reply = clinic.Answer(request);
  REQUIRE(reply.counted().examples() > 50);
  REQUIRE(reply.counted().examples() < 130);
}

TEST_CASE("the trainer refuses a column its owner does not list, and says nothing of the data",
          "[count]") {
  Clinic clinic;
  v1::CountRequest request = clinic.Request();
  request.mutable_data()->clear_sensitive();
  request.mutable_data()->mutable_csv()->add_features("x");
  request.mutable_data()->mutable_csv()->add_features("y");
  request.mutable_task()->mutable_fairness()->set_attribute("sex");
  request.mutable_task()->mutable_fairness()->add_groups("m");
  request.mutable_task()->mutable_fairness()->add_groups("f");
  const v1::TrainerReply reply = clinic.Answer(request);
  REQUIRE(reply.error().code() == "FAILED_PRECONDITION");
  REQUIRE(reply.error().text().find("data.sensitive does not list") != std::string::npos);
}

TEST_CASE("the trainer refuses weights of another model", "[count]") {
  Clinic clinic;
  v1::CountRequest request = clinic.Request();
  request.set_values(5);
  REQUIRE(clinic.Answer(request).error().code() == "INVALID_ARGUMENT");
}

}  // namespace
}  // namespace tutti::learn
