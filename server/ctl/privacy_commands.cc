#include "server/ctl/privacy_commands.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/text.h"
#include "common/dp/accountant.h"
#include "common/dp/calibration.h"
#include "common/dp/gaussian.h"
#include "common/dp/pld.h"
#include "server/ctl/event_file.h"
#include "server/ctl/format.h"
#include "server/ctl/ledger_lines.h"

namespace tutti::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::streamoff kMostFileBytes = 16 << 20;
constexpr int kEpsilonDigits = 6;

// What one accountant said.
struct Answer {
  double epsilon = 0;
  std::string accountant;
  double interval = 0;  // pld
  double order = 0;     // rdp
};

StatusOr<Answer> Ask(const std::vector<dp::Event>& events, double delta,
                     const PrivacyArguments& arguments) {
  Answer answer{.accountant = arguments.accountant};
  if (arguments.accountant == "rdp") {
    TUTTI_ASSIGN(const dp::SpentBudget spent, dp::SpentEpsilon(events, delta));
    answer.epsilon = spent.epsilon;
    answer.order = spent.order;
    return answer;
  }
  if (arguments.accountant == "exact") {
    const auto* gaussian =
        events.size() == 1 ? std::get_if<dp::SubsampledGaussian>(&events[0]) : nullptr;
    if (gaussian == nullptr || gaussian->sampling_rate != 1) {
      return InvalidArgument(
          "the exact accountant knows Gaussians without sampling only, sampling rate 1; use "
          "--accountant pld");
    }
    TUTTI_TRY(dp::CheckEvent(events[0]));
    TUTTI_TRY(dp::CheckDelta(delta));
    const double noise =
        gaussian->noise_multiplier / std::sqrt(static_cast<double>(gaussian->steps));
    answer.epsilon = dp::EpsilonOfGaussian(noise, delta);
    return answer;
  }
  TUTTI_ASSIGN(const dp::PldBudget spent, dp::SpentEpsilonByPld(events, delta, arguments.interval));
  answer.epsilon = spent.epsilon;
  answer.interval = spent.interval;
  return answer;
}

// JSON has no infinity.
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

void AddAnswer(Json& json, const Answer& answer, double delta) {
  json["epsilon"] = Number(answer.epsilon);
  json["accountant"] = answer.accountant;
  json["delta"] = delta;
}

void AddGrid(Json& json, const Answer& answer) {
  if (answer.accountant == "rdp") json["order"] = answer.order;
  if (answer.accountant == "pld") json["interval"] = answer.interval;
}

std::string How(const Answer& answer) {
  if (answer.accountant == "rdp") {
    return Join("by Renyi divergence (rdp)",
                answer.order > 0 ? Join(", best at order ", answer.order) : "");
  }
  if (answer.accountant == "exact") return "exactly (analytic Gaussian)";
  return Join("by loss distributions (pld)",
              answer.interval > 0 ? Join(", on a grid of ", answer.interval) : "");
}

std::string Headline(const Answer& answer, double delta) {
  return Join("epsilon ", RoundedUp(answer.epsilon, kEpsilonDigits), " at delta ", delta, "\n  ",
              How(answer), "; digits are rounded up\n");
}

// Nine digits, never more than `value`: a rate that is rounded up costs more.
std::string RoundedDown(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.9g", value * (1 - 1e-9));
  return digits;
}

std::string Given(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.9g", value);
  return digits;
}

std::string Mechanism(const dp::SubsampledGaussian& event, const std::string& rate) {
  return Join("  noise multiplier ", Given(event.noise_multiplier), ", sampling rate ", rate, ", ",
              event.steps, event.steps == 1 ? " step" : " steps",
              "; neighbours: ", dp::NameOf(dp::Relation::kAddOrRemoveOne), "\n");
}

StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return PermissionDenied(Join("cannot read ", Escaped(path), "; is the name right?"));
  if (in.tellg() > kMostFileBytes) {
    return InvalidArgument(Join(Escaped(path), " has ", static_cast<std::int64_t>(in.tellg()),
                                " bytes, expected at most ",
                                static_cast<std::int64_t>(kMostFileBytes)));
  }
  in.seekg(0);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return PermissionDenied(Join("cannot read ", Escaped(path)));
  return text.str();
}

StatusOr<EventFile> EventsIn(const std::string& text, const PrivacyArguments& given) {
  if (IsLedgerExport(text)) {
    return ParseLedgerExport(text, {.data = given.data.value_or(""),
                                    .unit = given.unit.value_or("example"),
                                    .models = given.models});
  }
  if (given.data || given.unit || given.models) {
    return InvalidArgument(
        "--data, --unit and --models choose from what `tutti-client ledger export` prints, which "
        "this is not; leave them out");
  }
  return ParseEventFile(text);
}

int Wrong(const Status& status, Console& console) {
  console.error << "tutti: " << TextOf(status) << "\n";
  switch (status.code()) {
    case StatusCode::kPermissionDenied:
      return kNotPermitted;
    case StatusCode::kInvalidArgument:
      return kUsage;
    default:
      return kRefused;
  }
}

