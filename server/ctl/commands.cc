#include "server/ctl/commands.h"

#include <chrono>

#include "common/base/text.h"
#include "server/ctl/format.h"
#include "server/ctl/json.h"
#include "server/ctl/privacy_commands.h"

namespace tutti::ctl {
namespace {

constexpr int kCallSeconds = 30;

using ConnectedCommand = int (*)(const Arguments&, Connection&, Console&);

ConnectedCommand CommandOf(Command command) {
  switch (command) {
    case Command::kStatus:
      return ShowStatus;
    case Command::kTokenCreate:
      return CreateToken;
    case Command::kJobList:
      return ListJobs;
    case Command::kJobShow:
      return ShowJob;
    case Command::kJobReport:
      return ReportJob;
    case Command::kJobStop:
      return StopJob;
    case Command::kJobResume:
      return ResumeJob;
    case Command::kClientsList:
      return ListClients;
    case Command::kClientsRevoke:
      return RevokeClient;
    case Command::kClientsReadmit:
      return ReadmitClient;
    case Command::kModelList:
      return ListModels;
    case Command::kModelExport:
      return ExportModel;
    case Command::kJobWatch:
    case Command::kRun:
    case Command::kModelCompress:
    case Command::kPrivacyEpsilon:
    case Command::kPrivacyCalibrate:
    case Command::kPrivacyCompose:
    case Command::kSimulate:
      break;
  }
  return nullptr;
}

}  // namespace

int Execute(const Arguments& arguments, const std::string& variable, Console& console) {
  switch (arguments.command) {  // what reaches the coordinator late or never
    case Command::kRun:
      return RunJob(arguments, variable, console);
    case Command::kPrivacyEpsilon:
      return PrivacyEpsilon(arguments, console);
    case Command::kPrivacyCalibrate:
      return PrivacyCalibrate(arguments, console);
    case Command::kPrivacyCompose:
      return PrivacyCompose(arguments, console);
    case Command::kModelCompress:
      return CompressModel(arguments, variable, console);
    case Command::kSimulate:
      return RunSimulator(arguments, console);
    default:
      break;
  }
  auto connection = Connect(arguments.endpoint, variable);
  if (!connection.ok()) {
    return Fail(connection.status(), console);
  }
  if (arguments.command == Command::kJobWatch) {
    return WatchJob(arguments.name, *connection, console);
  }
  const ConnectedCommand command = CommandOf(arguments.command);
  TUTTI_CHECK(command != nullptr);
  return command(arguments, *connection, console);
}

int Fail(const Status& status, Console& console) {
  console.error << "tutti: " << MessageOf(status) << "\n";
  switch (status.code()) {
    case StatusCode::kUnavailable:
      return kUnreachable;
    case StatusCode::kPermissionDenied:
      return kNotPermitted;
    case StatusCode::kInvalidArgument:
      return kUsage;
    default:
      return kRefused;
  }
}

void SetDeadline(grpc::ClientContext& context, int seconds) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
}

