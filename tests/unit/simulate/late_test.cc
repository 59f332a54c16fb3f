// training.max_staleness on a virtual clock: what slow devices learnt is not lost, and rounds do
// not wait for them.
#include <algorithm>

#include "common/model/safetensors.h"
#include "tests/catch.h"
#include "tests/unit/simulate/support.h"

namespace tutti::simulate {
namespace {

constexpr std::size_t kClients = 20;
constexpr std::size_t kSlow = 5;

// The slowest devices alone pull the first weight to 1; the others pull the second one there.
class TwoKinds final : public Learner {
 public:
  explicit TwoKinds(const Population& population) {
    std::vector<std::size_t> order(kClients);
    for (std::size_t i = 0; i < kClients; ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return population.device(a).examples_per_second < population.device(b).examples_per_second;
    });
    slow_.assign(order.begin(), order.begin() + kSlow);
  }
  StatusOr<Learnt> Train(const Assignment& assignment, std::span<const float> weights,
                         SecureRng&) override {
    const std::size_t client = assignment.rows.front() % kClients;
    const bool slow = std::find(slow_.begin(), slow_.end(), client) != slow_.end();
    Learnt learnt;
    learnt.update.assign(weights.size(), 0);
    const std::size_t place = slow ? 0 : 1;
    learnt.update[place] = 0.5F * (1 - weights[place]);
    return learnt;
  }
  StatusOr<Score> Measure(std::size_t, std::size_t, std::span<const float>) override {
    return Score{};
  }

 private:
  std::vector<std::size_t> slow_;
};

struct Learned {
  Report report;
  Bytes model;
  float first = 0, second = 0;  // the weights

  std::uint32_t late() const {
    std::uint32_t sum = 0;
    for (const RoundReport& round : report.rounds) sum += round.late;
    return sum;
  }
};

Learned Learn(const std::vector<std::string>& sets, bool secure = false) {
  std::vector<std::string> keys = {"rounds=40"};
  keys.insert(keys.end(), sets.begin(), sets.end());
  const server::PreparedJob job = SmallJob(keys);
  const v1::SimulationConfig world = SmallWorld({"devices.speed_spread=1.5", "seed=4"});
  const Population population = Dealt(world, 20000);
  std::vector<std::unique_ptr<Learner>> learners;
  learners.push_back(std::make_unique<TwoKinds>(population));
  auto course = Course::Start(job, {});
  REQUIRE(course.ok());
  auto report = Simulate({job, world, population}, secure, learners, *course, {});
  INFO(TextOf(report.status()));
  REQUIRE(report.ok());
  REQUIRE(report->rounds.size() == 40);
  return {*std::move(report), ToBytes(course->model()), course->weights()[0], course->weights()[1]};
}

}  // namespace

TEST_CASE("late updates make rounds short and let slow devices count", "[simulate][late]") {
  const Learned synchronous = Learn({});
  const Learned over_selected = Learn({"cohort.over_selection=2"});
  const Learned buffered = Learn({"cohort.over_selection=2", "training.max_staleness=20"});
  const auto clock = [](const Learned& one) { return one.report.rounds.back().clock_seconds; };
  INFO("clock " << clock(synchronous) << " " << clock(over_selected) << " " << clock(buffered));
  INFO("slow devices' weight " << synchronous.first << " " << over_selected.first << " "
                               << buffered.first);
  REQUIRE(clock(over_selected) < clock(synchronous) / 2);
  REQUIRE(clock(buffered) <= clock(over_selected));
  REQUIRE(synchronous.late() == 0);
  REQUIRE(over_selected.late() == 0);
  REQUIRE(buffered.late() > 0);
  // Everybody's work counts in time; slow devices' only where they are waited for or may be late.
  REQUIRE(synchronous.first > 0.8F);
  REQUIRE(over_selected.first < 0.2F);
  REQUIRE(buffered.first > 0.6F);
  for (const Learned* one : {&synchronous, &over_selected, &buffered}) {
    REQUIRE(one->second > 0.95F);
  }
}

TEST_CASE("the later an update, the less it counts", "[simulate][late]") {
  const std::vector<std::string> sets = {"cohort.over_selection=2", "training.max_staleness=20"};
  const auto with = [&](const std::string& power) {
    std::vector<std::string> keys = sets;
    keys.push_back("training.staleness_power=" + power);
    keys.push_back("rounds=40");
    return Learn(keys).first;
  };
  const float even = with("0");
  const float some = with("0.5");
  const float little = with("3");
  REQUIRE(even > some);
  REQUIRE(some > little);
}

TEST_CASE("late updates are the same for the same seed, with keys and masks as well",
          "[simulate][late]") {
  const std::vector<std::string> sets = {"cohort.over_selection=2", "training.max_staleness=20"};
  const Learned once = Learn(sets);
  REQUIRE(Learn(sets).model == once.model);
  const Learned secure = Learn(sets, true);
  REQUIRE(secure.model == once.model);
  REQUIRE(secure.late() == once.late());
}

}  // namespace tutti::simulate
