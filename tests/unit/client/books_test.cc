#include "client/books.h"

#include <fstream>

#include "common/config/load.h"
#include "tests/catch.h"
#include "tests/unit/client/folder.h"
#include "tests/unit/policy/case.h"

namespace tutti::client {
namespace {

class FixedClock final : public Clock {
 public:
  Instant Now() const override { return Instant(0); }
  WallSeconds Wall() const override { return 1'800'000'000; }
};

BooksSettings Settings(const std::string& folder, double budget) {
  BooksSettings settings;
  settings.state_directory = folder;
  settings.coordinator = "ca";
  settings.data_identity = "photos";
  config::SetDefaults(settings.policy);
  settings.policy.set_max_epsilon_total(budget);
  return settings;
}

secagg::RoundConfig Round(std::uint64_t number) {
  secagg::RoundConfig round;
  round.job = "job";
  round.round = number;
  return round;
}

protocol::SessionHash Session(std::uint8_t tag) {
  protocol::SessionHash hash{};
  hash[0] = tag;
  return hash;
}

const dp::SubsampledGaussian kEvent{0.1, 1.0, 100};

v1::TrainReply Reply(double rate, double noise, std::uint64_t steps) {
  v1::TrainReply reply;
  reply.set_sampling_rate(rate);
  reply.set_noise_multiplier(noise);
  reply.set_steps(steps);
  return reply;
}

}  // namespace

TEST_CASE("a round costs its plan, or more when more was done, never less", "[client]") {
  policy::Plan plan;
  plan.sampling_rate = kEvent.sampling_rate;
  plan.noise_multiplier = kEvent.noise_multiplier;
  plan.steps = kEvent.steps;
  plan.event = kEvent;
  plan.model_event = kEvent;
  REQUIRE(CostOf(plan, Reply(0.1, 1.0, 100)).event == dp::Event(kEvent));
  REQUIRE_FALSE(CostOf(plan, Reply(0.1, 1.0, 100)).above_plan);
  const Cost less = CostOf(plan, Reply(0.05, 2.0, 10));
  REQUIRE(less.event == dp::Event(kEvent));
  REQUIRE_FALSE(less.above_plan);
  const Cost more = CostOf(plan, Reply(0.2, 0.5, 200));
  REQUIRE(more.event == dp::Event(dp::SubsampledGaussian{0.2, 0.5, 200}));
  REQUIRE(more.above_plan);
  REQUIRE(std::holds_alternative<dp::UnknownRelease>(CostOf(plan, Reply(7, 1.0, 100)).event));
  plan.setting.unit = privacy::Unit::kNone;
  REQUIRE_FALSE(CostOf(plan, Reply(0, 0, 100)).with_privacy());
}

TEST_CASE("a debit is on disk when it returns, once for a session, and is found again",
          "[client]") {
  const TestFolder folder;
  const FixedClock clock;
  double spent = 0;
  {
    auto books = Books::Open(Settings(folder.path(), 100), clock);
    REQUIRE(books.ok());
    REQUIRE(books->Budget().epsilon_spent == 0);
    const Cost cost{.unit = "example", .event = kEvent, .model_event = kEvent};
    REQUIRE(books->Charge(Session(1), Round(1), cost).ok());
    REQUIRE(client_store::ReadLedger(folder.path())->size() == 1);
    spent = books->Budget().epsilon_spent;
    REQUIRE(spent == Approx(dp::SpentEpsilon({&kEvent, 1}, 1e-5)->epsilon));
    REQUIRE(books->Charge(Session(1), Round(1), cost).ok());
    REQUIRE(books->Entries() == 1);
  }
  auto again = Books::Open(Settings(folder.path(), 100), clock);
  REQUIRE(again->Budget().epsilon_spent == spent);
  REQUIRE(again->Budget().ledger->entries == 1);
  REQUIRE(again->Budget().ledger->hash != Digest{});
  const auto entries = client_store::ReadLedger(folder.path());
  REQUIRE((*entries)[0].epsilon_after() == Approx(spent));
  REQUIRE((*entries)[0].job() == "job");
}

TEST_CASE("counts beside an update have a record of their own, and are no round more", "[client]") {
  const TestFolder folder;
  const FixedClock clock;
  auto books = Books::Open(Settings(folder.path(), 100), clock);
  Cost cost{.unit = "example", .event = kEvent, .model_event = kEvent};
  const dp::Event counts = dp::SubsampledGaussian{1, 4, 1};
  cost.counts = {counts, counts};
  REQUIRE(books->Charge(Session(1), Round(1), cost).ok());
  REQUIRE(books->Charge(Session(1), Round(1), cost).ok());
  const auto entries = client_store::ReadLedger(folder.path());
  REQUIRE(entries->size() == 2);
  REQUIRE((*entries)[0].beside_update());
  REQUIRE_FALSE((*entries)[1].beside_update());
  const std::vector<dp::Event> all = {kEvent, counts};
  REQUIRE(books->Budget().epsilon_spent == Approx(dp::SpentEpsilon(all, 1e-5)->epsilon));
}

TEST_CASE("an edited ledger stops the client until its owner accepts the reset", "[client]") {
  const TestFolder folder;
  const FixedClock clock;
  {
    auto books = Books::Open(Settings(folder.path(), 100), clock);
    const Cost cost{.unit = "example", .event = kEvent, .model_event = kEvent};
    REQUIRE(books->Charge(Session(1), Round(1), cost).ok());
    REQUIRE(books->Charge(Session(2), Round(2), cost).ok());
  }
  {
    std::fstream file(folder.path() + "/ledger.bin",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file.put('x');
  }
  const auto refused = Books::Open(Settings(folder.path(), 100), clock);
  REQUIRE(refused.status().code() == StatusCode::kDataLoss);
  REQUIRE(TextOf(refused.status()).find("--accept-ledger-reset") != std::string::npos);
  BooksSettings settings = Settings(folder.path(), 100);
  settings.accept_ledger_reset = true;
  REQUIRE(Books::Open(settings, clock).ok());
  REQUIRE(Books::Open(Settings(folder.path(), 100), clock).ok());  // accepted once, well afterwards
}

TEST_CASE("training beyond its plan and the budget leaves no debit and no update", "[client]") {
  const TestFolder folder;
  const FixedClock clock;
  const double plan_epsilon = dp::SpentEpsilon({&kEvent, 1}, 1e-5)->epsilon;
  auto books = Books::Open(Settings(folder.path(), plan_epsilon * 1.01), clock);
  const dp::SubsampledGaussian twice{0.1, 1.0, 200};
  const Cost cost{.unit = "example", .event = twice, .model_event = twice, .above_plan = true};
  const Status charged = books->Charge(Session(1), Round(1), cost);
  REQUIRE(charged.code() == StatusCode::kResourceExhausted);
  REQUIRE(policy::CodeOf(charged) == "BUDGET_EXHAUSTED");
  REQUIRE(policy::ReasonOf(charged).find("max_epsilon_total is ") == 0);
  REQUIRE(books->Entries() == 0);
}

TEST_CASE("a device that scales by its own examples screens jobs of example privacy out",
          "[client]") {
  const TestFolder folder;
  const FixedClock clock;
  BooksSettings settings = Settings(folder.path(), 8);
  const policy::testing::Case job;
  settings.policy.set_require_malicious_level(false);
  REQUIRE(Books::Open(settings, clock)->Screen(job.task, job.round).ok());
  settings.local_statistics = {"data.csv.scaling"};
  const Status refused = Books::Open(settings, clock)->Screen(job.task, job.round);
  REQUIRE(policy::CodeOf(refused) == "POLICY");
  REQUIRE(policy::ReasonOf(refused).find("single examples") != std::string::npos);
}

TEST_CASE("a release without privacy is written down and costs no epsilon", "[client]") {
  const TestFolder folder;
  const FixedClock clock;
  auto books = Books::Open(Settings(folder.path(), 8), clock);
  REQUIRE(books->Charge(Session(1), Round(1), Cost{}).ok());
  REQUIRE(books->Entries() == 1);
  REQUIRE(books->Budget().epsilon_spent == 0);
}

TEST_CASE("answered rounds are known after a restart", "[client]") {
  const TestFolder folder;
  const FixedClock clock;
  {
    auto books = Books::Open(Settings(folder.path(), 8), clock);
    REQUIRE(books->Answered().empty());
    REQUIRE(books
                ->Record({.session = Session(1),
                          .job = "job",
                          .round = 3,
                          .attempt = 2,
                          .survivor_set = Session(9)})
                .ok());
  }
  const auto answered = Books::Open(Settings(folder.path(), 8), clock)->Answered();
  REQUIRE(answered.size() == 1);
  REQUIRE(answered[0].round == 3);
  REQUIRE(answered[0].attempt == 2);
}

TEST_CASE("a second process on the same books is kept out", "[client]") {
  const TestFolder folder;
  const FixedClock clock;
  const auto first = Books::Open(Settings(folder.path(), 8), clock);
  REQUIRE(first.ok());
  REQUIRE(TextOf(Books::Open(Settings(folder.path(), 8), clock).status()).find("LEDGER_LOCKED") ==
          0);
}

}  // namespace tutti::client
