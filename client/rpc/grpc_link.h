// Link over gRPC with mutual TLS: one channel, one thread that holds the notice stream, unary calls
// and transfers on the caller's thread. TLS 1.3 only: main sets GRPC_SSL_CIPHER_SUITES before gRPC
// starts (DemandTls13). Thread safety: safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/rpc/link.h"

namespace tutti::client_rpc {

struct LinkSettings {
  std::string address;  // host:port
  std::string ca_pem, certificate_pem, key_pem;
  // Plain text to a loopback server that believes this name; empty: mutual TLS.
  std::string insecure_name;
  std::string role;      // trainer | evaluator
  std::string software;  // for the operator's list
};

struct LinkCounts {
  bool attached = false;
  std::uint64_t attaches = 0;  // notice streams opened so far
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

// Called on the stream's thread; may block: the coordinator is then not read from (flow control).
using NoticeSink = std::function<void(protocol::Notice)>;

// Leaves TLS 1.2 without a usable cipher, so that gRPC speaks 1.3 or nothing. Before any other gRPC
// call.
void DemandTls13();

class GrpcLink final : public Link {
 public:
  explicit GrpcLink(LinkSettings settings);
  ~GrpcLink() override;  // Stop

  // Attaches, and again whenever the stream breaks, until Stop. A server that is not there yet is
  // waited for.
  void Start(NoticeSink sink);
  // Cancels everything that runs and joins the stream's thread. `sink` must not block for ever.
  void Stop();

  Status Send(const protocol::Request& request, std::stop_token stop) override;
  StatusOr<Bytes> FetchModel(const Digest& sha256, std::uint64_t bytes,
                             std::stop_token stop) override;
  Status Upload(const protocol::UploadHeader& header, SharedBytes vector,
                std::stop_token stop) override;
  void SetBudget(const protocol::BudgetReport& budget) override;

  LinkCounts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tutti::client_rpc
