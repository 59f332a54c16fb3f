#include "server/store/sqlite_store.h"

#include "tests/catch.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::store {
namespace {

Digest Hash(std::uint8_t value) {
  Digest digest{};
  digest.fill(value);
  return digest;
}

ClientRecord Client(const std::string& name, std::uint8_t key) {
  ClientRecord client;
  client.name = name;
  client.role = "trainer";
  client.spki = Hash(key);
  client.certificate_expires_at = 5000;
  client.enrolled_at = 100;
  return client;
}

ModelRecord Model(std::uint64_t round) {
  return {.job = "j",
          .round = round,
          .sha256 = Hash(static_cast<std::uint8_t>(round)),
          .bytes = 400,
          .accuracy = -1,
          .created_at = 7,
          .path = "models/j/" + std::to_string(round) + "-x.safetensors"};
}

void AddJob(Store& store) {
  JobRecord job;
  job.name = "j";
  job.config = {1, 2, 3};
  job.submitted_at = 50;
  REQUIRE(store.AddJob(job, Model(0)).ok());
}

Publication Round(std::uint64_t round, std::uint64_t attempt) {
  Publication publication;
  publication.round.job = "j";
  publication.round.round = round;
  publication.round.attempt = attempt;
  publication.round.published = true;
  publication.round.session = Hash(static_cast<std::uint8_t>(100 + 10 * round + attempt));
  publication.round.invited = 3;
  publication.round.survivors = 2;
  publication.round.max_epsilon = 0.5 * static_cast<double>(round);
  publication.round.refusals = {"c: POLICY: too much", "d: DATA: none"};
  publication.round.finished_at = 900;
  publication.model = Model(round);
  publication.survivors = {"a", "b"};
  publication.dropouts = {"c"};
  protocol::BudgetReport budget{.epsilon_spent = 0.5,
                                .epsilon_budget = 4,
                                .delta = 1e-5,
                                .ledger = protocol::LedgerHead{3, Digest{9}}};
  publication.budgets = {{"a", budget}};
  return publication;
}

std::unique_ptr<SqliteStore> Opened(const std::string& path) {
  StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(path);
  REQUIRE(store.ok());
  return *std::move(store);
}

}  // namespace

TEST_CASE("what was stored is there after opening again", "[store]") {
  const test::TemporaryDirectory folder;
  {
    auto store = Opened(folder / "db");
    REQUIRE(store->AddClient(Client("a", 1)).ok());
    AddJob(*store);
    REQUIRE(store->Publish(Round(1, 1)).ok());
    REQUIRE(store->SetJobState("j", round::JobState::kStopped, "asked to").ok());
  }
  auto store = Opened(folder / "db");
  const auto job = store->Job("j");
  REQUIRE(job->rounds_done == 1);
  REQUIRE(job->state == round::JobState::kStopped);
  REQUIRE(job->reason == "asked to");
  REQUIRE(job->config == Bytes{1, 2, 3});
  REQUIRE(job->max_epsilon == Approx(0.5));
  const auto clients = store->Clients();
  REQUIRE(clients->size() == 1);
  REQUIRE((*clients)[0].rounds == 1);
  REQUIRE((*clients)[0].epsilon_budget == Approx(4));
  REQUIRE((*clients)[0].last_seen_at == 900);
  const auto rounds = store->Rounds("j");
  REQUIRE(rounds->size() == 1);
  REQUIRE((*rounds)[0].refusals.size() == 2);
  REQUIRE((*rounds)[0].accuracy < 0);
  REQUIRE((*rounds)[0].session == Round(1, 1).round.session);
}

TEST_CASE("publishing twice counts once", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store->AddClient(Client("a", 1)).ok());
  REQUIRE(store->AddClient(Client("c", 2)).ok());
  AddJob(*store);
  REQUIRE(store->Publish(Round(1, 1)).ok());
  REQUIRE(store->Publish(Round(1, 1)).ok());
  const auto clients = store->Clients();
  REQUIRE((*clients)[0].rounds == 1);
  REQUIRE((*clients)[1].dropouts == 1);
}

