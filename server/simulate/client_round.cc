#include "server/simulate/client_round.h"

#include <cmath>
#include <utility>

#include "client/update/update.h"
#include "common/model/update_norm.h"
#include "server/simulate/chance.h"

namespace tutti::simulate {
namespace {

void Attack(const v1::MaliciousProfile& profile, SecureRng& rng, std::vector<float>& update) {
  if (profile.kind() == "sign_flip" || profile.kind() == "scale") {
    const auto factor =
        static_cast<float>(profile.kind() == "scale" ? profile.strength() : -profile.strength());
    for (float& value : update) {
      value *= factor;
    }
  } else if (profile.kind() == "noise") {
    const double stddev =
        profile.strength() * model::L2Norm(update) / std::sqrt(static_cast<double>(update.size()));
    for (float& value : update) {
      value = static_cast<float>(stddev * Normal(rng));
    }
  }
}

}  // namespace

StatusOr<Contribution> Contribute(const Scene& scene, const Course& course,
                                  const policy::Plan& plan, const secagg::RoundConfig& config,
                                  std::size_t client, Learner& learner) {
  const bool malicious = scene.population.device(client).malicious;
  const v1::MaliciousProfile& profile = scene.world.malicious();
  auto rng = StreamOf(scene.world.seed(), "client", client, config.round, config.attempt);
  const update::LocalTask local = update::LocalTaskOf(scene.job.task, plan, course.clip_norm());
  const Assignment assignment{scene.population.rows(client),
                              malicious && profile.kind() == "label_flip", local.training,
                              local.privacy};
  TUTTI_ASSIGN(Learnt learnt, learner.Train(assignment, course.weights(), rng));
  const update::Trained trained{learnt.update, assignment.rows.size(), learnt.norms_counted,
                                learnt.norms_below};
  StatusOr<update::Encoded> encoded = InvalidArgument("not encoded");
  if (malicious) {
    Attack(profile, rng, learnt.update);
    v1::TaskSpec unbounded = scene.job.task;
    unbounded.mutable_robust()->set_max_update_norm(0);
    encoded = update::Encode(config, unbounded, plan, course.clip_norm(), trained, rng);
  } else {
    encoded = update::Encode(config, scene.job.task, plan, course.clip_norm(), trained, rng);
  }
  TUTTI_TRY(encoded.status());
  return Contribution{std::move(encoded->vector), learnt.loss, learnt.seconds,
                      encoded->clipped_values};
}

bool SitsOut(const Status& status) {
  return status.code() == StatusCode::kFailedPrecondition ||
         status.code() == StatusCode::kOutOfRange;
}

}  // namespace tutti::simulate
