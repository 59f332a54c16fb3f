// The command `tutti-bench train`. Thread safety: call from main.
#pragma once

namespace tutti::bench {

// Reads its options from the words after the command's name and gives the exit status.
int TrainCommand(int argc, char** argv);

}  // namespace tutti::bench
