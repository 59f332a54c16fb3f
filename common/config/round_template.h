// What a job file fixes of every round of secure aggregation it leads to. Thread safety: pure
// function.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/secagg/config.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::config {

// The round configuration of `job` without what differs from attempt to attempt (round, attempt,
// hashes, nonce). `values`: parameters of its model. The job's values are in range. InvalidArgument
// when its noise does not work out (privacy::FitRing).
StatusOr<secagg::RoundConfig> RoundTemplate(const v1::JobConfig& job, std::uint64_t values);

// What the job's clients are told of it.
v1::TaskSpec TaskOf(const v1::JobConfig& job, std::uint64_t values);

}  // namespace tutti::config
