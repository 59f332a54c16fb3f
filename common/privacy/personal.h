// Whether personal parameters (ModelSpec.personal) keep a job's promise. Thread safety: pure.
#pragma once

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::privacy {

// OK without personal parameters, without privacy, for unit = "client", and where the client adds
// all noise: then personal values are made from noisy gradients alone, and what depends on them is
// post-processing. InvalidArgument for unit = "example" with other noise: the trainer adds none
// there, so personal values depend on single examples, and with them the gradients of all others in
// every later round, which no clip norm bounds. docs/models.md, section 6.
Status CheckPersonal(const v1::ModelSpec& model, const v1::PrivacySpec& privacy);

}  // namespace tutti::privacy
