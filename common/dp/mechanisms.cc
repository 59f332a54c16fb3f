#include "common/dp/mechanisms.h"

#include <bit>
#include <cmath>
#include <iterator>
#include <type_traits>
#include <utility>

#include "common/base/text.h"

namespace tutti::dp {
namespace {

constexpr std::uint64_t kMostExamples = std::uint64_t{1} << 53;
constexpr std::uint64_t kMostShares = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostSensitivity = std::uint64_t{1} << 20;

constexpr unsigned Bit(Relation relation) { return 1U << static_cast<unsigned>(relation); }
constexpr unsigned kAddRemoveOrZeroOut =
    Bit(Relation::kAddOrRemoveOne) | Bit(Relation::kZeroOutOne);

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

// Checks of one event's fields, each with the event's name in front.
class Fields {
 public:
  explicit Fields(std::string name) : name_(std::move(name)) {}

  Status Rate(double value) const {
    if (value > 0 && value <= 1) return OkStatus();
    return Refuse("sampling rate", value, "a number above 0 and at most 1");
  }
  Status AtLeastZero(const char* field, double value) const {
    if (value >= 0 && !std::isinf(value)) return OkStatus();
    return Refuse(field, value, "a finite number of at least 0");
  }
  Status AboveZero(const char* field, double value) const {
    if (value > 0 && !std::isinf(value)) return OkStatus();
    return Refuse(field, value, "a finite number above 0");
  }
  Status Count(const char* field, std::uint64_t value, std::uint64_t most) const {
    if (value >= 1 && value <= most) return OkStatus();
    return Refuse(field, value, Join("a whole number from 1 to ", most));
  }

