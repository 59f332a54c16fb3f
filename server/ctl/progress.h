// What `--watch` shows, as a function of the coordinator's updates: live bars on a terminal, one
// line for each round in a pipe. Pure: takes updates and times, gives the text to write. Thread
// safety: confined to one thread.
#pragma once

#include <cstdint>
#include <string>

#include "tutti/v1/admin.pb.h"

namespace tutti::ctl {

enum class ProgressStyle { kPlain, kTerminal };

class Progress {
 public:
  // `columns`: of the terminal; live lines are cut there, so that redrawing them stays exact.
  Progress(ProgressStyle style, std::size_t columns) : style_(style), columns_(columns) {}

  // The text to write for one update; `seconds` since the watching began.
  std::string Update(const v1::JobUpdate& update, double seconds);

  // A line of our own, above the bars ("the coordinator is away, trying again").
  std::string Note(const std::string& line);

  // Removes the bars: the final table follows.
  std::string Finish();

  const v1::JobInfo& job() const { return job_; }

 private:
  std::string RoundLine(const v1::RoundInfo& round);
  std::string Live() const;
  std::string EraseLive();
  std::string Cut(const std::string& line) const;

  ProgressStyle style_;
  std::size_t columns_;
  v1::JobInfo job_;
  v1::StepProgress step_;
  double seconds_ = 0;
  std::uint64_t first_round_ = 0;  // rounds done when the watching began
  bool started_ = false;
  std::uint64_t last_round_ = 0;  // the newest round that has a line
  std::string score_;             // of the newest round that was evaluated
  std::size_t live_lines_ = 0;    // on the screen now
};

}  // namespace tutti::ctl
