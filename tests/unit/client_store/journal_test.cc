#include "client/store/journal.h"

#include <filesystem>

#include "tests/catch.h"
#include "tests/unit/client_store/scratch.h"

namespace tutti::client_store {
namespace {

using testing::Scratch;
using testing::Slurp;
using testing::Spill;

Answered AnswerOf(const std::string& job, std::uint64_t round, std::uint64_t attempt,
                  std::uint8_t session, std::uint8_t set) {
  Answered answered{job, round, attempt, {}, {}};
  answered.session.fill(session);
  answered.survivor_set.fill(set);
  return answered;
}

TEST_CASE("answers are there after a restart, one per job", "[client_store]") {
  const Scratch scratch;
  StatusOr<Journal> journal = Journal::Open(scratch.path());
  REQUIRE(journal.ok());
  REQUIRE(journal->entries().empty());
  REQUIRE(journal->Record(AnswerOf("digits", 1, 0, 1, 0)).ok());
  REQUIRE(journal->Record(AnswerOf("digits", 1, 0, 1, 9)).ok());
  REQUIRE(journal->Record(AnswerOf("faces", 7, 2, 3, 4)).ok());
  REQUIRE(journal->Record(AnswerOf("digits", 2, 0, 5, 6)).ok());
  const StatusOr<Journal> again = Journal::Open(scratch.path());
  REQUIRE(again.ok());
  REQUIRE(again->entries() == journal->entries());
  REQUIRE(again->entries().size() == 2);
  REQUIRE(again->entries()[0] == AnswerOf("digits", 2, 0, 5, 6));
}

TEST_CASE("the same answer again is fine, a different or older one is not", "[client_store]") {
  const Scratch scratch;
  StatusOr<Journal> journal = Journal::Open(scratch.path());
  REQUIRE(journal->Record(AnswerOf("digits", 5, 1, 1, 2)).ok());
  REQUIRE(journal->Record(AnswerOf("digits", 5, 1, 1, 2)).ok());
  REQUIRE(journal->Record(AnswerOf("digits", 5, 1, 1, 3)).code() == StatusCode::kAlreadyExists);
  REQUIRE(journal->Record(AnswerOf("digits", 5, 1, 9, 2)).code() == StatusCode::kAlreadyExists);
  REQUIRE(journal->Record(AnswerOf("digits", 5, 0, 1, 2)).code() ==
          StatusCode::kFailedPrecondition);
  REQUIRE(journal->Record(AnswerOf("digits", 4, 7, 1, 2)).code() ==
          StatusCode::kFailedPrecondition);
  REQUIRE(journal->Record(AnswerOf("digits", 5, 2, 1, 3)).ok());
  REQUIRE(journal->Record(AnswerOf("../digits", 1, 0, 1, 3)).code() ==
          StatusCode::kInvalidArgument);
}

TEST_CASE("a journal cut or edited at any byte is not believed", "[client_store]") {
  const Scratch scratch;
  StatusOr<Journal> journal = Journal::Open(scratch.path());
  REQUIRE(journal->Record(AnswerOf("digits", 5, 1, 1, 2)).ok());
  REQUIRE(journal->Record(AnswerOf("faces", 6, 1, 1, 2)).ok());
  const std::string path = scratch / "journal.bin";
  const Bytes good = Slurp(path);
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes edited = good;
    edited[at] ^= 0x20;
    Spill(path, edited);
    REQUIRE(Journal::Open(scratch.path()).status().code() == StatusCode::kDataLoss);
    edited = good;
    edited.resize(at);
    Spill(path, edited);
    const Status cut = Journal::Open(scratch.path()).status();
    REQUIRE(cut.code() == StatusCode::kDataLoss);
    REQUIRE(TextOf(cut).find("JOURNAL_DAMAGED: ") == 0);
  }
}

TEST_CASE("a journal that could not be written takes no more", "[client_store]") {
  const Scratch scratch;
  StatusOr<Journal> journal = Journal::Open(scratch.path());
  REQUIRE(journal->Record(AnswerOf("digits", 1, 0, 1, 2)).ok());
  std::filesystem::create_directory(scratch / "journal.bin.tmp");
  REQUIRE(!journal->Record(AnswerOf("digits", 2, 0, 1, 2)).ok());
  std::filesystem::remove(scratch / "journal.bin.tmp");
  REQUIRE(journal->Record(AnswerOf("digits", 2, 0, 1, 2)).code() ==
          StatusCode::kFailedPrecondition);
  StatusOr<Journal> again = Journal::Open(scratch.path());
  REQUIRE(again->entries()[0].round == 1);
  REQUIRE(again->Record(AnswerOf("digits", 2, 0, 1, 2)).ok());
}

}  // namespace
}  // namespace tutti::client_store
