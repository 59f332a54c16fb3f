#include "server/ctl/format.h"

#include <algorithm>

#include "common/base/text.h"

namespace tutti::ctl {
std::string EpsilonText(double epsilon, bool privacy) {
  constexpr double kNoPromise = 1e9;  // how infinity travels
  if (!privacy) {
    return "-";
  }
  return epsilon < kNoPromise ? RoundedUp(epsilon, 3) : "no promise";
}

std::string EpsilonsText(double coordinator, double models) {
  const std::string seen = EpsilonText(coordinator);
  const std::string published = EpsilonText(models);
  return seen == published ? seen + " (coordinator and models)"
                           : Join(seen, " (coordinator), ", published, " (models)");
}

std::string GroupsText(const v1::RoundInfo& round) {
  return round.groups_left_out() == 0
             ? std::to_string(round.groups())
             : Join(round.groups() - std::min(round.groups(), round.groups_left_out()), " of ",
                    round.groups());
}

bool IsEvaluated(const v1::RoundInfo& round) { return round.accuracy() >= 0 || round.loss() > 0; }

std::string ScoreText(const v1::RoundInfo& round) {
  const bool number = IsEvaluated(round) && round.accuracy() < 0;
  return number ? "test loss " + RoundedUp(round.loss(), 4)
                : "test accuracy " + Percent(round.accuracy());
}

v1::RoundInfo NewestEvaluated(const google::protobuf::RepeatedPtrField<v1::RoundInfo>& rounds) {
  const auto found = std::find_if(rounds.rbegin(), rounds.rend(), IsEvaluated);
  if (found != rounds.rend()) return *found;
  v1::RoundInfo none;
  none.set_accuracy(-1);
  return none;
}

std::string RoundTable(const google::protobuf::RepeatedPtrField<v1::RoundInfo>& rounds) {
  if (rounds.empty()) {
    return "";
  }
  const v1::RoundInfo newest = NewestEvaluated(rounds);
  const bool numbers = IsEvaluated(newest) && newest.accuracy() < 0;
  Table table({{"round", Align::kRight},
               {"in", Align::kRight},
               {"dropped", Align::kRight},
               {"groups", Align::kRight},
               {numbers ? "test loss" : "test accuracy", Align::kRight},
               {"epsilon: coordinator", Align::kRight},
               {"models", Align::kRight},
               {"MB up", Align::kRight},
               {"MB down", Align::kRight},
               {"seconds", Align::kRight}});
  std::uint64_t up = 0;
  std::uint64_t down = 0;
  double seconds = 0;
  std::uint64_t dropped = 0;
  for (const v1::RoundInfo& round : rounds) {
    table.AddRow(
        {std::to_string(round.round()), std::to_string(round.survivors()),
         std::to_string(round.dropped()), GroupsText(round),
         numbers && IsEvaluated(round) ? RoundedUp(round.loss(), 4) : Percent(round.accuracy()),
         EpsilonText(round.max_epsilon(), round.privacy_unit() != "none"),
         EpsilonText(round.max_epsilon_models(), round.privacy_unit() != "none"),
         Megabytes(round.bytes_up()), Megabytes(round.bytes_down()), Seconds(round.seconds())});
    up += round.bytes_up();
    down += round.bytes_down();
    seconds += round.seconds();
    dropped += round.dropped();
  }
  table.AddRule();
  table.AddRow({"total", "", std::to_string(dropped), "", "", "", "", Megabytes(up),
                Megabytes(down), Seconds(seconds)});
  return table.Text();
}

bool HasEnded(const v1::JobInfo& job) {
  return job.state() == "stopped" || job.state() == "done" || job.state() == "failed";
}

}  // namespace tutti::ctl