TEST_CASE("a publication that fails in the middle changes nothing", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store->AddClient(Client("a", 1)).ok());
  AddJob(*store);
  Publication broken = Round(1, 1);
  broken.model.job =
      "unknown";  // the model's row breaks the foreign key after the round's row was written
  REQUIRE(!store->Publish(broken).ok());
  REQUIRE(store->Rounds("j")->empty());
  REQUIRE(store->Job("j")->rounds_done == 0);
  REQUIRE((*store->Clients())[0].rounds == 0);
  REQUIRE(store->Publish(Round(1, 1)).ok());
}

TEST_CASE("a name belongs to its key until it is revoked and handed on by a bound token",
          "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store->AddClient(Client("a", 1)).ok());
  REQUIRE(store->AddClient(Client("a", 1)).ok());
  REQUIRE(store->AddClient(Client("a", 2)).code() == StatusCode::kAlreadyExists);
  REQUIRE(store->RevokeClient("nobody").code() == StatusCode::kNotFound);
  REQUIRE(store->RevokeClient("a").ok());
  REQUIRE((*store->Clients())[0].revoked);
  REQUIRE(store->AddClient(Client("a", 2)).code() == StatusCode::kAlreadyExists);
  REQUIRE(store
              ->AddToken({.secret_hash = Hash(50),
                          .name = "a",
                          .role = "trainer",
                          .created_at = 0,
                          .expires_at = 100})
              .ok());
  REQUIRE(store->Enrol(Hash(50), Client("a", 2), 10).ok());
  REQUIRE(!(*store->Clients())[0].revoked);
  REQUIRE((*store->Clients())[0].spki == Hash(2));
}

TEST_CASE("a token enrols one key, before it expires", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store
              ->AddToken({.secret_hash = Hash(1),
                          .name = "",
                          .role = "trainer",
                          .created_at = 0,
                          .expires_at = 100})
              .ok());
  REQUIRE(store->FindToken(Hash(2)).status().code() == StatusCode::kNotFound);
  REQUIRE(store->Enrol(Hash(2), Client("a", 1), 10).code() == StatusCode::kUnauthenticated);
  REQUIRE(store->Enrol(Hash(1), Client("a", 1), 100).code() == StatusCode::kUnauthenticated);
  REQUIRE(store->Clients()->empty());
  REQUIRE(store->Enrol(Hash(1), Client("a", 1), 99).ok());
  REQUIRE(
      store->Enrol(Hash(1), Client("a", 1), 99).ok());  // the answer was lost: the same key again
  REQUIRE(store->Enrol(Hash(1), Client("b", 2), 99).code() == StatusCode::kUnauthenticated);
  REQUIRE(store->Clients()->size() == 1);
}

TEST_CASE("a name taken by another key leaves the token unused", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store->AddClient(Client("a", 1)).ok());
  REQUIRE(store
              ->AddToken({.secret_hash = Hash(1),
                          .name = "",
                          .role = "trainer",
                          .created_at = 0,
                          .expires_at = 100})
              .ok());
  REQUIRE(store->Enrol(Hash(1), Client("a", 2), 10).code() == StatusCode::kAlreadyExists);
  REQUIRE(!store->FindToken(Hash(1))->used);
  REQUIRE(store->Enrol(Hash(1), Client("b", 2), 10).ok());
}

TEST_CASE("evaluations are averaged over evaluators by their examples", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  AddJob(*store);
  REQUIRE(store->Publish(Round(1, 1)).ok());
  REQUIRE(store
              ->RecordEvaluation(
                  {.job = "j", .round = 1, .examples = 100, .loss = 1.0, .accuracy = 0.5}, "e1")
              .ok());
  REQUIRE(store
              ->RecordEvaluation(
                  {.job = "j", .round = 1, .examples = 300, .loss = 2.0, .accuracy = 0.9}, "e2")
              .ok());
  REQUIRE(store
              ->RecordEvaluation(
                  {.job = "j", .round = 1, .examples = 300, .loss = 2.0, .accuracy = 0.9}, "e2")
              .ok());
  REQUIRE((*store->Rounds("j"))[0].accuracy == Approx(0.8));
  REQUIRE((*store->Rounds("j"))[0].loss == Approx(1.75));
  REQUIRE(store->Job("j")->accuracy == Approx(0.8));
  REQUIRE((*store->Models("j"))[0].accuracy == Approx(0.8));
}

