// A round's configuration as a coordinator offers it.
#include <algorithm>

#include "common/secagg/config.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const BytesView bytes(data, size);
  const StatusOr<secagg::RoundConfig> config = secagg::DecodeRoundConfig(bytes);
  if (!config.ok()) {
    return 0;
  }
  const Bytes encoded = secagg::Encode(*config);
  fuzz::Expect(std::equal(encoded.begin(), encoded.end(), bytes.begin(), bytes.end()),
               "a configuration has one encoding");
  if (secagg::CheckRoundConfig(*config).ok()) {
    fuzz::Expect(config->min_survivors >= 2, "a sum of one client is never opened");
  }
  return 0;
}
