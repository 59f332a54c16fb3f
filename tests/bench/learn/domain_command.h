// The command `tutti-bench domain`: what sharing is worth on a domain's table (docs/domains).
// Thread safety: call from main.
#pragma once

namespace tutti::bench {

// Reads its options from the words after the command's name and gives the exit status.
int DomainCommand(int argc, char** argv);

}  // namespace tutti::bench