TEST_CASE("what a round's clients counted of an earlier model is stored with the round",
          "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  AddJob(*store);
  REQUIRE(store->Publish(Round(1, 1)).ok());
  Publication second = Round(2, 2);
  second.evaluation = {.job = "j", .round = 1, .examples = 100, .loss = 1.5, .accuracy = 0.25};
  REQUIRE(store->Publish(second).ok());
  REQUIRE((*store->Rounds("j"))[0].loss == Approx(1.5));
  REQUIRE((*store->Rounds("j"))[1].loss < 0);
  REQUIRE(store->Job("j")->accuracy == Approx(0.25));
  Publication broken = Round(3, 3);
  broken.evaluation = {.job = "j", .round = 2, .examples = 100, .loss = 1, .accuracy = 0.5};
  broken.model.job = "unknown";
  REQUIRE_FALSE(store->Publish(broken).ok());
  REQUIRE((*store->Rounds("j"))[1].loss < 0);
}

TEST_CASE("a model that predicts numbers is evaluated by its loss, without an accuracy",
          "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  AddJob(*store);
  REQUIRE(store->Publish(Round(1, 1)).ok());
  REQUIRE((*store->Rounds("j"))[0].loss < 0);  // nobody evaluated it
  REQUIRE(store
              ->RecordEvaluation(
                  {.job = "j", .round = 1, .examples = 100, .loss = 61.25, .accuracy = -1}, "e1")
              .ok());
  REQUIRE((*store->Rounds("j"))[0].loss == Approx(61.25));
  REQUIRE((*store->Rounds("j"))[0].accuracy == -1);
  REQUIRE(store->Job("j")->accuracy == -1);
}

TEST_CASE("attempts are remembered from survivor sets and failures", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  AddJob(*store);
  REQUIRE(*store->LastAttempt("j", 1) == 0);
  RoundRecord failed = Round(1, 2).round;
  failed.published = false;
  const std::vector<std::string> nobody;
  REQUIRE(store->RecordFailure(failed, nobody).ok());
  REQUIRE(*store->LastAttempt("j", 1) == 2);
  REQUIRE(store
              ->RecordSurvivors(
                  {.session = Hash(3), .job = "j", .round = 1, .attempt = 5, .clients = {"a", "b"}})
              .ok());
  REQUIRE(*store->LastAttempt("j", 1) == 5);
  REQUIRE(store->Rounds("j")->empty());
}

TEST_CASE("old checkpoints are forgotten and a roll-back opens their rounds again", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  AddJob(*store);
  for (std::uint64_t round = 1; round <= 5; ++round) {
    Publication publication = Round(round, 1);
    publication.round.model_sha256 = publication.model.sha256;
    REQUIRE(store->Publish(publication).ok());
  }
  const auto old = store->ForgetOldModels("j", 3);
  REQUIRE(old->size() == 3);
  REQUIRE((*old)[0].round == 2);
  REQUIRE(store->Models("j")->size() == 3);
  REQUIRE(store->RollBackTo("j", 3, "a test").ok());
  REQUIRE(store->Job("j")->rounds_done == 3);
  REQUIRE((*store->Models("j"))[0].round == 3);
  REQUIRE(store->Rounds("j")->size() == 3);
  REQUIRE(*store->LastAttempt("j", 4) == 1);
  REQUIRE(store->Publish(Round(4, 2)).ok());
  REQUIRE(store->Rounds("j")->size() == 4);
  // Six sums were released: a dropped round told what it told.
  std::uint64_t released = 0;
  const auto sums = store->ReleasedSums("j");
  for (const auto& [clients, count] : *sums) released += count;
  REQUIRE(released == 6);
}

