#include "server/simulate/examples.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "client/data/csv.h"
#include "client/data/slice.h"
#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/model/architecture.h"
#include "server/simulate/chance.h"
#include "server/simulate/population.h"

namespace tutti::simulate {
namespace {

// The images of `part` ("train", "t10k") in a folder of the MNIST family, plain or compressed.
v1::DataConfig FolderConfig(const std::string& folder, const std::string& part) {
  const auto file = [&](const std::string& name) {
    const std::string plain = folder + "/" + part + name;
    return std::filesystem::exists(plain) ? plain : plain + ".gz";
  };
  v1::DataConfig config;
  config::SetDefaults(config);
  config.set_format("idx");
  config.set_images(file("-images-idx3-ubyte"));
  config.set_labels(file("-labels-idx1-ubyte"));
  return config;
}

// The cell of `column` in each row, as its place among the different cells in sorted order.
StatusOr<std::vector<std::uint32_t>> CellsOf(const v1::DataConfig& config,
                                             const std::string& column, std::size_t& different) {
  if (config.format() != "csv") {
    return InvalidArgument("partition \"column\" needs data in a csv table");
  }
  const char delimiter = config.csv().delimiter().empty() ? ',' : config.csv().delimiter()[0];
  TUTTI_ASSIGN(data::ByteSource source, data::ByteSource::Open(config.file()));
  data::CsvReader reader(std::move(source), delimiter, config.max_bytes());
  std::vector<std::string> fields;
  TUTTI_ASSIGN(const bool any, reader.Next(fields));
  const auto found = std::find(fields.begin(), fields.end(), column);
  if (!any || found == fields.end()) {
    return InvalidArgument(Join(config.file(), " has no column \"", Escaped(column, 60),
                                "\"; its first line has ", Escaped(JoinWith(fields, ", "), 400)));
  }
  const auto place = static_cast<std::size_t>(found - fields.begin());
  std::map<std::string, std::uint32_t> codes;
  std::vector<std::uint32_t> cells;
  while (true) {
    TUTTI_ASSIGN(const bool more, reader.Next(fields));
    if (!more) break;
    const std::string cell = place < fields.size() ? fields[place] : "";
    cells.push_back(codes.emplace(cell, static_cast<std::uint32_t>(codes.size())).first->second);
  }
  std::vector<std::uint32_t> sorted(codes.size());
  std::uint32_t next = 0;
  for (const auto& [cell, code] : codes) sorted[code] = next++;
  for (std::uint32_t& cell : cells) cell = sorted[cell];
  different = codes.size();
  return cells;
}

// Each different cell is a client; with fewer clients each gets several.
StatusOr<std::vector<std::uint32_t>> ColumnOwners(const v1::DataConfig& config,
                                                  const v1::SimulationConfig& world,
                                                  std::size_t examples, std::uint32_t& clients) {
  std::size_t different = 0;
  TUTTI_ASSIGN(std::vector<std::uint32_t> cells,
               CellsOf(config, world.partition().column(), different));
  if (cells.size() != examples) {
    return InvalidArgument(Join("the table has ", cells.size(), " rows and gives ", examples,
                                " examples; with partition \"column\" no row may be left out"));
  }
  clients = static_cast<std::uint32_t>(std::min<std::size_t>(world.clients(), different));
  std::vector<std::uint32_t> client_of(different);
  for (std::uint64_t client = 0; client < clients; ++client) {
    const std::size_t end = different * (client + 1) / clients;
    for (std::size_t cell = different * client / clients; cell < end; ++cell) {
      client_of[cell] = static_cast<std::uint32_t>(client);
    }
  }
  for (std::uint32_t& cell : cells) cell = client_of[cell];
  return cells;
}

// `rows` of `from`, and nothing else of it.
data::Dataset Copied(const data::Dataset& from, std::span<const std::uint32_t> rows) {
  data::Dataset to;
  to.width = from.width;
  to.examples = rows.size();
  to.features.reserve(rows.size() * from.width);
  for (const std::uint32_t row : rows) {
    const auto begin = from.features.begin() + static_cast<std::ptrdiff_t>(row * from.width);
    to.features.insert(to.features.end(), begin, begin + static_cast<std::ptrdiff_t>(from.width));
    to.labels.push_back(from.labels[row]);
    if (!from.targets.empty()) to.targets.push_back(from.targets[row]);
  }
  for (const data::Groups& groups : from.groups) {
    to.groups.push_back({.column = groups.column, .names = groups.names, .codes = {}});
    for (const std::uint32_t row : rows) to.groups.back().codes.push_back(groups.codes[row]);
  }
  return to;
}

// A share of the rows, drawn by the seed; ascending.
std::vector<std::uint32_t> HeldOut(std::size_t examples, double fraction, std::uint64_t seed) {
  std::vector<std::uint32_t> rows(examples);
  std::iota(rows.begin(), rows.end(), 0U);
  const auto count = static_cast<std::size_t>(fraction * static_cast<double>(examples));
  auto rng = StreamOf(seed, "hold-out");
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(rows[i], rows[i + static_cast<std::size_t>(UniformBelow(rng, examples - i))]);
  }
  rows.resize(count);
  std::sort(rows.begin(), rows.end());
  return rows;
}

Status HoldOut(double fraction, std::uint64_t seed, Examples& examples) {
  const std::vector<std::uint32_t> rows = HeldOut(examples.train.examples, fraction, seed);
  examples.test = Copied(examples.train, rows);
  examples.owners.assign(examples.train.examples, 0);
  for (const std::uint32_t row : rows) examples.owners[row] = kNobody;
  return OkStatus();
}

Status DealOut(const v1::DataConfig& config, const v1::ModelSpec& model,
               const v1::SimulationConfig& world, Examples& examples) {
  examples.clients = world.clients();
  std::vector<std::uint32_t> owners;
  if (world.partition().kind() == "column") {
    TUTTI_ASSIGN(owners, ColumnOwners(config, world, examples.train.examples, examples.clients));
    for (std::size_t row = 0; row < owners.size(); ++row) {
      if (examples.owners[row] != kNobody) examples.owners[row] = owners[row];
    }
    return OkStatus();
  }
  if (world.partition().kind() == "dirichlet" && model::HasCentres(model)) {
    return InvalidArgument(
        "partition.kind is \"dirichlet\", which deals examples out by their labels, and a job that "
        "finds clusters reads none; use \"iid\" or \"column\"");
  }
  std::vector<std::uint32_t> rows;
  std::vector<std::uint32_t> labels;
  for (std::uint32_t row = 0; row < examples.owners.size(); ++row) {
    if (examples.owners[row] != kNobody) {
      rows.push_back(row);
      labels.push_back(examples.train.labels[row]);
    }
  }
  v1::SliceConfig slice;
  slice.set_kind(world.partition().kind());
  slice.set_alpha(world.partition().alpha());
  slice.set_count(world.clients());
  slice.set_seed(world.seed());
  TUTTI_ASSIGN(owners, data::SliceOwners(slice, labels, model.classes()));
  for (std::size_t i = 0; i < rows.size(); ++i) examples.owners[rows[i]] = owners[i];
  return OkStatus();
}

}  // namespace

