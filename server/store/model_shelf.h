// Checkpoints by their SHA-256 as shared immutable buffers: whoever serves one holds a reference,
// nobody copies it. The two newest stay in memory; others are read (and verified) from disk when
// asked for. Thread safety: safe. Load blocks on the disk; Find does not.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "server/store/checkpoints.h"

namespace tutti::store {

using ModelBytes = std::shared_ptr<const Bytes>;

class ModelShelf {
 public:
  // `checkpoints` is borrowed.
  explicit ModelShelf(const Checkpoints& checkpoints) : checkpoints_(checkpoints) {}

  // A checkpoint that may be served; `bytes` may be null when it lies on disk only.
  void Put(const ModelRecord& model, ModelBytes bytes);
  void Forget(const Digest& sha256);
  // Null when it is not in memory.
  ModelBytes Find(const Digest& sha256);
  // From memory or disk. NotFound for a checkpoint never put; errors of Checkpoints::Read.
  StatusOr<ModelBytes> Load(const Digest& sha256);

 private:
  void Keep(const Digest& sha256, ModelBytes bytes);  // with mutex_ held

  const Checkpoints& checkpoints_;
  std::mutex mutex_;
  std::map<Digest, ModelRecord> known_;               // guarded by mutex_
  std::deque<std::pair<Digest, ModelBytes>> recent_;  // guarded by mutex_; newest first
  std::mutex loading_;  // one read at a time: the others then find it in memory
};

}  // namespace tutti::store