// Fills the one value that is missing from the others.
StatusOr<dp::SubsampledGaussian> Search(const PrivacyArguments& given) {
  const dp::Budget target{*given.target_epsilon, *given.delta};
  const dp::Method method = given.accountant == "rdp" ? dp::Method::kRdp : dp::Method::kPld;
  dp::SubsampledGaussian found{given.sampling_rate.value_or(1), given.noise_multiplier.value_or(1),
                               given.steps.value_or(1)};
  if (!given.noise_multiplier) {
    TUTTI_ASSIGN(found.noise_multiplier,
                 dp::CalibrateNoise(target, found.sampling_rate, found.steps, method));
  } else if (!given.sampling_rate) {
    TUTTI_ASSIGN(found.sampling_rate,
                 dp::CalibrateSamplingRate(target, found.noise_multiplier, found.steps, method));
  } else {
    TUTTI_ASSIGN(found.steps,
                 dp::CalibrateSteps(target, found.sampling_rate, found.noise_multiplier, method));
    if (found.steps == 0) {
      return OutOfRange(Join("not even one step of noise multiplier ", found.noise_multiplier,
                             " at sampling rate ", found.sampling_rate, " fits epsilon ",
                             target.epsilon, " at delta ", target.delta,
                             "; raise the target or the noise, or sample less"));
    }
  }
  return found;
}

}  // namespace

int PrivacyEpsilon(const Arguments& arguments, Console& console) {
  const PrivacyArguments& given = arguments.privacy;
  const dp::SubsampledGaussian event{*given.sampling_rate, *given.noise_multiplier, *given.steps};
  const auto answer = Ask({event}, *given.delta, given);
  if (!answer.ok()) return Wrong(answer.status(), console);
  if (!arguments.json) {
    console.out << Headline(*answer, *given.delta) << Mechanism(event, Given(event.sampling_rate));
    return kDone;
  }
  Json json;
  AddAnswer(json, *answer, *given.delta);
  json["noise_multiplier"] = event.noise_multiplier;
  json["sampling_rate"] = event.sampling_rate;
  json["steps"] = event.steps;
  AddGrid(json, *answer);
  console.out << json.dump(2) << "\n";
  return kDone;
}

int PrivacyCalibrate(const Arguments& arguments, Console& console) {
  const PrivacyArguments& given = arguments.privacy;
  const int known =
      (given.noise_multiplier ? 1 : 0) + (given.sampling_rate ? 1 : 0) + (given.steps ? 1 : 0);
  if (known != 2) {
    return Wrong(InvalidArgument(Join(known,
                                      " of --noise-multiplier, --sampling-rate and --steps "
                                      "are given, expected two; the third is searched")),
                 console);
  }
  const auto found = Search(given);
  if (!found.ok()) return Wrong(found.status(), console);
  const auto answer = Ask({*found}, *given.delta, given);
  if (!answer.ok()) return Wrong(answer.status(), console);
  const std::string searched = !given.noise_multiplier ? "noise_multiplier"
                               : !given.sampling_rate  ? "sampling_rate"
                                                       : "steps";
  if (arguments.json) {
    Json json{{"searched", searched}, {"target_epsilon", *given.target_epsilon}};
    AddAnswer(json, *answer, *given.delta);
    json["noise_multiplier"] = found->noise_multiplier;
    json["sampling_rate"] = found->sampling_rate;
    json["steps"] = found->steps;
    AddGrid(json, *answer);
    console.out << json.dump(2) << "\n";
    return kDone;
  }
  const std::string rate =
      given.sampling_rate ? Given(*given.sampling_rate) : RoundedDown(found->sampling_rate);
  console.out << (!given.noise_multiplier ? Join("noise multiplier ", found->noise_multiplier)
                  : !given.sampling_rate  ? Join("sampling rate ", rate)
                                          : Join(found->steps, " steps"))
              << " for epsilon " << *given.target_epsilon << "\n"
              << Headline(*answer, *given.delta) << Mechanism(*found, rate);
  return kDone;
}

int PrivacyCompose(const Arguments& arguments, Console& console) {
  const PrivacyArguments& given = arguments.privacy;
  const auto text = ReadFile(given.file);
  if (!text.ok()) return Wrong(text.status(), console);
  const auto file = EventsIn(*text, given);
  if (!file.ok()) {
    console.error << "tutti: " << Escaped(given.file) << ": " << TextOf(file.status()) << "\n";
    return kWrongConfiguration;
  }
  for (const std::string& warning : file->warnings) {
    console.error << "warning: " << warning << "\n";
  }
  const std::optional<double> delta = given.delta ? given.delta : file->delta;
  if (!delta) {
    return Wrong(InvalidArgument("no delta; give --delta, or \"delta\" in the file"), console);
  }
  const auto answer = Ask(file->events, *delta, given);
  if (!answer.ok()) return Wrong(answer.status(), console);
  dp::CommonRelation relation;
  for (const dp::Event& event : file->events) {
    if (const Status status = relation.Add(event); !status.ok()) return Wrong(status, console);
  }
  if (arguments.json) {
    Json json;
    AddAnswer(json, *answer, *delta);
    json["events"] = file->events.size();
    json["relation"] = dp::NameOf(relation.relation());
    AddGrid(json, *answer);
    console.out << json.dump(2) << "\n";
    return kDone;
  }
  Table table({{"event"}, {"steps", Align::kRight}, {"epsilon alone", Align::kRight}});
  for (const dp::Event& event : file->events) {
    const auto alone = dp::SpentEpsilon(std::vector<dp::Event>{event}, *delta);
    table.AddRow({dp::NameOf(event), std::to_string(dp::StepsOf(event)),
                  alone.ok() ? RoundedUp(alone->epsilon, 3) : "-"});
  }
  console.out << table.Text() << Headline(*answer, *delta)
              << "  neighbours: " << dp::NameOf(relation.relation()) << "\n";
  return kDone;
}

}  // namespace tutti::ctl
