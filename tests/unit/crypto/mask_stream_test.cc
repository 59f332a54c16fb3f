#include "common/crypto/mask_stream.h"

#include <openssl/evp.h>

#include <memory>

#include "common/crypto/mask_kernels.h"
#include "tests/unit/crypto/support.h"

namespace tutti::crypto {
namespace {

using Lanes = std::vector<std::uint32_t>;

const MaskKernel kKernels[] = {MaskKernel::kBest, MaskKernel::kVaes256, MaskKernel::kAesNi,
                               MaskKernel::kPortable};

std::vector<MaskKernel> AvailableKernels() {
  std::vector<MaskKernel> kernels;
  std::copy_if(std::begin(kKernels), std::end(kKernels), std::back_inserter(kernels),
               KernelAvailable);
  return kernels;
}

MaskSeed RandomSeed(TestRng& rng) {
  MaskSeed seed;
  for (std::uint8_t& byte : seed.mutable_view()) {
    byte = static_cast<std::uint8_t>(rng.Next());
  }
  return seed;
}

template <typename Lane = std::uint32_t>
std::vector<Lane> RandomLanes(TestRng& rng, std::size_t count) {
  std::vector<Lane> lanes(count);
  for (Lane& lane : lanes) {
    lane = static_cast<Lane>(rng.Next());
  }
  return lanes;
}

// Lane `lane` of a seed's stream straight from the definition: one AES-128 block from OpenSSL, read
// byte by byte.
template <typename Lane>
Lane LaneByDefinition(const MaskSeed& seed, std::uint64_t lane) {
  constexpr std::uint64_t kLanes = 16 / sizeof(Lane);
  std::uint8_t counter[16] = {};
  std::uint8_t block[32] = {};
  for (std::size_t i = 0; i < 8; ++i) {
    counter[15 - i] = static_cast<std::uint8_t>((lane / kLanes) >> (8 * i));
  }
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> cipher(EVP_CIPHER_CTX_new(),
                                                                               EVP_CIPHER_CTX_free);
  int size = 0;
  REQUIRE(EVP_EncryptInit_ex(cipher.get(), EVP_aes_128_ecb(), nullptr, seed.view().data(),
                             nullptr) == 1);
  REQUIRE(EVP_EncryptUpdate(cipher.get(), block, &size, counter, 16) == 1);
  REQUIRE(size == 16);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Lane); ++i) {
    value |= std::uint64_t{block[sizeof(Lane) * (lane % kLanes) + i]} << (8 * i);
  }
  return static_cast<Lane>(value);
}

// The first `blocks` blocks of the stream as bytes.
std::string StreamHex(const MaskSeed& seed, std::size_t blocks, MaskKernel kernel) {
  Lanes lanes(4 * blocks, 0);
  AddMask(MaskKey(seed), lanes, 0, false, kernel);
  ByteWriter writer;
  for (const std::uint32_t lane : lanes) {
    writer.U32(lane);
  }
  return ToHex(writer.bytes());
}

TEST_CASE("the stream of a zero seed starts with known AES-128 blocks, in every kernel",
          "[crypto]") {
  // AES-128 of the counters 0, 1 and 2 under a zero key: hash key, tag and ciphertext of test cases
  // 1 and 2 in "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B.
  for (const MaskKernel kernel : AvailableKernels()) {
    REQUIRE(StreamHex(MaskSeed(), 3, kernel) ==
            "66e94bd4ef8a2c3b884cfa59ca342b2e58e2fccefa7e3061367f1d57a4e7455a"
            "0388dace60b6a392f328c2b971b2fe78");
  }
}

TEST_CASE("the first block is AES-128 of zeros under the seed, in every kernel", "[crypto]") {
  // NIST, The Advanced Encryption Standard Algorithm Validation Suite, appendix C.1 (KeySbox,
  // AES-128).
  const std::pair<const char*, const char*> known[] = {
      {"10a58869d74be5a374cf867cfb473859", "6d251e6944b051e04eaa6fb4dbf78465"},
      {"caea65cdbb75e9169ecd22ebe6e54675", "6e29201190152df4ee058139def610bb"},
      {"a2e2fa9baf7d20822ca9f0542f764a41", "c3b44b95d9d2f25670eee9a0de099fa3"}};
  for (const auto& [seed, block] : known) {
    for (const MaskKernel kernel : AvailableKernels()) {
      REQUIRE(StreamHex(HexSecret<16>(seed), 1, kernel) == block);
    }
  }
}

TEST_CASE("the key schedule is that of FIPS 197 appendix A.1", "[crypto]") {
  const MaskSeed seed = HexSecret<16>("2b7e151628aed2a6abf7158809cf4f3c");
  const MaskKey key(seed);
  const std::string hex = ToHex(key.schedule());
  REQUIRE(hex.substr(0, 64) == "2b7e151628aed2a6abf7158809cf4f3ca0fafe1788542cb123a339392a6c7605");
  REQUIRE(hex.substr(320) == "d014f9a8c9ee2589e13f0cc8b6630ca6");
}

TEST_CASE("the portable key schedule equals the one in use", "[crypto]") {
  TestRng rng(21);
  for (int i = 0; i < 300; ++i) {
    const MaskSeed seed = RandomSeed(rng);
    std::uint8_t portable[176];
    ExpandKeyPortable(seed.view().data(), portable);
    REQUIRE(SameBytes(portable, MaskKey(seed).schedule()));
  }
}

