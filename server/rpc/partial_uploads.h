// Uploads whose call broke off, until their client goes on or their session ends: at most one a
// client and session, in files. What is kept is whole chunks whose digests were checked.
// Thread safety: safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "common/base/ids.h"
#include "common/protocol/messages.h"
#include "server/rpc/spool.h"

namespace tutti::rpc {

class PartialUploads {
 public:
  // Only uploads of a session that began and did not end are kept.
  void BeginSession(const protocol::SessionHash& session);
  void EndSession(const protocol::SessionHash& session);
  // Replaces what was kept of this client's upload before.
  void Keep(const ClientId& client, const protocol::UploadHeader& header,
            std::unique_ptr<Spool> spool);
  // What was kept of the upload with exactly this header; null: nothing, and whatever was kept of
  // another vector of this client in this session is freed.
  std::unique_ptr<Spool> Take(const ClientId& client, const protocol::UploadHeader& header);
  std::size_t size() const;

 private:
  struct Kept {
    protocol::UploadHeader header;
    std::unique_ptr<Spool> spool;
  };
  mutable std::mutex mutex_;
  // Of open sessions; guarded by mutex_.
  std::map<protocol::SessionHash, std::map<ClientId, Kept>> sessions_;
};

}  // namespace tutti::rpc
