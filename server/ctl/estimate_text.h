// Estimates as the operator reads them. Thread safety: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/measure/estimate.h"

namespace tutti::ctl {

// "87.31 +/- 0.65 %": within so much of it the true share lies 95 % of the time. A star behind it:
// most of that is privacy noise. "not known" when it is not.
std::string ShareText(const measure::Estimate& share);
// The same of other numbers: "0.3512 +/- 0.0040"; without doubt that is counted "0.3512".
std::string NumberText(const measure::Estimate& number, int digits);
// A count: "1203"; with noise "1203 +/- 12".
std::string CountText(const measure::Count& count);
std::string Fixed(double value, int digits);

// {"value", "half_width", "sampling_stddev", "noise_stddev"}; null when not known.
nlohmann::ordered_json ToJson(const measure::Estimate& estimate);
nlohmann::ordered_json ToJson(const measure::Count& count);

// The line that explains the stars; empty when the text has none.
std::string Footnote(const std::string& text);

}  // namespace tutti::ctl
