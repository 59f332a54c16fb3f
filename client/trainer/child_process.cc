#include "client/trainer/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "client/trainer/channel.h"
#include "common/base/text.h"

namespace tutti::trainer {
namespace {

// The sanitizers' shadow memory counts as private writable memory: terabytes of it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitData = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kLimitData = false;
#else
constexpr bool kLimitData = true;
#endif
#else
constexpr bool kLimitData = true;
#endif

// Everything the child needs between fork and exec, made before: only async-signal-safe calls
// happen there.
struct Launch {
  std::vector<std::string> argument_texts, environment_texts;
  std::vector<char*> arguments, environment;
  int socket = -1, errors = -1, report = -1;
  pid_t parent = -1;
};

struct Pair {
  int ours = -1, theirs = -1;
  Pair() = default;
  Pair(const Pair&) = delete;  // a copy's end would close the original's descriptors
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    if (ours >= 0) ::close(ours);
    if (theirs >= 0) ::close(theirs);
  }
  void Take(const int (&ends)[2]) {
    ours = ends[0];
    theirs = ends[1];
  }
};

void FillLaunch(const ChildSettings& settings, Launch& launch) {
  launch.argument_texts = {settings.program};
  launch.argument_texts.insert(launch.argument_texts.end(), settings.arguments.begin(),
                               settings.arguments.end());
  const auto overridden = [&](std::string_view entry) {
    const std::string_view name = entry.substr(0, entry.find('='));
    return std::any_of(settings.environment.begin(), settings.environment.end(),
                       [&](const std::string& ours) {
                         return std::string_view(ours).substr(0, ours.find('=')) == name;
                       });
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!overridden(*entry)) launch.environment_texts.emplace_back(*entry);
  }
  launch.environment_texts.insert(launch.environment_texts.end(), settings.environment.begin(),
                                  settings.environment.end());
  for (std::string& text : launch.argument_texts) launch.arguments.push_back(text.data());
  for (std::string& text : launch.environment_texts) launch.environment.push_back(text.data());
  launch.arguments.push_back(nullptr);
  launch.environment.push_back(nullptr);
}

void Limit(decltype(RLIMIT_CPU) resource, rlim_t soft, rlim_t hard) {
  const rlimit limit{.rlim_cur = soft, .rlim_max = hard};
  ::setrlimit(resource, &limit);
}

// Moves `fd` above the standard descriptors and 3, so that placing one never overwrites another.
int OutOfTheWay(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, kTrainerFd + 1); }

[[noreturn]] void Fail(int report) {
  const int error = errno;
  const ssize_t ignored = ::write(report, &error, sizeof(error));
  static_cast<void>(ignored);
  ::_exit(127);
}

// Runs in the child. Async-signal-safe calls only: other threads' locks may be held for ever here.
[[noreturn]] void BecomeProgram(const Launch& launch, const ChildSettings& settings) {
  const int report = OutOfTheWay(launch.report);
  const int socket = OutOfTheWay(launch.socket);
  const int errors = OutOfTheWay(launch.errors);
  const int nothing = OutOfTheWay(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (report < 0 || socket < 0 || errors < 0 || nothing < 0) ::_exit(126);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launch.parent) ::_exit(126);  // it died before the line above
  ::setpgid(0, 0);                                 // the terminal's Ctrl-C is for the daemon
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGHUP, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
  if (::dup2(nothing, 0) < 0 || ::dup2(nothing, 1) < 0 || ::dup2(errors, 2) < 0 ||
      ::dup2(socket, kTrainerFd) < 0) {
    Fail(report);
  }
  Limit(RLIMIT_CORE, 0, 0);  // a core file would hold the owner's data
  if (settings.cpu_seconds > 0) Limit(RLIMIT_CPU, settings.cpu_seconds, settings.cpu_seconds + 5);
  if (kLimitData && settings.memory_bytes > 0) {
    Limit(RLIMIT_DATA, settings.memory_bytes, settings.memory_bytes);
  }
  ::setpriority(PRIO_PROCESS, 0, settings.nice);
  // Marked, not closed: the report pipe must live until exec, and a failing mark is harmless (all
  // ours are marked).
  ::syscall(SYS_close_range, static_cast<unsigned>(kTrainerFd + 1), ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(launch.arguments[0], launch.arguments.data(), launch.environment.data());
  Fail(report);
}

Status StartError(int error, const std::string& program) {
  const std::string text = Join("cannot start the trainer ", program, ": ", std::strerror(error));
  if (error == ENOENT) {
    return NotFound(text + "; install tutti-trainer beside tutti-client or set trainer.program");
  }
  if (error == EACCES) return PermissionDenied(text);
  if (error == EAGAIN || error == ENOMEM) return ResourceExhausted(text);
  return Unavailable(text);
}

}  // namespace

