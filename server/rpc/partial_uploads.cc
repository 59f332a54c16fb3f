#include "server/rpc/partial_uploads.h"

namespace tutti::rpc {

void PartialUploads::BeginSession(const protocol::SessionHash& session) {
  const std::lock_guard lock(mutex_);
  sessions_[session];
}

void PartialUploads::EndSession(const protocol::SessionHash& session) {
  std::map<ClientId, Kept> ended;  // outlives the lock: closing files takes a while
  const std::lock_guard lock(mutex_);
  if (const auto found = sessions_.find(session); found != sessions_.end()) {
    ended = std::move(found->second);
    sessions_.erase(found);
  }
}

void PartialUploads::Keep(const ClientId& client, const protocol::UploadHeader& header,
                          std::unique_ptr<Spool> spool) {
  const std::lock_guard lock(mutex_);
  if (const auto found = sessions_.find(header.session); found != sessions_.end()) {
    found->second.insert_or_assign(client, Kept{header, std::move(spool)});
  }
}

std::unique_ptr<Spool> PartialUploads::Take(const ClientId& client,
                                            const protocol::UploadHeader& header) {
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(header.session);
  if (session == sessions_.end()) {
    return nullptr;
  }
  const auto kept = session->second.find(client);
  if (kept == session->second.end()) {
    return nullptr;
  }
  std::unique_ptr<Spool> spool =
      kept->second.header == header ? std::move(kept->second.spool) : nullptr;
  session->second.erase(kept);
  return spool;
}

std::size_t PartialUploads::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [session, clients] : sessions_) {
    count += clients.size();
  }
  return count;
}

}  // namespace tutti::rpc
