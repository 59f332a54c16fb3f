#include "tests/bench/learn/train_command.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/learn/runtime.h"
#include "tests/bench/learn/central.h"

namespace tutti::bench {
namespace {

struct Options {
  std::string job;
  std::vector<std::string> sets;
  std::string folder = "/usr/share/datasets/fashion-mnist";
  std::string train_images, train_labels, test_images, test_labels;
  std::string accountant = "pld";
  std::size_t hold_out = 0;
  std::uint32_t threads = 1;
  double mean = 0, stddev = 1;
};

void AddOptions(CLI::App& app, Options& options) {
  app.add_option("--job", options.job, "job file, as `tutti run` takes it")->required();
  app.add_option("--set", options.sets, "section.key=value over the job file; may be repeated");
  app.add_option("--data", options.folder,
                 "folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of "
                 "t10k, each plain or .gz");
  app.add_option("--train-images", options.train_images, "this IDX file instead");
  app.add_option("--train-labels", options.train_labels, "this IDX file instead");
  app.add_option("--test-images", options.test_images, "this IDX file instead");
  app.add_option("--test-labels", options.test_labels, "this IDX file instead");
  app.add_option("--accountant", options.accountant, "how epsilon is counted")
      ->check(CLI::IsMember({"pld", "rdp"}));
  app.add_option("--hold-out", options.hold_out,
                 "measure on this many last training examples, which are not trained on, and leave "
                 "the test set alone: for choosing settings");
  app.add_option("--threads", options.threads, "of LibTorch")->check(CLI::Range(1, 256));
  app.add_option("--mean", options.mean, "subtracted from pixels in [0, 1]; must be public");
  app.add_option("--stddev", options.stddev, "divided by; must be public");
}

std::string FileOf(const Options& options, const std::string& given, const std::string& name) {
  if (!given.empty()) {
    return given;
  }
  const std::string plain = options.folder + "/" + name;
  return std::filesystem::exists(plain) ? plain : plain + ".gz";
}

StatusOr<data::Dataset> LoadSet(const Options& options, const v1::ModelSpec& model, bool train) {
  const std::string prefix = train ? "train" : "t10k";
  v1::DataConfig config;
  config.set_format("idx");
  config.set_images(FileOf(options, train ? options.train_images : options.test_images,
                           prefix + "-images-idx3-ubyte"));
  config.set_labels(FileOf(options, train ? options.train_labels : options.test_labels,
                           prefix + "-labels-idx1-ubyte"));
  config.set_mean(options.mean);
  config.set_stddev(options.stddev);
  return data::Load(config, model);
}

nlohmann::json LineOf(const Options& options, const v1::JobConfig& job,
                      const CentralReport& report) {
  const bool with_privacy = job.privacy().unit() != "none";
  nlohmann::json line{{"bench", "train"},
                      {"job", job.name()},
                      {"measured_on", options.hold_out > 0 ? "hold-out" : "test"},
                      {"examples", report.examples},
                      {"values", report.values},
                      {"accuracy", report.accuracy},
                      {"steps", report.steps},
                      {"seconds", report.train_seconds},
                      {"feature_seconds", report.feature_seconds},
                      {"method", report.method},
                      {"threads", options.threads},
                      {"cores", std::thread::hardware_concurrency()},
                      {"build", TUTTI_BUILD_TYPE}};
  if (with_privacy) {
    // Rounded up: what is printed is never less than what was spent.
    line["epsilon"] = std::ceil(report.epsilon * 1e4) / 1e4;
    line["delta"] = job.privacy().delta();
    line["accountant"] = options.accountant;
    line["noise_multiplier"] = report.noise_multiplier;
    line["sampling_rate"] = report.sampling_rate;
  }
  return line;
}

StatusOr<nlohmann::json> Run(const Options& options, const v1::JobConfig& job) {
  TUTTI_ASSIGN(data::Dataset train, LoadSet(options, job.model(), true));
  data::Dataset test;
  if (options.hold_out > 0) {
    TUTTI_ASSIGN(test, HoldOut(train, options.hold_out));
  } else {
    TUTTI_ASSIGN(test, LoadSet(options, job.model(), false));
  }
  const dp::Method method = options.accountant == "rdp" ? dp::Method::kRdp : dp::Method::kPld;
  TUTTI_ASSIGN(const CentralReport report,
               TrainCentrally(job, std::move(train), std::move(test), method,
                              [](std::uint64_t step, std::uint64_t steps, double accuracy) {
                                std::fprintf(stderr, "step %llu of %llu  accuracy %.4f\n",
                                             static_cast<unsigned long long>(step),
                                             static_cast<unsigned long long>(steps), accuracy);
                              }));
  return LineOf(options, job, report);
}

}  // namespace

int TrainCommand(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Trains a job on one data set in this process, all rounds as one training, and prints one "
      "JSON line: accuracy after each pass over the data, epsilon of the whole training.",
      "tutti-bench train");
  AddOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto loaded =
      config::Load<v1::JobConfig>(options.job, {.environment = {}, .command_line = options.sets});
  if (!loaded.ok()) {
    std::fputs(config::ToText(loaded.problems).c_str(), stderr);
    return config::ExitCode(loaded.problems);
  }
  learn::SetUp(options.threads);
  const StatusOr<nlohmann::json> line = Run(options, loaded.value);
  if (!line.ok()) {
    std::fprintf(stderr, "tutti-bench train: %s\n", TextOf(line.status()).c_str());
    return 1;
  }
  std::printf("%s\n", line->dump().c_str());
  return 0;
}

}  // namespace tutti::bench
