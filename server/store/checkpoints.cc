#include "server/store/checkpoints.h"

#include <cmath>
#include <set>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/platform/files.h"

namespace tutti::store {
namespace {

constexpr std::string_view kSuffix = ".safetensors";
constexpr std::string_view kStateSuffix = ".optimiser";
constexpr std::uint64_t kLongestManifest = 4 << 20;  // bytes

std::string Beside(const std::string& checkpoint, std::string_view suffix) {
  return checkpoint.substr(0, checkpoint.size() - kSuffix.size()) + std::string(suffix);
}
std::string ManifestPath(const std::string& checkpoint) { return Beside(checkpoint, ".json"); }
std::string StatePath(const std::string& checkpoint) { return Beside(checkpoint, kStateSuffix); }

// Names here come from IsSafeName and our own constants; quotes and backslashes are escaped all the
// same.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : Escaped(text, 1000)) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + '"';
}

// Infinity is no number in JSON, and a negative one stands for unknown.
std::string Realised(double epsilon) {
  return epsilon >= 0 && std::isfinite(epsilon) ? RoundedUp(epsilon, 6) : "null";
}

}  // namespace

StatusOr<std::string> Checkpoints::Write(const std::string& job, std::uint64_t round,
                                         const Digest& sha256, BytesView bytes,
                                         std::string_view manifest_json,
                                         BytesView optimiser_state) {
  if (!IsSafeName(job)) {
    return InvalidArgument(Join("job name \"", Escaped(job), "\" cannot be a folder's name"));
  }
  const std::string folder = "models/" + job;
  TUTTI_TRY(platform::MakeDirectory(root_ + "/" + folder));
  const std::string path =
      Join(folder, "/", round, "-", ToHex(BytesView(sha256).first(4)), kSuffix);
  std::vector<platform::FileContent> files = {
      {root_ + "/" + ManifestPath(path), AsBytes(manifest_json)}, {root_ + "/" + path, bytes}};
  if (!optimiser_state.empty()) {
    files.insert(files.begin(), {root_ + "/" + StatePath(path), optimiser_state});
  }
  TUTTI_TRY(platform::WriteFilesDurably(files));
  return path;
}

StatusOr<Bytes> Checkpoints::Read(const ModelRecord& model) const {
  StatusOr<Bytes> bytes = platform::ReadFile(FullPath(model), model.bytes);
  if (bytes.status().code() == StatusCode::kOutOfRange ||
      (bytes.ok() && (bytes->size() != model.bytes || crypto::Sha256(*bytes) != model.sha256))) {
    return DataLoss(Join("checkpoint ", FullPath(model),
                         " is damaged: it does not have the recorded length and SHA-256"));
  }
  return bytes;
}

StatusOr<std::string> Checkpoints::ReadManifest(const ModelRecord& model) const {
  return platform::ReadTextFile(ManifestPath(FullPath(model)), kLongestManifest);
}

StatusOr<Bytes> Checkpoints::ReadOptimiserState(const ModelRecord& model,
                                                std::uint64_t limit) const {
  return platform::ReadFile(StatePath(FullPath(model)), limit);
}

void Checkpoints::Remove(const ModelRecord& model) const {
  // What cannot be removed now goes at the next start (Clean).
  platform::RemoveFile(FullPath(model)).IgnoreError();
  platform::RemoveFile(ManifestPath(FullPath(model))).IgnoreError();
  platform::RemoveFile(StatePath(FullPath(model))).IgnoreError();
}

StatusOr<std::size_t> Checkpoints::Clean(const std::vector<ModelRecord>& named) const {
  std::set<std::string> kept;
  for (const ModelRecord& model : named) {
    kept.insert(FullPath(model));
    kept.insert(ManifestPath(FullPath(model)));
    kept.insert(StatePath(FullPath(model)));
  }
  const std::string models = root_ + "/models";
  if (!platform::Exists(models)) {
    return 0;
  }
  std::size_t removed = 0;
  TUTTI_ASSIGN(const std::vector<std::string> jobs, platform::ListDirectory(models));
  for (const std::string& job : jobs) {
    const StatusOr<std::vector<std::string>> files = platform::ListDirectory(models + "/" + job);
    if (!files.ok()) {
      continue;  // not a folder of ours
    }
    for (const std::string& file : *files) {
      const std::string path = models + "/" + job + "/" + file;
      const bool ours = file.ends_with(kSuffix) || file.ends_with(".json") ||
                        file.ends_with(kStateSuffix) || file.ends_with(".tmp");
      if (ours && !kept.contains(path)) {
        TUTTI_TRY(platform::RemoveFile(path));
        ++removed;
      }
    }
  }
  return removed;
}

std::string ManifestJson(const ModelRecord& model, const RoundRecord& round,
                         std::string_view task_json) {
  std::string json = Join("{\"format\":\"tutti-checkpoint/1\",\"job\":", Quoted(model.job),
                          ",\"round\":", model.round, ",\"sha256\":\"", ToHex(model.sha256),
                          "\",\"bytes\":", model.bytes, ",\"created_at\":", model.created_at);
  if (model.round > 0) {
    json += Join(",\"clients\":", round.survivors, ",\"sum_sha256\":\"", ToHex(round.sum_sha256),
                 "\",\"privacy\":{\"unit\":", Quoted(round.privacy_unit),
                 ",\"mechanism\":", Quoted(round.mechanism),
                 ",\"accountant\":", Quoted(round.accountant),
                 ",\"largest_epsilon\":", RoundedUp(round.max_epsilon, 6),
                 ",\"largest_epsilon_models\":", RoundedUp(round.max_epsilon_models, 6),
                 ",\"realised_epsilon\":", Realised(round.realised_epsilon),
                 ",\"realised_epsilon_models\":", Realised(round.realised_epsilon_models),
                 ",\"delta\":", round.delta, "}");
  }
  if (!task_json.empty()) {
    json += Join(",\"task\":", task_json);
  }
  return json + "}\n";
}

}  // namespace tutti::store
