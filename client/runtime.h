// The client daemon's loop: notices -> session machine -> effects in order.
// Threads: one session thread owns the session, the ledger and the journal; one work thread owns
// the trainer and does fetching, training and uploading; one send thread delivers requests, so that
// none of them waits behind training. The link's stream thread only posts notices. Thread safety:
// Post, Stop and counters() are safe; the rest is for the thread that made it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/books.h"
#include "client/counters.h"
#include "client/identity.h"
#include "client/rpc/link.h"
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/protocol/messages.h"
#include "tutti/v1/config.pb.h"

namespace tutti::client {

struct RuntimeSettings {
  v1::ClientConfig config;
  v1::PolicyConfig policy;
  Identity identity;
};

class Runtime {
 public:
  // Called once, from any of its threads, when it cannot go on safely (an answer could not be made
  // durable).
  using FatalSink = std::function<void(const Status&)>;

  // `link`, `clock` and `rng` are borrowed; `rng` is used by several threads and must be safe.
  Runtime(RuntimeSettings settings, Books books, client_rpc::Link& link, const Clock& clock,
          SecureRng& rng, FatalSink fatal);
  ~Runtime();  // Stop
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // A notice of the coordinator; waits while too many are queued. Nothing happens after Stop.
  void Post(protocol::Notice notice);
  // Ends what runs (calls are cancelled, a trainer is killed) and joins the threads.
  void Stop();

  const Counters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tutti::client
