// CPU time of the calling thread: added up over the stretches that count, or the least of trials.
// Thread safety: confined to one thread.
#pragma once

#include <algorithm>
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

// The best of several trials: everything that disturbs a trial makes it slower.
template <typename Work>
double BestSeconds(Work&& work) {
  constexpr int kTrials = 7;
  double best = 1e9;
  for (int trial = 0; trial < kTrials; ++trial) {
    const double start = ThreadCpuSeconds();
    work();
    best = std::min(best, ThreadCpuSeconds() - start);
  }
  return best;
}

}  // namespace tutti::bench
