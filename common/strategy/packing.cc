#include "common/strategy/packing.h"

#include <string>
#include <utility>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/model/architecture.h"
#include "common/privacy/setting.h"
#include "common/privacy/terms.h"
#include "common/secagg/rotation.h"
#include "common/secagg/value_sample.h"
#include "common/strategy/sum_vector.h"

namespace tutti::strategy {
namespace {

constexpr std::uint32_t kMostBlockBits = 16;  // as where noise is in the sum
constexpr std::uint64_t kPaddingShare = 32;   // at most a part of so many is padding

std::uint64_t SentValues(const v1::TaskSpec& task) {
  return secagg::SampledCount(SumShapeOf(task).update,
                              task.secure_aggregation().sampled_fraction());
}

// Blocks as large as little padding allows.
secagg::RotationShape RotationOf(std::uint64_t values) {
  secagg::RotationShape shape{.values = values, .block_bits = kMostBlockBits};
  while (shape.padded_values() - values > values / kPaddingShare) --shape.block_bits;
  return shape;
}

// What is rotated: the sampled update and the control change.
secagg::RotationShape RotationOf(const v1::TaskSpec& task) {
  return RotationOf(SentValues(task) + SumShapeOf(task).control);
}

std::vector<std::uint32_t> PlacesOf(const v1::TaskSpec& task, const secagg::RoundConfig& round) {
  return secagg::SamplePlaces(task.values(), SentValues(task), SampleSeed(round));
}

Status CheckLength(std::string_view what, std::uint64_t found, std::uint64_t expected) {
  if (found == expected) return OkStatus();
  return InvalidArgument(Join(what, " has ", found, " values, expected ", expected));
}

Status RefuseSampling(std::string_view why, std::string_view fix) {
  return InvalidArgument(Join("secure_aggregation.sampled_fraction is below 1 ", why, "; ", fix));
}

Status CheckSampling(const v1::TaskSpec& task, const privacy::Setting& setting) {
  if (CorrectionOf(task.training()) == Correction::kScaffold) {
    return RefuseSampling(
        "with correction = \"scaffold\", whose control variates would be those of other steps than "
        "the model took",
        "set it to 1, or choose another correction");
  }
  if (setting.noise == privacy::NoiseSource::kTree && setting.in_ring()) {
    return RefuseSampling(
        "with noise = \"tree\", whose noise is small only in the running sum of whole updates",
        "set it to 1, or choose another privacy.noise");
  }
  return OkStatus();
}

}  // namespace

bool SamplesValues(const v1::TaskSpec& task) {
  const double fraction = task.secure_aggregation().sampled_fraction();
  return fraction > 0 && fraction < 1;
}

Status CheckPacking(const v1::TaskSpec& task) {
  const bool rotates = task.secure_aggregation().rotate();
  if (!SamplesValues(task) && !rotates) return OkStatus();
  if (!task.kind().empty() && task.kind() != "train") {
    return InvalidArgument(Join("secure_aggregation.", rotates ? "rotate" : "sampled_fraction",
                                " found with kind = \"", Escaped(task.kind(), 40),
                                "\", where no update is sent; remove it"));
  }
  if (model::HasCentres(task.model())) {
    return InvalidArgument(Join("secure_aggregation.", rotates ? "rotate" : "sampled_fraction",
                                " found with clusters, whose centres and shares belong together "
                                "and are told from empty ones by exact zeros; remove it"));
  }
  TUTTI_ASSIGN(const privacy::Setting setting, privacy::SettingOf(task.privacy()));
  if (rotates && setting.in_ring()) {
    return InvalidArgument(
        "secure_aggregation.rotate is true where clipped updates are rotated anyway "
        "(privacy.unit = \"client\", or noise other than \"local\"); remove it");
  }
  return SamplesValues(task) ? CheckSampling(task, setting) : OkStatus();
}

std::uint64_t PackedValues(const v1::TaskSpec& task) {
  const SumShape shape = SumShapeOf(task);
  const std::uint64_t sent = SentValues(task) + shape.control;
  const bool rotates = task.secure_aggregation().rotate();
  return (rotates ? RotationOf(task).padded_values() : sent) + shape.scalars;
}

StatusOr<std::vector<float>> Pack(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                                  std::vector<float> vector) {
  const SumShape shape = SumShapeOf(task);
  TUTTI_TRY(CheckLength("the vector to be packed", vector.size(), shape.total()));
  const std::vector<float> scalars(vector.end() - static_cast<std::ptrdiff_t>(shape.scalars),
                                   vector.end());
  vector.resize(shape.update + shape.control);
  if (SamplesValues(task)) {
    std::vector<float> sample =
        secagg::TakePlaces(std::span(vector).first(shape.update), PlacesOf(task, round));
    sample.insert(sample.end(), vector.begin() + static_cast<std::ptrdiff_t>(shape.update),
                  vector.end());
    vector = std::move(sample);
  }
  if (task.secure_aggregation().rotate()) {
    const secagg::RotationShape rotation = RotationOf(task);
    vector.resize(rotation.padded_values());
    TUTTI_TRY(secagg::Rotate(rotation, privacy::RotationSeed(round), vector));
  }
  vector.insert(vector.end(), scalars.begin(), scalars.end());
  return vector;
}

StatusOr<std::vector<float>> Unpack(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                                    std::vector<float> mean) {
  const SumShape shape = SumShapeOf(task);
  TUTTI_TRY(CheckLength("the packed mean", mean.size(), PackedValues(task)));
  const std::vector<float> scalars(mean.end() - static_cast<std::ptrdiff_t>(shape.scalars),
                                   mean.end());
  mean.resize(mean.size() - shape.scalars);
  if (task.secure_aggregation().rotate()) {
    const secagg::RotationShape rotation = RotationOf(task);
    TUTTI_TRY(secagg::InverseRotate(rotation, privacy::RotationSeed(round), mean));
    mean.resize(rotation.values);
  }
  if (SamplesValues(task)) {
    const std::span<const float> packed(mean);
    const std::uint64_t sent = SentValues(task);
    std::vector<float> spread =
        secagg::SpreadPlaces(packed.first(sent), PlacesOf(task, round), shape.update);
    spread.insert(spread.end(), mean.begin() + static_cast<std::ptrdiff_t>(sent), mean.end());
    mean = std::move(spread);
  }
  mean.insert(mean.end(), scalars.begin(), scalars.end());
  return mean;
}

std::vector<float> TakeSample(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                              std::span<const float> update) {
  TUTTI_CHECK(update.size() == task.values());
  return secagg::TakePlaces(update, PlacesOf(task, round));
}

StatusOr<std::vector<float>> SpreadSample(const v1::TaskSpec& task,
                                          const secagg::RoundConfig& round,
                                          std::vector<float> sample) {
  TUTTI_TRY(CheckLength("the mean of the round's sample", sample.size(), SentValues(task)));
  if (!SamplesValues(task)) return sample;
  return secagg::SpreadPlaces(sample, PlacesOf(task, round), task.values());
}

ByteArray<32> SampleSeed(const secagg::RoundConfig& round) {
  ByteWriter writer;
  writer.Raw(AsBytes(std::string_view("tutti.sample.v1")));
  writer.Sized(AsBytes(round.job));
  writer.U64(round.round);
  writer.U64(round.attempt);
  return crypto::Sha256(writer.Take());
}

}  // namespace tutti::strategy
