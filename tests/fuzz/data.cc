// Training data files. The first byte chooses: a CSV table, an IDX pair (u16 length of the first
// file, then both), each plain or gzip by its own first bytes; or a byte that says how to prepare a
// table, and the table.
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "client/data/csv.h"
#include "client/data/inspect.h"
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

// `width` 0: whatever the columns make.
void CheckDataset(const StatusOr<data::Dataset>& set, std::size_t width, std::uint32_t classes) {
  if (!set.ok()) {
    return;
  }
  Expect((width == 0 || set->width == width) && set->labels.size() == set->examples &&
             set->features.size() == set->examples * set->width && set->validation <= set->examples,
         "a data set is whole");
  for (const float value : set->features) {
    Expect(std::isfinite(value), "a feature is a finite number");
  }
  for (const data::Groups& groups : set->groups) {
    Expect(groups.codes.size() == set->examples, "every example has a group");
    for (const std::uint32_t code : groups.codes) {
      Expect(code < groups.names.size(), "a group has a name");
    }
  }
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

// The same table prepared in ways that `choice` picks, and the report on it.
void TryPrepared(BytesView bytes, std::uint8_t choice) {
  const MemoryFile file(bytes);
  v1::DataConfig config;
  config.set_format("csv");
  config.set_file(file.path());
  config.set_max_bytes(kMaxBytes);
  config.set_validation_fraction(choice & 1 ? 0.5 : 0);
  v1::CsvSchema& csv = *config.mutable_csv();
  csv.set_label("class");
  csv.set_delimiter(",");
  csv.set_missing(std::vector<std::string>{"drop", "mean", "median", "indicator"}[choice / 2 % 4]);
  csv.set_scaling(std::vector<std::string>{"standard", "min_max"}[choice / 8 % 2]);
  csv.set_duplicates(choice & 16 ? "drop" : "keep");
  v1::ColumnSpec& words = *csv.add_columns();
  words.set_name("x");
  words.set_kind(choice & 32 ? "one_hot" : "ordinal");
  words.set_unknown("ignore");
  for (const char* word : {"1", "a", "b"}) words.add_categories(word);
  if (choice & 64) config.add_sensitive("x");
  if (choice & 128) config.set_target("number");
  config = data::WithDefaults(config);
  CheckDataset(data::LoadCsv(config, 0, 3), 0, 3);
  const auto inspection = data::Inspect(config);
  if (inspection.ok() && inspection->data) {
    CheckDataset(*inspection->data, 0, std::numeric_limits<std::uint32_t>::max());
  }
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
  switch (choice % 3) {
    case 0:
      fuzz::TryCsv(bytes);
      break;
    case 1:
      fuzz::TryIdx(bytes);
      break;
    default:
      fuzz::TryPrepared(bytes.subspan(std::min<std::size_t>(1, bytes.size())),
                        bytes.empty() ? 0 : bytes[0]);
  }
  return 0;
}
