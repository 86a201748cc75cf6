// The worker's side of the connection: opens one plugin and makes the calls that the host asks for, one at a time.
#ifndef TENON_REGISTRY_WORKER_SERVE_H
#define TENON_REGISTRY_WORKER_SERVE_H

#include "registry/worker/channel.h"
#include "registry/worker/control.h"

namespace tenon::worker {

// Returns the status with which the process is to end; leaves through _exit when the host is gone.
int serve(Fd socket, Control* control);

}  // namespace tenon::worker
#endif
