#include "server/ctl/progress.h"

#include "server/ctl/format.h"
#include "tests/catch.h"

namespace tutti::ctl {
namespace {

v1::JobUpdate JobAt(std::uint64_t done, const std::string& state = "running") {
  v1::JobUpdate update;
  update.mutable_job()->set_name("digits");
  update.mutable_job()->set_state(state);
  update.mutable_job()->set_rounds_done(done);
  update.mutable_job()->set_rounds_total(20);
  update.mutable_job()->set_accuracy(-1);
  return update;
}

v1::JobUpdate Finished(std::uint64_t round, double accuracy) {
  v1::JobUpdate update = JobAt(round);
  update.mutable_finished()->set_round(round);
  update.mutable_finished()->set_survivors(7);
  update.mutable_finished()->set_dropped(1);
  update.mutable_finished()->set_accuracy(accuracy);
  update.mutable_finished()->set_max_epsilon(0.5);
  update.mutable_finished()->set_max_epsilon_models(0.25);
  update.mutable_finished()->set_privacy_unit("example");
  update.mutable_finished()->set_bytes_up(1000000);
  update.mutable_finished()->set_seconds(2);
  return update;
}

v1::JobUpdate Step(std::uint32_t done) {
  v1::JobUpdate update;
  update.mutable_progress()->set_round(3);
  update.mutable_progress()->set_step("training");
  update.mutable_progress()->set_done(done);
  update.mutable_progress()->set_expected(8);
  return update;
}

TEST_CASE("a bar is empty, partly or wholly filled, and never longer", "[ctl]") {
  REQUIRE(Bar(0, 4, 8) == "[........]");
  REQUIRE(Bar(1, 4, 8) == "[##......]");
  REQUIRE(Bar(4, 4, 8) == "[########]");
  REQUIRE(Bar(9, 4, 8) == "[########]");
  REQUIRE(Bar(0, 0, 4) == "[....]");
  REQUIRE(Bar(UINT64_MAX, UINT64_MAX, 4) == "[####]");
}

TEST_CASE("in a pipe there is one line for each thing that happened", "[ctl]") {
  Progress progress(ProgressStyle::kPlain, 80);
  REQUIRE(progress.Update(JobAt(2), 0) == "job digits: running, 2 of 20 rounds done\n");
  REQUIRE(progress.Update(Step(3), 1).empty());
  REQUIRE(
      progress.Update(Finished(3, -1), 2) ==
      "round 3 of 20: 7 in, 1 dropped, largest epsilon 0.500 (coordinator), 0.250 (models), 1.0 "
      "MB up, 0.0 MB down, 2.0 s\n");
  REQUIRE(progress.Update(Finished(3, 0.5), 3) == "round 3 evaluated: test accuracy 50.00 %\n");
  v1::JobUpdate event;
  event.set_event("client-5 declined: BUDGET_EXHAUSTED\n\x1b[2J");
  REQUIRE(progress.Update(event, 4) == "client-5 declined: BUDGET_EXHAUSTED\\x0a\\x1b[2J\n");
  v1::JobUpdate failed = JobAt(3, "failed");
  failed.mutable_job()->set_reason("too few clients");
  REQUIRE(progress.Update(failed, 5) == "job digits: failed (too few clients)\n");
  REQUIRE(progress.Finish().empty());
}

TEST_CASE("models that predict numbers are watched by their loss", "[ctl]") {
  Progress plain(ProgressStyle::kPlain, 80);
  plain.Update(JobAt(2), 0);
  plain.Update(Finished(3, -1), 1);
  v1::JobUpdate evaluated = Finished(3, -1);
  evaluated.mutable_finished()->set_loss(61.25);
  REQUIRE(plain.Update(evaluated, 2) == "round 3 evaluated: test loss 61.2500\n");
  Progress terminal(ProgressStyle::kTerminal, 80);
  terminal.Update(JobAt(2), 0);
  REQUIRE(terminal.Update(evaluated, 1).find("test loss 61.2500   ") != std::string::npos);
}

TEST_CASE("on a terminal the bars are redrawn below the lines that stay", "[ctl]") {
  Progress progress(ProgressStyle::kTerminal, 60);
  progress.Update(JobAt(2), 0);
  const std::string text = progress.Update(Step(4), 5);
  std::string erase;
  for (int i = 0; i < 4; ++i) {
    erase += "\x1b[1A\x1b[2K";
  }
  REQUIRE(text == erase +
                      "digits  running\n"
                      "rounds  [##..................] 2 of 20\n"
                      "step    [##########..........] round 3: training 4 of 8\n"
                      "test accuracy -   0:05\n");
  const std::string next = progress.Update(Finished(3, 0.75), 10);
  REQUIRE(next.rfind(erase + "round 3 of 20: 7 in, 1 dropped, test accuracy 75.00 %", 0) == 0);
  REQUIRE(next.find("rounds  [###.................] 3 of 20\n") != std::string::npos);
  // One round took ten seconds; seventeen are left.
  REQUIRE(next.find("0:10, about 2:50 left\n") != std::string::npos);
  REQUIRE(progress.Note("away").rfind(erase + "away\n", 0) == 0);
  REQUIRE(progress.Finish() == erase);
  REQUIRE(progress.Finish().empty());
}

TEST_CASE("live lines are cut at the terminal's width", "[ctl]") {
  Progress progress(ProgressStyle::kTerminal, 30);
  v1::JobUpdate update = JobAt(2);
  update.mutable_job()->set_name(std::string(64, 'n'));
  const std::string text = progress.Update(update, 0);
  const std::size_t first_live = text.find('\n') + 1;
  std::size_t start = first_live;
  int lines = 0;
  for (std::size_t end; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    REQUIRE(end - start <= 30);
    ++lines;
  }
  REQUIRE(lines == 4);
}

}  // namespace
}  // namespace tutti::ctl
