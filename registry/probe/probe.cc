#include "registry/probe/probe.h"

#include <optional>

#include "ir/ir_table.h"
#include "registry/worker/child.h"
#include "registry/worker/exchange.h"
#include "registry/worker/wire.h"

namespace tenon {

ProbeResult probe_plugin(const PluginInfo& plugin, const RegistryPlace& place, const std::string& program,
                         const ProbeLimits& limits) {
  using namespace worker;
  using Clock = std::chrono::steady_clock;
  using How = Ending::How;
  struct Late {};
  const Builder b = core_builder();
  auto deadline = Clock::now() + std::chrono::milliseconds(limits.deadline_ms);
  auto faulty = [](std::string reason) { return ProbeResult{ProbeResult::State::kFaulty, std::move(reason), {0, ""}}; };
  std::string late = "did not come back within " + std::to_string(limits.deadline_ms) + " ms when it was loaded";
  ConstantStore store;
  Child child(program, {limits.memory_bytes});
  std::optional<Clock::time_point> ended;
  auto patience = [&] {
    const auto now = Clock::now();
    if (now >= deadline) throw Late{};
    if (!ended && child.has_ended()) ended = now;  // what it started may keep the connection open
    if (ended && now - *ended > kLastWords) throw Broken{false};
  };
  Exchange exchange(child.channel(), store, false);
  Array answer;
  try {
    exchange.send(Kind::kOpen, OpenRequest{plugin, place, true}.to_array(b), patience);
    if (exchange.receive(&answer, patience) != Kind::kAnswer || answer.size() != 4 || !answer[0].is_bool() ||
        !answer[2].is_array())
      throw Broken{true};
  } catch (const Broken& broken) {
    Ending ending = child.end(broken.garbage ? How::kGarbage : How::kClosed);
    return faulty(ending.text + " when it was loaded");
  } catch (const Late&) {
    child.end(How::kDeadline);
    return faulty(late);
  } catch (const Error&) {
    child.end(How::kGarbage);
    return faulty("answered what cannot be read when it was loaded");
  }
  if (!answer[0].as_bool()) return {ProbeResult::State::kRefused, "", error_from(answer[1])};
  if (const Array& changes = answer[2].ref<Array>(); !changes.empty())
    return faulty(std::string(changes[0].as_string()) + " of its process when it was loaded, and left it so");
  // Some fail only when they go.
  child.channel().send(Kind::kExit, "", {}, {});
  std::optional<int> status = child.wait_exit(std::min(deadline, Clock::now() + std::chrono::seconds(5)));
  if (!status) return faulty("kept its process from ending, once it had been loaded");
  if (*status > 128) return faulty("was stopped by " + signal_text(*status - 128) + " when its process ended");
  return {};
}

}  // namespace tenon
