// Who trains which parameters: ModelSpec.frozen and ModelSpec.personal name them. Internal to
// common/model. Thread safety: pure functions.
//
// Frozen layers: the usual way to reuse a model. Personal ones: local heads as in Arivazhagan et
// al. 2019 (FedPer) and Collins et al. 2021 (FedRep), both trained in the same steps here.
#pragma once

#include "common/base/status.h"
#include "common/model/layout.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

// True when `pattern` is the name, or its beginning and "*".
bool NameMatches(std::string_view pattern, std::string_view name);

// Sets the part of each parameter that a pattern names; frozen parameters of adapters stay so.
// InvalidArgument when a pattern names none, two patterns claim a parameter, or no common parameter
// is left.
Status AssignParts(const v1::ModelSpec& spec, Layout& layout);

}  // namespace tutti::model
