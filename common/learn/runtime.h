// The LibTorch this process runs on: version, threads, and whether its matrix products are fast.
// Thread safety: call at the start, from one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tutti::learn {

struct RuntimeReport {
  std::string torch_version;           // e.g. "1.13.1"
  std::string blas;                    // "openblas", "mkl", "blis", or "reference"
  double gigaflops = 0;                // of one 256 x 256 x 256 float32 product, best of some
  std::optional<std::string> warning;  // what is slow and what to do about it
};

// Threads LibTorch and OpenBLAS may use, and malloc's thresholds: buffers of a training step stay
// in the heap, because giving them back and faulting them in again costs several times the
// computation of small models. Denormal numbers become zero in the calling thread.
void SetUp(std::uint32_t threads);

// OpenBLAS falls back to kernels of 2004 on a processor it does not know, a third of what the
// processor can do. When it did so here and newer kernels would run, starts this program anew with
// OPENBLAS_CORETYPE set to them, and does not return. Somebody's own setting is left alone. Call
// first in main.
void RestartWithFasterBlas(char** arguments);

// A few milliseconds.
RuntimeReport DescribeRuntime();

}  // namespace tutti::learn
