#include "common/secagg/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"

namespace tutti::secagg {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// ln(m!) for m up to a bound. std::lgamma writes a global sign and is not safe between threads.
class LogFactorials {
 public:
  explicit LogFactorials(std::uint32_t largest) : values_(largest + 1, 0.0) {
    for (std::uint32_t m = 1; m <= largest; ++m) {
      values_[m] = values_[m - 1] + std::log(static_cast<double>(m));
    }
  }
  double Choose(std::uint32_t from, std::uint32_t take) const {  // ln of the binomial coefficient
    return take > from ? kImpossible : values_[from] - values_[take] - values_[from - take];
  }

 private:
  std::vector<double> values_;
};

// ln Pr[Hypergeometric(population, marked, draws) = hits].
double LogProbability(const LogFactorials& log, std::uint32_t population, std::uint32_t marked,
                      std::uint32_t draws, std::uint32_t hits) {
  if (hits > draws || hits > marked || draws - hits > population - marked) {
    return kImpossible;
  }
  return log.Choose(marked, hits) + log.Choose(population - marked, draws - hits) -
         log.Choose(population, draws);
}

// Smallest c with Pr[Hyp > c] <= limit.
std::uint32_t UpperQuantile(const LogFactorials& log, std::uint32_t population,
                            std::uint32_t marked, std::uint32_t draws, double limit) {
  double tail = 0;
  for (std::uint32_t hits = std::min(draws, marked); hits > 0; --hits) {
    tail += std::exp(LogProbability(log, population, marked, draws, hits));
    if (tail > limit) {
      return hits;
    }
  }
  return 0;
}

// Largest s with Pr[Hyp < s] <= limit.
std::uint32_t LowerQuantile(const LogFactorials& log, std::uint32_t population,
                            std::uint32_t marked, std::uint32_t draws, double limit) {
  double tail = 0;
  for (std::uint32_t hits = 0; hits <= draws; ++hits) {
    tail += std::exp(LogProbability(log, population, marked, draws, hits));
    if (tail > limit) {
      return hits;
    }
  }
  return draws;
}

// Condition (d). At level malicious 2t > k + c: no owner can have t shares of both secrets opened.
std::uint32_t SmallestThreshold(ThreatLevel level, std::uint32_t neighbours,
                                std::uint32_t corrupt_neighbours) {
  const std::uint32_t threshold = level == ThreatLevel::kMalicious
                                      ? (neighbours + corrupt_neighbours) / 2 + 1
                                      : corrupt_neighbours + 1;
  // One holder must never be enough, however few are assumed corrupt; with one neighbour there is
  // no choice.
  return std::max(threshold, std::min<std::uint32_t>(2, neighbours));
}

StatusOr<GraphParameters> CompleteGraph(std::uint32_t cohort, ThreatLevel level,
                                        double corrupt_fraction, double dropout_fraction) {
  const std::uint32_t neighbours = cohort - 1;
  const std::uint32_t threshold =
      SmallestThreshold(level, neighbours, FractionOf(cohort, corrupt_fraction));
  const std::uint32_t dropouts = FractionOf(cohort, dropout_fraction);
  if (dropouts > neighbours || threshold > neighbours - dropouts) {
    return InvalidArgument(
        Join("a cohort of ", cohort, " needs ", threshold, " of ", neighbours,
             " share holders to stay and plans for ", dropouts,
             " dropouts; lower dropout_fraction or corrupt_fraction, or ask for a larger cohort"));
  }
  if (neighbours > kMaxNeighbours) {
    return InvalidArgument(Join("a cohort of ", cohort, " needs ", neighbours,
                                " neighbours a client, at most ", kMaxNeighbours,
                                " are possible; lower dropout_fraction, corrupt_fraction or "
                                "privacy_bits, or use a smaller cohort"));
  }
  return GraphParameters{.neighbours = neighbours, .threshold = threshold};
}

// The circle: client permutation[p] sits at place p.
std::vector<std::uint32_t> Permutation(std::uint32_t cohort, const Digest& session_id) {
  ByteWriter label;
  label.Raw(AsBytes("tutti.secagg.v1/graph"));
  label.Raw(session_id);
  crypto::AesCtrStream stream(Secret32(crypto::Sha256(label.bytes())));
  std::vector<std::uint32_t> permutation(cohort);
  std::iota(permutation.begin(), permutation.end(), 0U);
  for (std::uint32_t i = cohort; i > 1; --i) {
    std::swap(permutation[i - 1], permutation[UniformBelow(stream, i)]);
  }
  return permutation;
}

std::vector<std::uint32_t> NeighboursAt(const std::vector<std::uint32_t>& permutation,
                                        std::uint32_t neighbours, std::uint32_t place) {
  const auto cohort = static_cast<std::uint32_t>(permutation.size());
  std::vector<std::uint32_t> row;
  row.reserve(neighbours);
  if (neighbours + 1 >= cohort) {
    row = permutation;
    row.erase(row.begin() + place);
  } else {
    for (std::uint32_t distance = 1; distance <= neighbours / 2; ++distance) {
      row.push_back(permutation[(place + distance) % cohort]);
      row.push_back(permutation[(place + cohort - distance) % cohort]);
    }
  }
  std::sort(row.begin(), row.end());
  return row;
}

}  // namespace

