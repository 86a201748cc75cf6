// A row of the table of checks.
#ifndef TENON_CONFORMANCE_CHECK_H
#define TENON_CONFORMANCE_CHECK_H

#include "exercises.h"

namespace tenon::conformance {

struct Check {
  CheckInfo info;
  void (*run)(const Subject& subject, Findings& findings);
  bool vary = false;  // runs in several processes that differ in their surroundings; their digests must agree
};

extern const Check kChecks[];
extern const size_t kCheckCount;

// ---- Of all plugins (checks_general.cc)
void check_manifest(const Subject&, Findings&);
void check_exports(const Subject&, Findings&);
void check_create(const Subject&, Findings&);
void check_sessions(const Subject&, Findings&);
void check_slots(const Subject&, Findings&);
void check_errors(const Subject&, Findings&);
void check_options(const Subject&, Findings&);
void check_ownership(const Subject&, Findings&);
void check_validation(const Subject&, Findings&);
void check_threads(const Subject&, Findings&);
void check_determinism(const Subject&, Findings&);
void check_process(const Subject&, Findings&);
void check_unknown(const Subject&, Findings&);
// ---- Of one capability (checks_meaning.cc)
void check_pass_meaning(const Subject&, Findings&);
void check_codegen_meaning(const Subject&, Findings&);
void check_op_meaning(const Subject&, Findings&);
void check_frontend_damage(const Subject&, Findings&);
void check_executor_meaning(const Subject&, Findings&);
// ---- (checks_extension.cc)
void check_partitioner_meaning(const Subject&, Findings&);
void check_kind_meaning(const Subject&, Findings&);
void check_instrument_meaning(const Subject&, Findings&);
void check_converter_meaning(const Subject&, Findings&);
// ---- (checks_device.cc)
void check_device_meaning(const Subject&, Findings&);
void check_loader_meaning(const Subject&, Findings&);
void fill_matrix(const Subject&, Findings&, const std::string& after_op, const std::string& after_dtype);

}  // namespace tenon::conformance
#endif
