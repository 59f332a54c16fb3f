// The promise the ledger exists for: over any schedule of rounds, crashes and restarts, what it
// says was spent is at least what left the device, and never more than one unsent round per crash
// on top.
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "client/store/ledger.h"
#include "common/base/rng.h"
#include "tests/catch.h"
#include "tests/unit/client_store/scratch.h"

namespace tutti::client_store {
namespace {

using testing::ChargeOf;
using testing::Scratch;
using testing::Slurp;
using testing::Spill;

constexpr double kDelta = 1e-5;
constexpr double kBudget = 4;

// One device's life: the ledger on disk and, beside it, what an all-seeing observer saw leave.
class World {
 public:
  World(const std::string& directory, std::uint64_t seed) : directory_(directory), rng_(seed) {
    Restart();
  }

  // Decide, charge, send; a crash may come between any two of them and inside the charge.
  void Round(std::uint64_t round) {
    // A few mechanisms, as a device meets them; their curves are computed once.
    const dp::SubsampledGaussian event{0.01 * static_cast<double>(1 + rng_.Below(4)),
                                       0.7 + 0.3 * static_cast<double>(rng_.Below(3)),
                                       1 + rng_.Below(40)};
    std::vector<dp::Event> planned = ledger_->Events("photos", "example").coordinator;
    planned.push_back(event);
    if (EpsilonOf(planned) > kBudget) return;
    const std::uint64_t crash = rng_.Below(6);
    if (crash == 0) return Restart();
    const Bytes ledger_before = Slurp(directory_ + "/ledger.bin");
    const Bytes marker_before = Slurp(directory_ + "/ledger.mark");
    REQUIRE(ledger_->Append(ChargeOf(round, event)).ok());
    if (crash == 1) return CrashInsideAppend(ledger_before, marker_before);
    if (crash == 2) return Restart();
    left_.push_back(event);
    if (crash == 3) Restart();
  }

  void RequirePromise() {
    const std::vector<dp::Event> charged = ledger_->Events("photos", "example").coordinator;
    REQUIRE(EpsilonOf(charged) >= EpsilonOf(left_) * (1 - 1e-12));
    REQUIRE(EpsilonOf(charged) <= kBudget);
  }

  std::size_t left() const { return left_.size(); }
  std::size_t charged() const { return ledger_->Entries().size(); }
  std::size_t crashes() const { return crashes_; }

 private:
  // Sums the curves of a list that has few mechanisms and many events.
  double EpsilonOf(const std::vector<dp::Event>& events) {
    dp::RdpCurve total{};
    for (const dp::Event& any : events) {
      const auto& event = std::get<dp::SubsampledGaussian>(any);
      const std::pair key(event.sampling_rate, event.noise_multiplier);
      const auto known = curves_.find(key);
      const dp::RdpCurve curve =
          known != curves_.end() ? known->second : dp::RdpCurveOf(key.first, key.second);
      curves_[key] = curve;
      for (std::size_t i = 0; i < dp::kOrderCount; ++i)
        total[i] += static_cast<double>(event.steps) * curve[i];
    }
    return dp::EpsilonOf(total, kDelta).epsilon;
  }

  void Restart() {
    ++crashes_;
    ledger_.reset();
    StatusOr<Ledger> opened = Ledger::Open({directory_});
    INFO(TextOf(opened.status()));
    REQUIRE(opened.ok());
    ledger_.emplace(*std::move(opened));
  }

  // The append did not return: some prefix of its record is on the disk, and the marker only if all
  // of it is.
  void CrashInsideAppend(const Bytes& ledger_before, const Bytes& marker_before) {
    Bytes bytes = Slurp(directory_ + "/ledger.bin");
    const std::size_t added = bytes.size() - ledger_before.size();
    const std::size_t kept = rng_.Below(added + 1);
    bytes.resize(ledger_before.size() + kept);
    Spill(directory_ + "/ledger.bin", bytes);
    Spill(directory_ + "/ledger.mark", marker_before);
    Restart();
  }

  std::string directory_;
  TestRng rng_;
  std::optional<Ledger> ledger_;
  std::vector<dp::Event> left_;
  std::size_t crashes_ = 0;
  std::map<std::pair<double, double>, dp::RdpCurve> curves_;
};

TEST_CASE("the ledger says at least what left, whenever the device crashes", "[client_store]") {
  std::size_t left = 0;
  std::size_t crashes = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Scratch scratch;
    World world(scratch.path(), seed);
    for (std::uint64_t round = 1; round <= 25; ++round) {
      world.Round(round);
      world.RequirePromise();
      REQUIRE(world.charged() >= world.left());
      REQUIRE(world.charged() <= world.left() + world.crashes());
    }
    left += world.left();
    crashes += world.crashes();
  }
  // The schedules did what they are for.
  REQUIRE(left > 200);
  REQUIRE(crashes > 200);
}

}  // namespace
}  // namespace tutti::client_store
