#include "client/data/idx.h"

#include <algorithm>
#include <array>

#include "client/data/byte_source.h"
#include "client/data/slice.h"
#include "client/data/split.h"
#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::data {
namespace {

constexpr std::size_t kMaxDimensions = 5;
constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::uint32_t kByteValues = 256;

struct Header {
  std::vector<std::uint64_t> sizes;
  std::uint64_t count() const { return sizes.front(); }
};

Status CutShort(const ByteSource& source, std::uint64_t got, std::uint64_t want) {
  return DataLoss(Join("data file ", source.path(), " is cut short: its header announces ", want,
                       " bytes of data, ", got, " are there; fetch the file again"));
}

StatusOr<Header> ReadHeader(ByteSource& source) {
  std::array<std::uint8_t, 4> magic{};
  TUTTI_ASSIGN(const std::size_t got, source.Read(magic));
  if (got < magic.size()) {
    return DataLoss(Join("data file ", source.path(), " has ", got,
                         " bytes, an IDX file starts with a header of at least 8"));
  }
  if (magic[0] != 0 || magic[1] != 0) {
    return InvalidArgument(Join("data file ", source.path(), " starts with bytes ", ToHex(magic),
                                ", an IDX file starts with 0000; is it the right file?"));
  }
  if (magic[2] != 0x08) {
    return InvalidArgument(Join("data file ", source.path(), " has IDX element type 0x",
                                ToHex(std::array<std::uint8_t, 1>{magic[2]}),
                                ", only unsigned bytes (0x08) are supported"));
  }
  if (magic[3] < 1 || magic[3] > kMaxDimensions) {
    return InvalidArgument(Join("data file ", source.path(), " has ", int{magic[3]},
                                " IDX dimensions, expected 1 to ", kMaxDimensions));
  }
  Header header;
  for (int i = 0; i < magic[3]; ++i) {
    std::array<std::uint8_t, 4> size{};
    TUTTI_ASSIGN(const std::size_t n, source.Read(size));
    if (n < size.size()) {
      return DataLoss(Join("data file ", source.path(), " ends inside its IDX header"));
    }
    header.sizes.push_back((std::uint64_t{size[0]} << 24) | (std::uint64_t{size[1]} << 16) |
                           (std::uint64_t{size[2]} << 8) | size[3]);
  }
  return header;
}

// Everything the header claims is checked against the limit and, without compression, against the
// file's size before anything is allocated for it.
Status CheckClaim(const ByteSource& source, const Header& header, std::uint64_t max_bytes) {
  std::uint64_t bytes = 1;
  for (const std::uint64_t size : header.sizes) {
    if (size != 0 && bytes > max_bytes / size) {
      return ResourceExhausted(Join("data file ", source.path(),
                                    " announces more than data.max_bytes = ", max_bytes,
                                    " bytes; raise the limit if the file is right"));
    }
    bytes *= size;
  }
  if (header.count() == 0)
    return InvalidArgument(Join("data file ", source.path(), " has no examples"));
  if (source.compressed()) return OkStatus();
  const std::uint64_t there = source.file_bytes() - 4 - 4 * header.sizes.size();
  if (there < bytes) return CutShort(source, there, bytes);
  return OkStatus();
}

Status CheckEnd(ByteSource& source) {
  std::array<std::uint8_t, 1> extra{};
  TUTTI_ASSIGN(const std::size_t got, source.Read(extra));
  if (got != 0) {
    return InvalidArgument(
        Join("data file ", source.path(),
             " has more bytes than its IDX header announces; the file is damaged"));
  }
  return source.CheckUnchanged();
}

StatusOr<std::vector<std::uint32_t>> ReadLabels(const std::string& path, std::uint32_t classes,
                                                std::uint64_t max_bytes) {
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(path));
  TUTTI_ASSIGN(const Header header, ReadHeader(source));
  if (header.sizes.size() != 1) {
    return InvalidArgument(Join("data file ", path, " has ", header.sizes.size(),
                                " IDX dimensions, labels have 1; are images and labels swapped?"));
  }
  TUTTI_TRY(CheckClaim(source, header, max_bytes));
  std::vector<std::uint32_t> labels;  // grows with what is really there
  std::vector<std::uint8_t> block(kBlockBytes);
  while (labels.size() < header.count()) {
    const std::size_t want = std::min<std::uint64_t>(block.size(), header.count() - labels.size());
    TUTTI_ASSIGN(const std::size_t got, source.Read(std::span(block).first(want)));
    for (std::size_t i = 0; i < got; ++i) {
      if (block[i] >= classes) {
        return InvalidArgument(Join("data file ", path, ": example ", labels.size(), " has label ",
                                    int{block[i]}, ", the model has classes 0 .. ", classes - 1));
      }
      labels.push_back(block[i]);
    }
    if (got < want) return CutShort(source, labels.size(), header.count());
  }
  TUTTI_TRY(CheckEnd(source));
  return labels;
}

