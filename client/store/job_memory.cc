#include "client/store/job_memory.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/base/text.h"
#include "common/model/safetensors.h"
#include "common/platform/files.h"

namespace tutti::client_store {
namespace {

constexpr char kCoordinator[] = "coordinator";

}  // namespace

std::string JobMemory::Path(const std::string& job, Kept kept) const {
  const std::string_view what = kept == Kept::kControl    ? ".control"
                                : kept == Kept::kPersonal ? ".personal"
                                : kept == Kept::kMixture  ? ".mixture"
                                                          : ".parameters";
  return Join(folder_, "/", job, what, ".safetensors");
}

StatusOr<std::vector<float>> JobMemory::Load(const std::string& job, Kept kept,
                                             const model::Layout& layout) const {
  if (!IsSafeName(job)) return InvalidArgument(Join("job name \"", Escaped(job), "\" is no name"));
  const std::string path = Path(job, kept);
  TUTTI_ASSIGN(const Bytes bytes, platform::ReadFile(path, layout.values * sizeof(float) + 8 +
                                                               model::kMaxSafetensorsHeader));
  const StatusOr<model::Metadata> metadata = model::SafetensorsMetadata(bytes);
  if (!metadata.ok()) return DataLoss(Join(path, ": ", MessageOf(metadata.status())));
  const auto found = metadata->find(kCoordinator);
  if (found == metadata->end() || found->second != coordinator_) {
    return NotFound(Join(path, " is of a job of another coordinator"));
  }
  StatusOr<std::vector<float>> values = model::ReadSafetensors(bytes, layout);
  if (!values.ok()) return DataLoss(Join(path, ": ", MessageOf(values.status())));
  return values;
}

// A coordinator may offer jobs of ever new names: what was not saved for longest makes room.
void JobMemory::MakeRoom(const std::string& path) const {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(path, error)) return;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (const fs::directory_entry& file : fs::directory_iterator(folder_, error)) {
    files.emplace_back(file.last_write_time(error), file.path());
  }
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i + kMostFiles <= files.size(); ++i) {
    platform::RemoveFile(files[i].second.string()).IgnoreError();
  }
}

Status JobMemory::Save(const std::string& job, Kept kept, const model::Layout& layout,
                       std::span<const float> values) const {
  if (!IsSafeName(job)) return InvalidArgument(Join("job name \"", Escaped(job), "\" is no name"));
  TUTTI_TRY(platform::MakeDirectory(folder_));
  MakeRoom(Path(job, kept));
  return platform::WriteFileDurably(
      Path(job, kept),
      model::WriteSafetensors(layout, values, {{kCoordinator, coordinator_}, {"job", job}}));
}

}  // namespace tutti::client_store
