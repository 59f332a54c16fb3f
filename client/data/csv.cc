#include "client/data/csv.h"

#include "common/base/text.h"

namespace tutti::data {
namespace {

constexpr int kEnd = -1;
constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::size_t kMaxFieldBytes = 64 * 1024;
constexpr std::size_t kMaxRecordBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxFields = 70000;  // more than any model takes

}  // namespace

StatusOr<int> CsvReader::Take() {
  if (pushed_back_) {
    const int byte = *pushed_back_;
    pushed_back_.reset();
    return byte;
  }
  if (at_ == block_.size()) {
    const bool first = bytes_read_ == 0;
    block_.resize(kBlockBytes);
    TUTTI_ASSIGN(const std::size_t got, source_.Read(block_));
    block_.resize(got);
    bytes_read_ += got;
    if (bytes_read_ > max_bytes_) {
      return ResourceExhausted(Join("data file ", source_.path(),
                                    " is larger than data.max_bytes = ", max_bytes_,
                                    "; raise the limit if the file is right"));
    }
    at_ = 0;
    if (first && got >= 3 && block_[0] == 0xef && block_[1] == 0xbb && block_[2] == 0xbf) at_ = 3;
    if (at_ == block_.size()) return kEnd;
  }
  return int{block_[at_++]};
}

Status CsvReader::Error(std::string_view text) const {
  return InvalidArgument(Join(source_.path(), ":", line_, ": ", text));
}

Status CsvReader::ReadQuoted(std::string& field) {
  const std::uint64_t opened_at = line_;
  while (true) {
    TUTTI_ASSIGN(const int byte, Take());
    if (byte == kEnd) {
      return InvalidArgument(Join(source_.path(), ":", opened_at,
                                  ": a quoted field is not closed before the end of the file"));
    }
    if (byte == '"') {
      TUTTI_ASSIGN(const int after, Take());
      if (after != '"') {
        pushed_back_ = after;
        return OkStatus();
      }
    }
    if (byte == '\n') ++line_;
    if (field.size() >= kMaxFieldBytes) return Error("a field is longer than 65536 bytes");
    field.push_back(static_cast<char>(byte));
  }
}

StatusOr<bool> CsvReader::NextRecord(std::vector<std::string>& fields) {
  record_line_ = line_;
  std::size_t used = 0;
  const auto fresh = [&]() -> std::string& {
    if (used == fields.size()) fields.emplace_back();
    fields[used].clear();
    return fields[used++];
  };
  std::string* field = &fresh();
  bool quoted = false;
  bool any = false;
  std::size_t record_bytes = 0;
  while (true) {
    TUTTI_ASSIGN(int byte, Take());
    if (byte == '\r') {
      TUTTI_ASSIGN(const int after, Take());
      if (after == '\n') {
        byte = '\n';
      } else {
        pushed_back_ = after;
      }
    }
    if (byte == kEnd || byte == '\n') {
      if (byte == '\n') ++line_;
      if (byte == kEnd && !any) used = 0;
      fields.resize(used);
      return byte != kEnd || any;
    }
    any = true;
    if (++record_bytes > kMaxRecordBytes) {
      return Error("a record is longer than 16 MiB");
    }
    if (byte == static_cast<unsigned char>(delimiter_)) {
      if (used == kMaxFields) return Error("more than 70000 columns");
      field = &fresh();
      quoted = false;
    } else if (byte == '"' && field->empty() && !quoted) {
      quoted = true;
      TUTTI_TRY(ReadQuoted(*field));
      record_bytes += field->size();
    } else if (quoted) {
      return Error("text after a closing quote; a quote inside a field is written twice");
    } else {
      if (field->size() >= kMaxFieldBytes) return Error("a field is longer than 65536 bytes");
      field->push_back(static_cast<char>(byte));
    }
  }
}

StatusOr<bool> CsvReader::Next(std::vector<std::string>& fields) {
  while (true) {
    TUTTI_ASSIGN(const bool got, NextRecord(fields));
    if (!got) return false;
    if (fields.size() != 1 || !fields[0].empty()) return true;
  }
}

}  // namespace tutti::data
