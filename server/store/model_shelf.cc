#include "server/store/model_shelf.h"

#include <algorithm>

#include "common/base/text.h"

namespace tutti::store {
namespace {
constexpr std::size_t kKeptInMemory =
    2;  // the running round's model and the one evaluators may still fetch
}

void ModelShelf::Keep(const Digest& sha256, ModelBytes bytes) {
  std::erase_if(recent_, [&](const auto& entry) { return entry.first == sha256; });
  recent_.emplace_front(sha256, std::move(bytes));
  if (recent_.size() > kKeptInMemory) {
    recent_.pop_back();
  }
}

void ModelShelf::Put(const ModelRecord& model, ModelBytes bytes) {
  const std::lock_guard lock(mutex_);
  known_[model.sha256] = model;
  if (bytes != nullptr) {
    Keep(model.sha256, std::move(bytes));
  }
}

void ModelShelf::Forget(const Digest& sha256) {
  const std::lock_guard lock(mutex_);
  known_.erase(sha256);
  std::erase_if(recent_, [&](const auto& entry) { return entry.first == sha256; });
}

ModelBytes ModelShelf::Find(const Digest& sha256) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(recent_.begin(), recent_.end(),
                                  [&](const auto& entry) { return entry.first == sha256; });
  return found == recent_.end() ? nullptr : found->second;
}

StatusOr<ModelBytes> ModelShelf::Load(const Digest& sha256) {
  const std::lock_guard one_at_a_time(loading_);
  if (ModelBytes bytes = Find(sha256)) {
    return bytes;
  }
  ModelRecord model;
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(sha256);
    if (found == known_.end()) {
      return NotFound(Join("no checkpoint has SHA-256 ", ToHex(sha256),
                           "; it may be too old: ask for the newest offer's model"));
    }
    model = found->second;
  }
  TUTTI_ASSIGN(Bytes read, checkpoints_.Read(model));
  auto bytes = std::make_shared<const Bytes>(std::move(read));
  const std::lock_guard lock(mutex_);
  Keep(sha256, bytes);
  return ModelBytes(bytes);
}

}  // namespace tutti::store
