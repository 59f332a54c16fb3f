// A layer of centres with the loss "distortion": what one step of training makes of it, against
// plain arithmetic, and with clipping against single examples.
#include "tests/unit/learn/single_examples.h"

#include <limits>

#include "common/learn/train.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

const Progress kQuiet = [](std::uint64_t, std::uint64_t) {};

v1::TrainingSpec WholeStep() {
  v1::TrainingSpec training;
  training.set_loss("distortion");
  training.set_optimiser("sgd");
  training.set_learning_rate(1);
  training.set_batch_size(100000);
  training.set_local_steps(1);
  return training;
}

v1::PrivacySpec Unit(const std::string& unit) {
  v1::PrivacySpec privacy;
  privacy.set_unit(unit);
  return privacy;
}

struct Points {
  std::vector<float> features;
  std::vector<std::uint32_t> labels;  // of any size: nothing reads them
  std::size_t width;
  DataView view() const { return {.features = features, .labels = labels}; }
};

Points Draw(std::size_t examples, std::size_t width) {
  TestRng rng(5);
  Points points{.features = {}, .labels = {}, .width = width};
  for (std::size_t i = 0; i < examples; ++i) {
    for (std::size_t k = 0; k < width; ++k) {
      points.features.push_back(static_cast<float>(4 * rng.Unit() - 2));
    }
    points.labels.push_back(static_cast<std::uint32_t>(1000 + i));
  }
  return points;
}

double HalfSquare(const Points& points, std::size_t i, const std::vector<float>& centres,
                  std::size_t j) {
  double sum = 0;
  for (std::size_t k = 0; k < points.width; ++k) {
    const double difference = static_cast<double>(points.features[i * points.width + k]) -
                              static_cast<double>(centres[j * points.width + k]);
    sum += difference * difference;
  }
  return sum / 2;
}

std::size_t Nearest(const Points& points, std::size_t i, const std::vector<float>& weights,
                    std::size_t clusters) {
  std::size_t nearest = 0;
  for (std::size_t j = 1; j < clusters; ++j) {
    if (HalfSquare(points, i, weights, j) < HalfSquare(points, i, weights, nearest)) nearest = j;
  }
  return nearest;
}

TEST_CASE("book-keeping equals the loop over examples for centres", "[clusters]") {
  RequireEqualToLoop(Spec("kmeans", {5}, 3), 24, Loss::kDistortion);
  RequireEqualToLoop(Spec("kmeans", {1}, 2), 24, Loss::kDistortion);
  RequireEqualToLoop(Spec("kmeans", {1, 4, 3}, 7), 24, Loss::kDistortion);
  v1::ModelSpec list = Spec("layers", {2, 6}, 4);
  Add(list, "max_pool1d", 0, 2);
  Add(list, "flatten");
  Add(list, "centres", 4);
  RequireEqualToLoop(list, 24, Loss::kDistortion);
}

TEST_CASE("one whole step gives the sums of differences and the numbers of each cluster",
          "[clusters]") {
  const std::size_t examples = 700, width = 3, clusters = 4;  // several parts of a batch
  const Points points = Draw(examples, width);
  const v1::ModelSpec spec = Spec("kmeans", {3}, 4);
  const std::vector<float> start = model::InitialWeights(spec).value();
  std::vector<double> expected(start.size());
  double distortion = 0;
  for (std::size_t i = 0; i < examples; ++i) {
    const std::size_t j = Nearest(points, i, start, clusters);
    distortion += HalfSquare(points, i, start, j) / examples;
    for (std::size_t k = 0; k < width; ++k) {
      expected[j * width + k] +=
          static_cast<double>(points.features[i * width + k] - start[j * width + k]) / examples;
    }
    expected[clusters * width + j] += 1.0 / examples;
  }
  std::vector<float> update = start;
  auto rng = SeededRng(1);
  const auto trained = Train(spec, WholeStep(), Unit("none"), points.view(), update, rng, kQuiet);
  INFO(TextOf(trained.status()));
  REQUIRE(trained.ok());
  REQUIRE(trained->steps == 1);
  REQUIRE(trained->loss == Approx(distortion).epsilon(1e-5));
  // Float32 sums of 700 values.
  for (std::size_t k = 0; k < update.size(); ++k) {
    REQUIRE(static_cast<double>(update[k]) == Approx(expected[k]).margin(2e-6));
  }
  const auto measured = Evaluate(spec, points.view(), start, kQuiet);
  REQUIRE(measured.ok());
  REQUIRE(measured->loss == Approx(distortion).epsilon(1e-5));
  REQUIRE(measured->accuracy == -1);
  // Data with a number to predict, or with no label at all, is the same.
  const std::vector<float> targets(examples);
  const auto numbers =
      Evaluate(spec, {.features = points.features, .targets = targets}, start, kQuiet);
  REQUIRE(numbers.ok());
  REQUIRE(numbers->loss == Approx(distortion).epsilon(1e-5));
}

