// Adversaries, and what they make of a test's examples.
#pragma once

#include <vector>

#include "common/learn/adversary.h"
#include "tests/catch.h"
#include "tests/unit/learn/seeded_rng.h"
#include "tests/unit/learn/single_examples.h"

namespace tutti::learn {

inline v1::AdversarySpec Fgsm(double radius) {
  v1::AdversarySpec spec;
  spec.set_kind("fgsm");
  spec.set_radius(radius);
  spec.set_steps(7);
  spec.set_share(1);
  return spec;
}

inline v1::AdversarySpec Pgd(double radius, std::uint32_t steps, double step_size = 0) {
  v1::AdversarySpec spec = Fgsm(radius);
  spec.set_kind("pgd");
  spec.set_steps(steps);
  spec.set_step_size(step_size);
  return spec;
}

inline Adversary Of(const v1::AdversarySpec& spec, const Network& network) {
  auto adversary = Adversary::Create(spec, network.architecture());
  INFO(adversary.status());
  REQUIRE(adversary.ok());
  return *adversary;
}

inline std::vector<float> Changed(const v1::AdversarySpec& spec, World& world, const Batch& batch,
                                  std::uint64_t seed = 1) {
  auto rng = SeededRng(seed);
  auto changed = Of(spec, world.network).Changed(world.network, batch, Mode::kTraining, rng);
  INFO(changed.status());
  REQUIRE(changed.ok());
  return *changed;
}

}  // namespace tutti::learn
