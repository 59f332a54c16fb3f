// SIGTERM and SIGINT as something to wait for, instead of a callback that may do nothing.
// Thread safety: make it at the start of main, before any thread exists (threads inherit the
// blocked signals); Wait from one thread.
#pragma once

#include "common/base/clock.h"
#include "common/base/status.h"

namespace tutti::platform {

class ShutdownSignals {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP for this and all later threads and ignores SIGPIPE.
  static StatusOr<ShutdownSignals> Open();
  ShutdownSignals(ShutdownSignals&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  ShutdownSignals& operator=(ShutdownSignals&&) = delete;
  ~ShutdownSignals();

  // The signal's number, or 0 after `timeout`; a negative timeout waits for ever.
  int Wait(Milliseconds timeout);
  int fd() const { return fd_; }  // readable when a signal is waiting

 private:
  explicit ShutdownSignals(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace tutti::platform
