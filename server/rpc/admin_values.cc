#include "server/rpc/admin_values.h"

namespace tutti::rpc {

void ToProto(const JobStatus& status, v1::JobInfo* out) {
  const store::JobRecord& record = status.record;
  out->set_name(record.name);
  out->set_state(std::string(round::JobStateName(record.state)));
  out->set_rounds_done(record.rounds_done);
  out->set_rounds_total(status.rounds_total);
  out->set_submitted_at(record.submitted_at);
  out->set_accuracy(record.accuracy);
  out->set_max_epsilon(record.max_epsilon);
  out->set_max_epsilon_models(record.max_epsilon_models);
  out->set_realised_epsilon(record.realised_epsilon);
  out->set_realised_epsilon_models(record.realised_epsilon_models);
  out->set_privacy_unit(status.privacy_unit);
  out->set_mechanism(status.mechanism);
  out->set_assumption(status.assumption);
  out->set_reason(record.reason);
  out->set_step(status.step);
  out->set_values(status.values);
}

void ToProto(const store::RoundRecord& round, v1::RoundInfo* out) {
  out->set_round(round.round);
  out->set_invited(round.invited);
  out->set_survivors(round.survivors);
  out->set_groups(round.groups);
  out->set_groups_left_out(round.groups_left_out);
  out->set_dropped(round.invited - std::min(round.invited, round.survivors));
  out->set_declined(round.declined);
  out->set_seconds(round.seconds);
  out->set_bytes_up(round.bytes_up);
  out->set_bytes_down(round.bytes_down);
  out->set_accuracy(round.accuracy);
  out->set_loss(round.loss);
  out->set_max_epsilon(round.max_epsilon);
  out->set_max_epsilon_models(round.max_epsilon_models);
  out->set_realised_epsilon(round.realised_epsilon);
  out->set_realised_epsilon_models(round.realised_epsilon_models);
  out->set_delta(round.delta);
  out->set_privacy_unit(round.privacy_unit);
  out->set_mechanism(round.mechanism);
  out->set_accountant(round.accountant);
  out->set_model_sha256(ToString(round.model_sha256));
  out->set_sum_sha256(ToString(round.sum_sha256));
  out->set_finished_at(round.finished_at);
  for (const std::string& refusal : round.refusals) {
    out->add_refusals(refusal);
  }
  out->set_failures(round.failures);
}

void ToProto(const store::ModelRecord& model, const std::string& full_path, v1::ModelInfo* out) {
  out->set_job(model.job);
  out->set_round(model.round);
  out->set_sha256(ToString(model.sha256));
  out->set_bytes(model.bytes);
  out->set_accuracy(model.accuracy);
  out->set_created_at(model.created_at);
  out->set_path(full_path);
}

void ToProto(const store::ClientRecord& client, bool attached, v1::ClientInfo* out) {
  out->set_name(client.name);
  out->set_role(client.role);
  out->set_state(client.revoked ? "revoked" : attached ? "attached" : "away");
  out->set_fingerprint(ToHex(client.spki));
  out->set_enrolled_at(client.enrolled_at);
  out->set_last_seen_at(client.last_seen_at);
  out->set_certificate_expires_at(client.certificate_expires_at);
  out->set_epsilon_spent(client.epsilon_spent);
  out->set_epsilon_budget(client.epsilon_budget);
  out->set_rounds(client.rounds);
  out->set_dropouts(client.dropouts);
  out->set_software(client.software);
  out->set_last_refusal(client.last_refusal);
  out->set_ledger_entries(client.ledger ? client.ledger->entries : 0);
  out->set_ledger_doubt(client.ledger_doubt);
  out->set_suspicion(client.suspicion);
  out->set_excluded(client.excluded);
}

void ToProto(const JobEvent& event, v1::JobUpdate* out) {
  ToProto(event.job, out->mutable_job());
  if (event.finished) {
    ToProto(*event.finished, out->mutable_finished());
  }
  if (event.progress) {
    v1::StepProgress* const progress = out->mutable_progress();
    progress->set_round(event.progress->round);
    progress->set_step(std::string(round::PhaseName(event.progress->phase)));
    progress->set_done(event.progress->done);
    progress->set_expected(event.progress->expected);
  }
  out->set_event(event.line);
}

}  // namespace tutti::rpc
