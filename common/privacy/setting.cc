#include "common/privacy/setting.h"

#include <array>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "common/measure/counts.h"

namespace tutti::privacy {
namespace {

template <typename Value, std::size_t kCount>
StatusOr<Value> ValueOf(std::string_view key, const std::string& word, Value absent,
                        const std::array<std::pair<std::string_view, Value>, kCount>& words) {
  if (word.empty()) return absent;
  std::string expected;
  for (const auto& [name, value] : words) {
    if (name == word) return value;
    expected += Join(expected.empty() ? "" : ", ", name);
  }
  return InvalidArgument(
      Join("privacy.", key, " is \"", Escaped(word, 40), "\", expected one of ", expected));
}

constexpr std::array<std::pair<std::string_view, Unit>, 3> kUnits = {
    {{"none", Unit::kNone}, {"example", Unit::kExample}, {"client", Unit::kClient}}};
constexpr std::array<std::pair<std::string_view, NoiseSource>, 4> kSources = {
    {{"local", NoiseSource::kLocal},
     {"distributed", NoiseSource::kDistributed},
     {"central", NoiseSource::kCentral},
     {"tree", NoiseSource::kTree}}};
constexpr std::array<std::pair<std::string_view, Distribution>, 2> kDistributions = {
    {{"discrete_gaussian", Distribution::kDiscreteGaussian}, {"skellam", Distribution::kSkellam}}};

}  // namespace

StatusOr<Setting> SettingOf(const v1::PrivacySpec& privacy) {
  Setting setting;
  TUTTI_ASSIGN(setting.unit, ValueOf("unit", privacy.unit(), Unit::kExample, kUnits));
  TUTTI_ASSIGN(setting.noise, ValueOf("noise", privacy.noise(), NoiseSource::kLocal, kSources));
  TUTTI_ASSIGN(setting.distribution, ValueOf("distribution", privacy.distribution(),
                                             Distribution::kDiscreteGaussian, kDistributions));
  return setting;
}

StatusOr<Setting> SettingOf(const v1::TaskSpec& task) {
  TUTTI_ASSIGN(Setting setting, SettingOf(task.privacy()));
  setting.update = measure::KindOf(task) == measure::Kind::kTrain;
  return setting;
}

std::string NameOf(Unit unit) {
  for (const auto& [name, value] : kUnits) {
    if (value == unit) return std::string(name);
  }
  return "none";
}

std::string MechanismName(const Setting& setting) {
  if (!setting.with_privacy()) return "none";
  if (!setting.update) {
    const bool local = setting.noise == NoiseSource::kLocal;
    return local ? "counts/local-discrete-gaussian" : "counts/distributed-discrete-gaussian";
  }
  if (setting.noise_in_trainer()) return "dp-sgd/poisson/gaussian";
  std::string name = setting.unit == Unit::kExample ? "dp-sgd/poisson/" : "client/";
  if (setting.noise == NoiseSource::kCentral) return name + "central-gaussian";
  if (setting.noise == NoiseSource::kTree) return name + "tree-aggregation";
  name += setting.noise == NoiseSource::kLocal ? "local-" : "distributed-";
  return name + (setting.distribution == Distribution::kSkellam ? "skellam" : "discrete-gaussian");
}

std::string Assumption(const Setting& setting) {
  if (!setting.with_privacy()) return "nothing is promised";
  switch (setting.noise) {
    case NoiseSource::kLocal:
      return "nobody has to be trusted: each client adds all of its noise itself";
    case NoiseSource::kDistributed:
      return "at most corrupt_fraction of the clients work together with the coordinator; the "
             "others add their shares of the noise, and secure aggregation shows only their sum";
    case NoiseSource::kCentral:
    case NoiseSource::kTree:
      return "the coordinator is trusted: it adds the noise, and against itself nothing is "
             "promised";
  }
  return "unknown";
}

}  // namespace tutti::privacy
