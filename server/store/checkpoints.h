// Checkpoint files: models/<job>/<round>-<first 8 hex digits of the SHA-256>.safetensors and a
// manifest beside it. A file is written durably before the store names it; files the store does not
// name are left-overs. Thread safety: safe for different jobs; the coordinator writes from one
// thread.
#pragma once

#include <string>

#include "common/base/status.h"
#include "server/store/records.h"

namespace tutti::store {

class Checkpoints {
 public:
  explicit Checkpoints(std::string state_directory) : root_(std::move(state_directory)) {}

  // Writes both files, and one more when the server's optimiser has a state (`optimiser_state` not
  // empty); gives the record's path, relative to the state directory.
  StatusOr<std::string> Write(const std::string& job, std::uint64_t round, const Digest& sha256,
                              BytesView bytes, std::string_view manifest_json,
                              BytesView optimiser_state = {});
  // The file's bytes after checking length and SHA-256. DataLoss when they differ, NotFound when it
  // is gone.
  StatusOr<Bytes> Read(const ModelRecord& model) const;
  StatusOr<std::string> ReadManifest(const ModelRecord& model) const;
  // What Write was given; NotFound when there was none. `limit` in bytes, OutOfRange above.
  StatusOr<Bytes> ReadOptimiserState(const ModelRecord& model, std::uint64_t limit) const;
  std::string FullPath(const ModelRecord& model) const { return root_ + "/" + model.path; }
  void Remove(const ModelRecord& model) const;

  // Removes temporary files and checkpoints that `named` does not hold; gives how many went.
  StatusOr<std::size_t> Clean(const std::vector<ModelRecord>& named) const;

 private:
  std::string root_;
};

// A JSON object in fixed order; `task_json` (an object) may be empty.
std::string ManifestJson(const ModelRecord& model, const RoundRecord& round,
                         std::string_view task_json);

}  // namespace tutti::store
