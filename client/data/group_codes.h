// The groups a job compares, found again among a device's examples. Thread safety: pure function.
#pragma once

#include <cstdint>
#include <vector>

#include "client/data/dataset.h"
#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::data {

// For each example, training and validation, the place of its word of fairness.attribute in
// fairness.groups; fairness.groups_size() for examples of other words. FailedPrecondition when the
// owner does not list that column in data.sensitive: it says nothing of the data, so that it may
// be told to the coordinator.
StatusOr<std::vector<std::uint32_t>> GroupCodes(const Dataset& data,
                                                const v1::FairnessSpec& fairness);

}  // namespace tutti::data
