// GrpcLink's insides; internal to client/rpc.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "client/rpc/backoff.h"
#include "client/rpc/grpc_link.h"
#include "client/rpc/grpc_status.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "tutti/v1/coordinator.grpc.pb.h"

namespace tutti::client_rpc {

struct GrpcLink::State {
  explicit State(LinkSettings given);

  // Until the answer is final or `stop` is requested; `attempt` is one try.
  template <typename Attempt>
  Status Retry(const std::stop_token& stop, const Attempt& attempt);
  // A pause of a retry: ends early with the link's stop, `stop`, or a fresh attach. True after an
  // attach.
  bool Pause(Milliseconds pause, std::uint64_t attaches_seen, const std::stop_token& stop);
  std::uint64_t AttachesSeen();
  bool Stopping();
  void Prepare(grpc::ClientContext& context) const;

  void RunStream(const NoticeSink& sink);
  Try HoldStream(const NoticeSink& sink);
  // Until the channel is connected or the link stops. Watching it is what makes progress: gRPC's
  // sockets are only polled while somebody waits on them, so a reconnect that nobody watches never
  // completes.
  void WaitForConnection();
  v1::AttachRequest NewAttachRequest();
  void ReportAway(const Status& why);

  Try SendOnce(const protocol::Request& request, const std::stop_token& stop);
  // A model as far as it came, with its running hash: each chunk is hashed while it is in the
  // cache.
  struct Download {
    Bytes bytes;
    crypto::Sha256Stream hash;
  };
  Try FetchOnce(const Digest& sha256, std::uint64_t bytes, Download& model,
                const std::stop_token& stop);
  // `resume`: part of it may have arrived before; asks the coordinator where to go on.
  Try UploadOnce(const protocol::UploadHeader& header, const SharedBytes& vector, bool resume,
                 const std::stop_token& stop);

  const LinkSettings settings;
  crypto::SystemRng rng;  // safe
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Coordinator::Stub> stub;
  std::stop_source all;  // every running call
  std::thread stream_thread;

  mutable std::mutex mutex;
  std::condition_variable_any changed;
  bool stopping = false;          // guarded by mutex
  bool attached = false;          // guarded by mutex
  std::uint64_t attaches = 0;     // guarded by mutex
  protocol::BudgetReport budget;  // guarded by mutex

  // Stream thread only.
  std::optional<std::chrono::steady_clock::time_point> away_told;

  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> bytes_received{0};
};

// Cancels a call when its caller or the link stops.
class CancelOnStop {
 public:
  CancelOnStop(grpc::ClientContext& context, const std::stop_token& stop,
               const std::stop_source& all)
      : by_caller_(stop, Cancel{&context}), by_link_(all.get_token(), Cancel{&context}) {}

 private:
  struct Cancel {
    grpc::ClientContext* context;
    void operator()() const { context->TryCancel(); }
  };
  std::stop_callback<Cancel> by_caller_;
  std::stop_callback<Cancel> by_link_;
};

}  // namespace tutti::client_rpc
