#include "tests/bench/accountant/accountant_bench.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <vector>

#include "common/dp/accountant.h"
#include "common/dp/pld.h"

namespace tutti::bench {
namespace {

template <typename Work>
double LeastMilliseconds(int repetitions, const Work& work) {
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < repetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    least = std::min(least, took.count());
  }
  return least;
}

}  // namespace

StatusOr<nlohmann::json> MeasureAccountant(const AccountantSettings& settings) {
  const std::vector<dp::Event> events = {
      dp::SubsampledGaussian{settings.sampling_rate, settings.noise_multiplier, settings.steps}};
  TUTTI_ASSIGN(dp::PldBudget pld, dp::SpentEpsilonByPld(events, settings.delta));
  TUTTI_ASSIGN(dp::SpentBudget rdp, dp::SpentEpsilon(events, settings.delta));
  const double pld_ms = LeastMilliseconds(
      settings.repetitions, [&] { pld = *dp::SpentEpsilonByPld(events, settings.delta); });
  const double rdp_ms = LeastMilliseconds(settings.repetitions,
                                          [&] { rdp = *dp::SpentEpsilon(events, settings.delta); });
  return nlohmann::json{{"bench", "accountant"},
                        {"cores", std::thread::hardware_concurrency()},
                        {"build", TUTTI_BUILD_TYPE},
                        {"version", TUTTI_VERSION},
                        {"sampling_rate", settings.sampling_rate},
                        {"noise_multiplier", settings.noise_multiplier},
                        {"steps", settings.steps},
                        {"delta", settings.delta},
                        {"interval", pld.interval},
                        {"epsilon_pld", pld.epsilon},
                        {"epsilon_rdp", rdp.epsilon},
                        {"pld_ms", pld_ms},
                        {"rdp_ms", rdp_ms}};
}

}  // namespace tutti::bench
