// JSON that a person can read and a tool can compare line by line: what is short or flat stands on
// one line. Thread safety: pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/base/bytes.h"

namespace tutti::vectors {

using Json = nlohmann::ordered_json;

std::string Print(const Json& value);  // with a newline at the end

inline Json Hex(BytesView bytes) { return ToHex(bytes); }

// [to_json(item), ...]
template <typename Items, typename ToJson>
Json List(const Items& items, ToJson to_json) {
  Json list = Json::array();
  for (const auto& item : items) {
    list.push_back(to_json(item));
  }
  return list;
}

}  // namespace tutti::vectors
