// The database's tables as a list of migrations: migration i leads from version i to i + 1 (PRAGMA
// user_version). Thread safety: pure functions. Format: docs/operations.md "The state directory".
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/store/sqlite.h"

namespace tutti::store {

std::span<const std::string_view> Migrations();

// Checks the file (quick_check), then brings it to the newest version; an older database is first
// copied to <path>.before-v<n>. DataLoss: damaged. FailedPrecondition: written by a newer program.
Status PrepareSchema(Database& database, const std::string& path,
                     std::span<const std::string_view> migrations);

}  // namespace tutti::store
