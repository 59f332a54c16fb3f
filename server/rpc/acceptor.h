// The listening socket of a gRPC port. gRPC's own listener stops accepting for ever once the
// process has run out of file descriptors; this one keeps a spare, turns callers away while there
// are none, and goes on. It also reports a taken port as an error and never shares a port with
// another process. Thread safety: Open and destruction from one thread; the loop runs on its own.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string_view>
#include <thread>

#include "common/base/status.h"

namespace tutti::rpc {

class Acceptor {
 public:
  // Unavailable when the port is taken, InvalidArgument when `address` (host:port) is not this
  // machine's. Port 0: any.
  static StatusOr<std::unique_ptr<Acceptor>> Open(std::string_view address, std::string_view key);
  ~Acceptor();

  // Registers with the builder of the server that will get the connections.
  void Attach(grpc::ServerBuilder& builder, std::shared_ptr<grpc::ServerCredentials> credentials);
  // After BuildAndStart.
  void Start();
  void Stop();
  int port() const { return port_; }

 private:
  Acceptor(int listener, int wake, int port) : listener_(listener), wake_(wake), port_(port) {}
  void Loop();

  const int listener_;
  const int wake_;  // an eventfd
  const int port_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::thread thread_;
};

}  // namespace tutti::rpc
