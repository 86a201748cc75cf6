// What the worker does when a plugin ends it: says which signal came, where, and in which plugin's code.
#ifndef TENON_REGISTRY_WORKER_CRASH_H
#define TENON_REGISTRY_WORKER_CRASH_H

#include <string>

#include "registry/worker/control.h"

namespace tenon::worker {

// From now on a deadly signal leaves a note. `control` lives for ever.
void watch_signals(Control* control);
// Code of this library, when it is loaded, is named in the note.
void watch_library(const std::string& path);

// Ends this process for something that the plugin did to it, which the host reads.
[[noreturn]] void leave(Control* control, const char* fault);
inline constexpr const char* kCutOff = "cut the connection to the host";

}  // namespace tenon::worker
#endif
