// libsodium wants to be started before anything else of it is called. Internal to common/crypto.
// Thread safety: safe.
#pragma once

#include <sodium/core.h>

#include "common/base/status.h"

namespace tutti::crypto {

inline void StartSodium() {
  static const bool ready = sodium_init() >= 0;
  TUTTI_CHECK(ready);
}

}  // namespace tutti::crypto
