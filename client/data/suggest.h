// What an owner could write in client.toml when a column is not what its declaration says. Thread
// safety: functions of the file.
#pragma once

#include <string>
#include <vector>

#include "client/data/columns.h"

namespace tutti::data {

// Words as TOML: "a" and ["a", "b"].
std::string TomlText(const std::string& word);
std::string TomlList(const std::vector<std::string>& words);

// `error` with what to write instead, when the column at `place` is declared a number (or an index
// of a class) and most of its cells are a few different words; else `error` as it is. Reads the
// table once more.
Status Annotated(const Status& error, const v1::DataConfig& config, const TablePlan& plan,
                 std::size_t place);

}  // namespace tutti::data
