#include <nlohmann/json.hpp>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/config/round_template.h"
#include "common/measure/metadata.h"
#include "server/ctl/analysis_report.h"
#include "server/ctl/commands.h"
#include "server/ctl/evaluation_report.h"
#include "server/ctl/format.h"
#include "server/ctl/model_stream.h"
#include "server/ctl/training_report.h"

namespace tutti::ctl {
namespace {

constexpr int kCallSeconds = 30;

// A round's counts, and what they are of.
struct Counted {
  v1::TaskSpec task;
  v1::RoundInfo round;
  std::uint64_t rounds = 0;  // of the job
  measure::OpenedCounts opened;

  measure::Opened view() const {
    return {.counts = opened.counts, .noise_multiplier = opened.noise_multiplier};
  }
};

StatusOr<v1::JobReply> GetJob(const std::string& name, Connection& connection) {
  v1::GetJobRequest request;
  request.set_name(name);
  request.set_with_rounds(true);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::JobReply reply;
  TUTTI_TRY(Explain(connection.admin->GetJob(&context, request, &reply), connection.where));
  return reply;
}

// The round --round asks for, else the newest one.
StatusOr<v1::RoundInfo> RoundOf(const Arguments& arguments, const v1::JobReply& reply) {
  const std::string job = Escaped(reply.job().name(), 64);
  if (reply.rounds().empty()) {
    return FailedPrecondition(Join("job ", job, " has no round yet, so nothing was counted (",
                                   Escaped(reply.job().state(), 20),
                                   "); wait for it with: tutti job watch ", job));
  }
  if (arguments.round.empty()) return *reply.rounds().rbegin();
  for (const v1::RoundInfo& round : reply.rounds()) {
    if (std::to_string(round.round()) == arguments.round) return round;
  }
  return NotFound(Join("job ", job, " has no round ", Escaped(arguments.round, 20), ", it has ",
                       reply.rounds().begin()->round(), " to ", reply.rounds().rbegin()->round()));
}

StatusOr<Counted> CountedOf(const Arguments& arguments, Connection& connection) {
  TUTTI_ASSIGN(const v1::JobReply reply, GetJob(arguments.name, connection));
  Counted counted;
  counted.task = config::TaskOf(reply.config(), reply.job().values());
  counted.rounds = reply.job().rounds_total();
  const std::string job = Escaped(reply.job().name(), 64);
  TUTTI_ASSIGN(const measure::CountLayout layout, measure::LayoutOf(counted.task));
  if (layout.empty()) {
    return FailedPrecondition(
        Join("job ", job,
             " trains and counts nothing, so there is nothing to report; see it with "
             "`tutti job show ",
             job,
             "`, or let it count: groups ([fairness]), answers (evaluation.by = \"clients\"), or "
             "measure its model: kind = \"evaluate\" (docs/measuring.md)"));
  }
  TUTTI_ASSIGN(counted.round, RoundOf(arguments, reply));
  TUTTI_ASSIGN(const HeldModel held, FetchModel(arguments.name, counted.round.round(), connection));
  TUTTI_ASSIGN(std::optional<measure::OpenedCounts> opened,
               measure::CountsOf(layout, AsBytes(held.bytes)));
  if (!opened) {
    return FailedPrecondition(Join("the checkpoint of round ", counted.round.round(), " of job ",
                                   job, " holds no counts"));
  }
  counted.opened = *std::move(opened);
  return counted;
}

std::string Protected(const Counted& counted) {
  if (counted.opened.noise_multiplier <= 0) return "nothing: the sums are exact";
  std::string text = Join("one ", counted.round.privacy_unit(), ": noise multiplier ",
                          counted.opened.noise_multiplier);
  if (counted.round.max_epsilon() > 0) {
    text += Join(", largest epsilon ",
                 EpsilonsText(counted.round.max_epsilon(), counted.round.max_epsilon_models()),
                 ", delta ", counted.round.delta());
  }
  return text;
}

std::string Subject(const Counted& counted) {
  const std::uint64_t round = counted.round.round();
  switch (measure::KindOf(counted.task)) {
    case measure::Kind::kTrain:
      return Join("the model of round ", round - 1, ", with which round ", round, " began");
    case measure::Kind::kEvaluate:
      return "the model of warm_start";
    case measure::Kind::kAnalyse:
      break;
  }
  return "the clients' tables";
}

std::string Heading(const Counted& counted) {
  const std::uint64_t round = counted.round.round();
  return Pairs({{"job", Join(counted.task.job(), ", round ", round, " of ", counted.rounds)},
                {"counted of", Subject(counted)},
                {"in the sum", Join(counted.opened.clients, " clients")},
                {"protected", Protected(counted)}}) +
         "\n";
}

StatusOr<std::string> Text(const Counted& counted) {
  switch (measure::KindOf(counted.task)) {
    case measure::Kind::kTrain:
      return TrainingText(counted.task, counted.view());
    case measure::Kind::kEvaluate:
      return EvaluationText(counted.task, counted.view());
    case measure::Kind::kAnalyse:
      break;
  }
  return AnalysisText(counted.task, counted.opened);
}

StatusOr<nlohmann::ordered_json> Json(const Counted& counted) {
  switch (measure::KindOf(counted.task)) {
    case measure::Kind::kTrain:
      return TrainingJson(counted.task, counted.view());
    case measure::Kind::kEvaluate:
      return EvaluationJson(counted.task, counted.view());
    case measure::Kind::kAnalyse:
      break;
  }
  return AnalysisJson(counted.task, counted.opened);
}

StatusOr<std::string> Printed(const Arguments& arguments, Connection& connection) {
  TUTTI_ASSIGN(const Counted counted, CountedOf(arguments, connection));
  if (arguments.toml) {
    if (measure::KindOf(counted.task) == measure::Kind::kAnalyse) {
      return AnalysisToml(counted.task, counted.opened, arguments.label);
    }
    return InvalidArgument(
        Join("--toml prints how tables are prepared, which jobs with kind = "
             "\"analyse\" tell; job ",
             counted.task.job(), " is of another kind"));
  }
  if (!arguments.json) {
    TUTTI_ASSIGN(const std::string text, Text(counted));
    return Heading(counted) + text;
  }
  TUTTI_ASSIGN(nlohmann::ordered_json figures, Json(counted));
  const nlohmann::ordered_json document{
      {"job", counted.task.job()},
      {"kind", counted.task.kind().empty() ? "train" : counted.task.kind()},
      {"round", counted.round.round()},
      {"clients", counted.opened.clients},
      {"noise_multiplier", counted.opened.noise_multiplier},
      {"figures", std::move(figures)},
      {"counts", counted.opened.counts}};
  return document.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

int ReportJob(const Arguments& arguments, Connection& connection, Console& console) {
  const StatusOr<std::string> printed = Printed(arguments, connection);
  if (!printed.ok()) return Fail(printed.status(), console);
  console.out << *printed;
  return kDone;
}

}  // namespace tutti::ctl