TEST_CASE("the checkpoint with the smallest loss is kept however old it is", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  AddJob(*store);
  for (std::uint64_t round = 1; round <= 5; ++round) {
    REQUIRE(store->Publish(Round(round, 1)).ok());
    const double loss = round == 2 ? 0.5 : 1.0 + static_cast<double>(round);
    REQUIRE(
        store->RecordEvaluation({.job = "j", .round = round, .examples = 10, .loss = loss}, "judge")
            .ok());
  }
  const auto old = store->ForgetOldModels("j", 2);
  REQUIRE(old->size() == 3);  // 0, 1 and 3
  const auto kept = store->Models("j");
  REQUIRE(kept->size() == 3);
  REQUIRE(kept->back().round == 2);
  // It may take the newest one's place, and its file stays while any round needs it.
  REQUIRE(store->Reinstate("j", 2, 5).ok());
  REQUIRE((*store->Models("j"))[0].round == 5);
  REQUIRE((*store->Models("j"))[0].sha256 == kept->back().sha256);
  REQUIRE((*store->Models("j"))[0].path == kept->back().path);
  REQUIRE(
      store->RecordEvaluation({.job = "j", .round = 5, .examples = 10, .loss = 0.1}, "judge").ok());
  const auto more = store->ForgetOldModels("j", 1);
  for (const ModelRecord& model : *more) REQUIRE(model.path != kept->back().path);
  REQUIRE(store->Reinstate("j", 99, 5).ok());  // there is none: nothing changes
  REQUIRE((*store->Models("j"))[0].sha256 == kept->back().sha256);
}

TEST_CASE("checkpoints wait for their evaluation, but not for ever", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  AddJob(*store);
  for (std::uint64_t round = 1; round <= 10; ++round) {
    REQUIRE(store->Publish(Round(round, 1)).ok());
  }
  REQUIRE(
      store->RecordEvaluation({.job = "j", .round = 5, .examples = 10, .loss = 1}, "judge").ok());
  REQUIRE(
      store->RecordEvaluation({.job = "j", .round = 6, .examples = 10, .loss = 2}, "judge").ok());
  REQUIRE(store->ForgetOldModels("j", 2)->size() == 6);  // 0 to 4, and 6
  REQUIRE(store->Models("j")->back().round == 5);
  for (std::uint64_t round = 11; round <= 30; ++round) {
    REQUIRE(store->Publish(Round(round, 1)).ok());
  }
  REQUIRE(store->ForgetOldModels("j", 2)->size() == 6);  // 7 to 12
  REQUIRE(store->Models("j")->size() == 19);
}

TEST_CASE("activity never moves last seen back and keeps what is empty", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store->AddClient(Client("a", 1)).ok());
  std::vector<ClientActivity> activity(1);
  activity[0].name = "a";
  activity[0].last_seen_at = 500;
  activity[0].software = "tutti 1";
  activity[0].last_refusal = "POLICY: no";
  REQUIRE(store->RecordActivity(activity).ok());
  activity[0] = {};
  activity[0].name = "a";
  activity[0].last_seen_at = 400;
  REQUIRE(store->RecordActivity(activity).ok());
  const ClientRecord client = (*store->Clients())[0];
  REQUIRE(client.last_seen_at == 500);
  REQUIRE(client.software == "tutti 1");
  REQUIRE(client.last_refusal == "POLICY: no");
}

TEST_CASE("a client's ledger head and the doubt about it stay until another key takes the name",
          "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store->AddClient(Client("a", 1)).ok());
  REQUIRE_FALSE((*store->Clients())[0].ledger.has_value());
  std::vector<ClientActivity> activity(1);
  activity[0].name = "a";
  activity[0].budget.ledger = protocol::LedgerHead{5, Hash(7)};
  activity[0].ledger_doubt = "went back from 12 to 5 records";
  REQUIRE(store->RecordActivity(activity).ok());
  activity[0].budget = {.epsilon_spent = 1, .epsilon_budget = 4, .delta = 1e-5, .ledger = {}};
  activity[0].ledger_doubt.clear();
  REQUIRE(store->RecordActivity(activity).ok());
  REQUIRE(store->AddClient(Client("a", 1)).ok());  // enrolled again with the same key
  ClientRecord client = (*store->Clients())[0];
  REQUIRE(client.ledger == protocol::LedgerHead{5, Hash(7)});
  REQUIRE(client.ledger_doubt == "went back from 12 to 5 records");

  REQUIRE(store->RevokeClient("a").ok());
  const TokenRecord token{
      .secret_hash = Hash(8), .name = "a", .role = "trainer", .created_at = 1, .expires_at = 1000};
  REQUIRE(store->AddToken(token).ok());
  REQUIRE(store->Enrol(Hash(8), Client("a", 2), 10).ok());
  client = (*store->Clients())[0];
  REQUIRE_FALSE(client.ledger.has_value());
  REQUIRE(client.ledger_doubt.empty());
}

}  // namespace tutti::store
