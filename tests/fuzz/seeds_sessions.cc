// Inputs of the targets that read their bytes as decisions (source.h): honest courses of events,
// for the fuzzer to bend.
#include "common/base/bytes.h"
#include "tests/fuzz/seeds.h"
#include "tutti/v1/coordinator.pb.h"

namespace tutti::fuzz {
namespace {

constexpr int kClients = 6;  // of the tape

std::string Course(std::initializer_list<int> bytes) {
  std::string course;
  for (const int byte : bytes) {
    course.push_back(static_cast<char>(byte));
  }
  return course;
}

// First byte: level (odd: curious) + 2 x (client + 6 x steps that were honest). A message: kind +
// 6, then 0: as it was recorded.
void AddClientCourses(Seeds& seeds) {
  seeds["client_session/malicious"] = Course({0, 6, 0, 7, 0, 8, 1, 9, 0, 11, 0, 11, 0});
  seeds["client_session/curious"] = Course({3, 6, 0, 7, 0, 8, 1, 10, 0, 10, 0});
  constexpr int kShared = kClients, kMasked = 3 * kClients, kCommitted = 4 * kClients;
  seeds["client_session/two-sets"] = Course({2 * (1 + kCommitted), 9, 4, 0, 0, 0, 0, 0, 3});
  seeds["client_session/other-roster"] = Course({2 * 2, 0, 3, 0});
  seeds["client_session/other-vector"] = Course({2 * (2 + 2 * kClients), 8, 1, 8, 0, 9, 0});
  // One change each (4), by field, way and place (tamper.cc).
  seeds["client_session/stranger-box"] =
      Course({2 * (3 + kShared), 7, 4, 0, 0, 1, 0, 0, 3, 0, 2, 0, 0, 0, 3});
  seeds["client_session/cut-boxes"] = Course({2 * (3 + kShared), 7, 4, 0, 0, 1, 0, 1, 0, 9, 1});
  seeds["client_session/dead-survivor"] =
      Course({2 * kShared, 7,  6, 0, 0, 1, 0, 0, 2, 0,  4, 0, 0, 1, 0, 1,
              1,           64, 1, 0, 0, 1, 0, 2, 0, 64, 1, 8, 1, 9, 0});
  seeds["client_session/few-survivors"] = Course({1 + 2 * kMasked, 10, 4, 0, 0, 0, 0, 0, 0b111000});
  seeds["client_session/few-commits"] = Course({2 * kCommitted, 11, 4, 0, 0, 2, 0, 3});
  seeds["client_session/commits-swapped"] = Course({2 * kCommitted, 11, 4, 0, 0, 1, 0, 0, 0, 1});
  seeds["client_session/commit-forged"] =
      Course({2 * kCommitted, 11, 4, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1});
  seeds["client_session/proof-too-long"] =
      Course({2 * kCommitted, 11, 4, 0, 1, 0, 0, 2, 32}) + std::string(32, 'p');
}

// First byte: level + 2 x honest steps; who is absent from each; then kind + 6 x sender, whose
// message (2: its own), 0: as it was recorded.
void AddServerCourses(Seeds& seeds) {
  seeds["server_session/malicious"] = Course({10, 0, 0, 0, 0, 0});
  seeds["server_session/curious"] = Course({11, 0, 0, 0, 0, 0});
  seeds["server_session/dropouts"] = Course({11, 0, 0, 1, 0, 2});
  seeds["server_session/dropouts-malicious"] = Course({10, 0, 0, 16, 1, 0});
  std::string steps = Course({1});
  for (const int kind : {0, 1, 2, 4}) {
    for (int sender = 0; sender < kClients; ++sender) {
      steps += Course({kind + 6 * sender, 2, 0});
    }
    steps += Course({5, kind == 4 ? 4 : 5 + kind});
  }
  seeds["server_session/by-step"] = steps;
  seeds["server_session/wrong-share"] = Course({8, 0, 0, 0, 0, 4, 2, 4, 0, 0, 0, 1, 0, 0, 0, 1, 1});
  seeds["server_session/twin"] = Course({0, 0, 2, 0, 6, 1, 0, 6, 2, 0});
}

// First byte: slots; 0 open, 1 header, 2 data, 3 the core acts, 4 end of stream, 5 cancel, 6 time.
void AddUploadCourses(Seeds& seeds) {
  const std::string begin = Course({0, 1, 0, 0, 3, 0, 0, 0});
  seeds["upload/whole"] = Course({1}) + begin + Course({2, 0, 255, 255, 0, 3, 0, 0, 1});
  seeds["upload/file"] =
      Course({0}) + begin + Course({2, 0, 80, 0, 0, 2, 0, 255, 255, 0, 3, 0, 0, 1});
  seeds["upload/resumed"] = Course({2}) + begin + Course({2, 0, 80, 0, 0, 4, 0}) +
                            Course({0, 1, 0, 3, 3, 0, 0, 0}) +
                            Course({2, 0, 255, 255, 0, 3, 0, 0, 1});
  seeds["upload/small"] = Course({1, 8, 1, 0, 0, 3, 0, 0, 0, 2, 0, 0, 255, 0, 3, 0, 0, 1});
  seeds["upload/stalled"] = Course({1}) + begin + Course({6, 255, 6, 255});
  seeds["upload/waiting"] = Course({1, 0, 1, 0, 0, 8, 1, 0, 0, 3, 0, 0, 0, 3, 0, 1, 0, 6, 255});
}

void AddOthers(Seeds& seeds) {
  v1::UploadChunk chunk;
  chunk.set_session(std::string(32, '\x09'));
  chunk.mutable_header()->set_bytes(5);
  chunk.set_offset(3);
  chunk.set_data("hello");
  seeds["chunk/upload"] = Course({1, 3, 20, 1, 9}) + chunk.SerializeAsString();
  seeds["chunk/made"] = Course({0, 0, 0, 0, 0, 0, 0, 1, 0}) + "some bytes";
  const std::string bytes = "any bytes will do, as long as there are some of them";
  seeds["shamir/split"] = Course({0, 9, 0, 4}) + bytes + bytes;
  seeds["shamir/rebuild"] = Course({1, 3, 1}) + bytes + bytes + bytes + bytes;
  for (const int choice : {0 + 4 * 10, 1 + 4 * 22, 2 + 4 * 32, 3}) {
    seeds["packing/" + std::to_string(choice)] = Course({choice, 0, 13}) + bytes + bytes + bytes;
  }
  seeds["encoding/update"] = Course({0, 0, 10, 1, 12, 9, 20, 6, 4}) + bytes;
  seeds["encoding/sum"] = Course({1, 0, 10, 1, 12, 9, 20, 6, 4, 0}) + bytes;
}

// Number of entries; of each the signer, the message's length, the message and how it is spoilt.
void AddSignatures(Seeds& seeds) {
  const auto batch = [](const std::string& spoilt) {
    std::string entries = Course({9});
    for (int signer = 0; signer < 8; ++signer) {
      entries += Course({signer, 2, 'm', signer, 0});
    }
    return entries + Course({8, 1, 'm'}) + spoilt;
  };
  const std::string order("\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14", 16);
  seeds["signatures/good"] = batch(Course({0}));
  seeds["signatures/key-of-order-1"] = batch(Course({1, 1}) + std::string(31, '\0'));
  seeds["signatures/r-above-the-prime"] =
      batch(Course({2, 0xee}) + std::string(30, '\xff') + Course({0x7f}));
  seeds["signatures/s-is-the-order"] =
      batch(Course({3}) + order + std::string(15, '\0') + Course({0x10}));
  seeds["signatures/bit-of-s"] = batch(Course({4, 0, 40, 3}));
  seeds["signatures/bit-of-key"] = batch(Course({5, 0, 31, 127}));
}

}  // namespace

void AddSessionSeeds(Seeds& seeds) {
  AddClientCourses(seeds);
  AddServerCourses(seeds);
  AddUploadCourses(seeds);
  AddOthers(seeds);
  AddSignatures(seeds);
}

}  // namespace tutti::fuzz
