#include <algorithm>

#include "common/base/text.h"
#include "server/ctl/commands.h"
#include "server/ctl/format.h"
#include "server/ctl/progress.h"

namespace tutti::ctl {
namespace {

constexpr int kCallSeconds = 30;
// A coordinator that restarts goes on with its jobs; so does the watching.
constexpr double kPatienceSeconds = 300;

// Reads updates until the stream ends.
grpc::Status Follow(const std::string& name, Connection& connection, Progress& progress,
                    double start, Console& console, bool& heard) {
  v1::WatchJobRequest request;
  request.set_name(name);
  grpc::ClientContext context;  // no deadline: jobs take as long as they take
  const auto stream = connection.admin->WatchJob(&context, request);
  for (v1::JobUpdate update; stream->Read(&update);) {
    heard = true;
    console.out << progress.Update(update, console.seconds() - start) << std::flush;
  }
  return stream->Finish();
}

int ShowEnd(const std::string& name, Connection& connection, Console& console) {
  v1::GetJobRequest request;
  request.set_name(name);
  request.set_with_rounds(true);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::JobReply reply;
  if (const auto status = connection.admin->GetJob(&context, request, &reply); !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  const std::string table = RoundTable(reply.rounds());
  console.out << (table.empty() ? "" : "\n" + table + "\n");
  const v1::JobInfo& job = reply.job();
  const std::string shown = Escaped(job.name(), 64);
  if (job.state() == "done") {
    const std::string& kind = reply.config().kind();
    const bool counts = kind == "evaluate" || kind == "analyse";
    console.out << "job " << shown << " is done";
    if (!counts) console.out << ": " << ScoreText(NewestEvaluated(reply.rounds()));
    if (job.max_epsilon() > 0) {
      console.out << ", largest epsilon of any client "
                  << EpsilonsText(job.max_epsilon(), job.max_epsilon_models());
    }
    if (job.realised_epsilon_models() >= 0) {
      console.out << "\nthis job alone, from who really was in its sums: epsilon "
                  << EpsilonsText(job.realised_epsilon(), job.realised_epsilon_models());
    }
    if (counts) {
      console.out << "\nsee what its clients counted with: tutti job report " << shown << "\n";
    } else {
      console.out << "\nfetch the model with: tutti model export " << shown << " -o " << shown
                  << ".safetensors\n";
    }
    return kDone;
  }
  console.error << "tutti: job " << shown << " is " << Escaped(job.state(), 20)
                << (job.reason().empty() ? "" : ": " + Escaped(job.reason(), 500))
                << "; let it go on with: tutti job resume " << shown << "\n";
  return kRefused;
}

}  // namespace

int WatchJob(const std::string& name, Connection& connection, Console& console) {
  Progress progress(console.live ? ProgressStyle::kTerminal : ProgressStyle::kPlain,
                    console.columns);
  const double start = console.seconds();
  bool ever_heard = false;
  double away_since = 0;
  double pause = 0;
  for (;;) {
    bool heard = false;
    const grpc::Status status = Follow(name, connection, progress, start, console, heard);
    if (status.ok() && HasEnded(progress.job())) {
      console.out << progress.Finish() << std::flush;
      return ShowEnd(name, connection, console);
    }
    ever_heard = ever_heard || heard;
    // Exhausted: this watcher was too slow for the stream, or too many calls waited.
    const bool may_return = status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                            status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
    if (!may_return || !ever_heard) {
      console.out << progress.Finish() << std::flush;
      // An ended stream of a job that nobody described is a fault of the coordinator.
      return Fail(status.ok() ? Internal("the coordinator ended the watching without a word")
                              : Explain(status, connection.where),
                  console);
    }
    const double now = console.seconds();
    if (heard || pause == 0) {
      away_since = now;
      pause = 0.5;
      console.out << progress.Note("the coordinator broke the watching off; trying again")
                  << std::flush;
    }
    if (now - away_since > kPatienceSeconds) {
      console.out << progress.Finish() << std::flush;
      return Fail(Explain(status, connection.where), console);
    }
    console.wait_seconds(pause);
    pause = std::min(pause * 2, 10.0);
  }
}

}  // namespace tutti::ctl
