#include "common/privacy/personal.h"

#include "common/base/text.h"
#include "common/privacy/setting.h"

namespace tutti::privacy {

Status CheckPersonal(const v1::ModelSpec& model, const v1::PrivacySpec& privacy) {
  if (model.personal().empty()) {
    return OkStatus();
  }
  TUTTI_ASSIGN(const Setting setting, SettingOf(privacy));
  if (setting.unit != Unit::kExample || setting.noise == NoiseSource::kLocal) {
    return OkStatus();
  }
  return InvalidArgument(
      Join("found with unit = \"example\" and noise = \"", Escaped(privacy.noise(), 40),
           "\": personal parameters would be trained without noise and every later gradient would "
           "depend on them; use noise = \"local\", or unit = \"client\""));
}

}  // namespace tutti::privacy
