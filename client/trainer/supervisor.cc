#include "client/trainer/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <utility>

#include "client/trainer/channel.h"
#include "client/trainer/child_process.h"
#include "client/trainer/shared_values.h"
#include "common/base/text.h"
#include "common/log/log.h"

namespace tutti::trainer {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
constexpr Milliseconds kMemoryTick{500};    // between two looks at the child's memory
constexpr Milliseconds kEndPatience{2000};  // for a child whose channel was closed
constexpr std::size_t kMaxLinesPerTask = 50;
constexpr std::size_t kMaxLineBytes = 500;

Milliseconds Seconds(double seconds) {
  return Milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
}

StatusCode CodeFromName(const std::string& name) {
  for (int code = 1; code <= 16; ++code) {
    if (CodeName(static_cast<StatusCode>(code)) == name) return static_cast<StatusCode>(code);
  }
  return StatusCode::kInternal;
}

// Becomes readable when the caller asks to stop.
class StopEvent {
 public:
  explicit StopEvent(std::stop_token stop) : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    callback_.emplace(std::move(stop), Raise{fd_});
  }
  ~StopEvent() {
    callback_.reset();  // waits for a running callback, which writes to fd_
    if (fd_ >= 0) ::close(fd_);
  }
  StopEvent(const StopEvent&) = delete;
  StopEvent& operator=(const StopEvent&) = delete;
  int fd() const { return fd_; }

 private:
  struct Raise {
    int fd;
    void operator()() const noexcept {
      const std::uint64_t one = 1;
      const ssize_t ignored = ::write(fd, &one, sizeof(one));
      static_cast<void>(ignored);
    }
  };
  int fd_;
  std::optional<std::stop_callback<Raise>> callback_;
};

v1::TrainerConfig WithDefaults(v1::TrainerConfig config) {
  if (config.program().empty()) config.set_program(DefaultTrainerProgram());
  if (config.threads() == 0) config.set_threads(1);
  if (config.memory_mib() == 0) config.set_memory_mib(4096);
  if (config.time_limit_seconds() == 0) config.set_time_limit_seconds(3600);
  if (config.hang_seconds() == 0) config.set_hang_seconds(120);
  return config;
}

}  // namespace

std::string DefaultTrainerProgram() {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? "tutti-trainer" : (self.parent_path() / "tutti-trainer").string();
}

struct Supervisor::State {
  explicit State(v1::TrainerConfig given) : config(WithDefaults(std::move(given))) {}

  v1::TrainerConfig config;
  std::optional<ChildProcess> child;
  std::optional<Channel> channel;
  SteadyTime idle_since{};
  std::uint64_t next_id = 1;
  std::uint64_t starts = 0;
  std::uint64_t failures = 0;
  std::string error_text;  // an unfinished line of the child's stderr
  std::string last_line;
  std::size_t lines_logged = 0;
  bool errors_open = false;

  Status EnsureRunning();
  StatusOr<v1::TrainerReply> Run(v1::TrainerRequest request, int passed_fd, std::stop_token stop,
                                 const ProgressSink& progress);
  StatusOr<v1::TrainerReply> WaitForReply(std::uint64_t id, std::stop_token stop,
                                          const ProgressSink& progress);
  // A message of task `id`, when one is complete; nullopt: not yet.
  StatusOr<std::optional<v1::TrainerReply>> TakeReply(std::uint64_t id);
  Status CheckMemory();
  void ReadErrors();
  void LogErrorLine(std::string line);
  Status Crashed();                  // reaps and describes
  Status Killed(const Status& why);  // kills, reaps, passes `why` on
  void Forget();
};

