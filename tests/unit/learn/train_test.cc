#include "common/learn/train.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/learn/network.h"
#include "common/learn/runtime.h"
#include "common/model/initial_weights.h"
#include "tests/catch.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

const Progress kNoProgress = [](std::uint64_t, std::uint64_t) {};

v1::ModelSpec Logistic(std::uint32_t features, std::uint32_t classes) {
  v1::ModelSpec spec;
  spec.set_architecture("logistic");
  spec.add_input_shape(features);
  spec.set_classes(classes);
  return spec;
}

v1::TrainingSpec Training(double rate, std::uint32_t batch, std::uint32_t steps) {
  v1::TrainingSpec spec;
  spec.set_optimiser("sgd");
  spec.set_learning_rate(rate);
  spec.set_batch_size(batch);
  spec.set_local_steps(steps);
  return spec;
}

v1::PrivacySpec Privacy(double clip, double noise) {
  v1::PrivacySpec spec;
  spec.set_unit("example");
  spec.set_clip_norm(clip);
  spec.set_noise_multiplier(noise);
  return spec;
}

v1::PrivacySpec NoPrivacy() {
  v1::PrivacySpec spec;
  spec.set_unit("none");
  return spec;
}

// Two clouds on a line: class 1 around (1, 1), class 0 around (-1, -1).
struct Clouds {
  std::vector<float> features;
  std::vector<std::uint32_t> labels;
  explicit Clouds(std::size_t examples) {
    TestRng rng(5);
    for (std::size_t i = 0; i < examples; ++i) {
      const std::uint32_t label = i % 2;
      for (int k = 0; k < 2; ++k) {
        features.push_back(
            static_cast<float>((label == 1 ? 1.0 : -1.0) + 0.8 * (rng.Unit() - 0.5)));
      }
      labels.push_back(label);
    }
  }
  DataView view() const { return {.features = features, .labels = labels}; }
};

TEST_CASE("training separates two clouds and evaluation sees it", "[train]") {
  const Clouds clouds(200);
  const v1::ModelSpec model = Logistic(2, 2);
  std::vector<float> weights(6);
  const auto before = Evaluate(model, clouds.view(), weights, kNoProgress);
  REQUIRE(before.ok());
  REQUIRE(before->loss == Approx(std::log(2.0)).epsilon(1e-6));
  REQUIRE(before->accuracy == 0.5);
  for (const std::string optimiser : {"sgd", "adam"}) {
    v1::TrainingSpec training = Training(0.1, 20, 60);
    training.set_optimiser(optimiser);
    std::vector<float> update(6);
    auto rng = SeededRng(1);
    std::uint64_t last = 0;
    const auto result = Train(model, training, NoPrivacy(), clouds.view(), update, rng,
                              [&](std::uint64_t done, std::uint64_t total) {
                                REQUIRE(done >= last);
                                REQUIRE(total == 60);
                                last = done;
                              });
    REQUIRE(result.ok());
    REQUIRE(last == 60);
    REQUIRE(result->method == "plain");
    REQUIRE(result->steps == 60);
    REQUIRE(result->sampling_rate == 0);
    REQUIRE(result->loss < 0.5);
    const auto after = Evaluate(model, clouds.view(), update, kNoProgress);
    REQUIRE(after->accuracy == 1.0);
    REQUIRE(after->loss < 0.3);
    REQUIRE(after->examples == 200);
  }
}

TEST_CASE("the update is trained minus received", "[train]") {
  const Clouds clouds(50);
  const v1::ModelSpec model = Logistic(2, 2);
  // One full-batch step from w: update = -rate * mean gradient at w.
  const std::vector<float> start{0.3F, -0.1F, 0.2F, 0.5F, 0.0F, -0.4F};
  std::vector<float> update = start;
  auto rng = SeededRng(1);
  REQUIRE(Train(model, Training(0.5, 50, 1), NoPrivacy(), clouds.view(), update, rng, kNoProgress)
              .ok());
  auto network = Network::Create(*model::ArchitectureOf(model));
  std::copy(start.begin(), start.end(), network->weights().begin());
  std::vector<float> sum(6);
  REQUIRE(network->AddGradients({.features = clouds.features, .labels = clouds.labels}, sum).ok());
  for (std::size_t i = 0; i < 6; ++i) {
    REQUIRE(static_cast<double>(update[i]) ==
            Approx(-0.5 * static_cast<double>(sum[i]) / 50).margin(1e-6));
  }
}

