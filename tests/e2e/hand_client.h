// A client driven by hand: it speaks the real protocol with the real session core, but the test
// sees every message before it leaves and may send others beside it.
// Thread safety: confined to one thread, besides its own reading of the notice stream.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "client/session/session.h"
#include "common/crypto/random.h"
#include "common/platform/clock.h"
#include "tests/e2e/world.h"
#include "tutti/v1/coordinator.grpc.pb.h"

namespace tutti::e2e {

class HandClient {
 public:
  // Called with what the session wants to send, in its place; the test sends it, or not. False: the
  // coordinator put this client out of the round, which nobody tells it again.
  struct Hooks {
    std::function<bool(const protocol::Request&)> request;
    std::function<void(const protocol::UploadHeader&, const Bytes& vector)> upload;
  };

  HandClient(const World& world, const std::string& name);
  ~HandClient();

  void Attach();
  // Plays until a round has ended for this client; how it ended, if it was told.
  std::optional<protocol::Closed> Play(const Hooks& hooks);

  // One call each; what the coordinator answers.
  grpc::Status Send(const protocol::Request& request);
  grpc::Status Upload(const protocol::UploadHeader& header, const Bytes& vector,
                      std::size_t chunk_bytes);
  // Bytes that are no message, or too many of them, to Coordinator/<method>.
  grpc::Status SendRaw(const std::string& method, const std::string& bytes);

 private:
  std::optional<protocol::Notice> Next(double seconds);
  void Carry(const session::Effect& effect, const Hooks& hooks);
  void Train(const session::Train& effect);

  crypto::SystemRng rng_;
  platform::RealClock clock_;
  std::unique_ptr<crypto::CachingVerifier> verifier_;
  std::unique_ptr<session::Session> session_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Coordinator::Stub> stub_;
  std::optional<secagg::RingVector> encoded_;
  std::deque<session::Event> events_;
  bool out_ = false;

  std::unique_ptr<grpc::ClientContext> attach_context_;
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<protocol::Notice> notices_;  // guarded by mutex_
};

}  // namespace tutti::e2e
