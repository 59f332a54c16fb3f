// The command line of `tutti-bench audit`.
#pragma once

namespace tutti::bench {

// Arguments after the word "audit". One JSON line on standard output, progress on standard error;
// the exit code: 0, also when the lower bound is above the claim, or 1 with what was wrong.
int AuditCommand(int count, char** words);

}  // namespace tutti::bench
