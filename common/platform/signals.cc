#include "common/platform/signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/text.h"

namespace tutti::platform {

StatusOr<ShutdownSignals> ShutdownSignals::Open() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return Internal(Join("cannot block signals: ", std::strerror(error)));
  }
  signal(SIGPIPE, SIG_IGN);
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) {
    return Internal(Join("cannot open a signal descriptor: ", std::strerror(errno)));
  }
  return ShutdownSignals(fd);
}

ShutdownSignals::~ShutdownSignals() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

int ShutdownSignals::Wait(Milliseconds timeout) {
  pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
  const int limit =
      timeout.count() < 0
          ? -1
          : static_cast<int>(std::min<Milliseconds::rep>(timeout.count(), 1'000'000'000));
  if (::poll(&waiting, 1, limit) <= 0) {
    return 0;
  }
  signalfd_siginfo info{};
  if (::read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    return 0;
  }
  return static_cast<int>(info.ssi_signo);
}

}  // namespace tutti::platform