TEST_CASE("an example of a class with weight three counts like three of them", "[train]") {
  const Clouds clouds(60);
  Clouds repeated(0);
  for (std::size_t i = 0; i < clouds.labels.size(); ++i) {
    for (std::uint32_t k = 0; k < (clouds.labels[i] == 1 ? 3 : 1); ++k) {
      const auto row = clouds.features.begin() + static_cast<std::ptrdiff_t>(2 * i);
      repeated.features.insert(repeated.features.end(), row, row + 2);
      repeated.labels.push_back(clouds.labels[i]);
    }
  }
  v1::TrainingSpec weighted = Training(0.5, 60, 1);
  weighted.add_class_weights(1);
  weighted.add_class_weights(3);
  std::vector<float> update(6), wanted(6);
  auto rng = SeededRng(1);
  REQUIRE(
      Train(Logistic(2, 2), weighted, NoPrivacy(), clouds.view(), update, rng, kNoProgress).ok());
  REQUIRE(Train(Logistic(2, 2), Training(0.5, 120, 1), NoPrivacy(), repeated.view(), wanted, rng,
                kNoProgress)
              .ok());
  for (std::size_t i = 0; i < 6; ++i) {
    REQUIRE(update[i] * 60 == Approx(wanted[i] * 120).margin(1e-4));
  }
  // The weight is in a gradient before it is clipped: under a clip norm that every one reaches no
  // class counts more.
  std::vector<float> clipped(6), plain(6);
  auto one = SeededRng(4), other = SeededRng(4);
  v1::TrainingSpec private_step = Training(0.5, 30, 1);
  REQUIRE(
      Train(Logistic(2, 2), private_step, Privacy(1e-3, 0), clouds.view(), plain, one, kNoProgress)
          .ok());
  private_step.add_class_weights(2);
  private_step.add_class_weights(9);
  REQUIRE(Train(Logistic(2, 2), private_step, Privacy(1e-3, 0), clouds.view(), clipped, other,
                kNoProgress)
              .ok());
  for (std::size_t i = 0; i < 6; ++i) REQUIRE(clipped[i] == Approx(plain[i]).margin(1e-7));
}

TEST_CASE("without noise a private step is clipped descent with the expected batch as divisor",
          "[train]") {
  const Clouds clouds(300);
  const v1::ModelSpec model = Logistic(2, 2);
  const auto architecture = model::ArchitectureOf(model);
  std::vector<float> update(6);
  auto rng = SeededRng(9);
  const auto result =
      Train(model, Training(0.5, 60, 1), Privacy(0.3, 0), clouds.view(), update, rng, kNoProgress);
  REQUIRE(result.ok());
  REQUIRE(result->method == "book-keeping");
  REQUIRE(result->sampling_rate == Approx(0.2));
  REQUIRE(result->clipped_fraction == 1.0);
  // Every gradient here is longer than 0.3, so the sum is that of unit vectors * 0.3 over the
  // chosen examples: compare with the same coins.
  auto same = SeededRng(9);
  auto network = Network::Create(*architecture);
  std::vector<float> sum(6);
  std::vector<std::uint64_t> coins(512);
  same.Fill({reinterpret_cast<std::uint8_t*>(coins.data()), coins.size() * 8});
  for (std::size_t i = 0; i < 300; ++i) {
    if (static_cast<double>(coins[i]) * 0x1.0p-64 < 0.2) {
      std::vector<float> one(6);
      REQUIRE(network
                  ->AddGradients({.features = std::span(clouds.features).subspan(2 * i, 2),
                                  .labels = std::span(clouds.labels).subspan(i, 1)},
                                 one)
                  .ok());
      double norm = 0;
      for (const float value : one) {
        norm += static_cast<double>(value) * static_cast<double>(value);
      }
      for (std::size_t k = 0; k < 6; ++k) {
        sum[k] += static_cast<float>(0.3 / std::sqrt(norm)) * one[k];
      }
    }
  }
  for (std::size_t k = 0; k < 6; ++k) {
    REQUIRE(static_cast<double>(update[k]) ==
            Approx(-0.5 * static_cast<double>(sum[k]) / 60).margin(1e-6));
  }
}

