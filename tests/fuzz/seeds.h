// Inputs the fuzz targets start from: one good message of every kind, so that mutations begin
// behind the first checks. Thread safety: pure functions.
#pragma once

#include <map>
#include <string>

#include "common/base/bytes.h"

namespace tutti::fuzz {

using Seeds = std::map<std::string, std::string>;  // "<target>/<name>" and the input

void AddWireSeeds(Seeds& seeds);     // notice, request, round_config, task, token
void AddSessionSeeds(Seeds& seeds);  // of the targets that read their bytes as decisions

}  // namespace tutti::fuzz
