#include "common/secagg/noised_range.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/noise/integer_noise.h"

namespace tutti::secagg {
namespace {

static_assert(kMostSkellamSteps * kMostSkellamSteps == noise::kMostSkellamVariance);

constexpr std::uint32_t kLeastBits = 4;
constexpr std::uint32_t kMostBits = 30;
constexpr double kMoreRoom = 1.01;

Status CheckRequest(const NoisedRangeRequest& r) {
  const auto positive = [](double value) { return value > 0 && std::isfinite(value); };
  if (!positive(r.signal_clip) || !positive(r.share.stddev) ||
      r.share.kind == NoiseShare::Kind::kNone) {
    return InvalidArgument(Join("noised values have a signal clip of ", r.signal_clip,
                                " and a share of stddev ", r.share.stddev,
                                ", expected positive numbers and a kind of noise"));
  }
  if (r.fewest_clients < 1 || r.values < 1 || r.value_bits < kLeastBits ||
      r.value_bits > kMostBits || !(r.overflow_probability > 0 && r.overflow_probability < 1)) {
    return InvalidArgument(Join("noised sums of ", r.fewest_clients, " clients and ", r.values,
                                " values with value_bits = ", r.value_bits,
                                " and an overflow probability of ", r.overflow_probability,
                                ", expected at least 1, at least 1, 4 to 30 and in (0, 1)"));
  }
  return OkStatus();
}

// Chernoff's exponent for one side of the sum of `clients` shares, at clients * room: P <= e^-it.
// All lengths in grid units. It grows with the number of clients.
//
// Discrete Gaussian: E e^(t X) = e^(t^2 s^2 / 2) * (sum of e^(-(x - t s^2)^2 / 2 s^2) over whole x)
// / (the same with t = 0), and a shifted sum is never above the one that is not shifted (Poisson
// summation), so moments are at most those of a normal number.
// Skellam: log E e^(t X) = v (cosh t - 1), least at sinh t = room / v.
double TailExponent(NoiseShare::Kind kind, double clients, double share, double room) {
  const double y = room / (share * share);
  if (kind == NoiseShare::Kind::kSkellam) {
    const double root = std::sqrt(1 + y * y);
    return clients * share * share * (y * std::asinh(y) - y * y / (1 + root));
  }
  return clients * room * y / 2;
}

double UnionBound(const NoisedRangeRequest& r, double exponent) {
  return std::min(1.0, 2 * static_cast<double>(r.values) * std::exp(-exponent));
}

// One step of each client's range is for rounding: a rounded number is at most the clip plus one.
NoisedRange RangeWith(const NoisedRangeRequest& r, double stddevs) {
  const double largest = std::ldexp(1.0, static_cast<int>(r.value_bits) - 1) - 1;
  const auto clients = static_cast<double>(r.fewest_clients);
  const double room = stddevs * r.share.stddev / std::sqrt(clients);
  NoisedRange range{.stddevs = stddevs, .step = (r.signal_clip + room) / (largest - 1)};
  range.value_clip = range.step * largest;
  range.share_steps = r.share.stddev / range.step;
  range.overflow_probability =
      UnionBound(r, TailExponent(r.share.kind, clients, range.share_steps, room / range.step));
  return range;
}

// Room enough for the probability asked for, or a share that is too small.
NoisedRange SmallestRange(const NoisedRangeRequest& r) {
  const double needed =
      std::log(2.0) + std::log(static_cast<double>(r.values)) - std::log(r.overflow_probability);
  // What a normal number needs, and a little that rounding may take.
  NoisedRange range = RangeWith(r, std::sqrt(2 * needed) * (1 + 1e-12));
  while (range.overflow_probability > r.overflow_probability &&
         range.share_steps >= kLeastShareSteps) {
    range = RangeWith(r, range.stddevs * kMoreRoom);
  }
  return range;
}

Status TooCoarse(const NoisedRangeRequest& request, const NoisedRange& range) {
  NoisedRangeRequest finer = request;
  while (finer.value_bits < kMostBits) {
    ++finer.value_bits;
    if (SmallestRange(finer).share_steps >= kLeastShareSteps) {
      return InvalidArgument(Join(
          "noise share of stddev ", request.share.stddev, " is ", range.share_steps,
          " grid units with value_bits = ", request.value_bits, ", expected at least ",
          kLeastShareSteps, "; raise value_bits to ", finer.value_bits, " or more, or the noise"));
    }
  }
  return InvalidArgument(
      Join("noise share of stddev ", request.share.stddev, " beside a signal of ",
           request.signal_clip, " is ", range.share_steps,
           " grid units with value_bits = ", request.value_bits, ", expected at least ",
           kLeastShareSteps, "; not even ", kMostBits, " bits would do: raise the noise"));
}

}  // namespace

StatusOr<NoisedRange> PlanNoisedRange(const NoisedRangeRequest& request) {
  TUTTI_TRY(CheckRequest(request));
  const NoisedRange range = SmallestRange(request);
  if (!(range.share_steps >= kLeastShareSteps)) {
    return TooCoarse(request, range);
  }
  return range;
}

}  // namespace tutti::secagg
