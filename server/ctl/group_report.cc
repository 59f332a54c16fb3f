#include "server/ctl/group_report.h"

#include <array>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/measure/groups.h"
#include "server/ctl/estimate_text.h"
#include "server/ctl/format.h"

namespace tutti::ctl {
namespace {

using measure::Criterion;
using measure::Gap;
using measure::GroupRates;

struct Named {
  Criterion criterion;
  const char* word;
};
constexpr std::array kCriteria{Named{Criterion::kDemographicParity, "demographic_parity"},
                               Named{Criterion::kEqualOpportunity, "equal_opportunity"},
                               Named{Criterion::kEqualisedOdds, "equalised_odds"}};

std::string Verdict(const Gap& gap) {
  if (!gap.estimate.known()) return "not known";
  if (gap.low > 0) return "there is a gap";
  return gap.estimate.noise_dominates() ? "hidden by the noise: none, or up to the upper end"
                                        : "none can be told from chance";
}

StatusOr<std::vector<GroupRates>> RatesIn(const v1::TaskSpec& task, const measure::Opened& opened) {
  TUTTI_ASSIGN(const measure::CountLayout layout, measure::LayoutOf(task));
  if (measure::KindOf(task) != measure::Kind::kTrain || layout.empty() ||
      layout.lanes() != opened.counts.size()) {
    return InvalidArgument(Join("found ", opened.counts.size(),
                                " counts, expected those of the groups of a job that trains with "
                                "[fairness]: ",
                                layout.lanes()));
  }
  const std::vector<double> stddevs = measure::NoiseStddevs(layout, opened.noise_multiplier);
  const auto place = layout.Find(measure::kOutcomes);
  return measure::RatesOf(opened.counts.subspan(place.first, place.lanes),
                          std::span(stddevs).subspan(place.first, place.lanes));
}

nlohmann::ordered_json ToJson(const GroupRates& rates) {
  return {{"examples", ctl::ToJson(rates.examples)},
          {"selection", ctl::ToJson(rates.selection)},
          {"tpr", ctl::ToJson(rates.tpr)},
          {"fpr", ctl::ToJson(rates.fpr)},
          {"accuracy", ctl::ToJson(rates.accuracy)}};
}

}  // namespace

std::string RatesText(const v1::FairnessSpec& fairness, std::span<const GroupRates> rates) {
  Table table({{"group"},
               {"examples", Align::kRight},
               {"selected", Align::kRight},
               {"true positives", Align::kRight},
               {"false positives", Align::kRight},
               {"right", Align::kRight}});
  for (std::size_t group = 0; group < rates.size(); ++group) {
    table.AddRow({fairness.groups(static_cast<int>(group)), CountText(rates[group].examples),
                  ShareText(rates[group].selection), ShareText(rates[group].tpr),
                  ShareText(rates[group].fpr), ShareText(rates[group].accuracy)});
  }
  return table.Text();
}

std::string GroupFiguresText(const v1::FairnessSpec& fairness,
                             const measure::ClassEvaluation& figures) {
  Table table({{"group"},
               {"examples", Align::kRight},
               {"accuracy", Align::kRight},
               {"macro F1", Align::kRight},
               {"ROC-AUC", Align::kRight}});
  for (std::size_t group = 0; group < figures.groups.size(); ++group) {
    const measure::PartFigures& part = figures.groups[group];
    const bool listed = group < static_cast<std::size_t>(fairness.groups_size());
    table.AddRow({listed ? fairness.groups(static_cast<int>(group)) : "(none of these)",
                  CountText(part.confusion.examples), ShareText(part.confusion.accuracy),
                  ShareText(part.confusion.macro_f1),
                  part.roc.empty() ? "-" : NumberText(part.roc[0].auc, 4)});
  }
  return Join(table.Text(), "\nclass ", fairness.positive_class(), " against all others\n",
              RatesText(fairness, figures.rates));
}

std::string GapsText(const v1::FairnessSpec& fairness, std::span<const GroupRates> rates) {
  Table table({{"criterion"},
               {"gap", Align::kRight},
               {"95 % within", Align::kRight},
               {"more often"},
               {"than"},
               {"verdict"}});
  for (const auto& [criterion, word] : kCriteria) {
    const Gap gap = measure::GapOf(rates, criterion);
    const bool known = gap.estimate.known();
    const auto group = [&](std::size_t index) {
      return known ? fairness.groups(static_cast<int>(index)) : "-";
    };
    table.AddRow({word, known ? Fixed(100 * gap.estimate.value, 2) + " %" : "not known",
                  Join(Fixed(100 * gap.low, 2), " to ", Fixed(100 * gap.high, 2), " %"),
                  group(gap.favoured), group(gap.other), Verdict(gap)});
  }
  return table.Text();
}

nlohmann::ordered_json FairnessJson(const v1::FairnessSpec& fairness,
                                    std::span<const GroupRates> rates) {
  nlohmann::ordered_json groups = nlohmann::ordered_json::object();
  for (std::size_t group = 0; group < rates.size(); ++group) {
    groups[fairness.groups(static_cast<int>(group))] = ToJson(rates[group]);
  }
  nlohmann::ordered_json gaps = nlohmann::ordered_json::object();
  for (const auto& [criterion, word] : kCriteria) {
    const Gap gap = measure::GapOf(rates, criterion);
    nlohmann::ordered_json& one = gaps[word];
    one = {{"gap", ctl::ToJson(gap.estimate)}, {"low", gap.low}, {"high", gap.high}};
    if (!gap.estimate.known()) continue;
    one["favoured"] = fairness.groups(static_cast<int>(gap.favoured));
    one["other"] = fairness.groups(static_cast<int>(gap.other));
    one["of_false_positives"] = gap.of_false_positives;
    one["noise_dominates"] = gap.estimate.noise_dominates();
  }
  return {{"attribute", fairness.attribute()},
          {"positive_class", fairness.positive_class()},
          {"rates", std::move(groups)},
          {"gaps", std::move(gaps)}};
}

StatusOr<std::string> FairnessText(const v1::TaskSpec& task, const measure::Opened& opened) {
  TUTTI_ASSIGN(const std::vector<GroupRates> rates, RatesIn(task, opened));
  const v1::FairnessSpec& fairness = task.fairness();
  return Join("groups of ", Escaped(fairness.attribute(), 80), "; class ",
              fairness.positive_class(), " against all others\n", RatesText(fairness, rates),
              "\ngaps between them\n", GapsText(fairness, rates));
}

StatusOr<nlohmann::ordered_json> FairnessJson(const v1::TaskSpec& task,
                                              const measure::Opened& opened) {
  TUTTI_ASSIGN(const std::vector<GroupRates> rates, RatesIn(task, opened));
  return FairnessJson(task.fairness(), rates);
}

}  // namespace tutti::ctl
