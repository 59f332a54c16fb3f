#include "client/trainer/supervisor.h"

#include <csignal>
#include <thread>

#include "tests/catch.h"

namespace tutti::trainer {
namespace {

v1::TrainerConfig Config() {
  v1::TrainerConfig config;
  config.set_program(TUTTI_ODD_TRAINER);
  config.set_memory_mib(256);
  config.set_time_limit_seconds(60);
  config.set_hang_seconds(60);
  config.set_idle_seconds(60);
  return config;
}

v1::DescribeRequest Behave(const std::string& how) {
  v1::DescribeRequest request;
  request.mutable_data()->set_identity(how);
  return request;
}

bool Says(const Status& status, const std::string& part) {
  return TextOf(status).find(part) != std::string::npos;
}

// The trainer behaves as told, the error is as said, and the next task works with a new child.
Status FailAndRecover(Supervisor& supervisor, const std::string& how) {
  const std::uint64_t starts = supervisor.starts();
  const Status status = supervisor.Describe(Behave(how), {}).status();
  REQUIRE_FALSE(status.ok());
  REQUIRE_FALSE(supervisor.running());
  REQUIRE(supervisor.failures() >= 1);
  REQUIRE(supervisor.Describe(Behave("ok"), {}).ok());
  REQUIRE(supervisor.starts() == starts + 2);
  supervisor.End();
  return status;
}
Status FailAndRecover(const std::string& how) {
  Supervisor supervisor(Config());
  return FailAndRecover(supervisor, how);
}

}  // namespace

TEST_CASE("a trainer is started on demand and kept warm", "[trainer]") {
  Supervisor supervisor(Config());
  REQUIRE_FALSE(supervisor.running());
  const auto first = supervisor.Describe(Behave("ok"), {});
  REQUIRE(first.ok());
  const auto second = supervisor.Describe(Behave("ok"), {});
  REQUIRE(first->torch_version() == second->torch_version());  // the process id
  REQUIRE(supervisor.starts() == 1);
  REQUIRE(supervisor.failures() == 0);
}

TEST_CASE("the child has its limits and nothing of ours", "[trainer]") {
  v1::TrainerConfig config = Config();
  config.set_threads(2);
  config.set_nice(7);
  config.set_cpu_seconds(1000);
  Supervisor supervisor(config);
  const auto told = supervisor.Describe(Behave("ok"), {});
  REQUIRE(told.ok());
  const std::vector<std::string> lines(told->warnings().begin(), told->warnings().end());
  REQUIRE(lines.at(0) == "fds 0 1 2 3 ");
  REQUIRE(lines.at(1) == "nice 7");
  REQUIRE(lines.at(2) == "threads 2 2");
  REQUIRE(lines.at(3) == "death " + std::to_string(SIGKILL));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  REQUIRE(lines.at(4) == "data " + std::to_string(256 << 20));
#endif
  REQUIRE(lines.at(5) == "cpu 1000");
  REQUIRE(lines.at(6) == "core 0");
  REQUIRE(lines.at(7) == "own-group 1");
}

TEST_CASE("training passes weights and update through shared memory", "[trainer]") {
  Supervisor supervisor(Config());
  std::vector<float> weights(100'000);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i) / 8;
  std::vector<std::uint64_t> steps;
  const auto trained = supervisor.Train({}, weights, {}, [&](const v1::TrainerProgress& progress) {
    steps.push_back(progress.steps_done());
  });
  REQUIRE(trained.ok());
  REQUIRE(trained->reply.steps() == 3);
  REQUIRE(steps == std::vector<std::uint64_t>{1, 2, 3});
  REQUIRE(trained->update.size() == weights.size());
  REQUIRE(trained->update[77'777] == 2 * weights[77'777]);
  REQUIRE(supervisor.Evaluate({}, weights, {})->accuracy() == 0.5);
  REQUIRE(supervisor.starts() == 1);
}

TEST_CASE("a crash names its signal or exit code and the last words", "[trainer]") {
  const Status aborted = FailAndRecover("abort");
  REQUIRE(aborted.code() == StatusCode::kUnavailable);
  REQUIRE(Says(aborted, "was killed by signal 6 (Aborted)"));
  REQUIRE(Says(FailAndRecover("segv"), "signal 11 (Segmentation fault)"));
  const Status ended = FailAndRecover("exit");
  REQUIRE(Says(ended, "ended with exit code 3; it last said: the disk is full"));
}

TEST_CASE("a kill from outside is taken for missing memory", "[trainer]") {
  const Status status = FailAndRecover("kill");
  REQUIRE(status.code() == StatusCode::kResourceExhausted);
  REQUIRE(Says(status, "ran out of memory"));
}

TEST_CASE("a hanging trainer is killed after hang_seconds", "[trainer]") {
  v1::TrainerConfig config = Config();
  config.set_hang_seconds(0.2);
  Supervisor supervisor(config);
  const Status status = FailAndRecover(supervisor, "hang");
  REQUIRE(status.code() == StatusCode::kDeadlineExceeded);
  REQUIRE(Says(status, "no sign of life for trainer.hang_seconds = 0.2"));
}

TEST_CASE("signs of life without end do not pass the time limit", "[trainer]") {
  v1::TrainerConfig config = Config();
  config.set_time_limit_seconds(0.3);
  Supervisor supervisor(config);
  const Status status = FailAndRecover(supervisor, "progress-for-ever");
  REQUIRE(status.code() == StatusCode::kDeadlineExceeded);
  REQUIRE(Says(status, "trainer.time_limit_seconds = 0.3"));
}

TEST_CASE("a trainer above its memory is killed", "[trainer]") {
  const Status status = FailAndRecover("shared-memory");
  REQUIRE(status.code() == StatusCode::kResourceExhausted);
  REQUIRE(Says(status, "trainer.memory_mib is 256"));
}

TEST_CASE("a trainer that used its processor time is ended", "[trainer]") {
  v1::TrainerConfig config = Config();
  config.set_cpu_seconds(1);
  Supervisor supervisor(config);
  const Status status = FailAndRecover(supervisor, "spin");
  REQUIRE(status.code() == StatusCode::kResourceExhausted);
  REQUIRE(Says(status, "trainer.cpu_seconds = 1"));
}

TEST_CASE("wrong answers end the trainer and never the daemon", "[trainer]") {
  for (const char* how :
       {"wrong-id", "wrong-type", "nonsense", "empty", "huge-length", "half-message"}) {
    REQUIRE(FailAndRecover(how).code() == StatusCode::kUnavailable);
  }
}

TEST_CASE("a trainer that closes its socket and stays is killed", "[trainer]") {
  REQUIRE(FailAndRecover("close-and-stay").code() == StatusCode::kResourceExhausted);
}

TEST_CASE("a reported error keeps its code, loses control bytes and leaves the trainer alive",
          "[trainer]") {
  Supervisor supervisor(Config());
  const Status status = supervisor.Describe(Behave("error"), {}).status();
  REQUIRE(status.code() == StatusCode::kInvalidArgument);
  REQUIRE(TextOf(status) == "row 3 is \\x1b[31mbad");
  REQUIRE(supervisor.running());
  REQUIRE(supervisor.Describe(Behave("ok"), {}).ok());
  REQUIRE(supervisor.starts() == 1);
  REQUIRE(supervisor.failures() == 0);
}

TEST_CASE("a chattering or silent stderr does not hold the task up", "[trainer]") {
  Supervisor supervisor(Config());
  REQUIRE(supervisor.Describe(Behave("chatter"), {}).ok());
  REQUIRE(supervisor.Describe(Behave("close-stderr"), {}).ok());
  REQUIRE(supervisor.Describe(Behave("ok"), {}).ok());
  REQUIRE(supervisor.starts() == 1);
}

TEST_CASE("a trainer that dies between tasks is replaced without an error", "[trainer]") {
  Supervisor supervisor(Config());
  const auto first = supervisor.Describe(Behave("exit-after"), {});
  REQUIRE(first.ok());
  // Until it is really gone the old process may still take a request.
  while (true) {
    const auto next = supervisor.Describe(Behave("ok"), {});
    if (next.ok() && next->torch_version() != first->torch_version()) break;
  }
  REQUIRE(supervisor.starts() == 2);
}

TEST_CASE("another thread can stop a task", "[trainer]") {
  Supervisor supervisor(Config());
  std::stop_source source;
  std::thread stopper([&] { source.request_stop(); });
  const Status status = supervisor.Describe(Behave("hang"), source.get_token()).status();
  stopper.join();
  REQUIRE(status.code() == StatusCode::kAborted);
  REQUIRE_FALSE(supervisor.running());
  REQUIRE(supervisor.failures() == 0);
  REQUIRE(supervisor.Describe(Behave("ok"), {}).ok());
  REQUIRE(supervisor.Describe(Behave("ok"), source.get_token()).status().code() ==
          StatusCode::kAborted);
}

TEST_CASE("an idle trainer is ended and a busy one is not", "[trainer]") {
  v1::TrainerConfig config = Config();
  config.set_idle_seconds(0);
  Supervisor supervisor(config);
  REQUIRE(supervisor.IdleLeft() == std::nullopt);
  REQUIRE(supervisor.Describe(Behave("ok"), {}).ok());
  REQUIRE(supervisor.IdleLeft() == Milliseconds(0));
  supervisor.EndIfIdle();
  REQUIRE_FALSE(supervisor.running());
  Supervisor patient(Config());
  REQUIRE(patient.Describe(Behave("ok"), {}).ok());
  patient.EndIfIdle();
  REQUIRE(patient.running());
}

TEST_CASE("a program that is not there is named", "[trainer]") {
  v1::TrainerConfig config = Config();
  config.set_program("/nowhere/tutti-trainer");
  const Status status = Supervisor(config).Describe({}, {}).status();
  REQUIRE(status.code() == StatusCode::kNotFound);
  REQUIRE(Says(status, "set trainer.program"));
  config.set_program("/dev/null");
  REQUIRE(Supervisor(config).Describe({}, {}).status().code() == StatusCode::kPermissionDenied);
}

}  // namespace tutti::trainer
