// The coordinator's three gRPC servers: clients and operators (mutual TLS 1.3), enrolment
// (server-side TLS only), and the operator's unix socket. Thread safety: Start, Shutdown and
// destruction from one thread.
#pragma once

#include <memory>
#include <string>

#include "server/rpc/admin_service.h"
#include "server/rpc/coordinator_service.h"
#include "server/rpc/enrolment_service.h"

namespace tutti::rpc {

struct ServersSettings {
  std::string address;  // host:port to listen on
  std::string enrolment_address;
  std::string admin_socket;  // path
  bool insecure = false;     // plain text; no enrolment server
  std::string ca_pem;
  std::string certificate_pem;  // the server's, with its chain
  std::string key_pem;
  std::size_t most_connections = 0;  // for the memory quota
};

class Servers {
 public:
  // The services are borrowed. `enrolment` may be null.
  struct Services {
    CoordinatorService& coordinator;
    AdminService& remote_admin;
    AdminService& local_admin;
    EnrolmentService* enrolment;
  };
  // Takes the ports; nothing is answered before Serve.
  static StatusOr<std::unique_ptr<Servers>> Listen(const ServersSettings& settings);
  Status Serve(const Services& services);
  // Refuses new calls, then cancels the open ones.
  void Shutdown();
  ~Servers();

  int port() const;
  int enrolment_port() const;  // 0: none

 private:
  struct State;
  explicit Servers(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Settings of gRPC that work by environment variables: TLS 1.3 only. What gRPC and protobuf have to
// say goes into the log at debug. At the start of main, before any gRPC call.
void PrepareEnvironment();

}  // namespace tutti::rpc
