// Which examples of a shared file belong to this client, for experiments that split one data set:
// every part is computed alone, and the parts 0 .. count-1 of one seed are disjoint and together
// complete. Thread safety: pure functions. Source of the uneven split: Hsu, Qi, Brown 2019
// (Dirichlet over clients within each class); gamma variates by Marsaglia and Tsang 2000, in
// logarithms so that a small alpha does not underflow.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/config.pb.h"

namespace tutti::data {

// The part of each example, 0 .. count-1: all parts at once. `index` is not read.
StatusOr<std::vector<std::uint32_t>> SliceOwners(const v1::SliceConfig& config,
                                                 std::span<const std::uint32_t> labels,
                                                 std::uint32_t classes);

// Ascending indices into `labels`. Every label is below `classes`. A part of a dirichlet slice may
// be empty. InvalidArgument on an unknown kind or when index >= count.
StatusOr<std::vector<std::size_t>> SliceIndices(const v1::SliceConfig& config,
                                                std::span<const std::uint32_t> labels,
                                                std::uint32_t classes);

// kind = "column": `group_of` has each row's place in `names`, the column's cells in sorted order.
// Each is a part of its own; with fewer parts than cells neighbours are put together, so that parts
// differ by one cell at most. `cells` becomes those of this part. InvalidArgument when there are
// fewer cells than parts.
StatusOr<std::vector<std::size_t>> SliceByGroup(const v1::SliceConfig& config,
                                                std::span<const std::uint32_t> group_of,
                                                const std::vector<std::string>& names,
                                                std::vector<std::string>& cells);

}  // namespace tutti::data
