// A Shard in a process of its own, driven over a socket: the caller is its coordinator.
// Thread safety: confined to one thread.
#pragma once

#include <sys/types.h>

#include <set>
#include <span>
#include <string>

#include "common/secagg/shard.h"

namespace tutti::secagg {

class ShardProcess {
 public:
  ShardProcess(const RingLayout& layout, const ShardRange& range, std::uint32_t cohort);
  ShardProcess(const ShardProcess&) = delete;
  ShardProcess& operator=(const ShardProcess&) = delete;
  ~ShardProcess();

  // As in Shard; Unavailable when the process is gone.
  Status Announce(const ClientId& client, const MaskedHeader& header);
  // True in the answer: the vector is complete in this shard.
  StatusOr<bool> Receive(const ClientId& client, std::uint64_t index, BytesView data);
  Status Include(const ClientId& client);
  Status Drop(const ClientId& client);
  StatusOr<RingVector> Open(const std::set<ClientId>& survivors,
                            std::span<const LeftoverMask> masks);

  const ShardRange& range() const { return range_; }
  void Kill();

 private:
  StatusOr<Bytes> Ask(char what, const ClientId& client, std::uint64_t number, BytesView data);

  RingLayout layout_;
  ShardRange range_;
  int socket_ = -1;
  pid_t child_ = -1;
};

}  // namespace tutti::secagg
