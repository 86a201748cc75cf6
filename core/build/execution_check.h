// --check-each: every distinct state of a module is run on the same generated inputs and compared with the first.
//
// The runs happen in the bounded executor; what it cannot run is listed, not passed over in silence.
#ifndef TENON_BUILD_EXECUTION_CHECK_H
#define TENON_BUILD_EXECUTION_CHECK_H

#include <memory>
#include <optional>

#include "build/check_compare.h"
#include "build/check_inputs.h"
#include "build/execute_service.h"
#include "pass/pass_manager.h"

namespace tenon {

class ExecutionCheck {
 public:
  // The external functions that a state may call.
  using ImportsOf = std::function<Map(const Node& module)>;
  // `imports` are the external functions that states may call. `dump_dir` is where the states are dumped, or "".
  // One call of a function may take `max_steps` steps. Builder, service and pipeline outlive the check.
  ExecutionCheck(const Builder& b, ExecuteService& execute, ImportsOf imports, const Pipeline& pipeline,
                 std::string dump_dir, int64_t max_steps);

  // The state after a pass; before the first one, the state that it was given. Throws TN_ERROR_PLUGIN naming the pass,
  // the function, the inputs, the first element that differs and what reproduces it.
  void after(const PassRecord& record, const Node& before, const Node& module);

  // {states, checked, runs, inputs: [...], not_checked: [{pass, number, kind}]}
  Value report() const;

 private:
  // One function on one set of inputs.
  struct Case {
    std::string function;
    std::shared_ptr<const CheckInputs> maker;
    CheckInputs::Sizes sizes;
    std::vector<Value> inputs;         // empty until a state accepted them
    std::optional<Outcome> reference;  // of the first state that ran
    bool is_skipped = false;           // no inputs were found that the function accepts
  };
  struct NotChecked {
    std::string pass;
    size_t number;
    std::string kind;
  };

  void begin(const Node& module);
  void add_cases(const Node& module);
  void check_state(const std::string& label, size_t number, const Node& before, const Node& module);
  Map load(const Node& module) const;
  Outcome run(const Map& functions, const Case& c, const std::vector<Value>& inputs) const;
  // Finds inputs that the function accepts and runs it on them.
  void find_inputs(const Map& functions, Case& c);
  [[noreturn]] void fail(size_t number, const Node& before, const Node& module, const Case& c,
                         const std::string& what) const;
  void note_not_checked(const std::string& label, size_t number, const Error& e);
  std::string case_text(const Case& c) const;

  const Builder& b_;
  ExecuteService& execute_;
  ImportsOf imports_;
  const Pipeline& pipeline_;
  std::string dump_dir_;
  int64_t max_steps_;
  std::vector<Case> cases_;
  std::vector<NotChecked> not_checked_;
  std::string last_label_ = "input";  // of the state before
  size_t last_number_ = 0;
  int64_t reduction_length_ = 1, states_ = 0, checked_ = 0, runs_ = 0;
};

}  // namespace tenon
#endif
