// The client's line to its coordinator as the runtime sees it. GrpcLink is the real one.
// Every call waits, retrying what may work later, until it has an answer or `stop` is requested
// (then: Aborted). Any other error is the coordinator's final word. Thread safety: implementations
// are safe.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/protocol/messages.h"

namespace tutti::client_rpc {

using SharedBytes = std::shared_ptr<const Bytes>;

class Link {
 public:
  virtual ~Link() = default;

  virtual Status Send(const protocol::Request& request, std::stop_token stop) = 0;
  // The checkpoint with this hash; resumed where it broke off. DataLoss when what came has another
  // hash or length.
  virtual StatusOr<Bytes> FetchModel(const Digest& sha256, std::uint64_t bytes,
                                     std::stop_token stop) = 0;
  // The masked vector in chunks; when the connection breaks it goes on from the last whole chunk
  // the coordinator has. It is sent from where it lies, and must not change any more.
  virtual Status Upload(const protocol::UploadHeader& header, SharedBytes vector,
                        std::stop_token stop) = 0;
  // What the next attach tells of the ledger.
  virtual void SetBudget(const protocol::BudgetReport& budget) = 0;
};

}  // namespace tutti::client_rpc