 private:
  template <typename Value>
  Status Refuse(const char* field, Value value, const std::string& expected) const {
    return InvalidArgument(
        Join("mechanism event '", name_, "' has ", field, " ", value, ", expected ", expected));
  }
  std::string name_;
};

Status Check(const Fields& fields, const SubsampledGaussian& event) {
  TUTTI_TRY(fields.Rate(event.sampling_rate));
  return fields.AtLeastZero("noise multiplier", event.noise_multiplier);
}

Status Check(const Fields& fields, const GaussianWithoutReplacement& event) {
  TUTTI_TRY(fields.Count("population", event.population, kMostExamples));
  TUTTI_TRY(fields.Count("sample", event.sample, event.population));
  return fields.AtLeastZero("noise multiplier", event.noise_multiplier);
}

Status Check(const Fields& fields, const SubsampledLaplace& event) {
  TUTTI_TRY(fields.Rate(event.sampling_rate));
  return fields.AtLeastZero("noise multiplier", event.noise_multiplier);
}

Status Check(const Fields& fields, const DiscreteGaussian& event) {
  TUTTI_TRY(fields.AtLeastZero("sigma", event.sigma));
  TUTTI_TRY(fields.AboveZero("sensitivity", event.sensitivity));
  TUTTI_TRY(fields.Count("values", event.values, kMostExamples));
  if (event.values > 1) return OkStatus();
  if (event.sensitivity == std::floor(event.sensitivity) &&
      event.sensitivity <= static_cast<double>(kMostSensitivity)) {
    return OkStatus();
  }
  return InvalidArgument(Join("mechanism event 'discrete-gaussian' has sensitivity ",
                              event.sensitivity, ", expected a whole number from 1 to ",
                              kMostSensitivity, " when it is about one value"));
}

Status Check(const Fields& fields, const DiscreteLaplace& event) {
  TUTTI_TRY(fields.AboveZero("decay", event.decay));
  return fields.Count("sensitivity", event.sensitivity, kMostSensitivity);
}

Status Check(const Fields& fields, const Skellam& event) {
  TUTTI_TRY(fields.AtLeastZero("variance", event.variance));
  TUTTI_TRY(fields.AboveZero("l1 sensitivity", event.l1_sensitivity));
  TUTTI_TRY(fields.AboveZero("l2 sensitivity", event.l2_sensitivity));
  return fields.Rate(event.sampling_rate);
}

Status Check(const Fields& fields, const DistributedDiscreteGaussian& event) {
  TUTTI_TRY(fields.AtLeastZero("share sigma", event.share_sigma));
  TUTTI_TRY(fields.Count("shares", event.shares, kMostShares));
  TUTTI_TRY(fields.AboveZero("l1 sensitivity", event.l1_sensitivity));
  TUTTI_TRY(fields.AboveZero("l2 sensitivity", event.l2_sensitivity));
  TUTTI_TRY(fields.Count("values", event.values, kMostExamples));
  return fields.Rate(event.sampling_rate);
}

Status Check(const Fields& fields, const TreeAggregation& event) {
  TUTTI_TRY(fields.AtLeastZero("noise multiplier", event.noise_multiplier));
  return fields.Count("leaves", event.leaves, kMostExamples);
}

Status Check(const Fields&, const UnknownRelease&) { return OkStatus(); }

unsigned RelationsOf(const Event& event) {
  return std::visit(
      Overloaded{
          [](const GaussianWithoutReplacement&) { return Bit(Relation::kReplaceOne); },
          [](const TreeAggregation&) { return Bit(Relation::kZeroOutOne); },
          [](const UnknownRelease&) { return kAddRemoveOrZeroOut | Bit(Relation::kReplaceOne); },
          [](const auto&) { return kAddRemoveOrZeroOut; }},
      event);
}

std::string RelationNames(unsigned relations) {
  std::string names;
  for (const Relation relation :
       {Relation::kAddOrRemoveOne, Relation::kZeroOutOne, Relation::kReplaceOne}) {
    if ((relations & Bit(relation)) == 0) continue;
    names += (names.empty() ? "" : " or ") + NameOf(relation);
  }
  return names;
}

}  // namespace

Status CheckEvent(const Event& event) {
  const Fields fields(NameOf(event));
  return std::visit([&](const auto& mechanism) { return Check(fields, mechanism); }, event);
}

std::uint64_t StepsOf(const Event& event) {
  return std::visit([](const auto& mechanism) { return mechanism.steps; }, event);
}

Event WithSteps(Event event, std::uint64_t steps) {
  std::visit([&](auto& mechanism) { mechanism.steps = steps; }, event);
  return event;
}

Event AsExampleEvent(Event client_event) {
  struct Twice {
    void operator()(SubsampledGaussian& event) const { event.noise_multiplier /= 2; }
    void operator()(TreeAggregation& event) const { event.noise_multiplier /= 2; }
    void operator()(Skellam& event) const {
      event.l1_sensitivity *= 2;
      event.l2_sensitivity *= 2;
    }
    void operator()(DistributedDiscreteGaussian& event) const {
      event.l1_sensitivity *= 2;
      event.l2_sensitivity *= 2;
    }
    void operator()(UnknownRelease&) const {}
  };
  const std::uint64_t steps = StepsOf(client_event);
  const bool known = std::visit(
      [](auto& event) {
        if constexpr (std::is_invocable_v<Twice, decltype(event)>) {
          Twice{}(event);
          return true;
        } else {
          return false;
        }
      },
      client_event);
  if (known) return client_event;
  return UnknownRelease{.name = "an event that is not a client's", .steps = steps};
}

std::string NameOf(const Event& event) {
  constexpr const char* kNames[] = {"gaussian",
                                    "gaussian-without-replacement",
                                    "laplace",
                                    "discrete-gaussian",
                                    "discrete-laplace",
                                    "skellam",
                                    "distributed-discrete-gaussian",
                                    "tree-aggregation",
                                    "unknown"};
  static_assert(std::size(kNames) == std::variant_size_v<Event>);
  return kNames[event.index()];
}

std::string NameOf(Relation relation) {
  switch (relation) {
    case Relation::kAddOrRemoveOne:
      return "add-or-remove-one";
    case Relation::kZeroOutOne:
      return "zero-out-one";
    case Relation::kReplaceOne:
      return "replace-one";
  }
  return "";
}

double NoisePerTree(const TreeAggregation& event) {
  return event.noise_multiplier / std::sqrt(static_cast<double>(std::bit_width(event.leaves)));
}

bool HoldsFor(const Event& event, Relation relation) {
  return (RelationsOf(event) & Bit(relation)) != 0;
}

Status CommonRelation::Add(const Event& event) {
  const unsigned holds = RelationsOf(event);
  if (StepsOf(event) == 0 || (holds_ & holds) == holds_) return OkStatus();
  if ((holds_ & holds) == 0) {
    return InvalidArgument(Join("'", NameOf(event), "' makes its statement for ",
                                RelationNames(holds), ", but ", narrowed_by_, " for ",
                                RelationNames(holds_),
                                "; they cannot be added up, account them separately"));
  }
  holds_ &= holds;
  narrowed_by_ += (narrowed_by_.empty() ? "'" : " and '") + NameOf(event) + "'";
  return OkStatus();
}

Relation CommonRelation::relation() const {
  for (const Relation relation : {Relation::kAddOrRemoveOne, Relation::kZeroOutOne}) {
    if ((holds_ & Bit(relation)) != 0) return relation;
  }
  return Relation::kReplaceOne;
}

}  // namespace tutti::dp
