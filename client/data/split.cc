#include "client/data/split.h"

namespace tutti::data {

std::string ValidationPurpose(std::string_view identity) {
  return "tutti validation split of " + std::string(identity);
}

bool IsForValidation(const Digest& digest, double fraction) {
  ByteReader bytes(digest);
  return static_cast<double>(bytes.U64() >> 11) * 0x1.0p-53 < fraction;
}

}  // namespace tutti::data