Status Supervisor::State::EnsureRunning() {
  if (child) {
    // It may have died or been killed while idle: then a new one is started without fuss.
    pollfd entry{.fd = channel->fd(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, 0) == 0) return OkStatus();
    const Status ended = Crashed();
    log::Warn("trainer_lost_while_idle", {{"reason", ended}});
  }
  const std::string threads = std::to_string(config.threads());
  TUTTI_ASSIGN(ChildProcess started,
               ChildProcess::Start(
                   {.program = config.program(),
                    .arguments = {},
                    .environment = {"OMP_NUM_THREADS=" + threads, "OPENBLAS_NUM_THREADS=" + threads,
                                    "MKL_NUM_THREADS=" + threads},
                    .memory_bytes = std::uint64_t{config.memory_mib()} << 20,
                    .cpu_seconds = static_cast<std::uint64_t>(std::ceil(config.cpu_seconds())),
                    .nice = static_cast<int>(config.nice())}));
  child.emplace(std::move(started));
  channel.emplace(child->TakeSocket());
  ++starts;
  errors_open = true;
  error_text.clear();
  last_line.clear();
  log::Debug("trainer_started", {{"pid", static_cast<std::int64_t>(child->pid())}});
  return OkStatus();
}

void Supervisor::State::Forget() {
  channel.reset();
  child.reset();
}

void Supervisor::State::LogErrorLine(std::string line) {
  if (line.empty()) return;
  line.resize(std::min(line.size(), kMaxLineBytes));
  last_line = line;
  if (++lines_logged < kMaxLinesPerTask) log::Warn("trainer_says", {{"text", line}});
  if (lines_logged == kMaxLinesPerTask)
    log::Warn("trainer_says", {{"text", "(more lines left out)"}});
}

void Supervisor::State::ReadErrors() {
  std::array<char, 4096> block;
  // Bounded, so that a child that writes without end cannot hold us here.
  for (int rounds = 0; rounds < 64; ++rounds) {
    const ssize_t got = ::read(child->stderr_fd(), block.data(), block.size());
    if (got <= 0) return;
    for (const char c : std::span(block).first(static_cast<std::size_t>(got))) {
      if (c == '\n') {
        LogErrorLine(std::exchange(error_text, {}));
      } else if (error_text.size() < kMaxLineBytes) {
        error_text.push_back(c);
      }
    }
  }
}

Status Supervisor::State::Crashed() {
  channel.reset();
  const int status = child->Reap(kEndPatience);
  ReadErrors();
  LogErrorLine(std::exchange(error_text, {}));
  std::string text = "the trainer " + DescribeEnd(status);
  if (!last_line.empty()) text += "; it last said: " + Escaped(last_line);
  Forget();
  ++failures;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    return ResourceExhausted(text +
                             "; usually the system ran out of memory: lower trainer.memory_mib "
                             "or give the device more");
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
    return ResourceExhausted(
        Join(text, "; it used its trainer.cpu_seconds = ", config.cpu_seconds()));
  }
  return Unavailable(text);
}

Status Supervisor::State::Killed(const Status& why) {
  ReadErrors();
  child->Kill();
  child->Reap(Milliseconds(0));
  Forget();
  if (why.code() != StatusCode::kAborted) ++failures;
  return why;
}

Status Supervisor::State::CheckMemory() {
  const std::uint64_t mib = child->ResidentBytes() >> 20;
  if (mib <= config.memory_mib()) return OkStatus();
  return ResourceExhausted(Join("the trainer used ", mib, " MiB, trainer.memory_mib is ",
                                config.memory_mib(), "; it was killed"));
}

StatusOr<std::optional<v1::TrainerReply>> Supervisor::State::TakeReply(std::uint64_t id) {
  auto received = channel->Receive(Milliseconds(0));
  if (received.status().code() == StatusCode::kDeadlineExceeded) {
    return std::optional<v1::TrainerReply>();
  }
  if (!received.ok() && received.status().code() != StatusCode::kInvalidArgument) return Crashed();
  if (!received.ok()) return Killed(Unavailable(TextOf(received.status()) + "; it was killed"));
  if (!received->has_value()) return Crashed();
  if ((*received)->passed_fd >= 0) ::close((*received)->passed_fd);
  v1::TrainerReply reply;
  if (!reply.ParseFromString((*received)->bytes) || reply.id() != id ||
      reply.result_case() == v1::TrainerReply::RESULT_NOT_SET) {
    return Killed(Unavailable(Join("the trainer sent a message that does not answer request ", id,
                                   "; it was killed; is it the same version as this program?")));
  }
  return std::optional<v1::TrainerReply>(std::move(reply));
}

