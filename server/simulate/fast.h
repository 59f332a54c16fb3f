// The fast kind of simulation. Internal to server/simulate; see simulation.h.
#pragma once

#include "common/base/status.h"
#include "server/simulate/bookkeeper.h"

namespace tutti::simulate {

StatusOr<Report> SimulateFast(Bookkeeper& books);

}  // namespace tutti::simulate
