#include "client/rpc/backoff.h"

#include <set>

#include "tests/catch.h"

namespace tutti::client_rpc {
namespace {

// Reproducible jitter.
class CountingRng final : public SecureRng {
 public:
  void Fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(rng_.Next());
  }

 private:
  TestRng rng_{42};
};

}  // namespace

TEST_CASE("pauses double from a fifth of a second to half a minute, each with jitter", "[rpc]") {
  CountingRng rng;
  Backoff backoff(rng);
  Milliseconds step = Backoff::kFirst;
  for (int i = 0; i < 20; ++i) {
    const Milliseconds pause = backoff.Next();
    REQUIRE(pause >= step / 2);
    REQUIRE(pause <= step);
    step = std::min(2 * step, Backoff::kLongest);
  }
  REQUIRE(backoff.Next() >= Backoff::kLongest / 2);
  backoff.Reset();
  REQUIRE(backoff.Next() <= Backoff::kFirst);
  backoff.Slow();
  REQUIRE(backoff.Next() >= Backoff::kLongest / 2);
}

TEST_CASE("many clients that lose one server do not come back at one moment", "[rpc]") {
  CountingRng rng;
  std::set<std::int64_t> pauses;
  for (int client = 0; client < 1000; ++client) pauses.insert(Backoff(rng).Next().count());
  REQUIRE(pauses.size() > 90);  // of the 101 whole milliseconds between 100 and 200
}

TEST_CASE("a server is obeyed when it asks for patience, but for an hour at most", "[rpc]") {
  CountingRng rng;
  Backoff backoff(rng);
  const Milliseconds asked = backoff.Next(Milliseconds(5000));
  REQUIRE(asked >= Milliseconds(5000));
  REQUIRE(asked <= Milliseconds(6250));
  const Milliseconds ten_years{std::int64_t{10} * 365 * 24 * 3600 * 1000};
  REQUIRE(backoff.Next(ten_years) <= Backoff::kMostHonoured * 5 / 4);
  REQUIRE(backoff.Next(Milliseconds(-5)) <= Backoff::kLongest);
}

}  // namespace tutti::client_rpc