StatusOr<ChildProcess> ChildProcess::Start(const ChildSettings& settings) {
  Pair channel, errors, report;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return StartError(errno, settings.program);
  }
  channel.Take(ends);
  if (::pipe2(ends, O_CLOEXEC) != 0) return StartError(errno, settings.program);
  errors.Take(ends);
  if (::pipe2(ends, O_CLOEXEC) != 0) return StartError(errno, settings.program);
  report.Take(ends);
  ::fcntl(errors.ours, F_SETFL, O_NONBLOCK);

  Launch launch;
  FillLaunch(settings, launch);
  launch.socket = channel.theirs;
  launch.errors = errors.theirs;
  launch.report = report.theirs;
  launch.parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return StartError(errno, settings.program);
  if (pid == 0) BecomeProgram(launch, settings);

  ChildProcess child;
  child.pid_ = pid;
  child.socket_ = std::exchange(channel.ours, -1);
  child.stderr_fd_ = std::exchange(errors.ours, -1);
  ::close(std::exchange(report.theirs, -1));
  int error = 0;
  ssize_t got = -1;
  do {
    got = ::read(report.ours, &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof(error))) {
    child.Reap(Milliseconds(1000));
    return StartError(error, settings.program);
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      socket_(std::exchange(other.socket_, -1)),
      stderr_fd_(std::exchange(other.stderr_fd_, -1)),
      wait_status_(other.wait_status_) {}

ChildProcess::~ChildProcess() {
  if (socket_ >= 0) ::close(socket_);
  if (stderr_fd_ >= 0) ::close(stderr_fd_);
  if (pid_ > 0) Reap(Milliseconds(0));
}

int ChildProcess::TakeSocket() { return std::exchange(socket_, -1); }

void ChildProcess::Kill() {
  if (pid_ > 0 && !wait_status_) ::kill(pid_, SIGKILL);
}

int ChildProcess::Reap(Milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!wait_status_) {
    const bool late = std::chrono::steady_clock::now() >= deadline;
    int status = 0;
    pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == 0 && late) {
      Kill();
      do {
        ended = ::waitpid(pid_, &status, 0);
      } while (ended < 0 && errno == EINTR);
    }
    if (ended == pid_) wait_status_ = status;
    if (ended < 0 && errno != EINTR) wait_status_ = 0;  // reaped elsewhere: nothing can be told
    if (!wait_status_) ::poll(nullptr, 0, 5);
  }
  return *wait_status_;
}

std::uint64_t ChildProcess::ResidentBytes() const {
  std::ifstream status(Join("/proc/", pid_, "/status"));
  std::string line;
  std::uint64_t kib = 0;
  while (std::getline(status, line)) {
    if (line.rfind("RssAnon:", 0) == 0 || line.rfind("RssShmem:", 0) == 0) {
      std::istringstream rest(line.substr(line.find(':') + 1));
      std::uint64_t part = 0;
      rest >> part;
      kib += part;
    }
  }
  return kib * 1024;
}

std::string DescribeEnd(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    const char* text = ::sigdescr_np(number);
    return Join("was killed by signal ", number, " (", text != nullptr ? text : "unknown", ")");
  }
  return Join("ended with exit code ", WEXITSTATUS(wait_status));
}

}  // namespace tutti::trainer
