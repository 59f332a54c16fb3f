#include <fstream>
#include <sstream>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/crypto/hash.h"
#include "common/model/architecture.h"
#include "common/model/warm_start.h"
#include "server/ctl/commands.h"
#include "server/ctl/format.h"
#include "server/ctl/json.h"

namespace tutti::ctl {
namespace {

constexpr int kCallSeconds = 30;
constexpr int kSubmitSeconds = 300;  // with a warm start of hundreds of megabytes
constexpr std::size_t kMaxWarmStartBytes = std::size_t{1} << 30;

std::string RoundsText(const v1::JobInfo& job) {
  return Join(job.rounds_done(), " of ", job.rounds_total());
}

void PrintJob(const v1::JobReply& reply, Console& console) {
  const v1::JobInfo& job = reply.job();
  const v1::RoundInfo newest = NewestEvaluated(reply.rounds());
  const bool numbers = IsEvaluated(newest) && newest.accuracy() < 0;
  std::vector<std::pair<std::string, std::string>> pairs{
      {"job", job.name()},
      {"state", job.state() + (job.reason().empty() ? "" : " (" + job.reason() + ")")},
      {"rounds", RoundsText(job)},
      {"submitted", Date(job.submitted_at())},
      {numbers ? "test loss" : "test accuracy",
       numbers ? RoundedUp(newest.loss(), 4) : Percent(job.accuracy())},
      {"protected", job.privacy_unit() == "none" ? "nothing" : "one " + job.privacy_unit()},
      {"mechanism", job.mechanism()},
      {"trust", job.assumption()},
      {"largest epsilon",
       job.max_epsilon() > 0 ? EpsilonsText(job.max_epsilon(), job.max_epsilon_models()) : "-"},
      {"realised epsilon", job.realised_epsilon_models() >= 0
                               ? EpsilonsText(job.realised_epsilon(), job.realised_epsilon_models())
                               : "-"},
      {"model values", std::to_string(job.values())}};
  if (!job.step().empty() && !HasEnded(job)) {
    pairs.insert(pairs.begin() + 2, {"step", job.step()});
  }
  console.out << Pairs(pairs);
}

StatusOr<std::string> ReadWarmStart(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return InvalidArgument(Join("warm_start: ", Escaped(path),
                                " cannot be opened; check the path and who may read it"));
  }
  std::ostringstream text;
  text << file.rdbuf();
  std::string bytes = std::move(text).str();
  if (bytes.empty() || bytes.size() > kMaxWarmStartBytes) {
    return InvalidArgument(Join("warm_start: ", Escaped(path), " has ", bytes.size(),
                                " bytes, expected a safetensors file of 1 byte to 1 GiB"));
  }
  return bytes;
}

// What of another model's file starts this one. Nothing when all of it does; a file that cannot be
// used is the coordinator's to refuse.
void TellReuse(const v1::ModelSpec& model, BytesView file, Console& console) {
  const auto layout = model::LayoutOf(model);
  if (!layout.ok()) {
    return;
  }
  if (const auto reuse = model::PlanReuse(model, *layout, file); reuse.ok() && !reuse->complete()) {
    console.error << "warm_start: " << model::TextOf(*reuse) << "\n";
  }
}

// The file, checked. Problems are printed; then there is an exit code instead of a job.
struct Prepared {
  v1::SubmitJobRequest request;
  int exit_code = kDone;
};

Prepared Prepare(const Arguments& arguments, Console& console) {
  Prepared prepared;
  auto loaded = config::Load<v1::JobConfig>(arguments.job_file, {.command_line = arguments.sets});
  if (!loaded.ok()) {
    console.error << config::ToText(loaded.problems) << loaded.problems.size()
                  << (loaded.problems.size() == 1 ? " problem" : " problems")
                  << "; nothing was submitted\n";
    prepared.exit_code = config::ExitCode(loaded.problems);
    return prepared;
  }
  if (arguments.print_config) {
    console.out << config::PrintEffective(loaded.value, loaded.origins);
  }
  *prepared.request.mutable_job() = std::move(loaded.value);
  v1::JobConfig& job = *prepared.request.mutable_job();
  if (!job.warm_start().empty()) {
    auto bytes = ReadWarmStart(job.warm_start());
    if (!bytes.ok()) {
      console.error << "tutti: " << MessageOf(bytes.status()) << "\n";
      prepared.exit_code = kWrongConfiguration;
      return prepared;
    }
    // The path means nothing on the coordinator's machine; the contents make the job what it is.
    job.set_warm_start("sha256:" + ToHex(crypto::Sha256(AsBytes(*bytes))));
    TellReuse(job.model(), AsBytes(*bytes), console);
    prepared.request.set_warm_start(*std::move(bytes));
  }
  return prepared;
}

int FinishJobCall(const grpc::Status& status, const v1::JobReply& reply, const std::string& done,
                  const Arguments& arguments, Connection& connection, Console& console) {
  if (!status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  if (arguments.json) {
    console.out << ToJson(reply);
  } else {
    console.out << "job " << Escaped(reply.job().name(), 64) << " " << done << ": "
                << Escaped(reply.job().state(), 20) << ", " << RoundsText(reply.job())
                << " rounds done\n";
  }
  return kDone;
}

}  // namespace

int ListJobs(const Arguments& arguments, Connection& connection, Console& console) {
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::ListJobsReply reply;
  if (const auto status = connection.admin->ListJobs(&context, {}, &reply); !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  if (arguments.json) {
    console.out << ToJson(reply);
    return kDone;
  }
  if (reply.jobs().empty()) {
    console.out << "there are no jobs; submit one with `tutti run JOB.toml`\n";
    return kDone;
  }
  Table table({{"name"},
               {"state"},
               {"rounds", Align::kRight},
               {"test accuracy", Align::kRight},
               {"largest epsilon", Align::kRight},
               {"submitted"},
               {"reason"}});
  for (const v1::JobInfo& job : reply.jobs()) {
    table.AddRow(
        {job.name(), job.state(), RoundsText(job), Percent(job.accuracy()),
         job.max_epsilon() > 0 ? EpsilonsText(job.max_epsilon(), job.max_epsilon_models()) : "-",
         Date(job.submitted_at()), job.reason().substr(0, 100)});
  }
  console.out << table.Text();
  return kDone;
}

int ShowJob(const Arguments& arguments, Connection& connection, Console& console) {
  v1::GetJobRequest request;
  request.set_name(arguments.name);
  request.set_with_rounds(true);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::JobReply reply;
  if (const auto status = connection.admin->GetJob(&context, request, &reply); !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  if (arguments.json) {
    console.out << ToJson(reply);
    return kDone;
  }
  PrintJob(reply, console);
  const std::string rounds = RoundTable(reply.rounds());
  console.out << (rounds.empty() ? "" : "\n" + rounds);
  return kDone;
}

int StopJob(const Arguments& arguments, Connection& connection, Console& console) {
  v1::StopJobRequest request;
  request.set_name(arguments.name);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::JobReply reply;
  const auto status = connection.admin->StopJob(&context, request, &reply);
  return FinishJobCall(status, reply, "is told to stop", arguments, connection, console);
}

int ResumeJob(const Arguments& arguments, Connection& connection, Console& console) {
  v1::ResumeJobRequest request;
  request.set_name(arguments.name);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::JobReply reply;
  const auto status = connection.admin->ResumeJob(&context, request, &reply);
  return FinishJobCall(status, reply, "goes on", arguments, connection, console);
}

int RunJob(const Arguments& arguments, const std::string& variable, Console& console) {
  const Prepared prepared = Prepare(arguments, console);
  if (prepared.exit_code != kDone) {
    return prepared.exit_code;
  }
  if (arguments.check_config || arguments.print_config) {
    if (!arguments.print_config) {
      console.out << arguments.job_file << ": no problems\n";
    }
    return kDone;
  }
  auto connection = Connect(arguments.endpoint, variable);
  if (!connection.ok()) {
    return Fail(connection.status(), console);
  }
  grpc::ClientContext context;
  SetDeadline(context, kSubmitSeconds);
  v1::JobReply reply;
  const auto status = connection->admin->SubmitJob(&context, prepared.request, &reply);
  if (status.error_code() == grpc::StatusCode::ALREADY_EXISTS) {
    return Fail(AlreadyExists(Join("there is another job named ", prepared.request.job().name(),
                                   " (", Escaped(status.error_message(), 500),
                                   "); give this one its own name, for instance with --set "
                                   "name=NAME")),
                console);
  }
  if (!status.ok() || !arguments.watch) {
    const int code = FinishJobCall(status, reply, "is submitted", arguments, *connection, console);
    if (code == kDone && !arguments.json) {
      console.out << "see it with: tutti job watch " << Escaped(reply.job().name(), 64) << "\n";
    }
    return code;
  }
  return WatchJob(prepared.request.job().name(), *connection, console);
}

}  // namespace tutti::ctl
