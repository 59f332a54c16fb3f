// What a client would do and be charged for in a round, by the daemon's own rules, for an owner who
// allows everything that can be allowed. Clients with as many examples have the same plan. Thread
// safety: confined to one thread; plans stay where they are.
#pragma once

#include <cstdint>
#include <map>

#include "client/policy/policy.h"
#include "common/base/status.h"
#include "server/job/job_settings.h"

namespace tutti::simulate {

class PlanBook {
 public:
  explicit PlanBook(const server::PreparedJob& job);  // borrowed

  // Errors as policy::Decide.
  StatusOr<const policy::Plan*> For(std::uint64_t examples);
  // Examples a training goes through, each pass counted.
  std::uint64_t Seen(const policy::Plan& plan, std::uint64_t examples) const;

 private:
  const server::PreparedJob& job_;
  v1::PolicyConfig policy_;
  secagg::RoundConfig round_;
  std::map<std::uint64_t, policy::Plan> plans_;
};

}  // namespace tutti::simulate
