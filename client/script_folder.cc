#include "client/script_folder.h"

#include <fstream>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::client {
namespace {

constexpr std::uintmax_t kMaxBytes = std::uintmax_t{1} << 30;  // as the trainer's
constexpr std::size_t kPartBytes = std::size_t{1} << 20;

// Empty when the file cannot be read to its end.
std::string HashOf(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> part(kPartBytes);
  crypto::Sha256Stream hash;
  while (stream) {
    stream.read(part.data(), static_cast<std::streamsize>(part.size()));
    hash.Update(AsBytes(std::string_view(part.data(), static_cast<std::size_t>(stream.gcount()))));
  }
  return stream.eof() ? ToHex(hash.Finish()) : std::string();
}

}  // namespace

StatusOr<std::string> ScriptFolder::Find(const std::string& sha256) {
  if (folder_.empty()) {
    return NotFound("no folder for TorchScript files is set; set trainer.torchscript_directory");
  }
  std::error_code error;
  std::map<std::filesystem::path, Known> seen;
  for (std::filesystem::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::filesystem::path& file = entry->path();
    std::error_code unreadable;
    if (file.extension() != ".pt" || !entry->is_regular_file(unreadable)) {
      continue;
    }
    Known now{.bytes = entry->file_size(unreadable),
              .changed = entry->last_write_time(unreadable),
              .sha256 = {}};
    const auto before = known_.find(file);
    if (before != known_.end() && before->second.bytes == now.bytes &&
        before->second.changed == now.changed) {
      now.sha256 = before->second.sha256;
    } else if (!unreadable && now.bytes <= kMaxBytes) {
      now.sha256 = HashOf(file);
    }
    seen.emplace(file, std::move(now));
  }
  known_ = std::move(seen);
  if (error) {
    return NotFound(Join("trainer.torchscript_directory = ", Escaped(folder_.string()),
                         " cannot be read: ", error.message()));
  }
  for (const auto& [file, known] : known_) {
    if (known.sha256 == sha256 && !known.sha256.empty()) {
      return file.string();
    }
  }
  return NotFound(Join("none of the ", known_.size(), " files *.pt in ", Escaped(folder_.string()),
                       " has SHA-256 ", Escaped(sha256, 64)));
}

}  // namespace tutti::client
