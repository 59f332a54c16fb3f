// What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput: it hands the bytes
// to a parser that reads what a peer or a disk gave us, and states what must hold of anything the
// parser lets through. libFuzzer drives it in the fuzz preset (tests/fuzz/run.sh); in every other
// build replay.cc runs it over the files of tests/fuzz/corpus. Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "common/base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace tutti::fuzz {

// Ends the process, which is how a target reports a finding.
inline void Expect(bool holds, const char* property) {
  if (!holds) {
    std::fprintf(stderr, "fuzz: this does not hold: %s\n", property);
    std::abort();
  }
}

// A target for several parsers lets the first byte choose one.
struct Chosen {
  std::uint8_t choice = 0;
  BytesView rest;
};
inline Chosen Choose(const std::uint8_t* data, std::size_t size) {
  const BytesView bytes(data, size);
  return bytes.empty() ? Chosen{} : Chosen{bytes[0], bytes.subspan(1)};
}

}  // namespace tutti::fuzz
