// How much of each of many known vectors is in a noisy sum of them, when they are not at right
// angles: the linear estimate of least mean square error. Thread safety: pure function.
#pragma once

#include <span>
#include <vector>

namespace tutti::audit {

// What is believed of one vector's amount before looking.
struct Prior {
  double mean = 0;
  double variance = 0;  // >= 0; 0: known
};

// amount = truth + an error of this variance, without bias. Infinite variance: nothing was learnt.
struct Decoded {
  double amount = 0;
  double variance = 0;
};

// `vectors`: priors.size() rows, each as long as `sum` = rows * amounts + noise of `noise_stddev` >
// 0 on each value. Time grows with rows^2 * values + rows^3.
std::vector<Decoded> Decode(std::span<const float> vectors, std::span<const Prior> priors,
                            std::span<const float> sum, double noise_stddev);

}  // namespace tutti::audit
