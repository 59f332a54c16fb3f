// What `tutti-client status` and `tutti-client ledger` print, for people and as JSON. Reads files
// only, beside a running daemon. Thread safety: functions of the files.
#pragma once

#include <ostream>
#include <string>

#include "tutti/v1/config.pb.h"

namespace tutti::client {

struct ReportSettings {
  std::string state_directory;
  const v1::PolicyConfig* policy = nullptr;  // null: budgets are not known
  bool json = false;
};

// All give the program's exit code.
int PrintStatus(const ReportSettings& settings, std::ostream& out, std::ostream& error);
int PrintLedger(const ReportSettings& settings, std::ostream& out, std::ostream& error);
int PrintLedgerCheck(const ReportSettings& settings, std::ostream& out, std::ostream& error);
int ExportLedger(const ReportSettings& settings, std::ostream& out,
                 std::ostream& error);  // one JSON object a line

}  // namespace tutti::client
