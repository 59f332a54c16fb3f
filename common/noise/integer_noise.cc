#include "common/noise/integer_noise.h"

#include <memory>
#include <string_view>

#include "common/base/text.h"
#include "common/noise/targets.h"

namespace tutti::noise {
namespace {

Status CheckParameter(std::string_view name, double value, double least, double most) {
  if (value >= least && value <= most) {  // not a number fails
    return OkStatus();
  }
  return InvalidArgument(Join(name, " is ", value, ", expected ", least, " to ", most));
}

}  // namespace

StatusOr<DiscreteGaussian> DiscreteGaussian::Make(double sigma, SecureRng& rng) {
  TUTTI_TRY(CheckParameter("sigma of a discrete Gaussian", sigma, 0.1, 0x1p40));
  return DiscreteGaussian(UnimodalSampler(std::make_unique<GaussianTarget>(sigma), rng));
}

StatusOr<Skellam> Skellam::Make(double variance, SecureRng& rng) {
  TUTTI_TRY(CheckParameter("variance of Skellam noise", variance, 0x1p-8, kMostSkellamVariance));
  UnimodalSampler plus(std::make_unique<PoissonTarget>(variance / 2), rng);
  UnimodalSampler minus(std::make_unique<PoissonTarget>(variance / 2), rng);
  return Skellam(std::move(plus), std::move(minus));
}

void Skellam::Fill(std::span<std::int64_t> out) {
  plus_.Fill(out);
  minus_.SubtractFrom(out);
}

void Skellam::AddTo(std::span<std::int64_t> values) {
  plus_.AddTo(values);
  minus_.SubtractFrom(values);
}

StatusOr<DiscreteLaplace> DiscreteLaplace::Make(double decay, SecureRng& rng) {
  TUTTI_TRY(CheckParameter("decay of discrete Laplace noise", decay, 0x1p-30, 64));
  return DiscreteLaplace(UnimodalSampler(std::make_unique<LaplaceTarget>(decay), rng));
}

}  // namespace tutti::noise
