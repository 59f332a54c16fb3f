#include "client/store/job_memory.h"

#include <filesystem>

#include "common/strategy/mixture.h"
#include "tests/catch.h"
#include "tests/unit/client_store/scratch.h"

namespace tutti::client_store {
namespace {

model::Layout Layout(std::uint64_t values) {
  model::Layout layout;
  layout.parameters = {{"0.weight", {values}, 0, values, 1, model::Start::kUniform}};
  layout.values = values;
  return layout;
}

TEST_CASE("what a job keeps is there after a restart, for that job and kind alone", "[memory]") {
  const testing::Scratch scratch;
  const std::vector<float> values{1.5F, -2.0F, 0.25F};
  {
    const JobMemory memory(scratch.path(), "ca");
    REQUIRE(memory.Load("digits", Kept::kControl, Layout(3)).status().code() ==
            StatusCode::kNotFound);
    REQUIRE(memory.Save("digits", Kept::kControl, Layout(3), values).ok());
  }
  const JobMemory memory(scratch.path(), "ca");
  REQUIRE(*memory.Load("digits", Kept::kControl, Layout(3)) == values);
  REQUIRE(memory.Load("digits", Kept::kPersonal, Layout(3)).status().code() ==
          StatusCode::kNotFound);
  REQUIRE(memory.Load("letters", Kept::kControl, Layout(3)).status().code() ==
          StatusCode::kNotFound);
  // The same name of another coordinator is another job.
  REQUIRE(JobMemory(scratch.path(), "other")
              .Load("digits", Kept::kControl, Layout(3))
              .status()
              .code() == StatusCode::kNotFound);
}

TEST_CASE("a device's weight in the mixture of clients survives a restart", "[memory]") {
  const testing::Scratch scratch;
  const strategy::MixtureRound round{7, {.sum = 12.5, .last = 0.25}};
  {
    const JobMemory memory(scratch.path(), "ca");
    REQUIRE(memory
                .Save("digits", Kept::kMixture, strategy::MixtureLayout(),
                      strategy::KeptWeight(round, 0.75))
                .ok());
  }
  const auto kept =
      JobMemory(scratch.path(), "ca").Load("digits", Kept::kMixture, strategy::MixtureLayout());
  REQUIRE(kept.ok());
  const strategy::MixtureRound next{8, {.sum = 12.75, .last = 0.25}};
  REQUIRE(strategy::LogWeight(next, *kept, 0.1, 3) == Approx(0.75 + 0.3 - 0.25).margin(1e-6));
}

TEST_CASE("a damaged or foreign memory is told apart from none", "[memory]") {
  const testing::Scratch scratch;
  const JobMemory memory(scratch.path(), "ca");
  REQUIRE(memory.Save("digits", Kept::kPersonal, Layout(3), std::vector<float>(3)).ok());
  REQUIRE(memory.Load("digits", Kept::kPersonal, Layout(4)).status().code() ==
          StatusCode::kDataLoss);
  const std::string path = memory.Path("digits", Kept::kPersonal);
  Bytes bytes = testing::Slurp(path);
  bytes.resize(bytes.size() - 1);
  testing::Spill(path, bytes);
  REQUIRE(memory.Load("digits", Kept::kPersonal, Layout(3)).status().code() ==
          StatusCode::kDataLoss);
  for (const std::string name : {"../digits", "", "a/b"}) {
    REQUIRE(memory.Save(name, Kept::kPersonal, Layout(3), std::vector<float>(3)).code() ==
            StatusCode::kInvalidArgument);
    REQUIRE(memory.Load(name, Kept::kPersonal, Layout(3)).status().code() ==
            StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a coordinator with ever new job names fills no disk", "[memory]") {
  const testing::Scratch scratch;
  const JobMemory memory(scratch.path(), "ca");
  const auto save = [&](std::size_t number) {
    return memory.Save("job-" + std::to_string(number), Kept::kControl, Layout(3),
                       std::vector<float>(3));
  };
  for (std::size_t i = 0; i < JobMemory::kMostFiles + 20; ++i) REQUIRE(save(i).ok());
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(scratch / "jobs")) {
    ++files;
  }
  REQUIRE(files == JobMemory::kMostFiles);
  REQUIRE(
      memory.Load("job-" + std::to_string(JobMemory::kMostFiles + 19), Kept::kControl, Layout(3))
          .ok());
  // What is saved again needs no room.
  REQUIRE(save(JobMemory::kMostFiles + 19).ok());
}

}  // namespace
}  // namespace tutti::client_store
