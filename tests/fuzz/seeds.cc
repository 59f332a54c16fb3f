// Writes the stored inputs of the fuzz targets that are made rather than found.
//   tutti_fuzz_seeds FOLDER          writes FOLDER/<target>/<name>
//   tutti_fuzz_seeds --check FOLDER  exit status 1 when one is missing or would now be another
#include "tests/fuzz/seeds.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <vector>

#include "common/crypto/certificate.h"
#include "common/ledger/ledger.h"
#include "common/model/compress.h"
#include "common/model/safetensors.h"
#include "tests/seeded_rng.h"

namespace tutti::fuzz {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> ReadAll(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return std::nullopt;
  }
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

void AddConfigs(Seeds& seeds) {
  const fs::path folder = fs::path(TUTTI_SOURCE_DIR) / "configs";
  seeds["config/server"] = '\0' + ReadAll(folder / "server.toml").value_or("");
  seeds["config/client"] = '\1' + ReadAll(folder / "client.toml").value_or("");
  seeds["config/policy"] = '\2' + ReadAll(folder / "policy.toml").value_or("");
  seeds["config/job"] = '\3' + ReadAll(folder / "jobs" / "fashion-mnist.toml").value_or("");
}

std::string BigEndian(std::initializer_list<std::uint32_t> sizes) {
  std::string out;
  for (const std::uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      out.push_back(static_cast<char>((size >> shift) & 0xff));
    }
  }
  return out;
}

void AddData(Seeds& seeds) {
  const std::string table = "x,class,y\r\n1,0,2.5\r\n-1e-3,2,\"7\"\r\n";
  seeds["data/csv"] = '\0' + table;
  // gzip -9n of the table (RFC 1952).
  seeds["data/csv.gz"] =
      '\0' + ToString(*FromHex(
                 "1f8b0800000000000203abd049ce492c2ed6a9e4e532d431d031d233e5e5d2354cd535d631d25132"
                 "57e2e50200fb8a3bc221000000"));
  const std::string images = std::string("\0\0\x08\x03", 4) + BigEndian({2, 2, 2}) + "01234567";
  const std::string labels = std::string("\0\0\x08\x01", 4) + BigEndian({2}) + "\x01\x02";
  ByteWriter length;
  length.U16(static_cast<std::uint16_t>(images.size()));
  seeds["data/prepared"] = std::string{'\2', '\x7d'} + "x,y,class\na,1,0\n,NA,2\nb,3.5,1\n1,-7,1\n";
  seeds["data/idx"] = '\1' + ToString(length.bytes()) + images + labels;
}

// As records, and as the entries tests/fuzz/ledger.cc makes records of.
void AddLedgers(Seeds& seeds) {
  ByteWriter records;
  ByteWriter entries;
  Digest previous{};
  for (std::uint64_t i = 0; i < 3; ++i) {
    v1::LedgerEntry entry;
    entry.set_sequence(i);
    entry.set_previous_hash(ToString(previous));
    entry.set_time(1700000000);
    entry.set_data_identity("photos");
    entry.set_unit("example");
    entry.set_job("digits");
    entry.set_round(i + 1);
    *entry.mutable_event() = ledger::ToMechanismEvent(dp::SubsampledGaussian{0.01, 1.1, 20});
    const Bytes record = *ledger::EncodeRecord(entry);
    previous = ledger::HashOfRecord(record);
    records.Raw(record);
    const std::string text = entry.SerializeAsString();
    entries.U16(static_cast<std::uint16_t>(text.size()));
    entries.Raw(AsBytes(text));
  }
  seeds["ledger/records"] = '\0' + ToString(records.bytes());
  seeds["ledger/chained"] = '\1' + ToString(entries.bytes());
  seeds["ledger/entries"] = '\2' + ToString(entries.bytes());
}

