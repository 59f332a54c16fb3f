// The words of a job's [privacy] section: whose data is one unit, who adds the noise, and what has
// to be trusted for it. Thread safety: value types and pure functions.
#pragma once

#include <string>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::privacy {

enum class Unit { kNone, kExample, kClient };
enum class NoiseSource { kLocal, kDistributed, kCentral, kTree };
enum class Distribution { kDiscreteGaussian, kSkellam };

struct Setting {
  Unit unit = Unit::kExample;
  NoiseSource noise = NoiseSource::kLocal;
  Distribution distribution = Distribution::kDiscreteGaussian;
  bool update = true;  // an update is released; false: counts alone (jobs that evaluate or analyse)

  bool with_privacy() const { return unit != Unit::kNone; }
  // Clients send vectors that are clipped, rotated and rounded to whole numbers (common/privacy/
  // terms.h). Otherwise the trainer has made the update private, or nobody has.
  bool in_ring() const {
    return with_privacy() && update && (unit == Unit::kClient || noise != NoiseSource::kLocal);
  }
  // The trainer clips single examples' gradients.
  bool clips_examples() const { return update && unit == Unit::kExample; }
  // ... and adds all the noise itself, in every step.
  bool noise_in_trainer() const { return clips_examples() && noise == NoiseSource::kLocal; }
  // Clients add whole numbers of noise to what enters the secure sum.
  bool noise_in_ring() const {
    return in_ring() && (noise == NoiseSource::kLocal || noise == NoiseSource::kDistributed);
  }
  // Nothing is promised against the coordinator: it adds the noise.
  bool noise_by_coordinator() const {
    return in_ring() && (noise == NoiseSource::kCentral || noise == NoiseSource::kTree);
  }
};

// An empty word is its default. InvalidArgument names a word that is none.
StatusOr<Setting> SettingOf(const v1::PrivacySpec& privacy);
// The same for a task of any kind.
StatusOr<Setting> SettingOf(const v1::TaskSpec& task);

// "example", "client", "none".
std::string NameOf(Unit unit);
// "dp-sgd/poisson/gaussian", "dp-sgd/poisson/distributed-discrete-gaussian",
// "client/central-gaussian", "client/tree-aggregation", "counts/local-discrete-gaussian", ...,
// "none".
std::string MechanismName(const Setting& setting);
// One sentence: whom the promise against the coordinator takes for granted.
std::string Assumption(const Setting& setting);

}  // namespace tutti::privacy