StatusOr<v1::DataConfig> DataConfigOf(const std::string& path, const std::string& part) {
  if (std::filesystem::is_directory(path)) {
    return FolderConfig(path, part);
  }
  const auto loaded = config::Load<v1::ClientConfig>(path);
  if (!loaded.ok()) {
    return InvalidArgument(config::ToText(loaded.problems));
  }
  v1::DataConfig config = loaded.value.data();
  config.mutable_slice()->set_kind("all");
  config.set_validation_fraction(0);  // what models are measured on is held out here
  return config;
}

StatusOr<Examples> LoadExamples(const DataSettings& settings, const v1::ModelSpec& model,
                                const v1::SimulationConfig& world) {
  TUTTI_ASSIGN(const v1::DataConfig config, DataConfigOf(settings.data, "train"));
  Examples examples;
  examples.config = config;
  TUTTI_ASSIGN(examples.train, data::Load(config, model));
  const bool own_test = settings.test.empty() && std::filesystem::is_directory(settings.data);
  if (own_test || !settings.test.empty()) {
    TUTTI_ASSIGN(const v1::DataConfig test,
                 DataConfigOf(own_test ? settings.data : settings.test, "t10k"));
    TUTTI_ASSIGN(examples.test, data::Load(test, model));
    examples.owners.assign(examples.train.examples, 0);
  } else {
    TUTTI_TRY(HoldOut(settings.test_fraction, world.seed(), examples));
  }
  TUTTI_TRY(DealOut(config, model, world, examples));
  return examples;
}

}  // namespace tutti::simulate