std::array<float, 256> PixelTable(const v1::DataConfig& config) {
  std::array<float, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<float>((static_cast<double>(i) * config.scale() - config.mean()) /
                                  config.stddev());
  }
  return table;
}

StatusOr<ByteSource> OpenImages(const v1::DataConfig& config, std::size_t width,
                                std::size_t labels) {
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(config.images()));
  TUTTI_ASSIGN(const Header header, ReadHeader(source));
  TUTTI_TRY(CheckClaim(source, header, config.max_bytes()));
  std::uint64_t pixels = 1;
  for (std::size_t i = 1; i < header.sizes.size(); ++i) pixels *= header.sizes[i];
  if (pixels != width) {
    return InvalidArgument(Join("data file ", source.path(), " has examples of ", pixels,
                                " values, the job's model takes ", width));
  }
  if (header.count() != labels) {
    return InvalidArgument(Join("data file ", source.path(), " has ", header.count(), " examples, ",
                                config.labels(), " has ", labels, " labels"));
  }
  return source;
}

Digest ImageDigest(const std::string& purpose, std::span<const std::uint8_t> pixels,
                   std::uint32_t label) {
  ByteWriter bytes;
  bytes.Text(purpose);
  bytes.Sized(pixels);
  bytes.U32(label);
  return crypto::Sha256(bytes.bytes());
}

}  // namespace

StatusOr<std::vector<std::uint64_t>> IdxShape(const v1::DataConfig& config) {
  TUTTI_ASSIGN(ByteSource source, ByteSource::Open(config.images()));
  TUTTI_ASSIGN(const Header header, ReadHeader(source));
  if (header.sizes.size() < 2) {
    return InvalidArgument(Join("data file ", source.path(),
                                " has 1 IDX dimension, images have 2 or more; are images and "
                                "labels swapped?"));
  }
  TUTTI_TRY(CheckClaim(source, header, config.max_bytes()));
  return header.sizes;
}

StatusOr<std::vector<std::uint32_t>> IdxLabels(const v1::DataConfig& config) {
  if (config.labels().empty()) {
    return InvalidArgument("data.format is idx: data.labels must be set");
  }
  TUTTI_ASSIGN(const std::vector<std::uint32_t> labels,
               ReadLabels(config.labels(), kByteValues, config.max_bytes()));
  TUTTI_ASSIGN(const std::vector<std::size_t> mine,
               SliceIndices(config.slice(), labels, kByteValues));
  std::vector<std::uint32_t> own;
  own.reserve(mine.size());
  for (const std::size_t i : mine) own.push_back(labels[i]);
  return own;
}

StatusOr<Dataset> LoadIdx(const v1::DataConfig& config, std::size_t width, std::uint32_t classes) {
  if (config.images().empty() || config.labels().empty()) {
    return InvalidArgument("data.format is idx: data.images and data.labels must both be set");
  }
  TUTTI_ASSIGN(const std::vector<std::uint32_t> labels,
               ReadLabels(config.labels(), classes, config.max_bytes()));
  TUTTI_ASSIGN(const std::vector<std::size_t> mine, SliceIndices(config.slice(), labels, classes));
  TUTTI_ASSIGN(ByteSource source, OpenImages(config, width, labels.size()));
  if (mine.size() > config.max_bytes() / (width * sizeof(float))) {
    return ResourceExhausted(
        Join("this client's ", mine.size(), " examples of ", width,
             " values need more memory than data.max_bytes = ", config.max_bytes()));
  }
  const std::array<float, 256> table = PixelTable(config);
  const std::string purpose = ValidationPurpose(config.identity());
  Dataset data{.features = {}, .labels = {}, .examples = mine.size(), .width = width};
  Dataset validation;
  data.features.reserve(mine.size() * width);
  data.labels.reserve(mine.size());
  std::vector<std::uint8_t> row(width);
  auto next = mine.begin();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    TUTTI_ASSIGN(const std::size_t got, source.Read(row));
    if (got < width) return CutShort(source, i * width + got, labels.size() * width);
    if (next == mine.end() || *next != i) continue;
    const bool validates =
        config.validation_fraction() > 0 &&
        IsForValidation(ImageDigest(purpose, row, labels[i]), config.validation_fraction());
    Dataset& side = validates ? validation : data;
    for (const std::uint8_t pixel : row) side.features.push_back(table[pixel]);
    side.labels.push_back(labels[i]);
    ++next;
  }
  data.validation = validation.labels.size();
  data.features.insert(data.features.end(), validation.features.begin(), validation.features.end());
  data.labels.insert(data.labels.end(), validation.labels.begin(), validation.labels.end());
  TUTTI_TRY(CheckEnd(source));
  return data;
}

}  // namespace tutti::data
