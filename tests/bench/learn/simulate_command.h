// tutti-bench simulate. Thread safety: confined to one thread.
#pragma once

namespace tutti::bench {

int SimulateCommand(int argc, char** argv);

}  // namespace tutti::bench
