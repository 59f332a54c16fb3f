// `tutti-client join`: from a token to an identity. Every step can be repeated after a crash: the
// key stays, and a token whose certificate was not stored yet is answered again by the coordinator
// for the same key. Thread safety: functions of the files and the network.
#pragma once

#include <string>

#include "common/base/rng.h"
#include "common/base/status.h"

namespace tutti::client {

struct JoinSettings {
  std::string token;
  std::string state_directory;
  std::string name;  // wanted; empty: the token's or this machine's
};

struct Joined {
  std::string name;
  std::string role;
  std::string server;  // host:port
};

// AlreadyExists when the device has an identity; Unauthenticated with what to do when the token
// does not work.
StatusOr<Joined> Join(const JoinSettings& settings, SecureRng& rng);

}  // namespace tutti::client
