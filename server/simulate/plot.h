// A picture of a simulation: accuracy and loss over rounds and over virtual time, as SVG. Thread
// safety: pure function.
#pragma once

#include <string>

#include "server/simulate/report.h"

namespace tutti::simulate {

std::string ToSvg(const std::string& title, const Report& report);

}  // namespace tutti::simulate
