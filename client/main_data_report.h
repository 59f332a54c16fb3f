// What `tutti-client data inspect` prints, for people and as JSON. It holds cells of the owner's
// data and is for the owner's eyes: nothing sends it anywhere. Thread safety: pure functions.
#pragma once

#include <string>

#include "client/data/inspect.h"

namespace tutti::client {

std::string TextOfInspection(const v1::DataConfig& config, const data::Inspection& inspection);
std::string JsonOfInspection(const v1::DataConfig& config, const data::Inspection& inspection);

// Whether training may start with this data.
bool IsUsable(const data::Inspection& inspection);

}  // namespace tutti::client
