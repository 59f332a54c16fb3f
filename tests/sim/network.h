// How the coordinator and the devices reach each other in the simulated world. The two sides know
// only these calls. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/ids.h"
#include "common/protocol/messages.h"
#include "server/round/core.h"

namespace tutti::sim {

// A device's end of a stream or call: called when something reaches it. Safe to call after the
// device's death.
using NoticeSink = std::function<void(const protocol::Notice&)>;
using BrokenSink = std::function<void()>;
using ReplySink = std::function<void(const Status&)>;

class Coordinator {
 public:
  virtual ~Coordinator() = default;
  virtual bool up() const = 0;
  virtual void Attach(const ClientId& client, round::Role role,
                      const protocol::BudgetReport& budget, NoticeSink notices,
                      BrokenSink broken) = 0;
  virtual void Request(const ClientId& client, const protocol::Request& request,
                       ReplySink reply) = 0;
  // `alive` says whether the sender still lives when the vector has arrived.
  virtual void Upload(const ClientId& client, const protocol::UploadHeader& header, Bytes vector,
                      std::function<bool()> alive, ReplySink reply) = 0;
};

}  // namespace tutti::sim