StatusOr<v1::TrainerReply> Supervisor::State::WaitForReply(std::uint64_t id, std::stop_token stop,
                                                           const ProgressSink& progress) {
  const StopEvent stopped(stop);
  const SteadyTime start = std::chrono::steady_clock::now();
  const SteadyTime task_end = start + Seconds(config.time_limit_seconds());
  SteadyTime hang_at = start + Seconds(config.hang_seconds());
  SteadyTime memory_at = start;
  while (true) {
    if (stop.stop_requested()) return Killed(Aborted("the task was stopped"));
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= task_end) {
      return Killed(DeadlineExceeded(Join(
          "the trainer needed more than trainer.time_limit_seconds = ", config.time_limit_seconds(),
          " for one task; it was killed")));
    }
    if (now >= hang_at) {
      return Killed(DeadlineExceeded(Join(
          "the trainer gave no sign of life for trainer.hang_seconds = ", config.hang_seconds(),
          "; it was killed")));
    }
    if (now >= memory_at) {
      if (const Status memory = CheckMemory(); !memory.ok()) return Killed(memory);
      memory_at = now + kMemoryTick;
    }
    const auto wait =
        std::chrono::ceil<Milliseconds>(std::min({task_end, hang_at, memory_at}) - now);
    std::array<pollfd, 3> entries{
        pollfd{.fd = channel->fd(), .events = POLLIN, .revents = 0},
        pollfd{.fd = errors_open ? child->stderr_fd() : -1, .events = POLLIN, .revents = 0},
        pollfd{.fd = stopped.fd(), .events = POLLIN, .revents = 0}};
    ::poll(entries.data(), entries.size(), static_cast<int>(wait.count()));
    if ((entries[1].revents & POLLIN) != 0) {
      ReadErrors();
    } else if (entries[1].revents != 0) {
      errors_open = false;  // closed by the child: a hang-up would be reported for ever
    }
    if (entries[0].revents == 0) continue;
    TUTTI_ASSIGN(std::optional<v1::TrainerReply> reply, TakeReply(id));
    if (!reply) continue;
    if (!reply->has_progress()) return *std::move(reply);
    hang_at = std::chrono::steady_clock::now() + Seconds(config.hang_seconds());
    if (progress) progress(reply->progress());
  }
}

StatusOr<v1::TrainerReply> Supervisor::State::Run(v1::TrainerRequest request, int passed_fd,
                                                  std::stop_token stop,
                                                  const ProgressSink& progress) {
  if (stop.stop_requested()) return Aborted("the task was stopped");
  TUTTI_TRY(EnsureRunning());
  lines_logged = 0;
  request.set_id(next_id++);
  if (const Status sent = channel->Send(request, passed_fd); !sent.ok()) {
    if (sent.code() == StatusCode::kInvalidArgument) return sent;
    return Crashed();
  }
  TUTTI_ASSIGN(v1::TrainerReply reply, WaitForReply(request.id(), std::move(stop), progress));
  idle_since = std::chrono::steady_clock::now();
  if (reply.has_error()) {
    return Status(CodeFromName(reply.error().code()), Escaped(reply.error().text(), 1000));
  }
  return reply;
}

Supervisor::Supervisor(v1::TrainerConfig config)
    : state_(std::make_unique<State>(std::move(config))) {}
Supervisor::~Supervisor() { End(); }

