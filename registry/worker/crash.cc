#include "registry/worker/crash.h"

#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace tenon::worker {

namespace {

struct LoadedLibrary {
  uintptr_t begin, end;
  char name[sizeof(CrashNote::library)];
};

// Read by the signal handler, so plain arrays; written only while no plugin runs.
constexpr int kMaxLibraries = 64;
LoadedLibrary libraries[kMaxLibraries];
volatile int library_count = 0;
Control* shared = nullptr;
pid_t worker_pid = 0;                     // not that of a process that a plugin forked
uintptr_t stack_low = 0, stack_high = 0;  // of the thread that serves

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

const LoadedLibrary* library_at(uintptr_t address) {
  for (int i = 0; i < library_count; ++i)
    if (address >= libraries[i].begin && address < libraries[i].end) return &libraries[i];
  return nullptr;
}

struct Registers {
  uintptr_t instruction, stack;
};
Registers registers_of(const void* context) {
  auto* c = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
  return {static_cast<uintptr_t>(c->uc_mcontext.gregs[REG_RIP]), static_cast<uintptr_t>(c->uc_mcontext.gregs[REG_RSP])};
#else
  return {static_cast<uintptr_t>(c->uc_mcontext.pc), static_cast<uintptr_t>(c->uc_mcontext.sp)};
#endif
}

// The innermost code of a plugin: the instruction itself, or the first address of one that the stack holds.
void locate(const Registers& r, CrashNote& note) {
  const LoadedLibrary* found = library_at(r.instruction);
  uintptr_t at = r.instruction;
  if (!found && r.stack >= stack_low && r.stack < stack_high) {
    auto* words = reinterpret_cast<const uintptr_t*>(r.stack & ~(sizeof(uintptr_t) - 1));
    auto* end = reinterpret_cast<const uintptr_t*>(stack_high);
    for (int i = 0; i < 4096 && words + i < end && !found; ++i) found = library_at(at = words[i]);
  }
  if (!found) return;
  note.offset = at - found->begin;
  std::memcpy(note.library, found->name, sizeof note.library);
}

// What counts against the limit of memory: the sixth number of statm, in pages, is data and stack.
uint64_t data_bytes() {
  char text[256];
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0) close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  const char* at = text;
  for (int skipped = 0; skipped < 5 && *at; ++at) skipped += *at == ' ';
  uint64_t pages = 0;
  for (; *at >= '0' && *at <= '9'; ++at) pages = pages * 10 + static_cast<uint64_t>(*at - '0');
  return pages * 4096;
}

void on_signal(int number, siginfo_t* info, void* context) {
  CrashNote& note = shared->crash;
  if (note.signal == 0 && getpid() == worker_pid) {
    note.signal = number;
    note.address = reinterpret_cast<uintptr_t>(info->si_addr);
    Registers r = registers_of(context);
    bool near_stack = note.address + 65536 >= r.stack && note.address < r.stack + 65536;
    note.stack_overflow = number == SIGSEGV && info->si_code > 0 && near_stack && note.address < stack_low + 65536 &&
                          note.address + (uintptr_t{1} << 20) > stack_low;
    note.data_bytes = kSanitized ? 0 : data_bytes();
    locate(r, note);
  }
  signal(number, SIG_DFL);
  raise(number);  // when this returns: a signal that was sent would not come again by itself
}

}  // namespace

void watch_signals(Control* control) {
  shared = control;
  worker_pid = getpid();
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
  }
  stack_low = reinterpret_cast<uintptr_t>(low);
  stack_high = stack_low + size;
  constexpr size_t kStack = 64 * 1024;
  stack_t stack{};
  stack.ss_sp = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack.ss_size = kStack;
  if (stack.ss_sp != MAP_FAILED) sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_sigaction = &on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (int number : kSignals) sigaction(number, &action, nullptr);
}

void leave(Control* control, const char* fault) {
  if (!control->fault[0]) std::strncpy(control->fault, fault, sizeof control->fault - 1);
  _exit(70);
}

void watch_library(const std::string& path) {
  struct Search {
    const char* name;
    LoadedLibrary* out;
  } search{path.c_str(), nullptr};
  for (int i = 0; i < library_count; ++i)
    if (path.ends_with(libraries[i].name)) return;
  if (library_count == kMaxLibraries) return;
  search.out = &libraries[library_count];
  int found = dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) -> int {
        auto* s = static_cast<Search*>(data);
        if (!info->dlpi_name || std::strcmp(info->dlpi_name, s->name) != 0) return 0;
        s->out->begin = info->dlpi_addr;
        s->out->end = info->dlpi_addr;
        for (int i = 0; i < info->dlpi_phnum; ++i)
          if (info->dlpi_phdr[i].p_type == PT_LOAD)
            s->out->end = std::max<uintptr_t>(
                s->out->end, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz);
        return 1;
      },
      &search);
  if (!found) return;
  std::string name = path.substr(path.rfind('/') + 1);
  std::strncpy(search.out->name, name.c_str(), sizeof search.out->name - 1);
  library_count = library_count + 1;
}

}  // namespace tenon::worker
