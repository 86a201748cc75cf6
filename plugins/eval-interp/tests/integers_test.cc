// Random expressions of every integer dtype against a reference on __int128, reduced to the dtype after each step.
#include <random>

#include "support.h"

namespace tenon::test {
namespace {

struct Type {
  DLDataType dtype;
  int bits;
  bool is_signed;
};
const Type kTypes[] = {{make_dtype(kDLInt, 8), 8, true},     {make_dtype(kDLInt, 16), 16, true},
                       {make_dtype(kDLInt, 32), 32, true},   {make_dtype(kDLInt, 64), 64, true},
                       {make_dtype(kDLUInt, 8), 8, false},   {make_dtype(kDLUInt, 16), 16, false},
                       {make_dtype(kDLUInt, 32), 32, false}, {make_dtype(kDLUInt, 64), 64, false}};

using Wide = __int128_t;

Wide reduce(Wide v, const Type& t) {
  const Wide modulus = Wide{1} << t.bits;
  v %= modulus;
  if (v < 0) v += modulus;
  if (t.is_signed && v >= modulus / 2) v -= modulus;
  return v;
}

Wide floor_div(Wide a, Wide b) {
  Wide q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

// A random expression with its value; leaves are loads of A[0..3], so that nothing can be folded.
class Generator {
 public:
  Generator(std::mt19937_64& random, const Type& type, const Node& buffer, const std::vector<Wide>& inputs)
      : random_(random), type_(type), buffer_(buffer), inputs_(inputs) {}

  struct Typed {
    Node node;
    Wide value;
  };
  Typed make(int depth) {
    const Builder& b = builder();
    if (depth == 0) {
      size_t k = pick(inputs_.size());
      return {b.load(buffer_, b.array({b.imm(static_cast<int64_t>(k))})), inputs_[k]};
    }
    Typed x = make(depth - 1), y = make(depth - 1);
    switch (pick(11)) {
      case 0: return {b.add(x.node, y.node), reduce(x.value + y.value, type_)};
      case 1: return {b.sub(x.node, y.node), reduce(x.value - y.value, type_)};
      case 2: return {b.mul(x.node, y.node), product(x.value, y.value)};
      case 3: return {b.min(x.node, y.node), x.value < y.value ? x.value : y.value};
      case 4: return {b.max(x.node, y.node), x.value < y.value ? y.value : x.value};
      case 5: return {b.select(b.lt(x.node, y.node), y.node, x.node), x.value < y.value ? y.value : x.value};
      case 6: return through_cast(x);
      case 7: return y.value == 0 ? x : Typed{b.floordiv(x.node, y.node), reduce(floor_div(x.value, y.value), type_)};
      case 8:
        return y.value == 0
                   ? x
                   : Typed{b.floormod(x.node, y.node), reduce(x.value - floor_div(x.value, y.value) * y.value, type_)};
      case 9:
        return y.value == 0
                   ? x
                   : Typed{b.make<tir::TruncDiv>({type_.dtype, x.node, y.node}), reduce(x.value / y.value, type_)};
      default:
        return y.value == 0
                   ? x
                   : Typed{b.make<tir::TruncMod>({type_.dtype, x.node, y.node}), reduce(x.value % y.value, type_)};
    }
  }

 private:
  size_t pick(size_t n) { return random_() % n; }
  Wide product(Wide x, Wide y) const {  // modulo 2^128, hence right modulo every width
    return reduce(static_cast<Wide>(static_cast<__uint128_t>(x) * static_cast<__uint128_t>(y)), type_);
  }
  Typed through_cast(const Typed& x) {
    const Type& other = kTypes[pick(std::size(kTypes))];
    const Builder& b = builder();
    return {b.cast(b.cast(x.node, other.dtype), type_.dtype), reduce(reduce(x.value, other), type_)};
  }

  std::mt19937_64& random_;
  const Type& type_;
  Node buffer_;
  const std::vector<Wide>& inputs_;
};

TEST(Integers, AgreeWithWideArithmetic) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const Builder& b = builder();
  constexpr int64_t kResults = 64;
  for (int round = 0; round < 12; ++round) {
    for (const Type& type : kTypes) {
      std::vector<Wide> inputs;
      std::vector<char> bytes(static_cast<size_t>(8 * (kResults + 4)));
      for (int k = 0; k < 4; ++k) {  // values near the edges as often as anywhere
        Wide v = random() % 2 ? Wide{static_cast<int64_t>(random())} : Wide{static_cast<int64_t>(random() % 7)} - 3;
        if (random() % 4 == 0) v = Wide{1} << (type.bits - 1);
        inputs.push_back(reduce(v, type));
        auto raw = static_cast<uint64_t>(inputs.back());
        std::memcpy(bytes.data() + k * type.bits / 8, &raw, static_cast<size_t>(type.bits / 8));
      }
      Node in = b.buffer("A", type.dtype, b.array({b.imm(4)})),
           out = b.buffer("B", type.dtype, b.array({b.imm(kResults)}));
      Generator generator(random, type, in, inputs);
      std::vector<Node> stores;
      std::vector<Wide> expected;
      for (int64_t k = 0; k < kResults; ++k) {
        Generator::Typed e = generator.make(4);
        stores.push_back(b.store(out, b.array({b.imm(k)}), e.node));
        expected.push_back(e.value);
      }
      Value f = load_one(prim_func({in, out}, b.seq(stores)));
      std::vector<char> results(static_cast<size_t>(8 * kResults));
      int64_t in_shape[] = {4}, out_shape[] = {kResults};
      DLTensor x{bytes.data(), {kDLCPU, 0}, 1, type.dtype, in_shape, nullptr, 0};
      DLTensor y{results.data(), {kDLCPU, 0}, 1, type.dtype, out_shape, nullptr, 0};
      invoke(f, {Value(&x), Value(&y)});
      for (int64_t k = 0; k < kResults; ++k) {
        uint64_t raw = 0;
        std::memcpy(&raw, results.data() + k * type.bits / 8, static_cast<size_t>(type.bits / 8));
        EXPECT_TRUE(reduce(Wide{static_cast<int64_t>(raw)}, type) == expected[static_cast<size_t>(k)])
            << dtype_text(type.dtype) << " expression " << k;
      }
    }
  }
}

}  // namespace
}  // namespace tenon::test
