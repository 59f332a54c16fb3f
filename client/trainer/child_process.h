// One child process under limits: a socket at descriptor 3, its stderr on a pipe, nothing else of
// ours inherited. Thread safety: confined to one thread. The child dies with the THREAD that
// started it (PR_SET_PDEATHSIG).
//
// Memory. RLIMIT_AS would count LibTorch's 336 mapped libraries and reserved arenas, over a
// gigabyte before any work. RLIMIT_DATA counts private writable memory only: an allocation above it
// fails inside the child, which can answer with an error. What it does not see (shared memory,
// stacks of the system) ResidentBytes() lets the owner watch.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace tutti::trainer {

struct ChildSettings {
  std::string program;
  std::vector<std::string> arguments;    // after the program's name
  std::vector<std::string> environment;  // NAME=value, added to ours
  std::uint64_t memory_bytes = 0;        // RLIMIT_DATA; 0: none
  std::uint64_t cpu_seconds = 0;         // RLIMIT_CPU; 0: none
  int nice = 0;
};

class ChildProcess {
 public:
  // NotFound or PermissionDenied when the program cannot be executed, ResourceExhausted when no
  // process can be made.
  static StatusOr<ChildProcess> Start(const ChildSettings& settings);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // kills it

  pid_t pid() const { return pid_; }
  int stderr_fd() const { return stderr_fd_; }  // non-blocking
  int TakeSocket();  // our end of the socketpair, once; then the caller's

  std::uint64_t ResidentBytes() const;  // 0 when it cannot be told
  // Waits up to `patience` for the child to end by itself, then kills it. The wait status of
  // waitpid(2).
  int Reap(Milliseconds patience);
  void Kill();

 private:
  ChildProcess() = default;
  pid_t pid_ = -1;
  int socket_ = -1;
  int stderr_fd_ = -1;
  std::optional<int> wait_status_;
};

// "ended with exit code 3", "was killed by signal 11 (Segmentation fault)".
std::string DescribeEnd(int wait_status);

}  // namespace tutti::trainer
