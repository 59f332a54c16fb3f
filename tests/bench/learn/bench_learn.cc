// tutti-bench-learn job JOB.toml [FOLDER]: runs a job on slices of Fashion-MNIST in this process,
// one line a round. tutti-bench-learn steps JOB.toml [FOLDER]: CPU milliseconds of a private and a
// plain step of the job's model. JOB.toml is a job file as `tutti run` takes it.
// tutti-bench-learn dpsgd MODEL BATCH: what privacy costs a step (`tutti-bench dpsgd`).
// tutti-bench-learn train --job JOB.toml ...: the job on one data set (`tutti-bench train`).
// tutti-bench-learn domain --job JOB.toml --client CLIENT.toml ...: what sharing is worth on a
// table. tutti-bench-learn audit ...: epsilon from below, by attack (`tutti-bench audit`).
#include <charconv>
#include <cstdio>
#include <iostream>
#include <vector>

#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/crypto/random.h"
#include "common/learn/runtime.h"
#include "common/learn/train.h"
#include "common/model/initial_weights.h"
#include "tests/bench/audit/audit_command.h"
#include "tests/bench/learn/domain_command.h"
#include "tests/bench/learn/dpsgd.h"
#include "tests/bench/learn/federated.h"
#include "tests/bench/learn/simulate_command.h"
#include "tests/bench/learn/train_command.h"
#include "tests/bench/secagg/cpu_time.h"

namespace tutti::bench {
namespace {

constexpr const char* kFolder = "/usr/share/datasets/fashion-mnist";

int Fail(const Status& status) {
  std::cerr << "tutti-bench-learn: " << TextOf(status) << "\n";
  return 1;
}

int Job(const v1::JobConfig& job, const std::string& folder) {
  std::vector<data::Dataset> clients;
  for (std::uint32_t i = 0; i < job.cohort().size(); ++i) {
    auto slice = LoadImages(folder, "train", job.model(), i, job.cohort().size());
    if (!slice.ok()) {
      return Fail(slice.status());
    }
    clients.push_back(*std::move(slice));
  }
  const auto test = LoadImages(folder, "t10k", job.model(), 0, 1);
  if (!test.ok()) {
    return Fail(test.status());
  }
  const auto report = RunJob(job, clients, *test, [](const RoundReport& line) {
    std::printf(
        "round %3u  accuracy %.4f  test loss %.4f  train loss %.4f  clipped %.2f  max |update| "
        "%.4f  cpu %.1f s\n",
        line.round, line.accuracy, line.test_loss, line.train_loss, line.clipped_fraction,
        static_cast<double>(line.max_abs_update), line.cpu_seconds);
    std::fflush(stdout);
  });
  if (!report.ok()) {
    return Fail(report.status());
  }
  const RoundReport& last = report->rounds.back();
  std::printf("values %llu  steps %llu  noise %.4f  epsilon %.4f  accuracy %.4f  cpu %.1f s\n",
              static_cast<unsigned long long>(report->values),
              static_cast<unsigned long long>(report->steps), report->noise_multiplier,
              report->epsilon, last.accuracy, last.cpu_seconds);
  return 0;
}

int Steps(v1::JobConfig job, const std::string& folder) {
  const auto data = LoadImages(folder, "train", job.model(), 0, 8);
  if (!data.ok()) {
    return Fail(data.status());
  }
  crypto::SystemRng rng;
  auto start = model::InitialWeights(job.model());
  if (!start.ok()) {
    return Fail(start.status());
  }
  job.mutable_training()->set_local_epochs(0);
  double milliseconds[2] = {1e9, 1e9};
  for (int repetition = 0; repetition < 10; ++repetition) {
    for (const bool with_privacy : {false, true}) {
      job.mutable_privacy()->set_unit(with_privacy ? "example" : "none");
      job.mutable_privacy()->set_noise_multiplier(1);
      constexpr std::uint32_t kSteps = 6;
      job.mutable_training()->set_local_steps(kSteps);
      std::vector<float> weights = *start;
      const double begin = CpuSeconds();
      const auto result = learn::Train(job.model(), job.training(), job.privacy(),
                                       {.features = data->features, .labels = data->labels},
                                       weights, rng, [](std::uint64_t, std::uint64_t) {});
      if (!result.ok()) {
        return Fail(result.status());
      }
      double& best = milliseconds[with_privacy ? 1 : 0];
      best = std::min(best, 1e3 * (CpuSeconds() - begin) / kSteps);
    }
  }
  std::printf(
      "{\"batch\": %u, \"values\": %zu, \"plain_ms\": %.2f, \"private_ms\": %.2f, \"ratio\": "
      "%.2f}\n",
      job.training().batch_size(), start->size(), milliseconds[0], milliseconds[1],
      milliseconds[1] / milliseconds[0]);
  return 0;
}

int Dpsgd(const std::string& model, const std::string& batch, const std::string& method) {
  std::uint32_t examples = 0;
  const auto [end, error] = std::from_chars(batch.data(), batch.data() + batch.size(), examples);
  if (error != std::errc() || end != batch.data() + batch.size() || examples < 2 ||
      examples > 65536) {
    return Fail(InvalidArgument(Join("batch is ", batch, ", expected 2 to 65536 examples")));
  }
  const auto line = DpsgdLine({.model = model, .batch = examples, .method = method});
  if (!line.ok()) {
    return Fail(line.status());
  }
  std::printf("%s\n", line->c_str());
  return 0;
}

int Main(int argc, char** argv) {
  if (argc >= 2 && std::string(argv[1]) == "train") {
    return TrainCommand(argc - 1, argv + 1);
  }
  if (argc >= 2 && std::string(argv[1]) == "simulate") {
    return SimulateCommand(argc - 1, argv + 1);
  }
  if (argc >= 2 && std::string(argv[1]) == "domain") {
    return DomainCommand(argc - 1, argv + 1);
  }
  if (argc >= 4 && std::string(argv[1]) == "dpsgd") {
    return Dpsgd(argv[2], argv[3], argc > 4 ? argv[4] : "chosen");
  }
  if (argc >= 2 && std::string(argv[1]) == "audit") {
    return AuditCommand(argc - 1, argv + 1);
  }
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: tutti-bench-learn job|steps JOB.toml [FOLDER]\n"
                 "       tutti-bench-learn train --help\n"
                 "       tutti-bench-learn domain --help\n"
                 "       tutti-bench-learn audit --help\n"
                 "       tutti-bench-learn simulate --help\n"
                 "       tutti-bench-learn dpsgd mlp|lenet|gnconv|lstm BATCH [chosen|vmap|\"single "
                 "examples\"]\n";
    return 64;
  }
  const auto loaded = config::Load<v1::JobConfig>(argv[2]);
  if (!loaded.ok()) {
    std::cerr << config::ToText(loaded.problems);
    return config::ExitCode(loaded.problems);
  }
  const v1::JobConfig& job = loaded.value;
  learn::SetUp(1);
  const std::string folder = argc == 4 ? argv[3] : kFolder;
  return std::string(argv[1]) == "steps" ? Steps(job, folder) : Job(job, folder);
}

}  // namespace
}  // namespace tutti::bench

int main(int argc, char** argv) {
  tutti::learn::RestartWithFasterBlas(argv);
  return tutti::bench::Main(argc, argv);
}
