#include <charconv>
#include <cstdio>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "server/ctl/commands.h"
#include "server/ctl/format.h"
#include "server/ctl/json.h"
#include "server/ctl/model_stream.h"
#include "server/ctl/partial_file.h"

namespace tutti::ctl {
namespace {

constexpr int kCallSeconds = 30;
constexpr int kExportSeconds = 3600;
constexpr std::string_view kSuffix = ".safetensors";

std::string ManifestPath(const std::string& output) {
  const bool suffixed = output.ends_with(kSuffix);
  return (suffixed ? output.substr(0, output.size() - kSuffix.size()) : output) + ".manifest.json";
}

StatusOr<StreamedModel> Receive(const Arguments& arguments, Connection& connection,
                                PartialFile& file) {
  TUTTI_ASSIGN(const std::uint64_t round, ModelRound(arguments, connection));
  return StreamModel(arguments.name, round, connection, [&](std::string_view part) {
    file.Write(part);
    return file.Check();
  });
}

StatusOr<v1::ModelInfo> Export(const Arguments& arguments, Connection& connection) {
  const std::string manifest_path = ManifestPath(arguments.output);
  TUTTI_TRY(CheckFree(arguments.output, arguments.force));
  TUTTI_TRY(CheckFree(manifest_path, arguments.force));
  PartialFile model(arguments.output);
  TUTTI_TRY(model.Check());
  TUTTI_ASSIGN(StreamedModel received, Receive(arguments, connection, model));
  PartialFile manifest(manifest_path);
  manifest.Write(received.manifest);
  if (!received.manifest.ends_with('\n')) {
    manifest.Write("\n");
  }
  TUTTI_TRY(model.Keep());
  TUTTI_TRY(manifest.Keep());
  return received.model;
}

}  // namespace

StatusOr<std::uint64_t> ModelRound(const Arguments& arguments, Connection& connection) {
  if (arguments.round.empty()) return 0;
  if (arguments.round != "best") {
    std::uint64_t round = 0;
    const char* const end = arguments.round.data() + arguments.round.size();
    const auto [stopped, error] = std::from_chars(arguments.round.data(), end, round);
    if (error == std::errc() && stopped == end) return round;
    return InvalidArgument(Join("--round is \"", Escaped(arguments.round, 40),
                                "\", expected the number of a round, or best"));
  }
  v1::GetJobRequest request;
  request.set_name(arguments.name);
  request.set_with_rounds(true);
  grpc::ClientContext context;
  SetDeadline(context, kExportSeconds);
  v1::JobReply reply;
  TUTTI_TRY(Explain(connection.admin->GetJob(&context, request, &reply), connection.where));
  const v1::RoundInfo* best = nullptr;
  for (const v1::RoundInfo& round : reply.rounds()) {
    if (IsEvaluated(round) && (best == nullptr || round.loss() < best->loss())) best = &round;
  }
  if (best != nullptr) return best->round();
  return FailedPrecondition(Join("no round of job ", Escaped(arguments.name),
                                 " was evaluated, so none is the best; start a client with role = "
                                 "\"evaluator\", or leave --round away for the newest"));
}

int ListModels(const Arguments& arguments, Connection& connection, Console& console) {
  v1::ListModelsRequest request;
  request.set_job(arguments.name);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::ListModelsReply reply;
  if (const auto status = connection.admin->ListModels(&context, request, &reply); !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  if (arguments.json) {
    console.out << ToJson(reply);
    return kDone;
  }
  if (reply.models().empty()) {
    console.out << "there are no models yet; train one with `tutti run JOB.toml`\n";
    return kDone;
  }
  Table table({{"job"},
               {"round", Align::kRight},
               {"test accuracy", Align::kRight},
               {"size", Align::kRight},
               {"made"},
               {"SHA-256"}});
  for (const v1::ModelInfo& model : reply.models()) {
    table.AddRow({model.job(), std::to_string(model.round()), Percent(model.accuracy()),
                  Size(model.bytes()), Date(model.created_at()),
                  ToHex(AsBytes(model.sha256())).substr(0, 16)});
  }
  console.out << table.Text();
  return kDone;
}

int ExportModel(const Arguments& arguments, Connection& connection, Console& console) {
  const auto model = Export(arguments, connection);
  if (!model.ok()) {
    return Fail(model.status(), console);
  }
  if (arguments.json) {
    console.out << ToJson(*model);
    return kDone;
  }
  console.out << Pairs({{"model", arguments.output},
                        {"manifest", ManifestPath(arguments.output)},
                        {"job", Join(model->job(), ", round ", model->round())},
                        {"test accuracy", Percent(model->accuracy())},
                        {"size", Size(model->bytes())},
                        {"SHA-256", ToHex(AsBytes(model->sha256())) + " (checked)"}});
  return kDone;
}

}  // namespace tutti::ctl
