// What a membership attack proves about epsilon. Thread safety: value types and pure functions.
// Sources: T. Steinke, M. Nasr, M. Jagielski 2023, "Privacy auditing with one (1) training run",
// arXiv:2305.08846, Corollary 5.4; N. Carlini et al. 2022, "Membership inference attacks from first
// principles", arXiv:2112.03570 (Gaussian fits of the two hypotheses).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tutti::audit {

// What the attacker saw of one canary, and whether the canary was in the data: a fair coin of its
// own.
struct Outcome {
  double score = 0;       // log-likelihood ratio of in against out, of the attacker's model
  double projection = 0;  // where the release lies along the canary's gradient; linear in it
  bool included = false;
};

// A membership attack that was played: of `canaries` coins, `guesses` were guessed, the rest left
// open.
struct Guesses {
  std::uint64_t canaries = 0;
  std::uint64_t guesses = 0;  // at most canaries
  std::uint64_t correct = 0;  // at most guesses
};

// An upper bound of the probability that any attack on an (epsilon, delta)-DP mechanism, for adding
// or removing one canary, guesses at least so many right: Binomial(guesses, 1 / (1 + e^-epsilon))
// dominates the right guesses up to the canaries' failures of delta. The coins have to be fair and
// independent, and the choice of what to guess may use the release only.
double PValue(const Guesses& attack, double epsilon, double delta);

// The largest epsilon, to 1e-6, that has a p-value below `failure` in (0, 1); 0 when none has. The
// mechanism's epsilon at `delta` is above it, except with probability `failure`.
double EpsilonLower(const Guesses& attack, double delta, double failure);

struct OneRunBound {
  double epsilon = 0;
  Guesses attack;  // the one that gave it
};
// The best of a fixed list of attacks, each at its share of `failure` (Bonferroni): the highest
// scores are guessed in and as many of the lowest out, or the highest in alone; 1, 1/2, 1/4 ... of
// all canaries.
OneRunBound BestOneRun(std::span<const Outcome> outcomes, double delta, double failure);

// The likelihood-ratio attack: Gaussians are fitted to the projections of the canaries in and out,
// pooled over all canaries. Their distance in standard deviations (the larger one's), less its
// error at `failure`, is that of one Gaussian mechanism, whose epsilon at `delta` is given; at most
// kMostEpsilon. Much tighter than the other bound, and an estimate: it believes in the Gaussian
// form and in canaries that do not disturb each other. Under sampling it looks at the middle of the
// distributions, where the difference is smallest.
double GaussianEpsilon(std::span<const Outcome> outcomes, double delta, double failure);
inline constexpr double kMostEpsilon = 1e6;

}  // namespace tutti::audit
