// The secure kind of simulation: the coordinator's core and the clients' sessions with real keys,
// shares and masks on the virtual clock. A word of the coordinator's reaches a client when the
// client's answer to it is due (fate.h) and is answered at once. Internal to server/simulate; see
// simulation.h. Thread safety: confined to one thread.
#pragma once

#include "common/base/status.h"
#include "server/simulate/bookkeeper.h"

namespace tutti::simulate {

StatusOr<Report> SimulateSecurely(Bookkeeper& books);

}  // namespace tutti::simulate
