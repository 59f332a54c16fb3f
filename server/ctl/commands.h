// What the commands do: calls of the Admin service, and what is printed of the replies. Text of the
// coordinator is escaped before it is shown.
// Thread safety: confined to one thread.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "common/base/status.h"
#include "server/ctl/arguments.h"
#include "server/ctl/connection.h"

namespace tutti::ctl {

// The world of one command; tests give their own.
struct Console {
  std::ostream& out;
  std::ostream& error;
  bool live = false;  // `out` is a terminal that understands cursor movements
  std::size_t columns = 80;
  std::function<double()> seconds;           // monotonic
  std::function<void(double)> wait_seconds;  // between attempts to reach the coordinator again
};

enum ExitCode : int {
  kDone = 0,
  kRefused = 1,
  kUsage = 64,
  kUnreachable = 69,
  kNotPermitted = 77,
  kWrongConfiguration = 78,
};

// Runs one command; `variable` is the value of TUTTI_SOCKET. Returns the program's exit code.
int Execute(const Arguments& arguments, const std::string& variable, Console& console);

// Prints the status and gives the exit code that belongs to it.
int Fail(const Status& status, Console& console);

// A call context with a deadline, so that no command hangs on a stuck coordinator.
void SetDeadline(grpc::ClientContext& context, int seconds);

int ShowStatus(const Arguments& arguments, Connection& connection, Console& console);
int CreateToken(const Arguments& arguments, Connection& connection, Console& console);
int ListClients(const Arguments& arguments, Connection& connection, Console& console);
int RevokeClient(const Arguments& arguments, Connection& connection, Console& console);
int ReadmitClient(const Arguments& arguments, Connection& connection, Console& console);
int ListJobs(const Arguments& arguments, Connection& connection, Console& console);
int ShowJob(const Arguments& arguments, Connection& connection, Console& console);
int StopJob(const Arguments& arguments, Connection& connection, Console& console);
int ResumeJob(const Arguments& arguments, Connection& connection, Console& console);
// The figures of a job's counts (docs/measuring.md).
int ReportJob(const Arguments& arguments, Connection& connection, Console& console);
int WatchJob(const std::string& name, Connection& connection, Console& console);
int ListModels(const Arguments& arguments, Connection& connection, Console& console);
int ExportModel(const Arguments& arguments, Connection& connection, Console& console);
// Connects itself, after the file was found right.
int RunJob(const Arguments& arguments, const std::string& variable, Console& console);
// Needs a connection only for a job's model, and connects itself then.
int CompressModel(const Arguments& arguments, const std::string& variable, Console& console);
// The round of a job's model that --round asks for; 0: the newest.
StatusOr<std::uint64_t> ModelRound(const Arguments& arguments, Connection& connection);
// Where tutti-simulator lies: beside this program.
std::string SimulatorPath();
// Becomes the program tutti-simulator, which lies beside this one; returns only when it cannot.
int RunSimulator(const Arguments& arguments, Console& console);

}  // namespace tutti::ctl
