// What a job file fixes of every round of secure aggregation it leads to. Thread safety: pure
// function.
#pragma once

#include <cstdint>

#include "common/secagg/config.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {

// The round configuration of `job` without what differs from attempt to attempt (round, attempt,
// hashes, nonce). `values`: parameters of its model. The job is checked, or its values are in
// range.
secagg::RoundConfig RoundTemplate(const v1::JobConfig& job, std::uint64_t values);

}  // namespace tutti::config
