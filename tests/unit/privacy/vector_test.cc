#include "common/privacy/vector.h"

#include <cmath>

#include "common/model/update_norm.h"
#include "common/secagg/ring.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"
#include "tests/unit/privacy/jobs.h"

namespace tutti::privacy {
namespace {

using testing::Fitted;
using testing::Task;

constexpr std::uint64_t kClients = 8;

std::vector<float> Update(std::uint64_t seed, double norm) {
  TestRng rng(seed);
  std::vector<float> update(1000);
  for (float& value : update) {
    value = static_cast<float>(static_cast<double>(rng.Below(2001)) - 1000);
  }
  const double length = model::L2Norm(update);
  for (float& value : update) value = static_cast<float>(value * norm / length);
  return update;
}

// What the coordinator would open: the mean of all clients' updates, in the updates' unit.
OpenedVector Opened(const v1::TaskSpec& task, const std::vector<std::vector<float>>& updates,
                    double client_scale, const NormCount& norms) {
  const secagg::RoundConfig round = Fitted(task);
  const Terms terms = *TermsOf(task, round);
  SeededSecureRng rng(5);
  secagg::RingVector sum(round.layout());
  for (const std::vector<float>& update : updates) {
    const auto encoded = MakeVector(terms, round, update, client_scale, norms, rng);
    INFO(TextOf(encoded.status()));
    REQUIRE(encoded.ok());
    AddTo(sum, encoded->vector);
  }
  const auto decoded = secagg::DecodeSum(round, sum, static_cast<std::uint32_t>(updates.size()));
  REQUIRE(decoded.ok());
  auto vector = Unrotate(terms, round, decoded->mean);
  REQUIRE(vector.ok());
  return OpenVector(task, terms, *std::move(vector), updates.size(),
                    UnitScale(task, task.privacy().clip_norm()));
}

double Distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - b[i], 2);
  return std::sqrt(sum);
}

TEST_CASE("the mean of clipped updates comes out, with the noise that was promised", "[privacy]") {
  for (const char* const noise : {"distributed", "local", "central"}) {
    INFO(noise);
    const v1::TaskSpec task = Task("client", noise);  // clip norm 0.25
    std::vector<std::vector<float>> updates;
    std::vector<float> expected(1000);
    for (std::uint64_t i = 0; i < kClients; ++i) {
      updates.push_back(Update(i, i < 2 ? 5.0 : 0.1));  // two are far too long
      const double factor = i < 2 ? 0.25 / 5.0 : 1.0;
      for (std::size_t k = 0; k < 1000; ++k)
        expected[k] += static_cast<float>(updates.back()[k] * factor / kClients);
    }
    const OpenedVector opened = Opened(task, updates, 0.25, {});
    // Per value: clip norm * noise of all shares that came / clients.
    const double shares = std::string(noise) == "local"         ? std::sqrt(8.0)
                          : std::string(noise) == "distributed" ? std::sqrt(8.0 / 5)
                                                                : 0;
    const double stddev = 0.25 * 1.5 * shares / kClients;
    const double distance = Distance(opened.update, expected) / std::sqrt(1000.0);
    if (shares == 0) {
      REQUIRE(distance < 1e-6);
    } else {
      REQUIRE(distance == Approx(stddev).epsilon(0.1));
    }
  }
}

TEST_CASE("sums of clipped gradients come out as one step of all clients", "[privacy]") {
  v1::TaskSpec task = Task("example", "central");
  std::vector<std::vector<float>> updates;
  // Each device divides by the examples it expects: 0.02 of 500 = 10. Sums of gradients in clip
  // norms times 0.25 * 0.5 / 10.
  const double scale = 0.25 * 0.5 / 10;
  std::vector<float> expected(1000);
  for (std::uint64_t i = 0; i < kClients; ++i) {
    updates.push_back(Update(i, 12 * scale));
    for (std::size_t k = 0; k < 1000; ++k) {
      expected[k] += static_cast<float>(updates.back()[k] / scale * 0.25 * 0.5 / 32 / kClients);
    }
  }
  const OpenedVector opened = Opened(task, updates, scale, {});
  REQUIRE(Distance(opened.update, expected) < 1e-4 * model::L2Norm(expected));
}

TEST_CASE("the share of short norms is counted beside the update", "[privacy]") {
  v1::TaskSpec task = Task("client", "central");
  task.mutable_privacy()->set_target_quantile(0.5);
  std::vector<std::vector<float>> updates;
  for (std::uint64_t i = 0; i < kClients; ++i) updates.push_back(Update(i, i < 2 ? 5.0 : 0.1));
  REQUIRE(Opened(task, updates, 0.25, {}).share_below == Approx(6.0 / 8).epsilon(1e-3));

  v1::TaskSpec examples = Task("example", "central");
  examples.mutable_privacy()->set_target_quantile(0.5);
  examples.mutable_secure_aggregation()->set_value_clip(64);
  // 32 norms a device, as many as a batch is expected to have, a quarter of them short.
  const double below = Opened(examples, updates, 0.25, {.counted = 32, .below = 8}).share_below;
  REQUIRE(below == Approx(0.25).epsilon(1e-2));
}

TEST_CASE("an update that does not fit is refused", "[privacy]") {
  const v1::TaskSpec task = Task("client", "distributed");
  const secagg::RoundConfig round = Fitted(task);
  const Terms terms = *TermsOf(task, round);
  SeededSecureRng rng(1);
  const std::vector<float> update(999);
  REQUIRE(MakeVector(terms, round, update, 1, {}, rng).status().code() ==
          StatusCode::kInvalidArgument);
  const std::vector<float> whole(1000);
  REQUIRE_FALSE(MakeVector(terms, round, whole, 0, {}, rng).ok());
  REQUIRE_FALSE(Unrotate(terms, round, std::vector<float>(3)).ok());
}

}  // namespace
}  // namespace tutti::privacy
