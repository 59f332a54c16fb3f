// The distributions of integer_noise.h as the engine wants them. Thread safety: constant values.
#pragma once

#include "common/noise/unimodal.h"

namespace tutti::noise {

class GaussianTarget final : public Target {
 public:
  explicit GaussianTarget(double sigma) : sigma_(sigma) {}
  Support support() const override;
  double LogRatio(std::int64_t x) const override;
  Bounds DivideByRatio(const Bounds& number, std::int64_t x) const override;

 private:
  double sigma_;
};

class LaplaceTarget final : public Target {
 public:
  explicit LaplaceTarget(double decay) : decay_(decay) {}
  Support support() const override;
  double LogRatio(std::int64_t x) const override;
  Bounds DivideByRatio(const Bounds& number, std::int64_t x) const override;

 private:
  double decay_;
};

// Numbers of mean `mean` in [2^-9, 2^35]. The logarithm of the mass by Loader 2000 (deviance and
// Stirling's series); the exact ratio of two masses is a product of |x - mode| rational numbers.
class PoissonTarget final : public Target {
 public:
  explicit PoissonTarget(double mean);
  Support support() const override { return support_; }
  double LogRatio(std::int64_t x) const override { return LogMass(x) - log_mass_at_mode_; }
  Bounds DivideByRatio(const Bounds& number, std::int64_t x) const override;

 private:
  double LogMass(std::int64_t x) const;
  double mean_;
  Support support_;
  double log_mass_at_mode_ = 0;
};

}  // namespace tutti::noise
