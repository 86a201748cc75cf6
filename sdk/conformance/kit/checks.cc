// The table of checks.
#include "check.h"

namespace tenon::conformance {

const Check kChecks[] = {
    {{"manifest", "E1 E2 E4 E5", "", "the table is what the manifest says; capabilities are answered, others are not"},
     check_manifest},
    {{"exports", "E1 E10 E11", "", "one exported symbol, and no link to the host's libraries"}, check_exports},
    {{"create", "E6 O6", "", "instances come and go, and leave nothing behind"}, check_create},
    {{"sessions", "T4", "", "two sessions, and instances in several threads"}, check_sessions},
    {{"slots", "F1 F2 F3 F4 F5 V1 V2 V4", "", "every slot on programs that it may be given"}, check_slots},
    {{"errors", "F1 F2 F3 F4 F5", "", "wrong input of every kind is refused with an error"}, check_errors},
    {{"options", "F1 F2 F3 F4 F5", "", "every option at odd values that its schema allows"}, check_options},
    {{"ownership", "O3 O4 O6 O7", "", "what it makes and borrows is released once"}, check_ownership},
    {{"validation", "E3 E7-E9 F6 F7 N1-N3 O1 O2 O5 O8 O9 S1-S3 T1-T3 V3 V5", "",
      "the same calls with the validation layer between host and plugin"},
     check_validation},
    {{"threads", "T4", "", "calls that may be concurrent, at once"}, check_threads},
    {{"determinism", "R1", "", "the same result twice, in other processes, under another locale and environment"},
     check_determinism,
     true},
    {{"process", "P1 P2 P3 P4 P5 P6 P7", "", "the process is left as it was"}, check_process},
    {{"unknown", "R7", "", "fewer services, longer tables, unknown functions and attributes"}, check_unknown},
    {{"pass-meaning", "N4 R2", "tenon.pass/1", "modules verify and compute the same after each pass"},
     check_pass_meaning},
    {{"codegen-meaning", "R3", "tenon.codegen/1", "generated code computes what the interpreter does"},
     check_codegen_meaning},
    {{"executor-meaning", "R3 T4", "tenon.executor/1", "functions compute what another executor does"},
     check_executor_meaning},
    {{"op-meaning", "R4", "tenon.op/1", "types agree with what is computed, here, in the interpreter and compiled"},
     check_op_meaning},
    {{"frontend-damage", "R5", "tenon.frontend/1", "damaged models are read or refused"}, check_frontend_damage},
    {{"partitioner-meaning", "C1 C2 R2 R3", "tenon.partitioner/1", "a partitioned module computes the same"},
     check_partitioner_meaning},
    {{"kind-meaning", "N7 N10 N11", "tenon.kind/1", "a kind computes the same wherever it is lowered"},
     check_kind_meaning},
    {{"instrument-meaning", "C5", "tenon.instrument/1", "passes give the same under it"}, check_instrument_meaning},
    {{"converter-meaning", "C3 R1 R3 R4", "tenon.onnx_converter/1",
      "what it converts to is typed, and computes the same"},
     check_converter_meaning},
    {{"device-meaning", "D1 D2 D3 D4 D5 D6 T4", "tenon.device/1", "memory, queues and fences do what they say"},
     check_device_meaning},
    {{"loader-meaning", "D8 D9 R1 R3", "tenon.loader/1", "what it loads computes what the interpreter does"},
     check_loader_meaning},
};
const size_t kCheckCount = std::size(kChecks);

std::vector<CheckInfo> checks() {
  std::vector<CheckInfo> out;
  for (const Check& c : kChecks) out.push_back(c.info);
  return out;
}

const char* verdict_name(Verdict v) {
  constexpr const char* names[] = {"pass", "fail", "skip", "crash", "hang"};
  return names[static_cast<int>(v)];
}

bool Report::green() const {
  for (const Result& r : results)
    if (r.verdict != Verdict::pass && r.verdict != Verdict::skip) return false;
  for (const Cell& c : matrix)
    if (c.result == "wrong" || c.result == "crash") return false;
  return true;
}

}  // namespace tenon::conformance
