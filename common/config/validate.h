// Contradictions between keys that are each in range: checked after loading, before anything
// starts. Each problem stands at the offending key when the file or an override set it. A rule that
// involves a key that already has a problem is not applied: its value means nothing.
// Thread safety: functions are safe.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/config/load.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/simulation.pb.h"

namespace tutti::config {

// Adds to result.problems and keeps them sorted.
void Validate(const v1::ServerConfig& config, LoadResult& result);
void Validate(const v1::ClientConfig& config, LoadResult& result);
void Validate(const v1::PolicyConfig& config, LoadResult& result);
void Validate(const v1::JobConfig& config, LoadResult& result);
void Validate(const v1::SimulationConfig& config, LoadResult& result);

template <typename Message>
struct Loaded {
  Message value;
  std::vector<Problem> problems;
  Origins origins;
  bool ok() const { return problems.empty(); }
};

// LoadFile and Validate: what programs call.
template <typename Message>
Loaded<Message> Load(const std::string& path, const Overrides& overrides = {}) {
  Loaded<Message> loaded;
  LoadResult result = LoadFile(path, loaded.value, overrides);
  if (result.readable) {
    Validate(loaded.value, result);
  }
  loaded.problems = std::move(result.problems);
  loaded.origins = std::move(result.origins);
  return loaded;
}

// Ranges and contradictions of a job that came over the wire, complete with its defaults.
// InvalidArgument that names every problem.
Status CheckJob(const v1::JobConfig& config);

struct HostPort {
  std::string host;  // a name, an IPv4 address, or an IPv6 address without its brackets
  std::uint16_t port = 0;
};
// "host:port" or "[IPv6]:port"; InvalidArgument with what was expected. Port 0: any free one.
StatusOr<HostPort> ParseHostPort(std::string_view text);
bool IsLoopback(std::string_view host);  // localhost, 127.0.0.0/8, ::1

}  // namespace tutti::config
