// Jobs that evaluate, for tests.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::measure {

inline bool Says(const Status& status, std::string_view words) {
  return MessageOf(status).find(words) != std::string_view::npos;
}

inline v1::TaskSpec EvaluateTask(std::uint32_t classes, std::uint32_t bins = 10) {
  v1::TaskSpec task;
  task.set_kind("evaluate");
  task.mutable_model()->set_classes(classes);
  task.mutable_model()->set_architecture("logistic");
  task.mutable_training()->set_loss(classes == 1 ? "mse" : "cross_entropy");
  task.mutable_measure()->set_bins(bins);
  task.mutable_secure_aggregation()->set_value_clip(4);
  return task;
}

// Of a job that trains and counts answers beside it.
inline v1::TaskSpec ValidateTask(std::uint32_t classes, bool with_privacy = true) {
  v1::TaskSpec task = EvaluateTask(classes);
  task.set_kind("train");
  task.clear_measure();
  task.set_validation(true);
  task.mutable_privacy()->set_unit(with_privacy ? "example" : "none");
  return task;
}

inline v1::TaskSpec WithGroups(v1::TaskSpec task, std::uint32_t positive_class = 1) {
  task.mutable_fairness()->set_attribute("sex");
  task.mutable_fairness()->add_groups("female");
  task.mutable_fairness()->add_groups("male");
  task.mutable_fairness()->set_positive_class(positive_class);
  return task;
}

inline v1::TaskSpec WithAdversary(v1::TaskSpec task) {
  task.mutable_adversary()->set_kind("pgd");
  return task;
}

}  // namespace tutti::measure