std::uint32_t FractionOf(std::uint32_t cohort, double fraction) {
  return static_cast<std::uint32_t>(std::floor(fraction * cohort + 1e-9));
}

std::uint32_t CommitsNeeded(std::uint32_t cohort, double corrupt_fraction) {
  return static_cast<std::uint32_t>(std::floor((1 + corrupt_fraction) * cohort / 2 + 1e-9)) + 1;
}

StatusOr<GraphParameters> FindSparseGraph(std::uint32_t cohort, ThreatLevel level,
                                          double corrupt_fraction, double dropout_fraction,
                                          std::uint32_t privacy_bits, std::uint32_t liveness_bits,
                                          std::uint32_t largest) {
  const std::uint32_t n = cohort;
  const std::uint32_t corrupt = FractionOf(n, corrupt_fraction);
  const std::uint32_t dropouts = FractionOf(n, dropout_fraction);
  const LogFactorials log(n);
  const double log_privacy = -(privacy_bits + 1.0) * std::log(2.0);
  const double privacy_limit = std::exp(log_privacy) / n;
  const double liveness_limit = std::exp2(-static_cast<double>(liveness_bits)) / n;
  for (std::uint32_t k = 2; k + 1 < n && k <= largest; k += 2) {
    // (a) Some client is cut off from the honest survivors: its k neighbours are all corrupt or
    // gone.
    const double pairs = static_cast<double>(n) * (n - k - 1) / 2;
    const double log_cut =
        std::log(pairs) + log.Choose(std::min(corrupt + dropouts, n), k) - log.Choose(n, k);
    if (log_cut > log_privacy) {
      continue;
    }
    const std::uint32_t c = UpperQuantile(log, n, corrupt, k, privacy_limit);  // (b)
    const std::uint32_t s =
        LowerQuantile(log, n, n - std::min(dropouts, n), k, liveness_limit);  // (c)
    const std::uint32_t threshold = SmallestThreshold(level, k, c);           // (d)
    if (threshold <= s) {
      return GraphParameters{.neighbours = k, .threshold = threshold};
    }
  }
  return NotFound(
      Join("no sparse graph of at most ", largest, " neighbours is safe for a cohort of ", n));
}

StatusOr<GraphParameters> ChooseGraph(std::uint32_t cohort, ThreatLevel level,
                                      double corrupt_fraction, double dropout_fraction,
                                      std::uint32_t privacy_bits, std::uint32_t liveness_bits) {
  if (cohort < 2 || cohort > kMaxCohort) {
    return InvalidArgument(Join("a cohort of ", cohort, " clients, expected 2 to ", kMaxCohort));
  }
  if (cohort > kLargestCompleteGraph) {
    StatusOr<GraphParameters> sparse =
        FindSparseGraph(cohort, level, corrupt_fraction, dropout_fraction, privacy_bits,
                        liveness_bits, kMaxNeighbours);
    if (sparse.ok()) {
      return sparse;
    }
  }
  return CompleteGraph(cohort, level, corrupt_fraction, dropout_fraction);
}

Graph::Graph(std::uint32_t cohort, std::uint32_t neighbours, const Digest& session_id)
    : neighbours_(cohort) {
  const std::vector<std::uint32_t> permutation = Permutation(cohort, session_id);
  for (std::uint32_t place = 0; place < cohort; ++place) {
    neighbours_[permutation[place]] = NeighboursAt(permutation, neighbours, place);
  }
}

const std::vector<std::uint32_t>& Graph::NeighboursOf(std::uint32_t index) const {
  TUTTI_CHECK(index < neighbours_.size());
  return neighbours_[index];
}

std::vector<std::uint32_t> NeighboursInGraph(std::uint32_t cohort, std::uint32_t neighbours,
                                             const Digest& session_id, std::uint32_t index) {
  TUTTI_CHECK(index < cohort);
  const std::vector<std::uint32_t> permutation = Permutation(cohort, session_id);
  const auto found = std::find(permutation.begin(), permutation.end(), index);
  return NeighboursAt(permutation, neighbours,
                      static_cast<std::uint32_t>(found - permutation.begin()));
}

}  // namespace tutti::secagg
