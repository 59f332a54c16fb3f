// tutti-simulator: what `tutti simulate` runs, a program of its own because it links LibTorch.
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>

#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/learn/runtime.h"
#include "common/platform/files.h"
#include "server/simulate/evaluate.h"
#include "server/simulate/learning.h"
#include "server/simulate/options.h"
#include "server/simulate/plot.h"
#include "server/simulate/results.h"
#include "server/simulate/screen.h"
#include "server/simulate/simulation.h"

namespace tutti::simulate {
namespace {

constexpr std::uint64_t kMostCheckpointBytes = std::uint64_t{8} << 30;

enum ExitCode : int { kDone = 0, kFailed = 1, kStopped = 130 };

// A handler and not platform::ShutdownSignals, which blocks signals: OpenBLAS has threads before
// main begins, and one that does not block a signal would end the process.
volatile std::sig_atomic_t signal_seen = 0;
void OnSignal(int) { signal_seen = 1; }

double Seconds() {
  static const auto start = std::chrono::steady_clock::now();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool IsLiveTerminal() {
  const char* const term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && term != nullptr && *term != '\0' &&
         std::string_view(term) != "dumb";
}

std::size_t Columns() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20;
  return known ? size.ws_col - 1U : 80;
}

// Both files as they are simulated; the exit code when they are wrong.
struct Files {
  v1::JobConfig job;
  v1::SimulationConfig world;
  v1::AdversarySpec adversary;  // models are measured with
};

// The job's adversary, or what --adversary makes of it; the problems of the job it belongs to.
std::vector<config::Problem> LoadAdversary(const Options& options, Files& files) {
  files.adversary = files.job.adversary();
  if (options.adversary_sets.empty()) return {};
  std::vector<std::string> sets = options.job_sets;
  for (const std::string& set : options.adversary_sets) sets.push_back("adversary." + set);
  auto measured = config::Load<v1::JobConfig>(options.job_file,
                                              {.environment = {}, .command_line = std::move(sets)});
  files.adversary = measured.value.adversary();
  return std::move(measured.problems);
}

int LoadFiles(const Options& options, Files& files) {
  const auto job = config::Load<v1::JobConfig>(
      options.job_file, {.environment = {}, .command_line = options.job_sets});
  config::LoadResult world;
  const config::Overrides overrides{.environment = {}, .command_line = options.world_sets};
  world = options.profile.empty() ? config::LoadText("", "simulation.toml", files.world, overrides)
                                  : config::LoadFile(options.profile, files.world, overrides);
  if (world.readable) {
    config::Validate(files.world, world);
  }
  std::cerr << config::ToText(job.problems) << config::ToText(world.problems);
  if (!job.ok()) {
    return config::ExitCode(job.problems);
  }
  files.job = job.value;
  const std::vector<config::Problem> wrong = LoadAdversary(options, files);
  std::cerr << config::ToText(wrong);
  if (!wrong.empty()) {
    return config::ExitCode(wrong);
  }
  return config::ExitCode(world.problems);
}

Status WriteFiles(const Options& options, const About& about, const Report& report,
                  BytesView model) {
  const auto write = [](const std::string& path, BytesView bytes) {
    return path.empty() ? OkStatus() : platform::WriteFileDurably(path, bytes, 0644);
  };
  TUTTI_TRY(write(options.csv_file, AsBytes(ToCsv(report))));
  TUTTI_TRY(write(options.json_file, AsBytes(ToJson(about, report))));
  TUTTI_TRY(write(options.plot_file,
                  AsBytes(ToSvg(Join(about.job, ": ", about.clients, " clients"), report))));
  return write(options.checkpoint_file, model);
}

Observer Watching(const Options& options, std::uint64_t rounds, Screen& screen) {
  const bool lines = !options.json && !options.quiet;
  Observer observer;
  observer.seconds = Seconds;
  observer.stop = [] { return signal_seen != 0; };
  if (lines) {
    observer.round = [&screen, rounds](const RoundReport& round) {
      std::cout << screen.Line(RoundLine(round, rounds)) << std::flush;
    };
    observer.failure = [&screen](const FailureReport& failure) {
      std::cout << screen.Line(FailureLine(failure)) << std::flush;
    };
  }
  if (!options.json) {
    observer.training = [&screen](std::uint64_t round, std::size_t done, std::size_t expected) {
      std::cout << screen.Bars(round - 1, done, expected, Seconds()) << std::flush;
    };
  }
  return observer;
}

StatusOr<server::PreparedJob> Prepared(const v1::JobConfig& config, Bytes& warm_start) {
  if (!config.warm_start().empty()) {
    TUTTI_ASSIGN(warm_start, platform::ReadFile(config.warm_start(), kMostCheckpointBytes));
  }
  TUTTI_ASSIGN(const v1::JobConfig completed, server::CompletedJob(config, warm_start));
  return server::PrepareJob(completed);
}

StatusOr<int> Run(const Options& options, const Files& files) {
  Bytes warm_start;
  TUTTI_ASSIGN(const server::PreparedJob job, Prepared(files.job, warm_start));
  TUTTI_ASSIGN(Examples examples, LoadExamples(options.data, job.config.model(), files.world));
  TUTTI_ASSIGN(const Population population,
               Population::Create(files.world, examples.clients, examples.owners));
  examples.owners = std::vector<std::uint32_t>();
  TUTTI_ASSIGN(auto data,
               LearningDataOf(job.config.model(), examples,
                              {files.adversary, files.world.malicious()}, job.task.fairness()));
  const std::size_t threads =
      options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  TUTTI_ASSIGN(std::vector<std::unique_ptr<Learner>> learners,
               NewLearners(job.config.model(), std::move(data), threads, options.script_file));
  TUTTI_ASSIGN(Course course, Course::Start(job, warm_start));

  Screen screen(IsLiveTerminal(), Columns(), job.config.rounds());
  const Observer observer = Watching(options, job.config.rounds(), screen);
  TUTTI_ASSIGN(const Report report, Simulate({job, files.world, population}, options.secure,
                                             learners, course, observer));
  const About about{.job = job.config.name(),
                    .rounds = job.config.rounds(),
                    .clients = population.size(),
                    .malicious = population.malicious(),
                    .seed = files.world.seed(),
                    .secure = options.secure,
                    .with_privacy = job.setting.with_privacy(),
                    .delta = job.config.privacy().delta()};
  TUTTI_TRY(WriteFiles(options, about, report, course.model()));
  std::cout << screen.Finish() << (options.json ? ToJson(about, report) : Summary(about, report));
  return signal_seen != 0 ? kStopped : report.done ? kDone : kFailed;
}

int Main(const std::vector<std::string>& words) {
  const Parsed parsed = Parse(words);
  std::cout << parsed.out;
  std::cerr << parsed.error;
  if (!parsed.go) {
    return parsed.exit_code;
  }
  Files files;
  if (const int wrong = LoadFiles(parsed.options, files); wrong != 0) {
    return wrong;
  }
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  learn::SetUp(1);
  const StatusOr<int> code = Run(parsed.options, files);
  if (!code.ok()) {
    std::cerr << "tutti simulate: " << TextOf(code.status()) << "\n";
    return kFailed;
  }
  return *code;
}

}  // namespace
}  // namespace tutti::simulate

int main(int argc, char** argv) {
  tutti::learn::RestartWithFasterBlas(argv);
  if (argc > 1 && std::string_view(argv[1]) == tutti::simulate::kEvaluateWord) {
    return tutti::simulate::EvaluateFiles({argv + 2, argv + argc});
  }
  return tutti::simulate::Main({argv + 1, argv + argc});
}
