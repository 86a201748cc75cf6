// What the files of the validation layer share.
#ifndef TENON_BUILD_VALIDATION_STATE_H
#define TENON_BUILD_VALIDATION_STATE_H

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "build/validation.h"
#include "tenon/cxx/node.h"
#include "tenon/ext/context.h"

namespace tenon::validation {

struct Plugin;
struct Frame;

// ---- Objects that crossed the boundary
// -------------------------------------------------------------------------------

// The layer holds a weak reference on each: what was released stays readable, poisoned, and can be told.
struct Watched {
  TnObject* object = nullptr;
  void (*deleter)(void* self, int flags) = nullptr;
  uint64_t number = 0;            // in the order in which they were met
  uint64_t fingerprint = 0;       // of what never changes
  size_t bytes = 0;               // that the fingerprint covers
  const Plugin* maker = nullptr;  // who made it anew; null: the host
  std::string during;             // the call in which it was made
  bool lent = false;              // it was met as an argument
  bool handed = false;            // it was given to the host
  bool dead = false;
  bool poisoned = false;
  bool told = false;  // its double release or its damage was reported
};

enum class Health { kAlive, kDead, kUnknown };

class Watch {
 public:
  ~Watch() { clear(); }
  void clear();
  // Watches an object and all below it that is not watched yet. `maker`: it was just made for this plugin; `lent`: it
  // is the argument of a call.
  void see(const TnValue& v, const Plugin* maker, const std::string& during, bool lent = false);
  Watched* find(const TnObject* object);
  Health health(const TnObject* object);
  // Marks an object and all below it as given to the host.
  void hand_over(const TnValue& v);
  bool contains(const TnValue& v, const TnObject* object);
  // The watched objects below, itself included, whose memory was written. They are taken as they are from then on.
  std::vector<Watched*> damaged(const TnValue& v, bool deep);
  // Poisons what was released, and gives what was released too often.
  std::vector<Watched*> sweep();
  // Objects that this plugin made and that are alive and were not given to the host; not those below another one.
  std::vector<Watched*> left_by(const Plugin* plugin);
  bool is_due() { return ++calls_ * 64 > objects_.size(); }

 private:
  void forget(Watched& w);

  std::unordered_map<const TnObject*, Watched> objects_;
  std::deque<const TnObject*> dead_;
  uint64_t count_ = 0, calls_ = 0;
};

// ---- Plugins and calls
// -----------------------------------------------------------------------------------------------

constexpr uint64_t kMagic = 0x7465'6e6f'6e56'616cu;

// The `self` of a service's table as a plugin gets it.
struct Service {
  uint64_t magic = kMagic;
  Validation::State* state = nullptr;
  Plugin* plugin = nullptr;
  const void* real = nullptr;
  std::string id;
  std::vector<char> table;                     // what the plugin gets
  std::vector<char> pristine;                  // and how it was
  std::vector<std::shared_ptr<void>> handles;  // that it gave out, kept: they are how a later use is told
};

// The instance of a capability as the host gets it.
struct CapabilityUse {
  Validation::State* state = nullptr;
  Plugin* plugin = nullptr;
  std::string id;
  const void* real = nullptr;
  void* instance = nullptr;
  size_t size = 0;            // of the plugin's table
  std::vector<char> copy;     // the plugin's table when it was given, followed by zeros
  std::vector<char> wrapped;  // what the host gets
  bool told = false;
};

struct Plugin {
  std::string id;
  TnHost host{};
  TnHost pristine{};
  const TnHost* real_host = nullptr;
  bool destroyed = false;
  bool told_host = false;
  std::map<std::string, std::unique_ptr<Service>> services;
  std::map<std::string, std::unique_ptr<CapabilityUse>> capabilities;
  std::map<const TnObject*, int64_t> kept;  // references to borrowed objects that it took and did not give back
  size_t analyzers = 0;                     // that it made and did not destroy
  // What the runtime gets where it asks for the plugin as a whole.
  TnPlugin front{};
  const TnPlugin* table = nullptr;
  void* instance = nullptr;
  Validation::State* state = nullptr;
};

// The context of one call, as a plugin gets it.
struct ContextUse {
  TnContext table{};
  const TnContext* real = nullptr;
  Validation::State* state = nullptr;
  Plugin* plugin = nullptr;
  std::string during;
  bool over = false;
};

struct Violation {
  std::string rule, message;
};

// One call of a plugin's slot, on the thread that makes it and in the tasks that it starts.
struct Frame {
  Frame(Validation::State& state, Plugin& plugin, std::string during);
  ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  void borrow(const TnValue& v);  // an argument
  void borrow(const TnNode* n);
  const TnContext* context(const TnContext* real);
  // After the call: what it broke, as the error that the host gets in its place.
  int finish(int status, TnValue* ret);
  void report(const char* rule, std::string message);

  Validation::State& state;
  Plugin& plugin;
  std::string during;
  bool thorough = true;  // looks at all of what was borrowed, and not at its roots alone
  Frame* outer = nullptr;
  std::vector<Violation> violations;
  struct Root {
    TnValue value;
    uint32_t count;
  };
  std::vector<Root> roots;
  std::vector<TnObject*> errors;  // that services returned
  std::map<void*, std::thread::id> scratch;
  std::mutex mutex;  // of the two before, which tasks share
  int parallel = 0;  // parallel_for calls that run
  bool alone = true;
  uint64_t started = 0;

 private:
  void check_result(int* status, TnValue* ret);
  void check_counts(const TnValue& ret);
  void check_process();
  ContextUse* context_ = nullptr;
  struct Process;
  std::unique_ptr<Process> process_;
};

// The call that this thread is in, or null.
Frame*& current_frame();

// Whether a value may be used, as an argument of a service; reports what is wrong with it.
bool check_value(Frame& frame, const TnValue& v, const char* what);
bool check_node(Frame& frame, const TnNode* n, const char* what);
// Reads memory that may not be there.
bool peek(const void* from, void* to, size_t bytes);
// "a released node" and the like.
std::string name_of_object(const TnObject* object);
int refuse(TnValue* ret, const Frame& frame);

// validation_runtime.cc
const TnRuntime* runtime_table();
// validation_services.cc: null for a service that the layer does not know.
const void* wrap_service(Validation::State& state, Plugin& plugin, const char* id, const void* real);
// validation_arith.cc
void wrap_arith(Service& service);
// validation_capabilities.cc: false for a capability that the layer does not know.
bool wrap_capability(CapabilityUse& use);
// Reports when the plugin's table is no more what it was.
void check_table(Frame& frame, CapabilityUse& use);
// validation_devices.cc: false for what is neither a device nor a loader. What is wrapped takes the Plugin as its
// instance.
bool wrap_device_capability(CapabilityUse& use);

}  // namespace tenon::validation

namespace tenon {

struct Validation::State {
  void report(const validation::Plugin& plugin, const std::string& during, const char* rule, std::string message);

  std::recursive_mutex mutex;
  validation::Watch watch;
  std::map<std::string, std::unique_ptr<validation::Plugin>> plugins;
  std::set<std::string> conversions;  // capabilities of one slot, from a value to a value
  std::deque<validation::ContextUse> contexts;
  std::vector<Report> reports;
  int active = 0;        // outermost calls that run
  uint64_t started = 0;  // that have begun
  bool closed = false;
  std::atomic<uint64_t> calls{0}, nodes{0}, callbacks{0};  // across the boundary, as in Validation::Calls
};

}  // namespace tenon
#endif
