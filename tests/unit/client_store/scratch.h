// A directory that is gone when the test ends, and plain reads and writes of files in it.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "common/base/bytes.h"
#include "common/ledger/ledger.h"

namespace tutti::client_store::testing {

class Scratch {
 public:
  Scratch() {
    // In memory where there is such a place: what is tested is the order of writes, not the disk's
    // speed.
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path place =
        memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string pattern = (place / "tutti-store-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline Bytes Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return ToBytes(AsBytes(text));
}

inline void Spill(const std::string& path, BytesView bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << AsText(bytes);
}

// What a client would charge for one round.
inline v1::LedgerEntry ChargeOf(std::uint64_t round, const dp::SubsampledGaussian& event,
                                const std::string& data = "photos") {
  v1::LedgerEntry entry;
  entry.set_time(1700000000 + static_cast<std::int64_t>(round) * 60);
  entry.set_data_identity(data);
  entry.set_unit("example");
  entry.set_job("digits");
  entry.set_round(round);
  entry.set_session(std::string(32, static_cast<char>(round)));
  *entry.mutable_event() = ledger::ToMechanismEvent(event);
  return entry;
}

}  // namespace tutti::client_store::testing
