// CPU time of the calling thread, added up over the stretches that count.
// Thread safety: confined to one thread.
#pragma once

#include <ctime>

namespace tutti::bench {

inline double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// What `work` gives; its CPU seconds are added to `total`.
template <typename Work>
auto Timed(double& total, Work&& work) {
  const double start = ThreadCpuSeconds();
  auto result = work();
  total += ThreadCpuSeconds() - start;
  return result;
}

}  // namespace tutti::bench
