// Training data files. The first byte chooses: a CSV table, an IDX pair (u16 length of the first
// file, then both), each plain or gzip by its own first bytes.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "client/data/csv.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 20;  // decoded; keeps a gzip bomb's cost out of the way

// A file without a disk.
class MemoryFile {
 public:
  explicit MemoryFile(BytesView bytes) : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    Expect(
        fd_ >= 0 && ::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
        "there is room for the input");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(fd_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

void CheckDataset(const StatusOr<data::Dataset>& set, std::size_t width, std::uint32_t classes) {
  if (!set.ok()) {
    return;
  }
  Expect(set->width == width && set->labels.size() == set->examples &&
             set->features.size() == set->examples * width,
         "a data set is whole");
  for (const std::uint32_t label : set->labels) {
    Expect(label < classes, "a label is one of the classes");
  }
}

void TryCsv(BytesView bytes) {
  const MemoryFile file(bytes);
  v1::DataConfig config;
  config.set_format("csv");
  config.set_file(file.path());
  config.set_max_bytes(kMaxBytes);
  config.mutable_csv()->set_label("class");
  v1::ModelSpec model;
  model.add_input_shape(2);
  model.set_classes(3);
  CheckDataset(data::Load(config, model), 2, 3);
}

void TryIdx(BytesView bytes) {
  ByteReader in(bytes);
  const std::size_t size = in.U16();
  const BytesView first = in.Raw(size);
  const MemoryFile images(in.ok() ? first : BytesView());
  const MemoryFile labels(in.ok() ? bytes.subspan(2 + size) : BytesView());
  v1::DataConfig config;
  config.set_format("idx");
  config.set_images(images.path());
  config.set_labels(labels.path());
  config.set_max_bytes(kMaxBytes);
  v1::ModelSpec model;
  model.add_input_shape(2);
  model.add_input_shape(2);
  model.set_classes(3);
  CheckDataset(data::Load(config, model), 4, 3);
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const auto [choice, bytes] = fuzz::Choose(data, size);
  if (choice % 2 == 0) {
    fuzz::TryCsv(bytes);
  } else {
    fuzz::TryIdx(bytes);
  }
  return 0;
}
