// The coordinator's part of privacy: noise it adds itself, for jobs that trust it to, and what the
// published rounds of a job came to. Thread safety: pure functions; NoiseTree is a value.
// Source of the tree: Kairouz et al. 2021, arXiv:2103.00039, appendix D.1; Dwork, Naor, Pitassi,
// Rothblum 2010.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/base/secret.h"
#include "common/base/status.h"
#include "server/job/job_settings.h"

namespace tutti::server {

// Gaussian noise of stddev `noise_multiplier` on the sum of `clients`, whose mean `vector` is (in
// clip norms, privacy::Unrotate).
void AddCentralNoise(double noise_multiplier, std::uint64_t clients, SecureRng& rng,
                     std::span<float> vector);

// Noise of running sums: node (level, index) of a binary tree over the rounds carries a Gaussian of
// its own, drawn from a key that never changes, so that nothing has to be stored and a restart goes
// on with the same tree. The sum after round t has the noise of at most log2(t) + 1 nodes.
class NoiseTree {
 public:
  // `key`: this job's. It must never serve two jobs or two histories of one.
  NoiseTree(const Secret32& key, double noise_multiplier) : key_(key), stddev_(noise_multiplier) {}

  // sum[i] += noise of the running sum after `round` (1, 2, ...) less that after the round before.
  void AddStep(std::uint64_t round, std::span<float> sum) const;

 private:
  void AddNode(std::uint64_t level, std::uint64_t index, double sign, std::span<float> sum) const;

  Secret32 key_;
  double stddev_;
};

// The key of `job`'s tree, from the file of 32 random bytes at `path`, which is made when missing.
// `first_model` tells a job from an earlier one of the same name.
StatusOr<Secret32> TreeKey(const std::string& path, const std::string& job,
                           std::string_view first_model);

// Epsilon, at the job's delta and by RDP, of a unit that was in every published round.
struct RealisedEpsilon {
  double coordinator = 0;
  double models = 0;
};
// Not where the trainers add the noise to updates: how often they did only the devices know.
bool RealisedIsKnown(const PreparedJob& job);
// `rounds`: how many rounds were published whose smallest sum had that many clients.
StatusOr<RealisedEpsilon> RealisedOf(const PreparedJob& job,
                                     const std::map<std::uint64_t, std::uint64_t>& rounds);

}  // namespace tutti::server
