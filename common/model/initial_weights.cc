#include "common/model/initial_weights.h"

#include <cmath>

#include "common/model/architecture.h"

namespace tutti::model {
namespace {

std::uint64_t NextDraw(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

std::vector<float> InitialWeights(const Layout& layout, std::uint64_t seed) {
  std::vector<float> weights;
  weights.reserve(layout.values);
  std::uint64_t state = seed;
  for (const Parameter& parameter : layout.parameters) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(parameter.fan_in));
    for (std::uint64_t i = 0; i < parameter.values; ++i) {
      switch (parameter.start) {
        case Start::kUniform: {
          const double unit = static_cast<double>(NextDraw(state) >> 40) * 0x1.0p-24;
          weights.push_back(static_cast<float>((2.0 * unit - 1.0) * bound));
          break;
        }
        case Start::kOne:
          weights.push_back(1.0F);
          break;
        case Start::kZero:
          weights.push_back(0.0F);
          break;
      }
    }
  }
  return weights;
}

StatusOr<std::vector<float>> InitialWeights(const v1::ModelSpec& spec) {
  TUTTI_ASSIGN(const Layout layout, LayoutOf(spec));
  return InitialWeights(layout, spec.seed());
}

}  // namespace tutti::model