TEST_CASE("a clip norm no gradient reaches trains like plain descent on the full batch",
          "[train]") {
  const Clouds clouds(80);
  const v1::ModelSpec model = Logistic(2, 2);
  std::vector<float> private_update(6), plain_update(6);
  auto rng = SeededRng(2);
  REQUIRE(Train(model, Training(0.3, 80, 20), Privacy(1000, 0), clouds.view(), private_update, rng,
                kNoProgress)
              .ok());
  REQUIRE(Train(model, Training(0.3, 80, 20), NoPrivacy(), clouds.view(), plain_update, rng,
                kNoProgress)
              .ok());
  for (std::size_t k = 0; k < 6; ++k) {
    REQUIRE(static_cast<double>(private_update[k]) ==
            Approx(static_cast<double>(plain_update[k])).margin(1e-5));
  }
}

TEST_CASE("noise has the promised size, also when the batch is empty", "[train][statistical]") {
  // 20,000 values, one example, rate 1/1000: nearly every batch is empty, the update is noise
  // alone.
  const v1::ModelSpec model = Logistic(9999, 2);
  std::vector<float> features(9999 * 1000);
  std::vector<std::uint32_t> labels(1000);
  std::vector<float> update(20000);
  auto rng = SeededRng(4);
  const auto result = Train(model, Training(1.0, 1, 4), Privacy(0.5, 2.0),
                            {.features = features, .labels = labels}, update, rng, kNoProgress);
  REQUIRE(result.ok());
  REQUIRE(result->noise_multiplier == 2.0);
  double squares = 0;
  for (std::size_t i = 0; i < 19998;
       ++i) {  // without the biases, the only values a zero example moves
    squares += static_cast<double>(update[i]) * static_cast<double>(update[i]);
  }
  // 4 steps of stddev 2.0 * 0.5 / (expected batch 1): variance 4; five standard errors.
  REQUIRE(squares / 19998 == Approx(4.0).epsilon(5 * std::sqrt(2.0 / 19998)));
  std::vector<float> again(20000);
  REQUIRE(Train(model, Training(1.0, 1, 4), Privacy(0.5, 2.0),
                {.features = features, .labels = labels}, again, rng, kNoProgress)
              .ok());
  REQUIRE(again != update);
}

TEST_CASE("an example is changed anew each time it is used, and stays as it is in the data",
          "[train]") {
  Clouds clouds(100);
  const std::vector<float> before = clouds.features;
  const v1::ModelSpec model = Logistic(2, 2);
  for (const v1::PrivacySpec& privacy : {NoPrivacy(), Privacy(10, 0)}) {
    std::vector<float> weights(6);
    auto rng = SeededRng(3);
    std::size_t changed = 0;
    const RowChange blind = [&](std::span<float> row) {
      REQUIRE(row.size() == 2);
      std::fill(row.begin(), row.end(), 0.0F);
      ++changed;
    };
    const auto result = Train(model, Training(0.5, 100, 3), privacy, clouds.view(), weights, rng,
                              kNoProgress, {.change = blind});
    INFO(result.status());
    REQUIRE(result.ok());
    REQUIRE(changed == 300);  // with privacy the rate is 1
    const std::span<const float> of_features = std::span(weights).first(4);
    REQUIRE(std::all_of(of_features.begin(), of_features.end(),
                        [](float value) { return std::abs(value) < 1e-6F; }));
    REQUIRE(clouds.features == before);
  }
}

TEST_CASE("a private step with a damaged example still gives a finite update", "[train]") {
  Clouds clouds(40);
  clouds.features[6] = std::nanf("");
  std::vector<float> update(6);
  auto rng = SeededRng(4);
  const auto result = Train(Logistic(2, 2), Training(0.1, 40, 3), Privacy(1, 0.5), clouds.view(),
                            update, rng, kNoProgress);
  REQUIRE(result.ok());
  REQUIRE(std::isfinite(result->loss));
}

