#include <tenon/partitioner_plugin.h>

using namespace tenon;

static constexpr int64_t least_work = 16;  // elements of a row that are worth a transfer
static constexpr int64_t most_rows = 64;   // that the command buffer holds

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

// What is taken becomes a function of its own, the candidate; it is called for each match of a pattern of the manifest.
static Decision decide(Plugin& self, const CallArgs&, std::string_view, const relax::Function& candidate) {
  const Builder& b = self.builder();
  if (candidate.params().empty()) return Decision::decline("there is nothing to compute with");
  const Value& type = nodes(candidate.params())[0].slot(0);
  const auto* x = type.is_node() ? as_node(type).as<relax::TensorType>() : nullptr;
  if (!x || !x->shape().is_array() || x->shape().ref<Array>().empty())
    return Decision::decline("the shape is not known");
  const auto shape = nodes(x->shape().ref<Array>());
  int64_t row = 1;
  for (size_t i = 1; i < shape.size(); ++i) {
    const auto* extent = shape[i].as<ir::IntImm>();
    if (!extent) return Decision::decline("only the number of rows may be symbolic");
    row *= extent->value();
  }
  if (row < least_work)
    return Decision::decline("rows of " + std::to_string(row) + " elements are not worth a transfer");
  const std::string full = "the command buffer holds " + std::to_string(most_rows) + " rows";
  if (const auto* rows = shape[0].as<ir::IntImm>())
    return rows->value() <= most_rows ? Decision::take() : Decision::decline(full);
  return Decision::take_when(b.le(shape[0], b.imm(most_rows)), full);  // the host program keeps the other branch
}

static constexpr auto partitioner_table = partitioner<Plugin, &decide>();
TENON_PLUGIN(Plugin, partitioner_table)
