// The second thing tutti-simulator does: it measures model files on data, for `tutti model
// compress`, which links no LibTorch. Thread safety: confined to the program's main thread.
#pragma once

#include <string>
#include <vector>

namespace tutti::simulate {

// The program's first word for it.
inline constexpr const char* kEvaluateWord = "--evaluate";

// `words` behind that: job file, data (a client's file: all its examples; a folder of the MNIST
// family: its test set), file of a torchscript model or "", then model files (safetensors,
// compressed ones too). Prints one JSON document, {"examples": n, "models": [{"file": ..., "loss":
// ..., "accuracy": ...}]} with accuracy null for models that predict a number. Returns the exit
// code: 0; 1 something does not fit, with the reason on standard error; 64 fewer words; 78 the job
// file is wrong.
int EvaluateFiles(const std::vector<std::string>& words);

}  // namespace tutti::simulate
