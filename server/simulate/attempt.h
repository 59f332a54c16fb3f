// One attempt of a round without keys and masks: who joins, shares, uploads, commits and unmasks in
// which time, and whether the sums could be opened. It closes its exchanges as the round machine
// (server/round) does, deadline by deadline; tests hold the two together. The one thing that is not
// exact is a sparse graph of masks (more than 64 clients in a group): which clients it leaves
// without enough neighbours depends on keys, so the share of neighbours that is needed counts as a
// share of the group. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/secagg/graph.h"
#include "server/round/core.h"
#include "server/simulate/fate.h"

namespace tutti::simulate {

struct Invited {
  std::size_t client = 0;
  Fate fate;
};

struct PlayedGroup {
  std::vector<std::size_t> charged;    // were told to upload: they debited their ledgers
  std::vector<std::size_t> survivors;  // whose vectors are in the sum
  std::string lost;                    // why its sum cannot be opened; empty: it can
};

struct PlayedAttempt {
  std::vector<PlayedGroup> groups;
  Milliseconds duration{0};
  std::string failed;  // fewer groups than the job needs are left; empty: their sums are open
};

class AttemptPlayer {
 public:
  // `job` is borrowed. `grace` and `linger`: as round::CoreSettings.
  AttemptPlayer(const round::JobSettings& job, Milliseconds grace, Milliseconds linger)
      : job_(job), grace_(grace), linger_(linger) {}

  // `groups`: the invited, each list ascending.
  PlayedAttempt Play(const std::vector<std::vector<Invited>>& groups);

 private:
  struct Member;
  struct Group;
  struct Event;
  class Run;
  StatusOr<secagg::GraphParameters> GraphFor(std::size_t joined);

  const round::JobSettings& job_;
  const Milliseconds grace_;
  const Milliseconds linger_;
  std::map<std::size_t, StatusOr<secagg::GraphParameters>> graphs_;  // by clients joined
};

}  // namespace tutti::simulate
