#include "client/store/job_memory.h"

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

Status JobMemory::Save(const std::string& job, Kept kept, const model::Layout& layout,
                       std::span<const float> values) const {
  if (!IsSafeName(job)) return InvalidArgument(Join("job name \"", Escaped(job), "\" is no name"));
  TUTTI_TRY(platform::MakeDirectory(folder_));
  return platform::WriteFileDurably(
      Path(job, kept),
      model::WriteSafetensors(layout, values, {{kCoordinator, coordinator_}, {"job", job}}));
}

}  // namespace tutti::client_store
