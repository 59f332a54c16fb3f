#include "common/crypto/mask_stream.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>

#include "common/base/status.h"
#include "common/crypto/mask_kernels.h"

namespace tutti::crypto {
namespace {

#if defined(__x86_64__)
bool HasVaes() {
  // Not __builtin_cpu_supports("vaes"): clang 14 does not know the name. CPUID leaf 7, ECX bit 9.
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & (1u << 9)) != 0;
}

// "avx2" is true only when the operating system saves the wide registers too.
bool HasAvx2() { return __builtin_cpu_supports("avx2") != 0; }
#endif

MaskKernel FindKernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("aes") != 0) {
    return HasAvx2() && HasVaes() ? MaskKernel::kVaes256 : MaskKernel::kAesNi;
  }
#endif
  return MaskKernel::kPortable;
}

// A static in spite of the rule: what the processor can do does not change while we run, and CPUID
// is slow in virtual machines.
MaskKernel BestKernel() {
  static const MaskKernel kKernel = FindKernel();
  return kKernel;
}

template <typename Lane>
using AddBlocks = void (*)(const std::uint8_t* schedule, Lane* lanes, std::size_t blocks,
                           std::uint64_t first_block, bool subtract);

template <typename Lane>
AddBlocks<Lane> FunctionOf(MaskKernel kernel) {
#if defined(__x86_64__)
  switch (kernel == MaskKernel::kBest ? BestKernel() : kernel) {
    case MaskKernel::kVaes256:
      return AddBlocksVaes256<Lane>;
    case MaskKernel::kAesNi:
      return AddBlocksAesNi<Lane>;
    case MaskKernel::kBest:
    case MaskKernel::kPortable:
      break;
  }
#else
  static_cast<void>(kernel);
#endif
  return AddBlocksPortable<Lane>;
}

// `count` lanes of one block from lane `skip` of it on: the ends of a range that cuts a block.
template <typename Lane>
void AddPartOfBlock(AddBlocks<Lane> add, const std::uint8_t* schedule, Lane* lanes,
                    std::size_t skip, std::size_t count, std::uint64_t block, bool subtract) {
  Lane whole[16 / sizeof(Lane)] = {};
  std::copy_n(lanes, count, whole + skip);
  add(schedule, whole, 1, block, subtract);
  std::copy_n(whole + skip, count, lanes);
  Wipe(whole, sizeof(whole));
}

template <typename Lane>
void AddMaskLanes(const MaskKey& key, std::span<Lane> lanes, std::uint64_t first_lane,
                  bool subtract, MaskKernel kernel) {
  TUTTI_CHECK(KernelAvailable(kernel));
  TUTTI_CHECK(first_lane + lanes.size() >= first_lane);  // the lane number would start over
  constexpr std::size_t kLanes = 16 / sizeof(Lane);
  const AddBlocks<Lane> add = FunctionOf<Lane>(kernel);
  const std::uint8_t* const schedule = key.schedule().data();
  std::uint64_t block = first_lane / kLanes;
  if (const std::size_t skip = first_lane % kLanes; skip != 0 && !lanes.empty()) {
    const std::size_t count = std::min(kLanes - skip, lanes.size());
    AddPartOfBlock(add, schedule, lanes.data(), skip, count, block, subtract);
    lanes = lanes.subspan(count);
    ++block;
  }
  const std::size_t blocks = lanes.size() / kLanes;
  if (blocks > 0) {
    add(schedule, lanes.data(), blocks, block, subtract);
    lanes = lanes.subspan(kLanes * blocks);
    block += blocks;
  }
  if (!lanes.empty()) {
    AddPartOfBlock(add, schedule, lanes.data(), 0, lanes.size(), block, subtract);
  }
}

}  // namespace

MaskKey::MaskKey(const MaskSeed& seed) {
#if defined(__x86_64__)
  if (BestKernel() != MaskKernel::kPortable) {
    ExpandKeyAesNi(seed.view().data(), schedule_);
    return;
  }
#endif
  ExpandKeyPortable(seed.view().data(), schedule_);
}

MaskKey::~MaskKey() { Wipe(schedule_, sizeof(schedule_)); }

bool KernelAvailable(MaskKernel kernel) {
  switch (kernel) {
    case MaskKernel::kBest:
    case MaskKernel::kPortable:
      return true;
    case MaskKernel::kAesNi:
      return BestKernel() != MaskKernel::kPortable;
    case MaskKernel::kVaes256:
      return BestKernel() == MaskKernel::kVaes256;
  }
  return false;
}

std::string_view KernelName(MaskKernel kernel) {
  switch (kernel) {
    case MaskKernel::kVaes256:
      return "vaes-256";
    case MaskKernel::kAesNi:
      return "aes-ni";
    case MaskKernel::kPortable:
      return "portable";
    case MaskKernel::kBest:
      break;
  }
  return KernelName(BestKernel());
}

void AddMask(const MaskKey& key, std::span<std::uint16_t> lanes, std::uint64_t first_lane,
             bool subtract, MaskKernel kernel) {
  AddMaskLanes(key, lanes, first_lane, subtract, kernel);
}

void AddMask(const MaskKey& key, std::span<std::uint32_t> lanes, std::uint64_t first_lane,
             bool subtract, MaskKernel kernel) {
  AddMaskLanes(key, lanes, first_lane, subtract, kernel);
}

void AddMask(const MaskKey& key, std::span<std::uint64_t> lanes, std::uint64_t first_lane,
             bool subtract, MaskKernel kernel) {
  AddMaskLanes(key, lanes, first_lane, subtract, kernel);
}

}  // namespace tutti::crypto
