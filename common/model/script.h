// The part of ArchitectureOf that is about models in a TorchScript file: what a task says of the
// file is its SHA-256 and the layout of its weights, so that coordinator and daemon can size the
// model without reading it. Internal to common/model. Thread safety: pure functions.
#pragma once

#include "common/base/status.h"
#include "common/model/architecture.h"

namespace tutti::model {

inline constexpr std::size_t kMaxScriptParameters = 2048;
inline constexpr std::size_t kMaxParameterName = 256;  // characters
inline constexpr std::size_t kMaxParameterDimensions = 8;

// Fills script_sha256 and the layout of `result` from a spec that IsScript. InvalidArgument names
// the key of the job file and, of a parameter, its position counted from 1.
Status DescribeScript(const v1::ModelSpec& spec, Architecture& result);

// InvalidArgument when a spec that is no script has a script's keys.
Status CheckNoScript(const v1::ModelSpec& spec);

}  // namespace tutti::model
