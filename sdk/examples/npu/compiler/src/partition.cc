// What the accelerator wants of a graph. A transfer costs as much as some work; the command buffer holds so many rows.
#include "partition.h"

using namespace tenon;

namespace npu {

namespace {

constexpr int64_t kLanes = 8;               // of the smallest chip
constexpr int64_t kSramBytes = 256 * 1024;  // for the weights of one layer
constexpr int64_t kWorthwhile = 1024;       // multiplications for one row of the batch
constexpr int64_t kMostRows = 64;           // of a batch

}  // namespace

Decision decide(Compiler& self, const CallArgs&, std::string_view pattern, const relax::Function& candidate) {
  const Builder& b = self.builder();
  Product p;
  try {
    p = read_product(std::string(pattern), candidate);
  } catch (const Error& e) { return Decision::decline(e.message); }
  auto bytes = static_cast<int64_t>(npu_packed_bytes(kLanes, p.command.k, p.command.n));
  if (bytes > kSramBytes)
    return Decision::decline("its weights take " + std::to_string(bytes) + " bytes of " + std::to_string(kSramBytes));
  int64_t work = int64_t{p.command.k} * p.command.n;
  if (p.command.op == NPU_CONV) work *= int64_t{p.command.out_h} * p.command.out_w;
  if (work < kWorthwhile)
    return Decision::decline(std::to_string(work) + " multiplications a row are not worth a transfer, " +
                             std::to_string(kWorthwhile) + " are");
  const std::string most = "the command buffer holds " + std::to_string(kMostRows) + " rows of a batch";
  if (p.in.dims[0] > kMostRows) return Decision::decline(most);
  if (p.in.dims[0] >= 0) return Decision::take();
  const Node& x = nodes(candidate.params())[0];
  const Node& batch = nodes(as_node(x.slot(0)).to<relax::TensorType>().shape().ref<Array>())[0];
  return Decision::take_when(b.le(batch, b.imm(kMostRows)), most);
}

}  // namespace npu