template <typename Lane>
void CheckDefinition(TestRng& rng) {
  for (int i = 0; i < 60; ++i) {
    const MaskSeed seed = RandomSeed(rng);
    const MaskKey key(seed);
    // Small offsets, and offsets around the places where a 32-bit counter of blocks would end.
    const std::uint64_t end = (std::uint64_t{16} << 32) / sizeof(Lane);
    const std::uint64_t first = i % 3 == 0 ? end - 40 + rng.Below(80) : rng.Below(200);
    const auto before = RandomLanes<Lane>(rng, rng.Below(150));
    for (const MaskKernel kernel : AvailableKernels()) {
      auto added = before;
      auto subtracted = before;
      AddMask(key, added, first, false, kernel);
      AddMask(key, subtracted, first, true, kernel);
      for (std::size_t lane = 0; lane < before.size(); ++lane) {
        const auto mask = LaneByDefinition<Lane>(seed, first + lane);
        REQUIRE(added[lane] == static_cast<Lane>(before[lane] + mask));
        REQUIRE(subtracted[lane] == static_cast<Lane>(before[lane] - mask));
      }
    }
  }
}

TEST_CASE("every kernel adds the stream by its definition at random offsets and lengths",
          "[crypto]") {
  TestRng rng(22);
  CheckDefinition<std::uint16_t>(rng);
  CheckDefinition<std::uint32_t>(rng);
  CheckDefinition<std::uint64_t>(rng);
}

template <typename Lane>
void CheckKernelsAgree(TestRng& rng) {
  for (int i = 0; i < 200; ++i) {
    const MaskKey key(RandomSeed(rng));
    const std::uint64_t first = rng.Next() >> (2 + rng.Below(60));
    const bool subtract = rng.Below(2) == 1;
    const auto before = RandomLanes<Lane>(rng, rng.Below(i < 20 ? 40'000 : 600));
    auto expected = before;
    AddMask(key, expected, first, subtract, MaskKernel::kPortable);
    for (const MaskKernel kernel : AvailableKernels()) {
      auto lanes = before;
      AddMask(key, lanes, first, subtract, kernel);
      REQUIRE(lanes == expected);
    }
  }
}

TEST_CASE("all kernels agree bit by bit on long vectors", "[crypto]") {
  TestRng rng(23);
  CheckKernelsAgree<std::uint16_t>(rng);
  CheckKernelsAgree<std::uint32_t>(rng);
  CheckKernelsAgree<std::uint64_t>(rng);
}

TEST_CASE("a vector masked in ranges equals the vector masked at once", "[crypto]") {
  TestRng rng(24);
  const MaskKey key(RandomSeed(rng));
  const Lanes before = RandomLanes(rng, 5'000);
  Lanes expected = before;
  AddMask(key, expected, 17, false);
  for (const MaskKernel kernel : AvailableKernels()) {
    Lanes lanes = before;
    for (std::size_t at = 0; at < lanes.size();) {
      const std::size_t size = std::min<std::size_t>(rng.Below(90), lanes.size() - at);
      AddMask(key, std::span<std::uint32_t>(lanes).subspan(at, size), 17 + at, false, kernel);
      at += size;
    }
    REQUIRE(lanes == expected);
  }
}

TEST_CASE("a mask touches nothing outside its range", "[crypto]") {
  TestRng rng(25);
  const MaskKey key(RandomSeed(rng));
  for (const MaskKernel kernel : AvailableKernels()) {
    for (std::size_t size = 0; size < 100; ++size) {
      Lanes lanes(size + 32, 7);
      AddMask(key, std::span<std::uint32_t>(lanes).subspan(16, size), size % 5, false, kernel);
      REQUIRE(std::count(lanes.begin(), lanes.begin() + 16, 7u) == 16);
      REQUIRE(std::count(lanes.end() - 16, lanes.end(), 7u) == 16);
    }
  }
}

TEST_CASE("adding and subtracting the same masks gives the vector back", "[crypto]") {
  TestRng rng(26);
  const Lanes before = RandomLanes(rng, 1'003);
  Lanes lanes = before;
  std::vector<MaskKey> keys;
  for (int i = 0; i < 20; ++i) {
    keys.emplace_back(RandomSeed(rng));
    AddMask(keys.back(), lanes, 5, i % 2 == 0);
  }
  REQUIRE(lanes != before);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    AddMask(keys[i], lanes, 5, i % 2 != 0);
  }
  REQUIRE(lanes == before);
}

TEST_CASE("the best kernel has the name of one that is available", "[crypto]") {
  REQUIRE(KernelAvailable(MaskKernel::kBest));
  REQUIRE(KernelAvailable(MaskKernel::kPortable));
  bool named = false;
  for (const MaskKernel kernel :
       {MaskKernel::kVaes256, MaskKernel::kAesNi, MaskKernel::kPortable}) {
    named =
        named || (KernelAvailable(kernel) && KernelName(kernel) == KernelName(MaskKernel::kBest));
  }
  REQUIRE(named);
}

}  // namespace
}  // namespace tutti::crypto