int ShowStatus(const Arguments& arguments, Connection& connection, Console& console) {
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::StatusReply reply;
  if (const auto status = connection.admin->GetStatus(&context, {}, &reply); !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  if (arguments.json) {
    console.out << ToJson(reply);
    return kDone;
  }
  console.out << Pairs({{"coordinator", "tutti-server " + reply.version()},
                        {"address", reply.address()},
                        {"running since", Date(reply.started_at())},
                        {"clients", Join(reply.clients_attached(), " connected, ",
                                         reply.clients_enrolled(), " enrolled")},
                        {"jobs running", std::to_string(reply.jobs_running())},
                        {"CA fingerprint", "SHA-256 " + reply.ca_sha256()}});
  if (reply.clients_enrolled() == 0) {
    console.out << "\nno client has joined yet; make a token with `tutti token create`\n";
  }
  return kDone;
}

int CreateToken(const Arguments& arguments, Connection& connection, Console& console) {
  v1::CreateTokenRequest request;
  request.set_name(arguments.name);
  request.set_role(arguments.role);
  request.set_lifetime_seconds(arguments.lifetime);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::CreateTokenReply reply;
  if (const auto status = connection.admin->CreateToken(&context, request, &reply); !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  if (arguments.json) {
    console.out << ToJson(reply);
    return kDone;
  }
  // The token alone on standard output: `tutti-client join "$(tutti token create)"` works.
  console.out << Escaped(reply.token(), 4096) << "\n";
  console.error << "good for one " << Escaped(reply.role(), 20)
                << (reply.name().empty() ? "" : " named " + Escaped(reply.name(), 64)) << " until "
                << Date(reply.expires_at()) << "; on its machine: tutti-client join TOKEN\n";
  return kDone;
}

int ListClients(const Arguments& arguments, Connection& connection, Console& console) {
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::ListClientsReply reply;
  if (const auto status = connection.admin->ListClients(&context, {}, &reply); !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  if (arguments.json) {
    console.out << ToJson(reply);
    return kDone;
  }
  if (reply.clients().empty()) {
    console.out << "no client has joined yet; make a token with `tutti token create`\n";
    return kDone;
  }
  Table table({{"name"},
               {"role"},
               {"state"},
               {"epsilon spent", Align::kRight},
               {"of", Align::kRight},
               {"rounds", Align::kRight},
               {"dropouts", Align::kRight},
               {"ledger", Align::kRight},
               {"suspicion", Align::kRight},
               {"last seen"},
               {"last refusal"}});
  for (const v1::ClientInfo& client : reply.clients()) {
    const bool trainer = client.role() == "trainer";
    table.AddRow({client.name(), client.role(), client.state(),
                  EpsilonText(client.epsilon_spent(), trainer),
                  EpsilonText(client.epsilon_budget(), trainer && client.epsilon_budget() > 0),
                  std::to_string(client.rounds()), std::to_string(client.dropouts()),
                  std::to_string(client.ledger_entries()),
                  client.excluded().empty() ? std::to_string(client.suspicion()) : "excluded",
                  Date(client.last_seen_at()), client.last_refusal().substr(0, 100)});
  }
  console.out << table.Text();
  for (const v1::ClientInfo& client : reply.clients()) {
    if (!client.ledger_doubt().empty()) {
      console.out << "warning: the privacy ledger of " << Escaped(client.name(), 64) << " "
                  << Escaped(client.ledger_doubt(), 200)
                  << "; its budget may protect less than it says, ask its owner\n";
    }
    if (!client.excluded().empty()) {
      const std::string name = Escaped(client.name(), 64);
      console.out << "warning: " << name << " is in no round: " << Escaped(client.excluded(), 300)
                  << "; have its owner check the device, then `tutti clients readmit " << name
                  << "`\n";
    }
  }
  return kDone;
}

int RevokeClient(const Arguments& arguments, Connection& connection, Console& console) {
  v1::RevokeClientRequest request;
  request.set_name(arguments.name);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::RevokeClientReply reply;
  if (const auto status = connection.admin->RevokeClient(&context, request, &reply); !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  console.out << "client " << Escaped(arguments.name, 64)
              << " is revoked; to come back it has to join with a new token\n";
  return kDone;
}

int ReadmitClient(const Arguments& arguments, Connection& connection, Console& console) {
  v1::ReadmitClientRequest request;
  request.set_name(arguments.name);
  grpc::ClientContext context;
  SetDeadline(context, kCallSeconds);
  v1::ReadmitClientReply reply;
  if (const auto status = connection.admin->ReadmitClient(&context, request, &reply);
      !status.ok()) {
    return Fail(Explain(status, connection.where), console);
  }
  console.out << "nothing is held against client " << Escaped(arguments.name, 64)
              << " any more; it is invited again\n";
  return kDone;
}

}  // namespace tutti::ctl
