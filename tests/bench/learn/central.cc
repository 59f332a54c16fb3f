#include "tests/bench/learn/central.h"

#include <chrono>
#include <utility>

#include "common/base/text.h"
#include "common/crypto/random.h"
#include "common/learn/train.h"
#include "common/model/features.h"
#include "common/model/initial_weights.h"
#include "common/model/training_plan.h"

namespace tutti::bench {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void Quiet(std::uint64_t /*done*/, std::uint64_t /*total*/) {}

// All rounds of the job in one.
v1::TrainingSpec OneTraining(const v1::JobConfig& job) {
  v1::TrainingSpec training = job.training();
  training.set_local_steps(training.local_steps() * job.rounds());
  training.set_local_epochs(training.local_epochs() * job.rounds());
  return training;
}

Status SetNoise(const model::TrainingPlan& plan, dp::Method method, v1::PrivacySpec& privacy,
                CentralReport& report) {
  if (privacy.noise_multiplier() == 0) {
    TUTTI_ASSIGN(const double noise, dp::CalibrateNoise({privacy.target_epsilon(), privacy.delta()},
                                                        plan.sampling_rate, plan.steps, method));
    privacy.set_noise_multiplier(noise);
  }
  report.noise_multiplier = privacy.noise_multiplier();
  TUTTI_ASSIGN(report.epsilon,
               dp::CostOf({plan.sampling_rate, privacy.noise_multiplier(), plan.steps},
                          privacy.delta(), method));
  return OkStatus();
}

Status ComputeFeatures(const v1::ModelSpec& model, data::Dataset& data) {
  if (model::HasFeatures(model)) {
    TUTTI_ASSIGN(data.features, model::FeaturesOf(model, data.features, Quiet));
    data.width = data.features.size() / data.examples;
  }
  return OkStatus();
}

}  // namespace

learn::DataView ViewOf(const data::Dataset& data) {
  if (!data.targets.empty()) return {.features = data.features, .targets = data.targets};
  return {.features = data.features, .labels = data.labels};
}

StatusOr<CentralReport> TrainCentrally(const v1::JobConfig& job, data::Dataset train,
                                       data::Dataset test, dp::Method method,
                                       const AccuracySeen& seen) {
  CentralReport report;
  report.examples = train.examples;
  const v1::TrainingSpec training = OneTraining(job);
  v1::PrivacySpec privacy = job.privacy();
  const bool with_privacy = privacy.unit() != "none";
  TUTTI_ASSIGN(const model::TrainingPlan plan,
               model::PlanOf(training, with_privacy, train.examples));
  report.steps = plan.steps;
  report.sampling_rate = plan.sampling_rate;
  if (with_privacy) {
    TUTTI_TRY(SetNoise(plan, method, privacy, report));
  }
  const Clock::time_point before = Clock::now();
  TUTTI_TRY(ComputeFeatures(job.model(), train));
  TUTTI_TRY(ComputeFeatures(job.model(), test));
  report.feature_seconds = SecondsSince(before);

  TUTTI_ASSIGN(std::vector<float> weights, model::InitialWeights(job.model()));
  report.values = weights.size();
  const std::uint64_t batch = std::min<std::uint64_t>(training.batch_size(), train.examples);
  const std::uint64_t steps_a_pass = (train.examples + batch - 1) / batch;
  Status measured;
  double measuring = 0;
  const learn::StepSeen measure = [&](std::uint64_t step, std::span<const float> now) {
    if ((step % steps_a_pass != 0 && step != plan.steps) || !measured.ok()) {
      return;
    }
    const Clock::time_point start = Clock::now();
    const auto score = learn::Evaluate(job.model(), ViewOf(test), now, Quiet);
    measured = score.status();
    if (score.ok()) {
      report.accuracy.push_back(score->accuracy);
      seen(step, plan.steps, score->accuracy);
    }
    measuring += SecondsSince(start);
  };
  crypto::SystemRng rng;
  const Clock::time_point start = Clock::now();
  const std::vector<float> received = weights;
  TUTTI_ASSIGN(const learn::TrainResult result,
               learn::Train(job.model(), training, privacy, ViewOf(train), weights, rng, Quiet,
                            {.seen = measure}));
  TUTTI_TRY(measured);
  report.train_seconds = SecondsSince(start) - measuring;
  report.method = result.method;
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] += received[i];
  report.weights = std::move(weights);
  return report;
}

StatusOr<data::Dataset> HoldOut(data::Dataset& data, std::size_t count) {
  if (count >= data.examples) {
    return InvalidArgument(Join("cannot hold out ", count, " of ", data.examples, " examples"));
  }
  data::Dataset held;
  held.examples = count;
  held.width = data.width;
  const std::size_t kept = data.examples - count;
  const auto first_value = data.features.begin() + static_cast<std::ptrdiff_t>(kept * data.width);
  const auto first_label = data.labels.begin() + static_cast<std::ptrdiff_t>(kept);
  held.features.assign(first_value, data.features.end());
  held.labels.assign(first_label, data.labels.end());
  data.features.erase(first_value, data.features.end());
  data.labels.erase(first_label, data.labels.end());
  data.examples = kept;
  return held;
}

}  // namespace tutti::bench
