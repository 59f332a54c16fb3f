#include "client/main_report.h"

#include <cmath>
#include <iomanip>
#include <nlohmann/json.hpp>

#include "client/daemon.h"
#include "client/identity.h"
#include "client/ledger_report.h"
#include "client/policy/policy.h"
#include "client/store/ledger.h"
#include "common/base/text.h"
#include "common/ledger/ledger.h"
#include "common/platform/clock.h"

namespace tutti::client {
namespace {

using Json = nlohmann::ordered_json;

int Fail(const Status& status, std::ostream& error) {
  error << "tutti-client: " << TextOf(status) << "\n";
  return ExitCodeFor(status);
}

// JSON knows no infinity: null there.
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

std::string EpsilonText(double value) {
  return std::isfinite(value) ? RoundedUp(value, 4) : "infinite";
}

StatusOr<std::vector<v1::LedgerEntry>> Entries(const std::string& directory) {
  auto entries = client_store::ReadLedger(directory);
  if (entries.status().code() == StatusCode::kNotFound) return std::vector<v1::LedgerEntry>();
  return entries;
}

// As a file of events for `tutti privacy compose` has it; fields a mechanism does not have are left
// out.
Json EventJson(const v1::MechanismEvent& event) {
  Json json = {{"mechanism", event.mechanism()}, {"steps", event.steps()}};
  const auto add = [&](const char* key, auto value) {
    if (value != 0) json[key] = value;
  };
  add("sampling_rate", event.sampling_rate());
  add("noise_multiplier", event.noise_multiplier());
  add("share_sigma", event.share_sigma());
  add("shares", event.shares());
  add("l1_sensitivity", event.l1_sensitivity());
  add("l2_sensitivity", event.l2_sensitivity());
  add("values", event.values());
  add("variance", event.variance());
  add("leaves", event.leaves());
  return json;
}

// Noise of all counted shares together, per sensitivity; as noise_multiplier is.
double RelativeNoise(const v1::MechanismEvent& event) {
  if (event.l2_sensitivity() <= 0) return event.noise_multiplier();
  const double variance = event.variance() > 0 ? event.variance()
                                               : static_cast<double>(event.shares()) *
                                                     event.share_sigma() * event.share_sigma();
  return std::sqrt(variance) / event.l2_sensitivity();
}

Json EntryJson(const v1::LedgerEntry& entry) {
  return {{"sequence", entry.sequence()},
          {"previous_hash", ToHex(AsBytes(entry.previous_hash()))},
          {"time", entry.time()},
          {"data_identity", entry.data_identity()},
          {"unit", entry.unit()},
          {"coordinator", entry.coordinator()},
          {"job", entry.job()},
          {"round", entry.round()},
          {"session", ToHex(AsBytes(entry.session()))},
          {"mechanism", entry.event().mechanism()},
          {"sampling_rate", entry.event().sampling_rate()},
          {"noise_multiplier", entry.event().noise_multiplier()},
          {"steps", entry.event().steps()},
          {"event", EventJson(entry.event())},
          {"model_event", EventJson(entry.has_model_event() ? entry.model_event() : entry.event())},
          {"delta", entry.delta()},
          {"epsilon_after", Number(entry.epsilon_after())},
          {"epsilon_models_after", Number(entry.epsilon_models_after())},
          {"policy_hash", ToHex(AsBytes(entry.policy_hash()))}};
}

// What is left of the owner's budget; nullopt: no budget, or nothing to go by.
std::optional<Outlook> LeftOf(std::span<const v1::LedgerEntry> entries, const DataTotals& totals,
                              const v1::PolicyConfig* policy) {
  if (policy == nullptr) return std::nullopt;
  const auto outlook = OutlookOf(entries, totals.data_identity, totals.unit,
                                 {.epsilon = policy->max_epsilon_total(), .delta = totals.delta},
                                 policy::CoordinatorIsTrusted(*policy));
  return outlook.ok() ? *outlook : std::nullopt;
}

Json TotalsJson(std::span<const v1::LedgerEntry> entries, const DataTotals& totals,
                const v1::PolicyConfig* policy) {
  Json json = {{"data_identity", totals.data_identity},
               {"unit", totals.unit},
               {"rounds", totals.rounds},
               {"rounds_without_privacy", totals.without_privacy},
               {"epsilon_spent", Number(totals.epsilon)},
               {"epsilon_models", Number(totals.epsilon_models)},
               {"delta", totals.delta}};
  if (policy != nullptr) json["epsilon_budget"] = policy->max_epsilon_total();
  const std::optional<Outlook> left = LeftOf(entries, totals, policy);
  json["rounds_left"] = left ? Json(left->rounds) : Json();
  json["days_left"] = left && left->days ? Json(*left->days) : Json();
  return json;
}

void PrintTotals(std::span<const v1::LedgerEntry> entries, const DataTotals& totals,
                 const v1::PolicyConfig* policy, std::ostream& out) {
  const bool trusted = policy != nullptr && policy::CoordinatorIsTrusted(*policy);
  out << "data       " << Escaped(totals.data_identity) << ", one " << totals.unit << ": epsilon "
      << EpsilonText(trusted ? totals.epsilon_models : totals.epsilon);
  if (policy != nullptr) out << " of " << policy->max_epsilon_total();
  out << " spent against " << (trusted ? "whoever sees only the models" : "the coordinator")
      << " at delta " << totals.delta << ", " << totals.rounds << " rounds";
  if (totals.without_privacy > 0) out << " and " << totals.without_privacy << " without privacy";
  out << "\n";
  out << "           " << EpsilonText(trusted ? totals.epsilon : totals.epsilon_models)
      << " against " << (trusted ? "the coordinator" : "whoever sees only the models") << "\n";
  if (const std::optional<Outlook> left = LeftOf(entries, totals, policy)) {
    out << "left       " << left->rounds << " rounds like the last one";
    if (left->days)
      out << ", about " << std::floor(*left->days * 10) / 10 << " days at the recent pace";
    out << "\n";
  }
}

}  // namespace

int PrintStatus(const ReportSettings& settings, std::ostream& out, std::ostream& error) {
  const platform::RealClock clock;
  const StatusOr<Identity> identity = LoadIdentity(settings.state_directory, clock.Wall());
  const StatusOr<std::string> server = LoadServerAddress(settings.state_directory);
  const auto entries = Entries(settings.state_directory);
  if (!entries.ok()) return Fail(entries.status(), error);
  const auto totals =
      TotalsOf(*entries,
               settings.policy == nullptr ? std::nullopt : std::optional(settings.policy->delta()));
  if (!totals.ok()) return Fail(totals.status(), error);
  if (settings.json) {
    Json json;
    json["joined"] = identity.ok();
    json["name"] = identity.ok() ? Json(identity->name) : Json();
    json["role"] = identity.ok() ? Json(identity->role) : Json();
    json["problem"] = identity.ok() ? Json() : Json(TextOf(identity.status()));
    json["server"] = server.ok() ? Json(*server) : Json();
    json["certificate_expires"] = identity.ok() ? Json(identity->not_after) : Json();
    json["coordinator_ca_sha256"] = identity.ok() ? Json(identity->ca_fingerprint) : Json();
    json["ledger_entries"] = entries->size();
    json["data"] = Json::array();
    for (const DataTotals& one : *totals)
      json["data"].push_back(TotalsJson(*entries, one, settings.policy));
    out << json.dump(2, ' ', true, Json::error_handler_t::replace) << "\n";
    return kExitOk;
  }
  if (identity.ok()) {
    out << "client     " << Escaped(identity->name) << " (" << Escaped(identity->role) << ")\n"
        << "server     " << (server.ok() ? Escaped(*server) : "unknown") << "\n"
        << "certificate valid until " << DateText(identity->not_after) << "\n"
        << "CA         sha256 " << identity->ca_fingerprint << "\n";
  } else {
    out << "identity   " << TextOf(identity.status()) << "\n";
  }
  out << "ledger     " << entries->size() << " entries\n";
  for (const DataTotals& one : *totals) PrintTotals(*entries, one, settings.policy, out);
  return kExitOk;
}

int PrintLedger(const ReportSettings& settings, std::ostream& out, std::ostream& error) {
  const auto entries = Entries(settings.state_directory);
  if (!entries.ok()) return Fail(entries.status(), error);
  if (settings.json) {
    Json json = Json::array();
    for (const v1::LedgerEntry& entry : *entries) json.push_back(EntryJson(entry));
    out << json.dump(2, ' ', true, Json::error_handler_t::replace) << "\n";
    return kExitOk;
  }
  if (entries->empty()) {
    out << "the ledger is empty: nothing has left this device\n";
    return kExitOk;
  }
  out << std::left << std::setw(6) << "entry" << std::setw(22) << "time" << std::setw(16) << "data"
      << std::setw(24) << "job" << std::setw(8) << "round" << std::setw(8) << "steps"
      << std::setw(12) << "rate" << std::setw(10) << "noise"
      << "epsilon after\n";
  for (const v1::LedgerEntry& entry : *entries) {
    const bool private_round = entry.event().mechanism() != ledger::kNoMechanism;
    out << std::setw(6) << entry.sequence() << std::setw(22) << DateText(entry.time())
        << std::setw(16) << Escaped(entry.data_identity(), 15) << std::setw(24)
        << Escaped(entry.job(), 23) << std::setw(8) << entry.round() << std::setw(8)
        << entry.event().steps() << std::setw(12) << entry.event().sampling_rate() << std::setw(10)
        << RelativeNoise(entry.event())
        << (private_round ? EpsilonText(entry.epsilon_after()) : "not private") << "\n";
  }
  return kExitOk;
}

int PrintLedgerCheck(const ReportSettings& settings, std::ostream& out, std::ostream& error) {
  const auto entries = client_store::ReadLedger(settings.state_directory);
  if (entries.status().code() == StatusCode::kNotFound) {
    return Fail(NotFound(Join("there is no ledger in ", settings.state_directory,
                              "; is it the state folder of a client that took part in a round?")),
                error);
  }
  if (!entries.ok()) {
    if (settings.json) {
      out << Json({{"intact", false}, {"problem", TextOf(entries.status())}}).dump() << "\n";
      return ExitCodeFor(entries.status());
    }
    return Fail(entries.status(), error);
  }
  if (settings.json) {
    out << Json({{"intact", true}, {"entries", entries->size()}}).dump() << "\n";
  } else {
    out << "intact: " << entries->size() << " entries, every hash fits the one before\n";
  }
  return kExitOk;
}

int ExportLedger(const ReportSettings& settings, std::ostream& out, std::ostream& error) {
  const auto entries = Entries(settings.state_directory);
  if (!entries.ok()) return Fail(entries.status(), error);
  for (const v1::LedgerEntry& entry : *entries) {
    out << EntryJson(entry).dump(-1, ' ', true, Json::error_handler_t::replace) << "\n";
  }
  return kExitOk;
}

}  // namespace tutti::client
