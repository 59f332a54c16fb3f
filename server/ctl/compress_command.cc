// `tutti model compress`: reads, compresses, measures, writes.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <utility>

#include "common/base/text.h"
#include "common/model/compress.h"
#include "server/ctl/commands.h"
#include "server/ctl/format.h"
#include "server/ctl/model_stream.h"
#include "server/ctl/partial_file.h"

extern char** environ;

namespace tutti::ctl {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostModelBytes = std::uint64_t{1} << 33;
constexpr std::size_t kMostAnswerBytes = std::size_t{1} << 20;

// Loss and accuracy of one model.
struct Score {
  double loss = 0;
  std::optional<double> accuracy;
};
struct Scores {
  std::uint64_t examples = 0;
  Score before, after;
};

StatusOr<Bytes> ReadModelFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (!file || error) {
    return PermissionDenied(
        Join(Escaped(path), " cannot be read; check the path and who may read it"));
  }
  if (size > kMostModelBytes) {
    return InvalidArgument(
        Join(Escaped(path), " has ", size, " bytes, at most ", kMostModelBytes, " are read"));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return ToBytes(AsBytes(std::move(text).str()));
}

// A file when there is one of this name, else the model of the job.
StatusOr<Bytes> ModelBytes(const Arguments& arguments, const std::string& variable) {
  const std::string& name = arguments.name;
  std::error_code error;
  if (std::filesystem::is_regular_file(name, error)) {
    if (!arguments.round.empty()) {
      return InvalidArgument(
          Join("--round is of jobs, and ", Escaped(name), " is a file; leave it away"));
    }
    return ReadModelFile(name);
  }
  if (!IsSafeName(name) || name.ends_with(".safetensors")) {
    return InvalidArgument(
        Join("there is no file ", Escaped(name), "; expected a safetensors file or a job's name"));
  }
  TUTTI_ASSIGN(Connection connection, Connect(arguments.endpoint, variable));
  TUTTI_ASSIGN(const std::uint64_t round, ModelRound(arguments, connection));
  TUTTI_ASSIGN(const HeldModel held, FetchModel(name, round, connection));
  return ToBytes(AsBytes(held.bytes));
}

// As one deflate stream, as zip and gzip have them; 0: zlib refused.
std::uint64_t DeflatedBytes(BytesView bytes) {
  z_stream stream{};
  if (::deflateInit(&stream, Z_DEFAULT_COMPRESSION) != Z_OK) return 0;
  std::array<std::uint8_t, 1 << 16> block;
  std::uint64_t total = 0;
  constexpr std::size_t kPart = std::size_t{1} << 30;
  for (std::size_t at = 0; at <= bytes.size(); at += kPart) {
    const BytesView part = bytes.subspan(at, std::min(kPart, bytes.size() - at));
    const bool last = at + part.size() == bytes.size();
    stream.next_in = const_cast<std::uint8_t*>(part.data());  // zlib reads it only
    stream.avail_in = static_cast<uInt>(part.size());
    do {
      stream.next_out = block.data();
      stream.avail_out = static_cast<uInt>(block.size());
      ::deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
      total += block.size() - stream.avail_out;
    } while (stream.avail_out == 0);
    if (last) break;
  }
  ::deflateEnd(&stream);
  return total;
}

// Runs a program and gives what it prints; what it says on standard error goes to ours.
StatusOr<std::string> OutputOf(std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Internal(Join("no pipe can be made: ", std::strerror(errno)));
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  pid_t child = 0;
  const int wrong = ::posix_spawn(&child, list[0], &actions, nullptr, list.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string output;
  std::array<char, 4096> block;
  while (wrong == 0) {
    const ssize_t got = ::read(ends[0], block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (output.size() < kMostAnswerBytes)
      output.append(block.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  if (wrong != 0) {
    return FailedPrecondition(
        Join(words[0], " cannot be run: ", std::strerror(wrong),
             "; it comes with builds that have LibTorch (TUTTI_WITH_LEARN=ON), without it leave "
             "--data away"));
  }
  int state = 0;
  while (::waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) {
    return FailedPrecondition("the models could not be measured; nothing was written");
  }
  return output;
}

StatusOr<Scores> ParseScores(const std::string& text) {
  const json answer = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto bad = [] {
    return Internal("tutti-simulator answered with something else than scores");
  };
  if (!answer.is_object() || !answer.contains("models") || !answer["models"].is_array() ||
      answer["models"].size() != 2 || !answer.contains("examples") ||
      !answer["examples"].is_number_unsigned()) {
    return bad();
  }
  std::vector<Score> scores;
  for (const json& entry : answer["models"]) {
    if (!entry.is_object() || !entry.contains("loss") || !entry["loss"].is_number() ||
        !entry.contains("accuracy")) {
      return bad();
    }
    Score score{.loss = entry["loss"].get<double>(), .accuracy = std::nullopt};
    if (entry["accuracy"].is_number()) score.accuracy = entry["accuracy"].get<double>();
    scores.push_back(score);
  }
  return Scores{answer["examples"].get<std::uint64_t>(), scores[0], scores[1]};
}

// A file of its own for the model as it was, for the program that measures.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : path_(path) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code error;
    std::filesystem::remove(path_, error);
  }
  Status Write(BytesView bytes) const {
    std::ofstream file(path_, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    return file ? OkStatus() : PermissionDenied(Join(Escaped(path_), " cannot be written"));
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

StatusOr<std::optional<Scores>> Measure(const Arguments& arguments, BytesView before,
                                        BytesView after) {
  if (arguments.compress.data.empty()) return std::optional<Scores>();
  const TemporaryFile first(arguments.output + ".before.partial");
  const TemporaryFile second(arguments.output + ".after.partial");
  TUTTI_TRY(first.Write(before));
  TUTTI_TRY(second.Write(after));
  TUTTI_ASSIGN(const std::string text,
               OutputOf({SimulatorPath(), "--evaluate", arguments.job_file, arguments.compress.data,
                         arguments.compress.torchscript, first.path(), second.path()}));
  TUTTI_ASSIGN(const Scores scores, ParseScores(text));
  return std::optional<Scores>(scores);
}

struct Report {
  std::uint64_t bytes_before = 0, bytes_after = 0;
  std::uint64_t deflated_before = 0, deflated_after = 0;
  model::Compressed compressed;  // without its file
  std::optional<Scores> scores;
};

StatusOr<Report> Compress(const Arguments& arguments, const std::string& variable) {
  TUTTI_TRY(CheckFree(arguments.output, arguments.force));
  TUTTI_ASSIGN(const Bytes before, ModelBytes(arguments, variable));
  auto compressed = model::CompressModel(
      before, {.int8 = arguments.compress.int8, .sparsity = arguments.compress.prune});
  if (!compressed.ok()) return Annotate(compressed.status(), Escaped(arguments.name));
  Report report;
  const Bytes after = std::exchange(compressed->file, {});
  TUTTI_ASSIGN(report.scores, Measure(arguments, before, after));
  PartialFile file(arguments.output);
  file.Write(AsText(after));
  TUTTI_TRY(file.Check());
  TUTTI_TRY(file.Keep());
  report.bytes_before = before.size();
  report.bytes_after = after.size();
  report.deflated_before = DeflatedBytes(before);
  report.deflated_after = DeflatedBytes(after);
  report.compressed = *std::move(compressed);
  return report;
}

json ScoreJson(const std::optional<Scores>& scores, Score Scores::*which) {
  if (!scores) return nullptr;
  const Score& score = *scores.*which;
  json entry = {{"loss", score.loss}, {"accuracy", nullptr}};
  if (score.accuracy) entry["accuracy"] = *score.accuracy;
  return entry;
}

std::string AsJson(const Arguments& arguments, const Report& report) {
  const model::Compressed& result = report.compressed;
  const json document = {
      {"output", arguments.output},
      {"values", result.values},
      {"weights", result.weights},
      {"zeros", result.zeros},
      {"largest_weight_error", result.largest_weight_error},
      {"left_out", result.left_out},
      {"examples", report.scores ? json(report.scores->examples) : json(nullptr)},
      {"before",
       {{"bytes", report.bytes_before},
        {"deflated_bytes", report.deflated_before},
        {"score", ScoreJson(report.scores, &Scores::before)}}},
      {"after",
       {{"bytes", report.bytes_after},
        {"deflated_bytes", report.deflated_after},
        {"score", ScoreJson(report.scores, &Scores::after)}}}};
  return document.dump(2, ' ', true, json::error_handler_t::replace) + "\n";
}

std::string Fixed(double value, int decimals) {
  std::array<char, 64> text;
  const int length = std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return {text.data(), std::min(static_cast<std::size_t>(std::max(length, 0)), text.size() - 1)};
}

std::string Share(std::uint64_t after, std::uint64_t before) {
  const double times =
      static_cast<double>(before) / static_cast<double>(std::max<std::uint64_t>(after, 1));
  return Join(Fixed(times, 2), " times smaller");
}

std::string AsTable(const Arguments& arguments, const Report& report) {
  const model::Compressed& result = report.compressed;
  std::vector<std::pair<std::string, std::string>> pairs = {
      {"model", arguments.output},
      {"weights", Join(result.weights, " of ", result.values, " values, ", result.zeros, " zero")}};
  if (arguments.compress.int8) {
    pairs.emplace_back("largest change",
                       Join(result.largest_weight_error, ", of those not pruned"));
  }
  if (!result.left_out.empty()) {
    pairs.emplace_back("left out", Join(result.left_out.size(), " control variates of scaffold"));
  }
  Table table({{""}, {"before", Align::kRight}, {"after", Align::kRight}, {""}});
  table.AddRow({"size", Size(report.bytes_before), Size(report.bytes_after),
                Share(report.bytes_after, report.bytes_before)});
  table.AddRow({"deflated (gzip)", Size(report.deflated_before), Size(report.deflated_after),
                Share(report.deflated_after, report.deflated_before)});
  if (report.scores) {
    const Scores& scores = *report.scores;
    if (scores.before.accuracy && scores.after.accuracy) {
      table.AddRow({"accuracy", Percent(*scores.before.accuracy), Percent(*scores.after.accuracy),
                    Join("of ", scores.examples, " examples")});
    }
    table.AddRow({"loss", Fixed(scores.before.loss, 4), Fixed(scores.after.loss, 4), ""});
  }
  return Pairs(pairs) + table.Text();
}

}  // namespace

int CompressModel(const Arguments& arguments, const std::string& variable, Console& console) {
  const auto report = Compress(arguments, variable);
  if (!report.ok()) return Fail(report.status(), console);
  console.out << (arguments.json ? AsJson(arguments, *report) : AsTable(arguments, *report));
  return kDone;
}

}  // namespace tutti::ctl
