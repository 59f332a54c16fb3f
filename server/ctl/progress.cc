#include "server/ctl/progress.h"

#include <algorithm>

#include "common/base/text.h"
#include "server/ctl/format.h"

namespace tutti::ctl {

std::string Progress::Cut(const std::string& line) const { return line.substr(0, columns_); }

std::string Progress::EraseLive() {
  std::string text;
  for (; live_lines_ > 0; --live_lines_) {
    text += "\x1b[1A\x1b[2K";
  }
  return text;
}

std::string Progress::RoundLine(const v1::RoundInfo& round) {
  const bool privacy = round.privacy_unit() != "none";
  if (IsEvaluated(round)) score_ = ScoreText(round);
  if (round.round() == last_round_) {
    return Join("round ", round.round(), " evaluated: ", ScoreText(round), "\n");
  }
  last_round_ = round.round();
  std::string line = Join("round ", round.round(), " of ", job_.rounds_total(), ": ",
                          round.survivors(), " in, ", round.dropped(), " dropped");
  if (round.groups() > 1) {
    line += Join(", ", GroupsText(round), " groups");
  }
  if (IsEvaluated(round)) {
    line += ", " + ScoreText(round);
  }
  if (privacy) {
    line += ", largest epsilon " + EpsilonsText(round.max_epsilon(), round.max_epsilon_models());
  }
  return line + Join(", ", Megabytes(round.bytes_up()), " MB up, ", Megabytes(round.bytes_down()),
                     " MB down, ", Seconds(round.seconds()), " s\n");
}

std::string Progress::Live() const {
  const std::size_t width = std::clamp<std::size_t>(columns_ / 3, 10, 40);
  std::string text = Cut(Join(Escaped(job_.name(), 64), "  ", Escaped(job_.state(), 20))) + "\n";
  text += Cut(Join("rounds  ", Bar(job_.rounds_done(), job_.rounds_total(), width), " ",
                   job_.rounds_done(), " of ", job_.rounds_total())) +
          "\n";
  const std::string step =
      step_.step().empty()
          ? Join("step    ", Bar(0, 1, width), " ", Escaped(job_.step(), 20))
          : Join("step    ", Bar(step_.done(), step_.expected(), width), " round ", step_.round(),
                 ": ", Escaped(step_.step(), 20), " ", step_.done(), " of ", step_.expected());
  text += Cut(step) + "\n";
  std::string numbers =
      job_.accuracy() >= 0 || score_.empty() ? "test accuracy " + Percent(job_.accuracy()) : score_;
  if (job_.max_epsilon() > 0) {
    numbers += "   largest epsilon " + EpsilonsText(job_.max_epsilon(), job_.max_epsilon_models());
  }
  numbers += "   " + Clock(seconds_);
  const std::uint64_t seen =
      job_.rounds_done() > first_round_ ? job_.rounds_done() - first_round_ : 0;
  if (seen > 0 && job_.rounds_total() > job_.rounds_done()) {
    const auto left = static_cast<double>(job_.rounds_total() - job_.rounds_done());
    numbers += ", about " + Clock(seconds_ / static_cast<double>(seen) * left) + " left";
  }
  return text + Cut(numbers) + "\n";
}

std::string Progress::Update(const v1::JobUpdate& update, double seconds) {
  std::string lines;
  seconds_ = seconds;
  if (update.has_job()) {
    const bool changed = started_ && update.job().state() != job_.state();
    job_ = update.job();
    if (!started_) {
      first_round_ = job_.rounds_done();
      lines += Join("job ", Escaped(job_.name(), 64), ": ", Escaped(job_.state(), 20), ", ",
                    job_.rounds_done(), " of ", job_.rounds_total(), " rounds done\n");
      started_ = true;
    } else if (changed) {
      lines += Join("job ", Escaped(job_.name(), 64), ": ", Escaped(job_.state(), 20),
                    job_.reason().empty() ? "" : " (" + Escaped(job_.reason()) + ")", "\n");
    }
  }
  if (update.has_progress()) {
    step_ = update.progress();
  }
  if (!update.event().empty()) {
    lines += Escaped(update.event(), 400) + "\n";
  }
  if (update.has_finished()) {
    lines += RoundLine(update.finished());
    step_.Clear();
  }
  if (style_ == ProgressStyle::kPlain) {
    return lines;
  }
  std::string text = EraseLive() + lines + Live();
  live_lines_ = 4;
  return text;
}

std::string Progress::Note(const std::string& line) {
  if (style_ == ProgressStyle::kPlain) {
    return line + "\n";
  }
  std::string text = EraseLive() + line + "\n";
  if (started_) {
    text += Live();
    live_lines_ = 4;
  }
  return text;
}

std::string Progress::Finish() { return EraseLive(); }

}  // namespace tutti::ctl
