#include "server/simulate/results.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/terminal/numbers.h"
#include "common/terminal/table.h"

namespace tutti::simulate {
namespace {

// The shortest text that reads as the same number.
std::string Number(double value) {
  char buffer[64];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

std::string Number(const std::optional<double>& value) { return value ? Number(*value) : ""; }

nlohmann::json OrNull(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json ToJson(const RoundReport& round) {
  return {{"round", round.round},
          {"failures", round.failures},
          {"clock_seconds", round.clock_seconds},
          {"round_seconds", round.round_seconds},
          {"invited", round.invited},
          {"survivors", round.survivors},
          {"malicious", round.malicious},
          {"late", round.late},
          {"groups", round.groups},
          {"groups_left_out", round.groups_left_out},
          {"train_loss", round.train_loss},
          {"clipped_fraction", round.clipped_fraction},
          {"update_norm", round.update_norm},
          {"clients_loss", OrNull(round.clients_loss)},
          {"clients_accuracy", OrNull(round.clients_accuracy)},
          {"worst_client", OrNull(round.worst_client)},
          {"test_loss", OrNull(round.test_loss)},
          {"test_accuracy", OrNull(round.test_accuracy)},
          {"robust_accuracy", OrNull(round.robust_accuracy)},
          {"backdoor_success", OrNull(round.backdoor_success)},
          {"back_to", round.back_to},
          {"test_outcomes", round.test_outcomes},
          {"test_gap", OrNull(round.test_gap)},
          {"training_seconds", round.training_seconds},
          {"seconds", round.seconds}};
}

// What was measured beside the test's accuracy.
std::string Attacked(const RoundReport& round) {
  std::string text;
  if (round.robust_accuracy) {
    text += Join(", robust accuracy ", terminal::Percent(*round.robust_accuracy));
  }
  if (round.backdoor_success) {
    text += Join(", backdoor ", terminal::Percent(*round.backdoor_success));
  }
  return text;
}

// "accuracy 81.25 %, loss 0.5120"; of models that predict numbers the loss alone.
std::string ScoreText(const RoundReport& round) {
  const std::string loss = Join("loss ", RoundedUp(*round.test_loss, 4));
  if (!round.test_accuracy) return loss;
  return Join("accuracy ", terminal::Percent(*round.test_accuracy), ", ", loss, Attacked(round));
}

const RoundReport* LastMeasured(const Report& report) {
  const auto found =
      std::find_if(report.rounds.rbegin(), report.rounds.rend(),
                   [](const RoundReport& round) { return round.test_loss.has_value(); });
  return found == report.rounds.rend() ? nullptr : &*found;
}

}  // namespace

std::string ToCsv(const Report& report) {
  std::string text =
      "round,failures,clock_seconds,round_seconds,invited,survivors,malicious,late,groups,"
      "groups_left_out,train_loss,clipped_fraction,update_norm,clients_loss,"
      "clients_accuracy,worst_client,test_loss,test_accuracy,"
      "robust_accuracy,backdoor_success,test_gap,back_to,training_seconds,seconds\n";
  for (const RoundReport& round : report.rounds) {
    text += Join(round.round, ",", round.failures, ",", Number(round.clock_seconds), ",",
                 Number(round.round_seconds), ",", round.invited, ",", round.survivors, ",",
                 round.malicious, ",", round.late, ",", round.groups, ",", round.groups_left_out,
                 ",", Number(round.train_loss), ",", Number(round.clipped_fraction), ",",
                 Number(round.update_norm), ",", Number(round.clients_loss), ",",
                 Number(round.clients_accuracy), ",", Number(round.worst_client), ",",
                 Number(round.test_loss), ",", Number(round.test_accuracy), ",",
                 Number(round.robust_accuracy), ",", Number(round.backdoor_success), ",",
                 Number(round.test_gap), ",", round.back_to, ",", Number(round.training_seconds),
                 ",", Number(round.seconds), "\n");
  }
  return text;
}

std::string ToJson(const About& about, const Report& report) {
  nlohmann::json rounds = nlohmann::json::array();
  for (const RoundReport& round : report.rounds) {
    rounds.push_back(ToJson(round));
  }
  nlohmann::json failures = nlohmann::json::array();
  for (const FailureReport& failure : report.failures) {
    failures.push_back({{"round", failure.round},
                        {"clock_seconds", failure.clock_seconds},
                        {"reason", failure.reason}});
  }
  nlohmann::json document{{"job", about.job},
                          {"rounds_of_job", about.rounds},
                          {"clients", about.clients},
                          {"malicious_clients", about.malicious},
                          {"seed", about.seed},
                          {"secure_aggregation", about.secure},
                          {"insecure_noise", true},
                          {"ended", report.ended},
                          {"rounds", std::move(rounds)},
                          {"failures", std::move(failures)},
                          {"client_rounds", report.client_rounds},
                          {"training_seconds", report.training_seconds},
                          {"seconds", report.seconds},
                          {"measuring_seconds", report.measuring_seconds},
                          {"bytes_down", report.bytes_down},
                          {"bytes_up", report.bytes_up},
                          {"excluded", report.excluded},
                          {"most_rounds_of_one_client", report.most_rounds},
                          {"epsilon_coordinator", nullptr},
                          {"epsilon_models", nullptr}};
  if (about.with_privacy) {
    document["delta"] = about.delta;
    document["epsilon_coordinator"] = report.epsilon_coordinator;
    document["epsilon_models"] = report.epsilon_models;
  }
  return document.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string RoundLine(const RoundReport& round, std::uint64_t rounds) {
  std::string line = Join("round ", round.round, " of ", rounds, ": ", round.survivors, " of ",
                          round.invited, " in");
  if (round.malicious > 0) {
    line += Join(" (", round.malicious, " malicious)");
  }
  if (round.late > 0) {
    line += Join(" (", round.late, " late)");
  }
  if (round.groups > 1) {
    line += Join(", ", round.groups - round.groups_left_out, " of ", round.groups, " groups");
  }
  if (round.test_loss) {
    line += ", test " + ScoreText(round);
  }
  if (round.test_gap) line += Join(", gap ", terminal::Percent(*round.test_gap));
  if (round.back_to > 0) {
    line += Join(", dropped for the model of round ", round.back_to);
  }
  return line + Join(", ", terminal::Seconds(round.round_seconds), " s, clock ",
                     terminal::Clock(round.clock_seconds), "\n");
}

std::string FailureLine(const FailureReport& failure) {
  return Join("round ", failure.round, " failed at ", terminal::Clock(failure.clock_seconds), ": ",
              Escaped(failure.reason, 400), "\n");
}

std::string Summary(const About& about, const Report& report) {
  const RoundReport* const last = LastMeasured(report);
  std::uint64_t invited = 0;
  std::uint64_t survivors = 0;
  for (const RoundReport& round : report.rounds) {
    invited += round.invited;
    survivors += round.survivors;
  }
  std::vector<std::pair<std::string, std::string>> pairs{
      {"rounds", Join(report.rounds.size(), " of ", about.rounds, ", ", report.failures.size(),
                      " attempts failed")},
      {"clients", Join(about.clients, " enrolled, ", invited, " invited, ", survivors,
                       " in the sums of published rounds")}};
  if (about.malicious > 0) {
    pairs.emplace_back("malicious",
                       Join(about.malicious, " clients, ", report.excluded, " excluded"));
  }
  if (last != nullptr) {
    pairs.emplace_back("test", Join(ScoreText(*last), " after round ", last->round));
  }
  if (about.with_privacy) {
    pairs.emplace_back(
        "epsilon",
        Join("at most ", RoundedUp(report.epsilon_coordinator, 3), " against the coordinator, ",
             RoundedUp(report.epsilon_models, 3), " against the models' readers, delta ",
             about.delta, ", after ", report.most_rounds, " rounds of one client"));
  }
  if (!report.rounds.empty()) {
    pairs.emplace_back("virtual time", terminal::Clock(report.rounds.back().clock_seconds));
  }
  pairs.emplace_back("traffic", Join(terminal::Size(report.bytes_down), " down, ",
                                     terminal::Size(report.bytes_up), " up"));
  pairs.emplace_back("real time", Join(terminal::Seconds(report.seconds), " s for ",
                                       report.client_rounds, " trainings"));
  std::string text = terminal::Pairs(pairs);
  if (!report.ended.empty()) {
    // What the losses say begins so by itself.
    const bool said = report.ended.starts_with("ended early");
    text += Join(said ? "" : "ended early: ", Escaped(report.ended, 400), "\n");
  }
  return text +
         "Batches and noise follow from the seed, so anyone can repeat them: a simulation "
         "protects nobody's data.\n";
}

}  // namespace tutti::simulate
