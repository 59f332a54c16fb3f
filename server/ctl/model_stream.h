// A checkpoint's bytes from the coordinator, checked. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "server/ctl/connection.h"
#include "tutti/v1/admin.pb.h"

namespace tutti::ctl {

struct StreamedModel {
  v1::ModelInfo model;
  std::string manifest;
};

// Gives the model of `round` of a job (0: the newest) to `sink`, part by part, and holds it against
// the coordinator's own SHA-256 and length. `sink` may refuse, which ends the stream. DataLoss:
// what came is not what was promised, so `sink` must not use it; else the coordinator's errors.
StatusOr<StreamedModel> StreamModel(const std::string& job, std::uint64_t round,
                                    Connection& connection,
                                    const std::function<Status(std::string_view)>& sink);

// The same into memory.
struct HeldModel {
  StreamedModel about;
  std::string bytes;
};
StatusOr<HeldModel> FetchModel(const std::string& job, std::uint64_t round, Connection& connection);

}  // namespace tutti::ctl
