#include "server/simulate/simulation.h"

#include "common/base/text.h"
#include "server/simulate/bookkeeper.h"
#include "server/simulate/fast.h"
#include "server/simulate/secure.h"

namespace tutti::simulate {

StatusOr<Report> Simulate(const Scene& scene, bool secure,
                          std::vector<std::unique_ptr<Learner>>& learners, Course& course,
                          const Observer& observer) {
  TUTTI_CHECK(!learners.empty());
  if (!scene.job.setting.update) {
    return InvalidArgument(Join("the job's kind is \"", scene.job.config.kind(),
                                "\", and only training is simulated; run it with `tutti run`"));
  }
  Bookkeeper books(scene, learners, course, observer);
  return secure ? SimulateSecurely(books) : SimulateFast(books);
}

}  // namespace tutti::simulate
