// What happens by chance in a simulation: streams of random numbers, one for each purpose and
// place, so that nothing depends on the order in which things are computed. Whoever knows the seed
// knows all of them, noise included: for simulations only. Thread safety: pure functions; a stream
// is confined to one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/rng.h"
#include "common/crypto/random.h"

namespace tutti::simulate {

// The stream of (seed, purpose, a, b, c); different arguments give independent ones.
crypto::AesCtrStream StreamOf(std::uint64_t seed, std::string_view purpose, std::uint64_t a = 0,
                              std::uint64_t b = 0, std::uint64_t c = 0);

double Unit(SecureRng& rng);                       // [0, 1)
bool Happens(SecureRng& rng, double probability);  // always draws
double Normal(SecureRng& rng);                     // mean 0, variance 1; by Box and Muller 1958
double LogNormal(SecureRng& rng, double median, double spread);  // spread: of the logarithm

}  // namespace tutti::simulate
