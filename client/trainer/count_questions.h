// Counting for jobs that analyse: no model, no LibTorch. Thread safety: pure function of the files.
#pragma once

#include "common/base/status.h"
#include "tutti/v1/trainer.pb.h"

namespace tutti::trainer {

// What this device's rows say to the questions of `request`, see data::AnswerQuestions.
// InvalidArgument when it brings weights, which such jobs do not have.
StatusOr<v1::CountReply> CountForQuestions(const v1::CountRequest& request);

}  // namespace tutti::trainer