StatusOr<v1::DescribeReply> Supervisor::Describe(v1::DescribeRequest request,
                                                 std::stop_token stop) {
  v1::TrainerRequest message;
  *message.mutable_describe() = std::move(request);
  TUTTI_ASSIGN(v1::TrainerReply reply, state_->Run(std::move(message), -1, std::move(stop), {}));
  if (!reply.has_described()) {
    return state_->Killed(
        Unavailable("the trainer answered describe with something else; it was killed"));
  }
  return std::move(*reply.mutable_described());
}

StatusOr<Trained> Supervisor::Train(v1::TrainRequest request, std::span<const float> weights,
                                    std::stop_token stop, const ProgressSink& progress,
                                    std::span<const float> extra) {
  TUTTI_ASSIGN(SharedValues memory, SharedValues::Create(2 * weights.size() + extra.size()));
  memory.Write(0, weights);
  memory.Write(2 * weights.size(), extra);
  v1::TrainerRequest message;
  request.set_values(weights.size());
  request.set_extra_blocks(
      static_cast<std::uint32_t>(weights.empty() ? 0 : extra.size() / weights.size()));
  *message.mutable_train() = std::move(request);
  TUTTI_ASSIGN(v1::TrainerReply reply,
               state_->Run(std::move(message), memory.fd(), std::move(stop), progress));
  if (!reply.has_trained()) {
    return state_->Killed(
        Unavailable("the trainer answered train with something else; it was killed"));
  }
  return Trained{.reply = std::move(*reply.mutable_trained()),
                 .update = memory.Copy(weights.size(), weights.size()),
                 .extra = memory.Copy(2 * weights.size(), extra.size())};
}

StatusOr<v1::EvaluateReply> Supervisor::Evaluate(v1::EvaluateRequest request,
                                                 std::span<const float> weights,
                                                 std::stop_token stop) {
  TUTTI_ASSIGN(SharedValues memory, SharedValues::Create(weights.size()));
  memory.Write(0, weights);
  v1::TrainerRequest message;
  request.set_values(weights.size());
  *message.mutable_evaluate() = std::move(request);
  TUTTI_ASSIGN(v1::TrainerReply reply,
               state_->Run(std::move(message), memory.fd(), std::move(stop), {}));
  if (!reply.has_evaluated()) {
    return state_->Killed(
        Unavailable("the trainer answered evaluate with something else; it was killed"));
  }
  return std::move(*reply.mutable_evaluated());
}

StatusOr<v1::CountReply> Supervisor::Count(v1::CountRequest request, std::span<const float> weights,
                                           std::stop_token stop) {
  TUTTI_ASSIGN(SharedValues memory, SharedValues::Create(std::max<std::size_t>(weights.size(), 1)));
  memory.Write(0, weights);
  v1::TrainerRequest message;
  request.set_values(weights.size());
  *message.mutable_count() = std::move(request);
  TUTTI_ASSIGN(v1::TrainerReply reply,
               state_->Run(std::move(message), memory.fd(), std::move(stop), {}));
  if (!reply.has_counted()) {
    return state_->Killed(
        Unavailable("the trainer answered count with something else; it was killed"));
  }
  return std::move(*reply.mutable_counted());
}

std::optional<Milliseconds> Supervisor::IdleLeft() const {
  if (!state_->child) return std::nullopt;
  const auto end = state_->idle_since + Seconds(state_->config.idle_seconds());
  const auto left = std::chrono::ceil<Milliseconds>(end - std::chrono::steady_clock::now());
  return std::max(left, Milliseconds(0));
}

void Supervisor::EndIfIdle() {
  if (IdleLeft() == Milliseconds(0)) End();
}

void Supervisor::End() {
  if (!state_->child) return;
  state_->channel.reset();  // the child sees the end of its input
  state_->child->Reap(kEndPatience);
  state_->Forget();
  log::Debug("trainer_ended");
}

bool Supervisor::running() const { return state_->child.has_value(); }
std::uint64_t Supervisor::starts() const { return state_->starts; }
std::uint64_t Supervisor::failures() const { return state_->failures; }

}  // namespace tutti::trainer