TEST_CASE("training that diverges is an error and leaves the weights as received", "[train]") {
  Clouds clouds(40);
  clouds.features[6] = std::numeric_limits<float>::infinity();
  std::vector<float> weights{1, 2, 3, 4, 5, 6};
  auto rng = SeededRng(4);
  const auto result = Train(Logistic(2, 2), Training(0.1, 40, 3), NoPrivacy(), clouds.view(),
                            weights, rng, kNoProgress);
  REQUIRE(result.status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(weights == std::vector<float>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("large batches are summed from parts", "[train]") {
  const Clouds clouds(1000);  // more than the examples computed at once
  std::vector<float> update(6), whole(6);
  auto rng = SeededRng(4);
  REQUIRE(Train(Logistic(2, 2), Training(1, 1000, 1), NoPrivacy(), clouds.view(), update, rng,
                kNoProgress)
              .ok());
  auto network = Network::Create(*model::ArchitectureOf(Logistic(2, 2)));
  REQUIRE(
      network->AddGradients({.features = clouds.features, .labels = clouds.labels}, whole).ok());
  for (std::size_t k = 0; k < 6; ++k) {
    REQUIRE(static_cast<double>(update[k]) ==
            Approx(-static_cast<double>(whole[k]) / 1000).margin(1e-6));
  }
}

TEST_CASE("what does not fit is refused with what was found", "[train]") {
  Clouds clouds(10);
  std::vector<float> weights(6);
  auto rng = SeededRng(1);
  const auto train = [&](const v1::ModelSpec& model, const v1::TrainingSpec& training,
                         const v1::PrivacySpec& privacy) {
    return Train(model, training, privacy, clouds.view(), weights, rng, kNoProgress)
        .status()
        .code();
  };
  REQUIRE(train(Logistic(3, 2), Training(1, 5, 1), NoPrivacy()) == StatusCode::kInvalidArgument);
  REQUIRE(train(Logistic(2, 3), Training(1, 5, 1), NoPrivacy()) == StatusCode::kInvalidArgument);
  REQUIRE(train(Logistic(2, 2), Training(0, 5, 1), NoPrivacy()) == StatusCode::kInvalidArgument);
  REQUIRE(train(Logistic(2, 2), Training(1, 5, 0), NoPrivacy()) == StatusCode::kInvalidArgument);
  REQUIRE(train(Logistic(2, 2), Training(1, 5, 1), Privacy(0, 1)) == StatusCode::kInvalidArgument);
  v1::TrainingSpec weights_of_three = Training(1, 5, 1);
  for (const double weight : {1.0, 2.0, 3.0}) weights_of_three.add_class_weights(weight);
  REQUIRE(train(Logistic(2, 2), weights_of_three, NoPrivacy()) == StatusCode::kInvalidArgument);
  v1::PrivacySpec odd = NoPrivacy();
  odd.set_unit("client");
  REQUIRE(train(Logistic(2, 2), Training(1, 5, 1), odd) == StatusCode::kInvalidArgument);
  clouds.labels[3] = 2;
  const auto result = Train(Logistic(2, 2), Training(1, 5, 1), NoPrivacy(), clouds.view(), weights,
                            rng, kNoProgress);
  REQUIRE(MessageOf(result.status()) == "example 3 has label 2, expected below model.classes = 2");
  const auto empty =
      Train(Logistic(2, 2), Training(1, 5, 1), NoPrivacy(), {}, weights, rng, kNoProgress);
  REQUIRE(empty.status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(Evaluate(Logistic(2, 2), {}, weights, kNoProgress).status().code() ==
          StatusCode::kFailedPrecondition);
}

TEST_CASE("the runtime names its BLAS", "[runtime]") {
  SetUp(1);
  const RuntimeReport report = DescribeRuntime();
  REQUIRE_FALSE(report.torch_version.empty());
  REQUIRE(report.gigaflops > 0);
  REQUIRE_FALSE(report.blas.empty());
  if (report.blas != "reference") {
    REQUIRE_FALSE(report.warning.has_value());
  }
}

}  // namespace
TEST_CASE("a network that was used before trains as a new one does", "[learn]") {
  const v1::ModelSpec model = Logistic(2, 2);
  const std::vector<float> features{1, 1, -1, -1, 2, 1, -1, -2};
  const std::vector<std::uint32_t> labels{1, 0, 1, 0};
  const DataView data{.features = features, .labels = labels};
  for (const v1::PrivacySpec& privacy : {NoPrivacy(), Privacy(1, 0.5)}) {
    std::vector<float> expected(6, 0.25F);
    crypto::AesCtrStream rng = SeededRng(3);
    REQUIRE(Train(model, Training(0.1, 2, 5), privacy, data, expected, rng, kNoProgress).ok());
    auto network = Network::Create(*model::ArchitectureOf(model));
    REQUIRE(network.ok());
    for (int time = 0; time < 2; ++time) {
      std::vector<float> update(6, 0.25F);
      crypto::AesCtrStream again = SeededRng(3);
      REQUIRE(Train(*network, Training(0.1, 2, 5), privacy, data, update, again, kNoProgress).ok());
      REQUIRE(update == expected);
    }
  }
}

}  // namespace tutti::learn
