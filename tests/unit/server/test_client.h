// A client driven by hand over real mutual TLS: enrols, attaches, and answers each step with
// secagg::ClientSession.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "common/crypto/random.h"
#include "common/secagg/client_session.h"
#include "server/daemon.h"
#include "tutti/v1/admin.grpc.pb.h"
#include "tutti/v1/coordinator.grpc.pb.h"
#include "tutti/v1/enrolment.grpc.pb.h"

namespace tutti::test {

struct Credentials {
  std::string ca_pem;
  std::string certificate_pem;  // empty: none
  std::string key_pem;
};

std::shared_ptr<grpc::Channel> Connect(int port, const Credentials& credentials);
std::unique_ptr<v1::Admin::Stub> LocalAdmin(const server::Daemon& daemon);

// Enrols with a token the operator makes; `reply` says how it went.
struct Enrolled {
  grpc::Status status;
  Credentials credentials;
  crypto::Ed25519Private key;
};
std::string NewToken(const server::Daemon& daemon, const std::string& name,
                     const std::string& role);
Enrolled Enrol(const server::Daemon& daemon, const std::string& token, const std::string& name);

// How a client sends its masked vector.
enum class Manner {
  kPlain,
  kSpoiled,    // a bit of it changed after its header was signed
  kPadded,     // bits set behind the last value, signed like that
  kBrokenOff,  // ends the call after three quarters, then goes on where the server says
};

class TestClient {
 public:
  TestClient(const server::Daemon& daemon, std::string name, const std::string& role = "trainer");

  // Attaches and takes part until a round is closed for it; gives the last notice. Every value of
  // its update is `value`.
  v1::RoundClosed PlayRound(float value, Manner manner = Manner::kPlain);
  // Attaches, waits for the welcome and goes away.
  void AttachOnce();
  // To a coordinator that was started again.
  void Reconnect(const server::Daemon& daemon);

  v1::Coordinator::Stub& stub() { return *stub_; }
  const Credentials& credentials() const { return enrolled_.credentials; }
  const std::string& fetched_model() const { return model_; }
  const std::vector<grpc::Status>& upload_statuses() const { return uploads_; }
  std::uint64_t resumed_at() const { return resumed_at_; }  // byte; of kBrokenOff
  std::uint64_t vector_bytes() const { return vector_bytes_; }
  std::uint64_t ledger_entries = 0;  // grows with every unmask; a test may put it back

 private:
  v1::AttachRequest Attachment() const;
  void OnOffer(const v1::RoundOffer& offer);
  void OnBoxes(const v1::BoxesNotice& notice, float value, Manner manner);
  void FetchModel(const Digest& sha256, std::uint64_t bytes);
  grpc::Status SendUpload(BytesView vector, const secagg::MaskedHeader& header);
  grpc::Status ResumeUpload(BytesView vector, const secagg::MaskedHeader& header);

  std::string name_;
  std::string role_;
  Enrolled enrolled_;
  std::unique_ptr<v1::Coordinator::Stub> stub_;
  crypto::SystemRng rng_;
  std::unique_ptr<crypto::PeerVerifier> verifier_;
  std::unique_ptr<secagg::ClientSession> session_;
  std::string session_hash_;
  std::string model_;
  std::vector<grpc::Status> uploads_;
  std::uint64_t resumed_at_ = 0;
  std::uint64_t vector_bytes_ = 0;
};

}  // namespace tutti::test
