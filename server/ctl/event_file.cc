#include "server/ctl/event_file.h"

#include <array>
#include <nlohmann/json.hpp>
#include <variant>

#include "common/base/text.h"

namespace tutti::ctl {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostEvents = 100000;

// A key of one mechanism and where its value goes.
struct Field {
  std::string name;
  std::variant<double*, std::uint64_t*> target;
  bool required = true;
};

std::vector<Field> FieldsOf(dp::SubsampledGaussian& event) {
  return {{"sampling_rate", &event.sampling_rate, false},
          {"noise_multiplier", &event.noise_multiplier}};
}
std::vector<Field> FieldsOf(dp::GaussianWithoutReplacement& event) {
  return {{"population", &event.population},
          {"sample", &event.sample},
          {"noise_multiplier", &event.noise_multiplier}};
}
std::vector<Field> FieldsOf(dp::SubsampledLaplace& event) {
  return {{"sampling_rate", &event.sampling_rate, false},
          {"noise_multiplier", &event.noise_multiplier}};
}
std::vector<Field> FieldsOf(dp::DiscreteGaussian& event) {
  return {{"sigma", &event.sigma},
          {"sensitivity", &event.sensitivity, false},
          {"values", &event.values, false}};
}
std::vector<Field> FieldsOf(dp::DiscreteLaplace& event) {
  return {{"decay", &event.decay}, {"sensitivity", &event.sensitivity, false}};
}
std::vector<Field> FieldsOf(dp::Skellam& event) {
  return {{"variance", &event.variance},
          {"l1_sensitivity", &event.l1_sensitivity},
          {"l2_sensitivity", &event.l2_sensitivity},
          {"sampling_rate", &event.sampling_rate, false}};
}
std::vector<Field> FieldsOf(dp::DistributedDiscreteGaussian& event) {
  return {{"share_sigma", &event.share_sigma},
          {"shares", &event.shares},
          {"l1_sensitivity", &event.l1_sensitivity},
          {"l2_sensitivity", &event.l2_sensitivity},
          {"values", &event.values},
          {"sampling_rate", &event.sampling_rate, false}};
}
std::vector<Field> FieldsOf(dp::TreeAggregation& event) {
  return {{"noise_multiplier", &event.noise_multiplier}, {"leaves", &event.leaves}};
}
std::vector<Field> FieldsOf(dp::UnknownRelease&) { return {}; }

// One empty event of each known mechanism.
std::vector<dp::Event> Kinds() {
  return {dp::SubsampledGaussian{},
          dp::GaussianWithoutReplacement{},
          dp::SubsampledLaplace{},
          dp::DiscreteGaussian{},
          dp::DiscreteLaplace{},
          dp::Skellam{},
          dp::DistributedDiscreteGaussian{},
          dp::TreeAggregation{}};
}

Status Read(const Json& value, const Field& field, const std::string& where) {
  if (auto* const* number = std::get_if<double*>(&field.target)) {
    if (!value.is_number()) {
      return InvalidArgument(
          Join(where, ": ", field.name, " is ", Escaped(value.dump(), 40), ", expected a number"));
    }
    **number = value.get<double>();
    return OkStatus();
  }
  // 1e3 is a whole number too, but JSON readers call it a floating one.
  const double real = value.is_number() ? value.get<double>() : -1;
  if (!(real >= 0 && real <= 9007199254740992.0 &&
        real == static_cast<double>(static_cast<std::uint64_t>(real)))) {
    return InvalidArgument(Join(where, ": ", field.name, " is ", Escaped(value.dump(), 40),
                                ", expected a whole number from 0 to 2^53"));
  }
  *std::get<std::uint64_t*>(field.target) = static_cast<std::uint64_t>(real);
  return OkStatus();
}

Status ReadFields(const Json& object, std::vector<Field> fields, const std::string& where) {
  std::vector<std::string> names = {"mechanism"};
  for (const Field& field : fields) {
    names.push_back(field.name);
    const auto value = object.find(field.name);
    if (value != object.end()) {
      TUTTI_TRY(Read(*value, field, where));
    } else if (field.required) {
      return InvalidArgument(Join(where, ": the key \"", field.name, "\" is missing"));
    }
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    const std::string nearest = NearestName(key, names);
    return InvalidArgument(
        Join(where, ": unknown key \"", Escaped(key, 40), "\"; expected ",
             nearest.empty() ? JoinWith(names, ", ") : Join("perhaps \"", nearest, "\"")));
  }
  return OkStatus();
}

StatusOr<dp::Event> ReadEvent(const Json& object, const std::string& where, EventFile& file) {
  if (!object.is_object()) return InvalidArgument(Join(where, ": expected an object { ... }"));
  const auto name = object.find("mechanism");
  if (name == object.end() || !name->is_string()) {
    return InvalidArgument(Join(where, ": the key \"mechanism\" with a name is missing"));
  }
  const auto wanted = name->get<std::string>();
  std::vector<std::string> names;
  for (dp::Event& kind : std::vector<dp::Event>(Kinds())) {
    names.push_back(dp::NameOf(kind));
    if (names.back() != wanted) continue;
    std::uint64_t steps = 1;
    std::vector<Field> fields =
        std::visit([](auto& mechanism) { return FieldsOf(mechanism); }, kind);
    fields.push_back({"steps", &steps, false});
    TUTTI_TRY(ReadFields(object, fields, Join(where, " (", wanted, ")")));
    const dp::Event event = dp::WithSteps(kind, steps);
    TUTTI_TRY(dp::CheckEvent(event).ok() ? OkStatus() : Annotate(dp::CheckEvent(event), where));
    return event;
  }
  const std::string nearest = NearestName(wanted, names);
  file.warnings.push_back(Join(where, ": mechanism '", Escaped(wanted, 40), "' is not known",
                               nearest.empty() ? "" : Join(" (did you mean '", nearest, "'?)"),
                               "; it counts as a release without any bound. Known are ",
                               JoinWith(names, ", ")));
  return dp::Event(dp::UnknownRelease{wanted, 1});
}

}  // namespace

StatusOr<EventFile> ParseEventFile(std::string_view text) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_object()) {
    return InvalidArgument(
        "not a JSON object; expected {\"delta\": 1e-5, \"events\": [{\"mechanism\": ...}, ...]}");
  }
  EventFile file;
  for (const auto& [key, value] : document.items()) {
    if (key == "delta" && value.is_number()) {
      file.delta = value.get<double>();
    } else if (key != "events" && key != "comment") {
      return InvalidArgument(Join("unknown key \"", Escaped(key, 40),
                                  "\" or not a number; expected delta, events, comment"));
    }
  }
  const auto events = document.find("events");
  if (events == document.end() || !events->is_array() || events->size() > kMostEvents) {
    return InvalidArgument(
        Join("\"events\" is missing or no list of at most ", kMostEvents, " events"));
  }
  for (std::size_t i = 0; i < events->size(); ++i) {
    TUTTI_ASSIGN(dp::Event event, ReadEvent((*events)[i], Join("event ", i + 1), file));
    file.events.push_back(std::move(event));
  }
  return file;
}

}  // namespace tutti::ctl
