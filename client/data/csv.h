// Comma-separated tables with a header line (RFC 4180): quoted fields, doubled quotes, line breaks
// inside quotes, CRLF or LF, an optional byte order mark. Thread safety: CsvReader is confined to
// one thread, LoadCsv is pure.
#pragma once

#include <optional>

#include "client/data/byte_source.h"
#include "client/data/dataset.h"

namespace tutti::data {

// One record after the other.
class CsvReader {
 public:
  // ResourceExhausted once more than `max_bytes` (decoded) were read.
  CsvReader(ByteSource source, char delimiter, std::uint64_t max_bytes)
      : source_(std::move(source)), delimiter_(delimiter), max_bytes_(max_bytes) {}

  // False at the end of the file; blank lines are skipped. `fields` keeps its memory from record to
  // record.
  StatusOr<bool> Next(std::vector<std::string>& fields);
  // Line (1, 2, ...) on which the last record started.
  std::uint64_t line() const { return record_line_; }
  const ByteSource& source() const { return source_; }

 private:
  StatusOr<int> Take();  // next byte or kEnd
  Status Error(std::string_view text) const;
  StatusOr<bool> NextRecord(std::vector<std::string>& fields);
  Status ReadQuoted(std::string& field);

  ByteSource source_;
  char delimiter_;
  std::uint64_t max_bytes_;
  std::vector<std::uint8_t> block_;
  std::size_t at_ = 0;
  std::optional<int> pushed_back_;
  std::uint64_t line_ = 1;
  std::uint64_t record_line_ = 0;
  std::uint64_t bytes_read_ = 0;
};

// InvalidArgument when `config` names no table, or no delimiter there can be.
Status CheckTable(const v1::DataConfig& config);

// In place of the classes: no label is read, whatever data.csv.label names. (A dirichlet slice
// deals out by it all the same.)
inline constexpr std::uint32_t kNoLabels = 0;

// `config` with every number set, `width` (0: whatever the columns make) and the model's classes as
// Load computed them.
StatusOr<Dataset> LoadCsv(const v1::DataConfig& config, std::size_t width, std::uint32_t classes);

}  // namespace tutti::data
