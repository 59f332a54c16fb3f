// `tutti-client run`: from checked settings to a clean exit. Thread safety: call Run once, from
// main.
#pragma once

#include <string>

#include "common/base/status.h"
#include "tutti/v1/config.pb.h"

namespace tutti::client {

// sysexits.h's names for what our service files act on.
enum ExitCode : int {
  kExitOk = 0,
  kExitInternal = 70,
  kExitIo = 74,
  kExitPermission = 77,
  kExitConfig = 78
};
ExitCode ExitCodeFor(const Status& status);

// Runs until SIGTERM or SIGINT. What keeps it from starting is logged; the result is the program's
// exit code.
// `accept_ledger_reset`: the owner's word that a damaged ledger is set aside
// (client/store/ledger.h).
int RunDaemon(const v1::ClientConfig& config, const v1::PolicyConfig& policy,
              bool accept_ledger_reset);

}  // namespace tutti::client
