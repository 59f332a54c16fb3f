// Who is enrolled, in memory: what every RPC asks before anything else, without touching the disk.
// Thread safety: safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "server/store/records.h"

namespace tutti::store {

class Directory {
 public:
  struct Entry {
    std::string name;
    std::string role;
    bool revoked = false;
  };

  void Load(const std::vector<ClientRecord>& clients);
  void Put(const ClientRecord& client);
  void Revoke(const std::string& name);
  std::optional<Entry> Find(const Digest& spki) const;
  std::size_t Enrolled() const;  // not revoked

 private:
  mutable std::shared_mutex mutex_;
  std::map<Digest, Entry> by_key_;             // guarded by mutex_
  std::map<std::string, Digest> key_by_name_;  // guarded by mutex_
};

}  // namespace tutti::store
