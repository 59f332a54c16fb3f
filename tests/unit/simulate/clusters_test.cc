// k-means of clients together: the same as Lloyd's algorithm on the examples of all, written
// plainly here.
#include <cmath>
#include <set>

#include "common/learn/runtime.h"
#include "common/model/initial_weights.h"
#include "server/simulate/chance.h"
#include "server/simulate/learning.h"
#include "tests/catch.h"
#include "tests/unit/simulate/support.h"

namespace tutti::simulate {
namespace {

constexpr std::size_t kWidth = 2;
constexpr std::uint32_t kClients = 8;

std::vector<std::string> KMeans(std::vector<std::string> more) {
  std::vector<std::string> sets{"model.architecture=kmeans",
                                "model.input_shape=2",
                                "model.classes=3",
                                "training.loss=distortion",
                                "training.learning_rate=1",
                                "training.local_epochs=0",
                                "training.local_steps=1",
                                "training.batch_size=100000",
                                "cohort.size=8",
                                "secure_aggregation.value_bits=30",
                                "secure_aggregation.value_clip=4"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

// Three clouds; the i-th client has i + 1 times as many examples as the first, and its own mixture
// of the clouds.
struct Trial {
  server::PreparedJob job;
  v1::SimulationConfig world;
  Population population;
  std::shared_ptr<LearningData> data;
};

const std::vector<std::vector<double>> kClouds{{-1, -1}, {1, -0.5}, {0.2, 1.2}};

Trial NewTrial(const std::vector<std::string>& job_sets, std::size_t each = 60) {
  Trial trial{
      SmallJob(KMeans(job_sets)), SmallWorld({"clients=8"}), {}, std::make_shared<LearningData>()};
  auto rng = StreamOf(3, "clouds");
  std::vector<std::uint32_t> owners;
  for (std::uint32_t client = 0; client < kClients; ++client) {
    for (std::size_t i = 0; i < each * (client + 1); ++i) {
      const std::vector<double>& cloud = kClouds[(i % 4 == 0 ? client : i) % 3];
      for (std::size_t k = 0; k < kWidth; ++k) {
        trial.data->features.push_back(static_cast<float>(cloud[k] + 0.15 * Normal(rng)));
      }
      owners.push_back(client);
    }
  }
  trial.data->labels.assign(owners.size(), 0);
  trial.data->test_features = trial.data->features;
  trial.data->test_labels = trial.data->labels;
  auto population = Population::Create(trial.world, kClients, owners);
  REQUIRE(population.ok());
  trial.population = *std::move(population);
  return trial;
}

struct Result {
  std::vector<float> weights;
  Report report;
};

Result Run(const Trial& trial, bool secure, BytesView warm_start = {}) {
  learn::SetUp(1);
  auto learners = NewLearners(trial.job.config.model(), trial.data, 1, "");
  REQUIRE(learners.ok());
  auto course = Course::Start(trial.job, warm_start);
  REQUIRE(course.ok());
  auto report =
      Simulate({trial.job, trial.world, trial.population}, secure, *learners, *course, {});
  INFO(TextOf(report.status()));
  REQUIRE(report.ok());
  INFO(report->ended);
  REQUIRE(report->rounds.size() == trial.job.config.rounds());
  return {{course->weights().begin(), course->weights().end()}, *std::move(report)};
}

struct Lloyd {
  std::vector<double> centres;
  std::vector<double> shares;
};

// `weight` of each example; they sum to 1.
Lloyd LloydRounds(const Trial& trial, const std::vector<double>& weight, std::uint64_t rounds,
                  const std::vector<float>& start) {
  const std::vector<float>& features = trial.data->features;
  const std::size_t clusters = trial.job.config.model().classes();
  Lloyd lloyd{{start.begin(), start.begin() + static_cast<std::ptrdiff_t>(clusters * kWidth)}, {}};
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::vector<double> sums(clusters * kWidth);
    lloyd.shares.assign(clusters, 0);
    for (std::size_t i = 0; i < weight.size(); ++i) {
      std::size_t nearest = 0;
      double least = INFINITY;
      for (std::size_t j = 0; j < clusters; ++j) {
        double distance = 0;
        for (std::size_t k = 0; k < kWidth; ++k) {
          distance += std::pow(
              static_cast<double>(features[i * kWidth + k]) - lloyd.centres[j * kWidth + k], 2);
        }
        if (distance < least) {
          least = distance;
          nearest = j;
        }
      }
      lloyd.shares[nearest] += weight[i];
      for (std::size_t k = 0; k < kWidth; ++k) {
        sums[nearest * kWidth + k] += weight[i] * static_cast<double>(features[i * kWidth + k]);
      }
    }
    for (std::size_t j = 0; j < clusters; ++j) {
      for (std::size_t k = 0; lloyd.shares[j] > 0 && k < kWidth; ++k) {
        lloyd.centres[j * kWidth + k] = sums[j * kWidth + k] / lloyd.shares[j];
      }
    }
  }
  return lloyd;
}

void RequireSame(const std::vector<float>& found, const Lloyd& expected) {
  // With weights by examples a step of the ring is 4 / 2^29 * 2^16 / 2160 examples = 2.3e-7 for
  // each of eight clients, and a centre's share is above a tenth.
  for (std::size_t i = 0; i < expected.centres.size(); ++i) {
    REQUIRE(static_cast<double>(found[i]) == Approx(expected.centres[i]).margin(2e-5));
  }
  for (std::size_t j = 0; j < expected.shares.size(); ++j) {
    REQUIRE(static_cast<double>(found[expected.centres.size() + j]) ==
            Approx(expected.shares[j]).margin(3e-6));
  }
}

// The distance from each cloud to the nearest centre, the largest of them.
double Missed(const std::vector<float>& weights, std::size_t clusters) {
  double most = 0;
  for (const std::vector<double>& cloud : kClouds) {
    double nearest = INFINITY;
    for (std::size_t j = 0; j < clusters; ++j) {
      nearest =
          std::min(nearest, std::hypot(static_cast<double>(weights[j * kWidth]) - cloud[0],
                                       static_cast<double>(weights[j * kWidth + 1]) - cloud[1]));
    }
    most = std::max(most, nearest);
  }
  return most;
}

TEST_CASE("clients of different size together take the steps of Lloyd's algorithm on all examples",
          "[simulate]") {
  for (const std::string rounds : {"1", "2", "6"}) {
    const Trial trial = NewTrial({"rounds=" + rounds, "secure_aggregation.weighting=examples"});
    const std::size_t examples = trial.data->labels.size();
    const std::vector<double> weight(examples, 1.0 / static_cast<double>(examples));
    const Lloyd expected = LloydRounds(trial, weight, trial.job.config.rounds(),
                                       model::InitialWeights(trial.job.layout, 1));
    RequireSame(Run(trial, rounds == "2").weights, expected);
  }
}

TEST_CASE("with uniform weights every client counts alike in the means", "[simulate]") {
  const Trial trial = NewTrial({"rounds=4", "secure_aggregation.weighting=uniform"});
  std::vector<double> weight(trial.data->labels.size());
  for (std::uint32_t client = 0; client < kClients; ++client) {
    const auto rows = trial.population.rows(client);
    for (const std::uint32_t row : rows) {
      weight[row] = 1.0 / kClients / static_cast<double>(rows.size());
    }
  }
  RequireSame(Run(trial, true).weights,
              LloydRounds(trial, weight, 4, model::InitialWeights(trial.job.layout, 1)));
}

TEST_CASE("a centre with no examples stays where it is, through real masks", "[simulate]") {
  const Trial trial = NewTrial({"rounds=3", "model.classes=4"});
  std::vector<float> start{-1, 0, 1, 0, 0, 1, 50, 50, 0, 0, 0, 0};
  const Bytes warm = model::WriteSafetensors(trial.job.layout, start, {});
  const Result result = Run(trial, true, warm);
  REQUIRE(result.weights[6] == 50);
  REQUIRE(result.weights[7] == 50);
  REQUIRE(result.weights[11] == 0);
  REQUIRE(Missed(result.weights, 4) < 0.1);
}

TEST_CASE("clusters that are well apart are found with privacy too", "[simulate]") {
  for (const std::vector<std::string>& privacy :
       {std::vector<std::string>{"privacy.unit=example", "privacy.noise_multiplier=4"},
        {"privacy.unit=example", "privacy.noise_multiplier=4", "privacy.noise=distributed",
         "privacy.sampling_rate=1", "secure_aggregation.value_clip=2000"},
        {"privacy.unit=example", "privacy.noise_multiplier=4", "privacy.noise=central",
         "privacy.sampling_rate=1", "secure_aggregation.value_clip=2000"},
        {"privacy.unit=client", "privacy.noise_multiplier=0.05", "privacy.noise=distributed"}}) {
    std::vector<std::string> sets{"rounds=8", "privacy.clip_norm=1.5", "privacy.delta=1e-4",
                                  "training.batch_size=1600"};
    sets.insert(sets.end(), privacy.begin(), privacy.end());
    const Trial trial = NewTrial(sets, 200);
    const std::vector<float> start{-0.8F, -0.5F, 0.8F, 0, 0, 0.8F, 0, 0, 0};
    const Result result = Run(trial, false, model::WriteSafetensors(trial.job.layout, start, {}));
    INFO(privacy.back() << ", epsilon " << result.report.epsilon_coordinator);
    REQUIRE(result.report.epsilon_coordinator > 0);
    REQUIRE(Missed(result.weights, 3) < 0.2);
  }
}

TEST_CASE("a job of clusters reports the distortion and no accuracy", "[simulate]") {
  const Trial trial = NewTrial({"rounds=2"});
  const Report report = Run(trial, false).report;
  REQUIRE(*report.rounds.back().test_loss > 0);
  REQUIRE(report.rounds.back().test_accuracy.value_or(-1) < 0);
  REQUIRE(*report.rounds.back().test_loss < *report.rounds.front().test_loss);
}

}  // namespace
}  // namespace tutti::simulate
