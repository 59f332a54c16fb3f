#include "server/store/directory.h"

#include <algorithm>

namespace tutti::store {

void Directory::Load(const std::vector<ClientRecord>& clients) {
  for (const ClientRecord& client : clients) {
    Put(client);
  }
}

void Directory::Put(const ClientRecord& client) {
  const std::unique_lock lock(mutex_);
  // A name that got a new key takes its rights from the old one.
  if (const auto old = key_by_name_.find(client.name); old != key_by_name_.end()) {
    by_key_.erase(old->second);
  }
  by_key_[client.spki] = {.name = client.name, .role = client.role, .revoked = client.revoked};
  key_by_name_[client.name] = client.spki;
}

void Directory::Revoke(const std::string& name) {
  const std::unique_lock lock(mutex_);
  if (const auto found = key_by_name_.find(name); found != key_by_name_.end()) {
    by_key_[found->second].revoked = true;
  }
}

std::optional<Directory::Entry> Directory::Find(const Digest& spki) const {
  const std::shared_lock lock(mutex_);
  const auto found = by_key_.find(spki);
  return found == by_key_.end() ? std::nullopt : std::optional<Entry>(found->second);
}

std::size_t Directory::Enrolled() const {
  const std::shared_lock lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      by_key_.begin(), by_key_.end(), [](const auto& entry) { return !entry.second.revoked; }));
}

}  // namespace tutti::store
