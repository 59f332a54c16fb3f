#include "server/ctl/ledger_lines.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "common/base/text.h"
#include "common/ledger/ledger.h"

namespace tutti::ctl {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostEntries = 100000;

Json ParsedLine(std::string_view line) { return Json::parse(line, nullptr, false); }

bool IsEntry(const Json& json) {
  return json.is_object() && json.contains("sequence") && json.contains("event");
}

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

Status WrongLine(std::size_t number, std::string_view what) {
  return InvalidArgument(Join("line ", number, ": ", what,
                              "; expected what `tutti-client ledger export` prints, one entry a "
                              "line"));
}

StatusOr<v1::LedgerEntry> ReadEntry(const Json& json, std::size_t number) {
  if (!IsEntry(json)) return WrongLine(number, "no entry of a ledger");
  v1::LedgerEntry entry;
  for (const auto& [key, text] : {std::pair{"unit", entry.mutable_unit()},
                                  {"data_identity", entry.mutable_data_identity()}}) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) {
      return WrongLine(number, Join("the text \"", key, "\" is missing"));
    }
    *text = found->get<std::string>();
  }
  const auto delta = json.find("delta");
  if (delta == json.end() || !delta->is_number()) {
    return WrongLine(number, "the number \"delta\" is missing");
  }
  entry.set_delta(delta->get<double>());
  for (const auto& [key, event] :
       {std::pair{"event", entry.mutable_event()}, {"model_event", entry.mutable_model_event()}}) {
    const auto found = json.find(key);
    if (found == json.end() ||
        !google::protobuf::util::JsonStringToMessage(found->dump(), event).ok()) {
      return WrongLine(number, Join("\"", key, "\" is missing or no event"));
    }
  }
  return entry;
}

// The data set whose entries are composed.
StatusOr<std::string> DataOf(const std::vector<v1::LedgerEntry>& entries,
                             const LedgerChoice& choice) {
  std::set<std::string> names;
  for (const v1::LedgerEntry& entry : entries) names.insert(Escaped(entry.data_identity(), 60));
  const std::string there = JoinWith(std::vector<std::string>(names.begin(), names.end()), ", ");
  if (!choice.data.empty() && names.count(Escaped(choice.data, 60)) == 0) {
    return InvalidArgument(
        Join("--data is \"", Escaped(choice.data, 60), "\", the ledger has entries of: ", there));
  }
  if (choice.data.empty() && names.size() != 1) {
    return InvalidArgument(Join("the ledger has entries of ", names.size(), " data sets (", there,
                                "), whose epsilons do not add up; choose one with --data"));
  }
  return choice.data.empty() ? entries.front().data_identity() : choice.data;
}

}  // namespace

bool IsLedgerExport(std::string_view text) { return IsEntry(ParsedLine(TakeLine(text))); }

StatusOr<EventFile> ParseLedgerExport(std::string_view text, const LedgerChoice& choice) {
  std::vector<v1::LedgerEntry> entries;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = TakeLine(text);
    if (line.empty()) continue;
    if (entries.size() == kMostEntries) {
      return WrongLine(number, Join("more than ", kMostEntries, " entries"));
    }
    TUTTI_ASSIGN(v1::LedgerEntry entry, ReadEntry(ParsedLine(line), number));
    entries.push_back(std::move(entry));
  }
  TUTTI_ASSIGN(const std::string data, DataOf(entries, choice));
  EventFile file;
  std::uint64_t without_privacy = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const v1::LedgerEntry& entry = entries[i];
    if (entry.data_identity() != data) continue;
    file.delta = entry.delta();
    without_privacy += entry.event().mechanism() == ledger::kNoMechanism ? 1U : 0U;
    const auto events = ledger::EventsFor(entry, choice.unit);
    if (!events) continue;
    file.events.push_back(choice.models ? events->models : events->coordinator);
    if (const auto* unknown = std::get_if<dp::UnknownRelease>(&file.events.back())) {
      file.warnings.push_back(Join("line ", i + 1, ": '", Escaped(unknown->name, 40),
                                   "' counts as a release without any bound"));
    }
  }
  if (without_privacy > 0) {
    file.warnings.push_back(Join(without_privacy,
                                 " entries are rounds without privacy, which no epsilon includes; "
                                 "what follows is about the others"));
  }
  return file;
}

}  // namespace tutti::ctl