void AddModels(Seeds& seeds) {
  model::Layout layout;
  layout.parameters = {{.name = "0.weight", .shape = {2, 3}, .offset = 0, .values = 6, .fan_in = 3},
                       {.name = "0.bias", .shape = {2}, .offset = 6, .values = 2, .fan_in = 3}};
  layout.values = 8;
  const std::vector<float> values{1.0F, -2.5F, 0.0F, 1e-30F, 3.25F, -0.0F, 7.0F, 8.5F};
  seeds["safetensors/model"] =
      ToString(model::WriteSafetensors(layout, values, {{"job", "digits"}, {"round", "3"}}));
  const std::string header = R"({"0.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("0.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}})";
  ByteWriter file;
  file.U64(header.size());
  file.Raw(AsBytes(header));
  file.Raw(Bytes(32, 0));
  seeds["safetensors/other-order"] = ToString(file.bytes());
  const std::string mixed = R"({"0.bias":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                            R"("steps":{"dtype":"I64","shape":[],"data_offsets":[4,12]}})";
  ByteWriter other;
  other.U64(mixed.size());
  other.Raw(AsBytes(mixed));
  other.Raw(Bytes(12, 0x3c));
  seeds["safetensors/half"] = ToString(other.bytes());
  const Bytes model = model::WriteSafetensors(layout, values, {});
  seeds["safetensors/int8"] =
      ToString(model::CompressModel(model, {.int8 = true, .sparsity = 0})->file);
  seeds["safetensors/pruned"] =
      ToString(model::CompressModel(model, {.int8 = true, .sparsity = 0.7})->file);
}

void AddCertificates(Seeds& seeds) {
  SeededSecureRng rng(1);
  const WallSeconds now = 1700000000;
  const crypto::KeyPair ca = crypto::NewKeyPair(rng);
  const crypto::KeyPair client = crypto::NewKeyPair(rng);
  const std::string ca_pem = *crypto::NewCaCertificatePem(ca, "Tutti CA", now, 3650);
  const std::string request = *crypto::NewRequestPem(client, "client-1");
  const std::string pem = *crypto::IssueFromRequest(
      ca.key, ca_pem, request,
      {.name = "client-1", .role = "trainer", .server_names = {}, .now = now});
  const std::string server =
      *crypto::IssueForKey(ca.key, ca_pem, client.public_key,
                           {.name = "server",
                            .role = "server",
                            .server_names = {.dns = {"localhost"}, .ip = {"127.0.0.1"}},
                            .now = now});
  seeds["certificate/der"] = '\0' + ToString(*crypto::CertificateDer(pem));
  seeds["certificate/server"] = '\0' + ToString(*crypto::CertificateDer(server));
  seeds["certificate/pem"] = '\1' + ca_pem;
  seeds["certificate/request"] = '\2' + request;
  seeds["certificate/key"] = '\3' + crypto::PrivateKeyPem(client.key);
}

Seeds AllSeeds() {
  Seeds seeds;
  AddWireSeeds(seeds);
  AddSessionSeeds(seeds);
  AddConfigs(seeds);
  AddData(seeds);
  AddLedgers(seeds);
  AddModels(seeds);
  AddCertificates(seeds);
  return seeds;
}

// Certificates have random serial numbers, and a sample configuration may change its words without
// a new seed: of these --check asks only that there is one.
bool MayDiffer(const std::string& name) {
  return name.starts_with("certificate/") || name.starts_with("config/");
}

int Check(const fs::path& folder) {
  int wrong = 0;
  for (const auto& [name, bytes] : AllSeeds()) {
    const std::optional<std::string> stored = ReadAll(folder / name);
    if (!stored.has_value() || (!MayDiffer(name) && *stored != bytes)) {
      std::cerr << (folder / name).string() << " is " << (stored ? "not current" : "missing")
                << "; run: tutti_fuzz_seeds tests/fuzz/corpus\n";
      ++wrong;
    }
  }
  return wrong == 0 ? 0 : 1;
}

int Write(const fs::path& folder) {
  for (const auto& [name, bytes] : AllSeeds()) {
    if (name.starts_with("certificate/") && fs::exists(folder / name)) {
      continue;
    }
    fs::create_directories((folder / name).parent_path());
    if (!(std::ofstream(folder / name, std::ios::binary) << bytes)) {
      std::cerr << (folder / name).string() << " cannot be written\n";
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace tutti::fuzz

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "--check") {
    return tutti::fuzz::Check(arguments[1]);
  }
  if (arguments.size() == 1) {
    return tutti::fuzz::Write(arguments[0]);
  }
  std::cerr << "usage: tutti_fuzz_seeds [--check] FOLDER\n";
  return 2;
}
