#include "common/learn/runtime.h"

#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <exception>
#include <string_view>

// Before the others of LibTorch: see there.
#include "common/learn/aten.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/version.h>

#include "common/base/text.h"

namespace tutti::learn {
namespace {

constexpr double kSlowGigaflops =
    8;  // the reference BLAS does 1 to 4 on one core, an optimised one 20 to 100

// The last match wins nothing: any loaded optimised library is the one LibTorch's symbols resolve
// to.
int NoteLibrary(dl_phdr_info* info, std::size_t, void* found) {
  char path[PATH_MAX];
  if (info->dlpi_name == nullptr || realpath(info->dlpi_name, path) == nullptr) {
    return 0;
  }
  const std::string_view text(path);
  auto& name = *static_cast<std::string*>(found);
  for (const std::string_view known : {"openblas", "libmkl", "blis"}) {
    if (text.find(known) != std::string_view::npos) {
      name = known == "libmkl" ? "mkl" : known;
      return 1;
    }
  }
  return 0;
}

double MeasureProduct() {
  constexpr std::int64_t kSize = 256;
  const c10::NoGradGuard no_grad;
  const at::Tensor a = at::ones({kSize, kSize});
  const at::Tensor b = at::ones({kSize, kSize});
  double best = 1e9;
  for (int i = 0; i < 6; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const at::Tensor product = at::mm(a, b);
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return 2e-9 * kSize * kSize * kSize / best;
}

}  // namespace

void SetUp(std::uint32_t threads) {
  const int count = static_cast<int>(std::clamp<std::uint32_t>(threads, 1, 1024));
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
  at::set_num_threads(count);
  // Gradients of examples a model is sure of are denormal numbers, which processors compute several
  // times slower: they count as zero. Threads started from here on inherit it.
  at::globalContext().setFlushDenormal(true);
  // OpenBLAS has its own pool; where it is not loaded there is nothing to set.
  using SetThreads = void (*)(int);
  if (void* const symbol = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"); symbol != nullptr) {
    reinterpret_cast<SetThreads>(symbol)(count);
  }
}

void RestartWithFasterBlas(char** arguments) {
  using CoreName = char* (*)();
  void* const symbol = dlsym(RTLD_DEFAULT, "openblas_get_corename");
  if (symbol == nullptr || std::getenv("OPENBLAS_CORETYPE") != nullptr) {
    return;
  }
#if defined(__x86_64__)
  const std::string_view core = reinterpret_cast<CoreName>(symbol)();
  if (core == "Prescott" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    ::setenv("OPENBLAS_CORETYPE", "Haswell", 1);
    // By its path, so that the process keeps its name.
    char path[PATH_MAX];
    if (realpath("/proc/self/exe", path) != nullptr) {
      ::execv(path, arguments);
    }
  }
#else
  static_cast<void>(arguments);
#endif
}

RuntimeReport DescribeRuntime() {
  RuntimeReport report{
      .torch_version = TORCH_VERSION, .blas = "reference", .gigaflops = 0, .warning = std::nullopt};
  dl_iterate_phdr(NoteLibrary, &report.blas);
  try {
    report.gigaflops = MeasureProduct();
  } catch (const std::exception& error) {
    report.warning = Join("LibTorch failed at a matrix product: ", Escaped(error.what(), 200));
    return report;
  }
  if (report.blas == "reference" && report.gigaflops < kSlowGigaflops) {
    report.warning = Join(
        "LibTorch multiplies matrices with the slow reference BLAS (",
        RoundedUp(report.gigaflops, 1),
        " GFLOP/s): training takes many times longer; fix: apt-get install libopenblas0-pthread");
  }
  return report;
}

}  // namespace tutti::learn
