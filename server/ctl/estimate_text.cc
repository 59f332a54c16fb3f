#include "server/ctl/estimate_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace tutti::ctl {
namespace {

constexpr const char* kNotKnown = "not known";
constexpr const char* kStar = " *";

std::string Starred(const measure::Estimate& estimate, std::string text) {
  return estimate.noise_dominates() ? text + kStar : text;
}

}  // namespace

std::string Fixed(double value, int digits) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string ShareText(const measure::Estimate& share) {
  if (!share.known()) return kNotKnown;
  const double width = std::min(1.0, share.half_width());
  return Starred(share, Join(Fixed(100 * share.value, 2), " +/- ", Fixed(100 * width, 2), " %"));
}

std::string NumberText(const measure::Estimate& number, int digits) {
  if (!number.known()) return kNotKnown;
  const std::string value = Fixed(number.value, digits);
  if (number.half_width() == 0) return value;
  return Starred(number, Join(value, " +/- ", Fixed(number.half_width(), digits)));
}

std::string CountText(const measure::Count& count) {
  const std::string value = Fixed(count.value, 0);
  if (count.noise_stddev == 0) return value;
  return Join(value, " +/- ", Fixed(measure::kTwoSided95 * count.noise_stddev, 0));
}

nlohmann::ordered_json ToJson(const measure::Estimate& estimate) {
  if (!estimate.known()) return nullptr;
  return {{"value", estimate.value},
          {"half_width", estimate.half_width()},
          {"sampling_stddev", estimate.sampling_stddev},
          {"noise_stddev", estimate.noise_stddev}};
}

nlohmann::ordered_json ToJson(const measure::Count& count) {
  return {{"value", count.value}, {"noise_stddev", count.noise_stddev}};
}

std::string Footnote(const std::string& text) {
  return text.find(kStar) == std::string::npos
             ? ""
             : "* most of the doubt is privacy noise, not the size of the sample\n";
}

}  // namespace tutti::ctl
