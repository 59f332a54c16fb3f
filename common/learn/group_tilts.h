// Training with [fairness] on a device: the terms of each example's loss, by its group and label,
// and the counts they come from (common/measure/tilts.h). Torch-free. Thread safety: value types
// and functions confined to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::learn {

class GroupTilts {
 public:
  GroupTilts() = default;
  // `tilts` as they came with the model; empty: nothing is changed. InvalidArgument as
  // measure::CheckTilts.
  static StatusOr<GroupTilts> Create(const v1::FairnessSpec& fairness,
                                     std::span<const double> tilts);

  // InvalidArgument unless each of `labels` examples has a group too, and `classes` the positive
  // one.
  Status CheckFit(std::uint32_t classes, std::size_t labels, std::size_t groups) const;

  bool empty() const { return values_.empty(); }
  bool scales() const { return scales_; }  // the loss; otherwise a term is added to it
  std::uint32_t positive_class() const { return positive_class_; }
  // `group`: a place in fairness.groups; any larger number is in no group and changes nothing.
  float Of(std::uint32_t group, std::uint32_t label) const;

 private:
  bool scales_ = false;
  std::uint32_t positive_class_ = 1;
  std::vector<float> values_;  // {groups, 2}
};

}  // namespace tutti::learn
