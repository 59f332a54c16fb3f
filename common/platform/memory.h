// Limits of the process: the allocator's thresholds, open files, memory in use.
// Thread safety: call the setters once, at the start of main, before threads exist.
#pragma once

#include <cstdint>

namespace tutti::platform {

// Keeps buffers of up to 2 MiB (RPC chunks) in the heap instead of mapping and faulting them anew
// each time, lets 8 MiB of free heap stay, and bounds the number of arenas. Bigger vectors are
// still mapped, so their memory comes back to the system as soon as they are freed. Does nothing
// where the C library is not glibc.
void TuneAllocator();

// Gives free heap pages back to the system; after a burst (the end of a round).
void ReleaseFreeMemory();

// Raises the soft limit of open files to the hard one; returns the limit now in force.
std::uint64_t RaiseFileLimit();

// Resident set now and CPU time so far of this process.
std::uint64_t ResidentBytes();
double CpuSeconds();

}  // namespace tutti::platform
