// The whole coordinator in one object: state directory, store, round machine, gRPC and HTTP. What
// `tutti-server run` does between reading its configuration and waiting for a signal. Thread
// safety: Start, Stop and destruction from one thread.
#pragma once

#include <memory>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "server/pki.h"
#include "tutti/v1/config.pb.h"

namespace tutti::server {

class Daemon {
 public:
  // Errors, for the exit code: Aborted: another server uses the state directory; PermissionDenied:
  // a file's mode or owner; Unavailable: a port is taken; DataLoss: the store is damaged; NotFound:
  // no state directory or certificates. `clock` is borrowed.
  static StatusOr<std::unique_ptr<Daemon>> Start(const v1::ServerConfig& config,
                                                 const Clock& clock);
  // Stops taking calls, finishes what is being published, writes what is pending.
  void Stop();
  ~Daemon();

  int port() const;
  int enrolment_port() const;
  int metrics_port() const;  // 0: off
  std::string admin_socket() const;

 private:
  struct State;
  explicit Daemon(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Makes certificates, store and folders in the state directory; see InitPki for errors.

Status InitStateDirectory(const InitSettings& settings, const Clock& clock);

}  // namespace tutti::server
