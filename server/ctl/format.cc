#include "server/ctl/format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "common/base/text.h"
#include "server/ctl/table.h"

namespace tutti::ctl {
namespace {

std::string Fixed(double value, int digits) {
  char buffer[512];  // the longest double has 309 digits before the point
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

}  // namespace

std::string Percent(double fraction) {
  return fraction >= 0 ? Fixed(fraction * 100, 2) + " %" : "-";
}

std::string Size(std::uint64_t bytes) {
  return bytes < 1000000 ? Fixed(static_cast<double>(bytes) / 1e3, 1) + " kB"
                         : Megabytes(bytes) + " MB";
}
std::string Megabytes(std::uint64_t bytes) { return Fixed(static_cast<double>(bytes) / 1e6, 1); }

std::string Seconds(double seconds) { return Fixed(seconds, 1); }

std::string Clock(double seconds) {
  const double longest = 1e9;  // a peer's number: keeps the conversion defined
  const auto whole =
      static_cast<std::int64_t>(seconds > 0 ? std::min(std::floor(seconds), longest) : 0);
  char buffer[64];
  if (whole >= 3600) {
    std::snprintf(buffer, sizeof buffer, "%lld:%02lld:%02lld", static_cast<long long>(whole / 3600),
                  static_cast<long long>(whole / 60 % 60), static_cast<long long>(whole % 60));
  } else {
    std::snprintf(buffer, sizeof buffer, "%lld:%02lld", static_cast<long long>(whole / 60),
                  static_cast<long long>(whole % 60));
  }
  return buffer;
}

std::string Date(std::int64_t seconds_since_1970) {
  if (seconds_since_1970 == 0) {
    return "never";
  }
  const auto time = static_cast<std::time_t>(seconds_since_1970);
  std::tm fields{};
  char buffer[64];
  if (::gmtime_r(&time, &fields) == nullptr ||
      std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%SZ", &fields) == 0) {
    return Join(seconds_since_1970, " s");
  }
  return buffer;
}

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

std::string RoundTable(const google::protobuf::RepeatedPtrField<v1::RoundInfo>& rounds) {
  if (rounds.empty()) {
    return "";
  }
  Table table({{"round", Align::kRight},
               {"in", Align::kRight},
               {"dropped", Align::kRight},
               {"groups", Align::kRight},
               {"test accuracy", Align::kRight},
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
    table.AddRow({std::to_string(round.round()), std::to_string(round.survivors()),
                  std::to_string(round.dropped()), GroupsText(round), Percent(round.accuracy()),
                  EpsilonText(round.max_epsilon(), round.privacy_unit() != "none"),
                  EpsilonText(round.max_epsilon_models(), round.privacy_unit() != "none"),
                  Megabytes(round.bytes_up()), Megabytes(round.bytes_down()),
                  Seconds(round.seconds())});
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