TEST_CASE("with privacy each example's difference and count are clipped together", "[clusters]") {
  const std::size_t examples = 300, width = 3, clusters = 4;
  const double clip = 1.2;
  const Points points = Draw(examples, width);
  const v1::ModelSpec spec = Spec("kmeans", {3}, 4);
  const std::vector<float> start = model::InitialWeights(spec).value();
  std::vector<double> expected(start.size());
  for (std::size_t i = 0; i < examples; ++i) {
    const std::size_t j = Nearest(points, i, start, clusters);
    const double norm = std::sqrt(2 * HalfSquare(points, i, start, j) + 1);
    const double factor = std::min(1.0, clip / norm) / examples;
    for (std::size_t k = 0; k < width; ++k) {
      expected[j * width + k] +=
          factor * static_cast<double>(points.features[i * width + k] - start[j * width + k]);
    }
    expected[clusters * width + j] += factor;
  }
  v1::PrivacySpec privacy = Unit("example");
  privacy.set_clip_norm(clip);
  std::vector<float> update = start;
  auto rng = SeededRng(1);
  const auto trained = Train(spec, WholeStep(), privacy, points.view(), update, rng, kQuiet);
  INFO(TextOf(trained.status()));
  REQUIRE(trained.ok());
  REQUIRE(trained->sampling_rate == 1);
  REQUIRE(trained->method == "book-keeping");
  // Noise of multiplier 0 still rounds to its grid, and the clip keeps a margin of 1e-6.
  for (std::size_t k = 0; k < update.size(); ++k) {
    REQUIRE(static_cast<double>(update[k]) == Approx(expected[k]).margin(1e-5));
  }
}

TEST_CASE("a batch that is smaller than the data is refused, unless examples are sampled",
          "[clusters]") {
  const Points points = Draw(20, 3);
  const v1::ModelSpec spec = Spec("kmeans", {3}, 2);
  v1::TrainingSpec training = WholeStep();
  training.set_batch_size(19);
  std::vector<float> weights = model::InitialWeights(spec).value();
  auto rng = SeededRng(1);
  const Status refused =
      Train(spec, training, Unit("none"), points.view(), weights, rng, kQuiet).status();
  REQUIRE(refused.code() == StatusCode::kFailedPrecondition);
  REQUIRE(TextOf(refused).find("training.batch_size is 19 and the one step of k-means takes 20") !=
          std::string::npos);
  v1::PrivacySpec sampled = Unit("example");
  sampled.set_clip_norm(1);
  sampled.set_sampling_rate(0.5);
  REQUIRE(Train(spec, training, sampled, points.view(), weights, rng, kQuiet).ok());
  training.set_batch_size(9);
  REQUIRE(Train(spec, training, sampled, points.view(), weights, rng, kQuiet).status().code() ==
          StatusCode::kFailedPrecondition);
}

TEST_CASE("the distortion is a loss of centres, and centres have no other", "[clusters]") {
  const Points points = Draw(20, 3);
  auto rng = SeededRng(1);
  std::vector<float> weights = model::InitialWeights(Spec("kmeans", {3}, 2)).value();
  v1::TrainingSpec training = WholeStep();
  training.set_loss("cross_entropy");
  REQUIRE(TextOf(Train(Spec("kmeans", {3}, 2), training, Unit("none"), points.view(), weights, rng,
                       kQuiet)
                     .status())
              .find("need each other") != std::string::npos);
  const Points two{
      .features = points.features, .labels = std::vector<std::uint32_t>(20), .width = 3};
  std::vector<float> logistic = model::InitialWeights(Spec("logistic", {3}, 2)).value();
  REQUIRE(TextOf(Train(Spec("logistic", {3}, 2), WholeStep(), Unit("none"), two.view(), logistic,
                       rng, kQuiet)
                     .status())
              .find("need each other") != std::string::npos);
}

TEST_CASE("many centres are compared some at a time", "[clusters]") {
  const std::size_t width = 64, clusters = 3000;  // 256 * 64 * 3000 differences
  const Points points = Draw(256, width);
  const v1::ModelSpec spec = Spec("kmeans", {64}, 3000);
  const std::vector<float> start = model::InitialWeights(spec).value();
  double distortion = 0;
  for (std::size_t i = 0; i < 256; ++i) {
    distortion += HalfSquare(points, i, start, Nearest(points, i, start, clusters)) / 256;
  }
  const auto measured = Evaluate(spec, points.view(), start, kQuiet);
  REQUIRE(measured.ok());
  REQUIRE(measured->loss == Approx(distortion).epsilon(1e-5));
}

}  // namespace
}  // namespace tutti::learn
