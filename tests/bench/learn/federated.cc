#include "tests/bench/learn/federated.h"

#include <ctime>

#include <algorithm>
#include <array>

#include "common/crypto/random.h"
#include "common/dp/calibration.h"
#include "common/learn/train.h"
#include "common/model/initial_weights.h"
#include "common/model/training_plan.h"
#include "tests/bench/learn/central.h"

namespace tutti::bench {
namespace {

StatusOr<v1::PrivacySpec> Calibrated(const v1::JobConfig& job, std::size_t examples,
                                     JobReport& report) {
  v1::PrivacySpec privacy = job.privacy();
  const bool with_privacy = privacy.unit() != "none";
  TUTTI_ASSIGN(const model::TrainingPlan plan,
               model::PlanOf(job.training(), with_privacy, examples));
  report.steps = plan.steps * job.rounds();
  if (!with_privacy) {
    return privacy;
  }
  if (privacy.noise_multiplier() == 0 && privacy.target_epsilon() > 0) {
    TUTTI_ASSIGN(const double noise, dp::CalibrateNoise({privacy.target_epsilon(), privacy.delta()},
                                                        plan.sampling_rate, report.steps));
    privacy.set_noise_multiplier(noise);
  }
  report.noise_multiplier = privacy.noise_multiplier();
  const std::array<dp::SubsampledGaussian, 1> events{
      {{plan.sampling_rate, privacy.noise_multiplier(), report.steps}}};
  TUTTI_ASSIGN(const dp::SpentBudget spent, dp::SpentEpsilon(events, privacy.delta()));
  report.epsilon = spent.epsilon;
  return privacy;
}

}  // namespace

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

StatusOr<data::Dataset> LoadImages(const std::string& folder, const std::string& prefix,
                                   const v1::ModelSpec& model, std::uint32_t index,
                                   std::uint32_t count) {
  v1::DataConfig config;
  config.set_format("idx");
  config.set_images(folder + "/" + prefix + "-images-idx3-ubyte.gz");
  config.set_labels(folder + "/" + prefix + "-labels-idx1-ubyte.gz");
  config.set_scale(1.0 / 255);
  config.set_mean(0.2860);  // of all training pixels
  config.set_stddev(0.3530);
  if (count > 1) {
    config.mutable_slice()->set_kind("iid");
    config.mutable_slice()->set_index(index);
    config.mutable_slice()->set_count(count);
    config.mutable_slice()->set_seed(1);
  }
  return data::Load(config, model);
}

StatusOr<JobReport> RunJob(const v1::JobConfig& job, const std::vector<data::Dataset>& clients,
                           const data::Dataset& test,
                           const std::function<void(const RoundReport&)>& each) {
  JobReport report;
  TUTTI_ASSIGN(std::vector<float> weights, model::InitialWeights(job.model()));
  report.values = weights.size();
  TUTTI_ASSIGN(const v1::PrivacySpec privacy, Calibrated(job, clients.front().examples, report));
  crypto::SystemRng rng;
  const learn::Progress quiet = [](std::uint64_t, std::uint64_t) {};
  const auto share = 1.0 / static_cast<double>(clients.size());
  const auto server_rate = static_cast<float>(share * job.server().learning_rate());
  double cpu = 0;
  for (std::uint32_t round = 1; round <= job.rounds(); ++round) {
    RoundReport line{.round = round};
    std::vector<float> sum(weights.size());
    const double start = CpuSeconds();
    for (const data::Dataset& client : clients) {
      std::vector<float> update = weights;
      TUTTI_ASSIGN(
          const learn::TrainResult result,
          learn::Train(job.model(), job.training(), privacy, ViewOf(client), update, rng, quiet));
      std::transform(sum.begin(), sum.end(), update.begin(), sum.begin(), std::plus<>());
      line.train_loss += share * result.loss;
      line.clipped_fraction += share * result.clipped_fraction;
      line.max_abs_update = std::max(line.max_abs_update, result.max_abs_update);
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] += server_rate * sum[i];
    }
    cpu += CpuSeconds() - start;
    line.cpu_seconds = cpu;
    if (round == job.rounds() ||
        (job.evaluation().every() != 0 && round % job.evaluation().every() == 0)) {
      TUTTI_ASSIGN(const learn::EvaluateResult score,
                   learn::Evaluate(job.model(), ViewOf(test), weights, quiet));
      line.accuracy = score.accuracy;
      line.test_loss = score.loss;
    }
    each(line);
    report.rounds.push_back(line);
  }
  report.weights = std::move(weights);
  return report;
}

}  // namespace tutti::bench
