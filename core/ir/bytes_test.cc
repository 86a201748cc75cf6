#include "ir/bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <limits>
#include <random>

#include "ir/kind_table.h"
#include "ir/limits.h"
#include "ir/span.h"
#include "ir/test_support.h"
#include "ir/walk.h"

namespace tenon {
namespace {

using test::AddOne;
using test::difference;
using test::error_of;

const Builder b = core_builder();

std::string encode(const Value& v) { return encode_tree(v.raw()); }

// Everything that equality does not look at, in the order of a walk.
std::string names_and_spans(const Value& tree) {
  std::string s;
  walk_tree(
      tree.raw(),
      [&](const TnNode* n) {
        if (n->kind == ir::Var::kKind) s += string_view_of(n->slots[ir::VarSlot::name]);
        if (n->kind == tir::Buffer::kKind) s += string_view_of(n->slots[tir::BufferSlot::name]);
        s += location_text(n->span) + ";";
        return Below::kEnter;
      },
      [](const TnNode*) { return true; });
  return s;
}
size_t distinct_nodes(const Value& tree) {
  size_t n = 0;
  walk_distinct(tree.raw(), [&](const TnNode*) { ++n; });
  return n;
}

Node graph_module() {
  Node n = b.var("n");
  Node tensor = b.make<relax::TensorType>({b.array({n}), kFloat32, 1, b.map({{"layout", b.string("NCHW")}})});
  Node x = b.var("x", tensor), y = b.var("y", tensor);
  Span span = make_span(std::string_view("model.py"), 3, 5, 3, 20);
  std::vector<Value> slots = {tensor, b.make<ir::Op>({Value(), "relax.add"}), b.array({x, x}), b.map({{"axis", -1}})};
  Node call = b.make(ir::Call::kKind, slots, span.get());
  Node block = b.make<relax::DataflowBlock>({b.array({b.make<relax::VarBinding>({call, y})}), b.array({y})});
  Node body = b.make<relax::SeqExpr>({{}, b.array({block}), y});
  Node f =
      b.make<relax::Function>({{}, b.array({x}), b.map({{"global_symbol", b.string("main")}}), tensor, true, body});
  return b.make<ir::Module>({b.map({{"a", 1}, {"b", 2.5}}), b.map({}), b.map({{"main", f}}), b.array({})});
}

// One tree with every type of value.
Node every_value() {
  int64_t extents[3] = {1, -2, INT64_MAX};
  Value shape = call([&](TnValue* ret) { return tn_runtime()->shape(extents, 3, ret); });
  Value bytes = call([&](TnValue* ret) { return tn_runtime()->bytes("\0\1\2", 3, ret); });
  return b.make<ir::Module>({b.map({{"int", INT64_MIN},
                                    {"bool", true},
                                    {"false", false},
                                    {"nan", std::numeric_limits<double>::quiet_NaN()},
                                    {"zero", -0.0},
                                    {"dtype", with_lanes(kFloat32, 300)},
                                    {"device", DLDevice{kDLCUDA, 3}},
                                    {"none", Value()},
                                    {"", b.string(std::string("a\0b", 3))},
                                    {"bytes", bytes},
                                    {"shape", shape},
                                    {"map", b.map({{"x", b.array({1, Value(b.imm(3)), b.array({})})}})}})});
}

TEST(Bytes, RoundTrip) {
  for (const Node& module : {AddOne().module(), graph_module(), every_value()}) {
    std::string bytes = encode(module);
    Value back = decode_tree(bytes);
    EXPECT_EQ(difference(back, module), "");
    EXPECT_EQ(names_and_spans(back), names_and_spans(module));
    EXPECT_EQ(distinct_nodes(back), distinct_nodes(module));
    EXPECT_EQ(as_node(back).hash(), module.hash());
    EXPECT_EQ(as_node(back).depth(), module.depth());
    EXPECT_EQ(as_node(back).get()->reserved, module.get()->reserved);
    EXPECT_EQ(encode(back), bytes);
  }
}

TEST(Bytes, ValuesThatAreNoNodes) {
  EXPECT_EQ(decode_tree(encode(Value(7))).as_int(), 7);
  EXPECT_TRUE(decode_tree(encode(Value())).is_none());
  EXPECT_EQ(decode_tree(encode(b.string("text"))).as_string(), "text");
  Value list = b.array({1, 2});
  EXPECT_EQ(decode_tree(encode(list)).ref<Array>().size(), 2u);
}

TEST(Bytes, VariablesStayOneObject) {
  Node x = b.var("x");
  Value back = decode_tree(encode(b.add(x, x)));
  auto& add = as_node(back).to<tir::Add>();
  EXPECT_TRUE(add.a().same_as(add.b()));
}

TEST(Bytes, SharedAndDeepTrees) {
  test::with_small_stack([] {
    auto start = std::chrono::steady_clock::now();
    Node shared = test::doubling(b.var("x"), 60);
    std::string bytes = encode(shared);
    EXPECT_LT(bytes.size(), 1000u);
    EXPECT_EQ(distinct_nodes(decode_tree(bytes)), 61u);
    double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    EXPECT_LT(ms, 100);
    Node deep = test::chain(b.imm(0), static_cast<int>(kLimits.depth) - 1);
    EXPECT_EQ(difference(decode_tree(encode(deep)), deep), "");
  });
}

TEST(Bytes, KindsOfPlugins) {
  std::vector<SlotDeclaration> slots = {{"type", TN_SLOT_ANY, TN_ROLE_USE}, {"value", TN_SLOT_NODE, TN_ROLE_USE}};
  uint32_t kind = register_kind("com.bytes.Box/1", TN_KIND_EXPR, slots);
  std::vector<Value> values = {kInt64, b.imm(4)};
  Node n = b.make(kind, values);
  std::string bytes = encode(n);
  EXPECT_EQ(difference(decode_tree(bytes), n), "");
  bytes.replace(bytes.find("com.bytes.Box/1"), 15, "com.bytes.Bax/1");
  internal::seal_bytes(&bytes);
  Error e = error_of([&] { decode_tree(bytes); });
  EXPECT_EQ(e.code, TN_ERROR_UNSUPPORTED);
  EXPECT_EQ(e.hint, "did you mean 'com.bytes.Box/1'?");
}

TEST(Bytes, ConstantsByDigest) {
  ConstantStore store;
  Constant c = store.add("weights", 7);
  Node n = b.make<ir::Constant>({kFloat32, c});
  std::string bytes = encode(n);
  EXPECT_EQ(bytes.find("weights"), std::string::npos);
  Value back = decode_tree(bytes, [&](std::string_view digest, uint64_t) { return store.find(digest); });
  EXPECT_EQ(as_node(back).to<ir::Constant>().data().raw().as.p, c.get());
  Error e = error_of([&] { decode_tree(bytes); });
  EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
  EXPECT_NE(e.message.find(c->digest), std::string::npos);
  e = error_of([&] { decode_tree(bytes, [](std::string_view, uint64_t) { return constant_from_bytes("other", 5); }); });
  EXPECT_EQ(e.code, TN_ERROR_CORRUPT);
}

TEST(Bytes, AConversationComesBackToTheVeryNodesThatItBeganWith) {
  ObjectTable here, there;
  ir::Var x = b.make<ir::Var>({kInt64, b.string("x")});
  Node sum = b.add(x, b.imm(1));
  Value question = b.array({Value(sum), Value(x)});
  Value received = decode_tree(encode_tree(question.raw(), here), {}, there);
  const Array& got = received.ref<Array>();
  // The other side keeps the sum, makes a product with the variable, and says so.
  Value answer = b.array({got[0], Value(b.mul(as_node(got[1]), b.imm(2)))});
  std::string bytes = encode_tree(answer.raw(), there);
  Value back = decode_tree(bytes, {}, here);
  EXPECT_EQ(back.ref<Array>()[0].raw().as.p, sum.get());
  EXPECT_EQ(as_node(back.ref<Array>()[1]).to<tir::Mul>().a().get(), x.get());
  // And once more in the first direction, with what the answer brought.
  Value last = decode_tree(encode_tree(back.ref<Array>()[1].raw(), here), {}, there);
  EXPECT_EQ(last.raw().as.p, answer.ref<Array>()[1].raw().as.p);
  ObjectTable empty;
  EXPECT_EQ(error_of([&] { decode_tree(bytes, {}, empty); }).code, TN_ERROR_CORRUPT);
}

TEST(Bytes, WhatIsKnownIsNotSentAgain) {
  ObjectTable here, there;
  std::vector<Node> terms;
  ir::Var x = b.make<ir::Var>({kInt64, b.string("x")});
  for (int i = 0; i < 2000; ++i) terms.push_back(b.make<tir::Evaluate>({b.mul(b.add(x, b.imm(i)), b.imm(7))}));
  auto message = [&](const std::string& name) { return b.array({b.string(name), Value(b.seq(terms))}); };
  Array first = message("first");
  Value got = decode_tree(encode_tree(Value(first).raw(), here), {}, there);
  size_t whole = encode_tree(Value(first).raw()).size();
  // The same tree within another message, then one with a single statement changed.
  std::string again = encode_tree(Value(b.array({b.string("again"), first[1]})).raw(), here);
  EXPECT_LT(again.size(), 100u);
  Value same = decode_tree(again, {}, there);
  EXPECT_EQ(same.ref<Array>()[1].raw().as.p, got.ref<Array>()[1].raw().as.p);
  terms[999] = b.make<tir::Evaluate>({b.mul(x, x)});
  Array changed = message("changed");
  std::string difference_only = encode_tree(Value(changed).raw(), here);
  EXPECT_LT(difference_only.size(), whole / 3);
  Value received = decode_tree(difference_only, {}, there);
  EXPECT_EQ(b.difference(received, Value(changed), true), std::nullopt);
  auto old_items = as_node(got.ref<Array>()[1]).to<tir::Seq>(),
       new_items = as_node(received.ref<Array>()[1]).to<tir::Seq>();
  EXPECT_EQ(old_items.stmts()[998].raw().as.p, new_items.stmts()[998].raw().as.p);
  EXPECT_NE(old_items.stmts()[999].raw().as.p, new_items.stmts()[999].raw().as.p);
}

TEST(Bytes, PartsAreReadWhileTheRestIsWritten) {
  ObjectTable here, there, whole;
  std::vector<Node> terms;
  ir::Var x = b.make<ir::Var>({kInt64, b.string("x")});
  for (int i = 0; i < 20'000; ++i) terms.push_back(b.make<tir::Evaluate>({b.mul(b.add(x, b.imm(i)), b.add(x, x))}));
  Array tree = b.array({Value(b.seq(terms)), Value(x)});
  size_t parts = 0;
  std::string last = encode_tree(Value(tree).raw(), here, [&](const std::string& part) {
    ++parts;
    EXPECT_TRUE(decode_tree(part, {}, there).is_none());
    EXPECT_EQ(here.objects.size(), there.objects.size());
  });
  EXPECT_GE(parts, 2u);
  Value back = decode_tree(last, {}, there);
  EXPECT_EQ(b.difference(back, Value(tree), true), std::nullopt);
  encode_tree(Value(tree).raw(), whole);
  EXPECT_EQ(here.objects.size(), whole.objects.size());
  // In the other direction by number: the very same nodes.
  Value answer = decode_tree(encode_tree(Value(b.array({back.ref<Array>()[0]})).raw(), there), {}, here);
  EXPECT_EQ(answer.ref<Array>()[0].raw().as.p, tree[0].raw().as.p);
}

TEST(Bytes, WhatCannotBeEncodedLeavesBothEndsAlike) {
  ObjectTable here, there;
  std::vector<Node> terms;
  ir::Var x = b.make<ir::Var>({kInt64, b.string("x")});
  for (int i = 0; i < 15'000; ++i) terms.push_back(b.make<tir::Evaluate>({b.add(x, b.imm(i))}));
  int number = 0;
  Value pointer = Value::adopt({TN_POINTER, 0, {reinterpret_cast<int64_t>(&number)}});
  auto part = [&](const std::string& bytes) { decode_tree(bytes, {}, there); };
  EXPECT_EQ(error_of([&] { encode_tree(Value(b.array({Value(b.seq(terms)), pointer})).raw(), here, part); }).code,
            TN_ERROR_ARGUMENT);
  EXPECT_EQ(here.objects.size(), there.objects.size());
  Array tree = b.array({Value(b.seq(terms)), Value(x)});
  Value back = decode_tree(encode_tree(Value(tree).raw(), here, part), {}, there);
  EXPECT_EQ(b.difference(back, Value(tree), true), std::nullopt);
}

TEST(Bytes, AConstantIsFoundWhereItLies) {
  ConstantStore store;
  std::vector<char> large(3 << 20, 'x');
  for (Constant c : {store.add("weights", 7), store.add(large.data(), large.size()), store.add("more", 4)}) {
    ConstantPlace place = place_of(*c.get());
    ASSERT_NE(place.inode, 0u);
    int fd = open_place(*c.get());
    ASSERT_GE(fd, 0);
    Constant other = MappedStore(fd, "other").constant(place.offset, c->size, c->digest);
    EXPECT_EQ(std::string_view(static_cast<const char*>(other->data), other->size),
              std::string_view(static_cast<const char*>(c->data), c->size));
    EXPECT_TRUE(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) << "a store must not become shorter under those who map it";
    EXPECT_EQ(error_of([&] { MappedStore(fd, "other").constant(UINT64_MAX, 2, c->digest); }).code, TN_ERROR_CORRUPT);
    close(fd);
  }
}

TEST(Bytes, RefusesWhatIsNotATree) {
  EXPECT_EQ(error_of([] { decode_tree(""); }).code, TN_ERROR_CORRUPT);
  EXPECT_EQ(error_of([] {
              decode_tree(
                  "\x7f"
                  "ELF and more that is no tree at all");
            }).code,
            TN_ERROR_CORRUPT);
  std::string bytes = encode(b.imm(1));
  bytes[8] = 9;
  Error e = error_of([&] { decode_tree(bytes); });
  EXPECT_EQ(e.code, TN_ERROR_UNSUPPORTED);
  EXPECT_EQ(e.message, "the bytes of a tree have the format 9, but this version reads 1");
  bytes = encode(b.imm(1)) + "x";
  internal::seal_bytes(&bytes);
  e = error_of([&] { decode_tree(bytes); });
  EXPECT_EQ(e.code, TN_ERROR_CORRUPT);
  EXPECT_NE(e.message.find("something follows the tree"), std::string::npos);
  EXPECT_NE(e.message.find("at offset " + std::to_string(bytes.size() - 1)), std::string::npos);
}

// ---- Damage ----------------------------------------------------------------------------------------------------

ConstantProvider any_constant() {
  return [](std::string_view, uint64_t) { return constant_from_bytes("weights", 7); };
}

// Decodes what may be damaged: a tree, or an error that says so.
void expect_no_crash(const std::string& bytes) {
  Error e = error_of([&] { encode(decode_tree(bytes, any_constant())); });
  EXPECT_TRUE(e.code == 0 || e.code == TN_ERROR_CORRUPT || e.code == TN_ERROR_UNSUPPORTED)
      << e.code << " " << e.message;
}

std::vector<std::string> samples() {
  std::vector<std::string> all = {encode(AddOne().module()), encode(graph_module()), encode(every_value())};
  all.push_back(encode(b.make<ir::Constant>({kFloat32, constant_from_bytes("weights", 7)})));
  return all;
}

TEST(BytesDamage, EveryTruncation) {
  for (const std::string& bytes : samples())
    for (size_t size = 0; size < bytes.size(); ++size) {
      std::string cut = bytes.substr(0, size);
      EXPECT_EQ(error_of([&] { decode_tree(cut, any_constant()); }).code, TN_ERROR_CORRUPT) << size;
      internal::seal_bytes(&cut);
      EXPECT_EQ(error_of([&] { decode_tree(cut, any_constant()); }).code, TN_ERROR_CORRUPT) << size;
    }
}

TEST(BytesDamage, EveryFlippedBitIsNoticed) {
  for (const std::string& bytes : samples())
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      int32_t code = error_of([&] { decode_tree(flipped, any_constant()); }).code;
      bool in_vocabulary = bit / 8 >= 12 && bit / 8 < 16;  // of the writer, for messages alone
      EXPECT_TRUE(in_vocabulary || code == TN_ERROR_CORRUPT || (bit / 8 < 12 && code == TN_ERROR_UNSUPPORTED)) << bit;
    }
}

TEST(BytesDamage, EveryFlippedBitBehindAValidChecksum) {
  for (const std::string& bytes : samples())
    for (size_t bit = 8 * 32; bit < 8 * bytes.size(); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      internal::seal_bytes(&flipped);
      expect_no_crash(flipped);
    }
}

TEST(BytesDamage, RandomChanges) {
  const unsigned seed = 20260114;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::string> all = samples();
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = all[random() % all.size()];
    for (unsigned i = 0, n = 1 + random() % 8; i < n; ++i) {
      size_t at = 32 + random() % (bytes.size() - 32);
      switch (random() % 3) {
        case 0: bytes[at] = static_cast<char>(random()); break;
        case 1: bytes.erase(at, 1 + random() % 4); break;
        default: bytes.insert(at, 1 + random() % 4, static_cast<char>(random())); break;
      }
      if (bytes.size() <= 40) break;
    }
    internal::seal_bytes(&bytes);
    expect_no_crash(bytes);
  }
}

// ---- Bytes made to exhaust -------------------------------------------------------------------------------------

struct Forge {
  std::string bytes = std::string("TENONIR\n\1\0\0\0\1\0\0\0", 16) + std::string(16, '\0');
  Forge& number(uint64_t v) {
    for (; v >= 0x80; v >>= 7) bytes += static_cast<char>(v | 0x80);
    bytes += static_cast<char>(v);
    return *this;
  }
  Forge& text(std::string_view s) {
    number(s.size());
    bytes += s;
    return *this;
  }
  Error decode() {
    internal::seal_bytes(&bytes);
    return error_of([&] { decode_tree(bytes); });
  }
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(BytesDamage, CountsBeyondTheInput) {
  EXPECT_NE(Forge().number(UINT64_MAX).decode().message.find("exceeds what follows"), std::string::npos);
  EXPECT_NE(Forge().number(1).number(uint64_t{1} << 40).decode().message.find("end too early"), std::string::npos);
  Forge many;
  many.number(0).number(0).number(0).number(0).number(uint64_t{1} << 60);
  EXPECT_EQ(many.decode().code, TN_ERROR_CORRUPT);
}

TEST(BytesDamage, ForwardReferences) {
  Forge f;
  f.number(0).number(0).number(0).number(0).number(1);  // one object:
  f.number(1).number(1).number(11).number(1);           // an array of itself
  f.number(0);
  EXPECT_NE(f.decode().message.find("not before it"), std::string::npos);
}

TEST(BytesDamage, NestedContainersThatDouble) {
  Forge f;
  f.number(0).number(0).number(0).number(0).number(200);
  f.number(1).number(0);
  for (int i = 1; i < 200; ++i) f.number(1).number(2).number(11).number(1).number(11).number(1);
  f.number(11).number(1);
  auto start = std::chrono::steady_clock::now();
  EXPECT_NE(f.decode().message.find("places"), std::string::npos);
  EXPECT_LT(seconds_since(start), 1);
}

TEST(BytesDamage, ManyNodesOnOneHugeArrayOrText) {
  // Without memory of what an array or text is, this takes hours.
  const uint64_t n = 100000;
  Forge f;
  f.number(1).text(std::string(n, 'x'));
  f.number(2).text("ir.StringImm/1").text("tir.Seq/1");
  f.number(0).number(0);
  f.number(2 + 2 * n);
  f.number(0).number(0).number(0).number(2).number(0).number(7).number(0);  // a string node
  f.number(1).number(n);
  for (uint64_t i = 0; i < n; ++i) f.number(11).number(1);
  for (uint64_t i = 0; i < n; ++i) f.number(0).number(0).number(0).number(2).number(0).number(7).number(0);
  for (uint64_t i = 0; i < n; ++i) f.number(0).number(1).number(0).number(1).number(11).number(n + 1 + i);
  f.number(11).number(1);
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(f.decode().message, "no error");
  EXPECT_LT(seconds_since(start), 5);
}

TEST(BytesDamage, MapsThatRepeatHugeKeys) {
  const uint64_t n = 10000;
  Forge f;
  f.number(2).text(std::string(n, 'x') + "a").text(std::string(n, 'x') + "b");
  f.number(0).number(0).number(0);
  f.number(n);
  for (uint64_t i = 0; i < n; ++i) f.number(2).number(2).number(0).number(0).number(1).number(0);
  f.number(11).number(1);
  auto start = std::chrono::steady_clock::now();
  EXPECT_NE(f.decode().message.find("repeat too much text"), std::string::npos);
  EXPECT_LT(seconds_since(start), 1);
}

TEST(BytesDamage, DuplicateKeysAndWrongSlots) {
  Forge f;
  f.number(1).text("k").number(0).number(0).number(0).number(1);
  f.number(2).number(2).number(0).number(0).number(0).number(0).number(11).number(1);
  EXPECT_EQ(f.decode().code, TN_ERROR_CORRUPT);
  Forge g;  // tir.Evaluate of an int
  g.number(0).number(1).text("tir.Evaluate/1").number(0).number(0).number(1);
  g.number(0).number(0).number(0).number(1).number(1).number(4).number(11).number(1);
  EXPECT_NE(g.decode().message.find("slot `value` must be a node, but is an int"), std::string::npos);
}

}  // namespace
}  // namespace tenon
