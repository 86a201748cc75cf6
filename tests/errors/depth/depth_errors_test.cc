// A tree deeper than the limit cannot be made; what can be made, every walk of the host gets through on a stack of 256
// KiB: making and hashing, walking, comparing, substituting, renewing, rewriting, keys, bytes, verifying, printing,
// reading, releasing. All of it through the C tables. The refusals are compared with expected.txt; TENON_BLESS=1 writes
// it anew.
#include <gtest/gtest.h>
#include <pthread.h>
#include <tenon/compiler_session.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

namespace tenon {
namespace {

constexpr uint32_t kDepth = 4096;  // Limits.depth, as tenon/ir.h says

void with_small_stack(const std::function<void()>& f) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
  pthread_t thread;
  auto run = [](void* p) -> void* {
    (*static_cast<const std::function<void()>*>(p))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&f)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

// One way of nesting nodes: `wrap` puts one level around a node, `module` makes a legal module of the result.
struct Shape {
  const char* title;
  Node (*leaf)(const Builder& b, const Node& x);
  Node (*wrap)(const Builder& b, const Node& inside);
  Node (*module)(const Builder& b, const Node& x, const Node& deep);
};

Node module_of(const Builder& b, const Node& function) {
  return b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", function}}), b.array({})});
}
Node loop_function(const Builder& b, const Node& x, const Node& body) {
  return module_of(b, b.make<tir::PrimFunc>({b.array({x}), b.map({}), Value(), body}));
}
Node graph_function(const Builder& b, const Node& x, const Node& body) {
  return module_of(b, b.make<relax::Function>({Value(), b.array({x}), b.map({}), Value(), true, body}));
}
Node seq(const Builder& b, const std::vector<Node>& bindings, const Node& body) {
  return b.make<relax::SeqExpr>({Value(), b.array({b.make<relax::BindingBlock>({b.array(bindings)})}), body});
}

const Shape kShapes[] = {
    {"an expression", [](const Builder&, const Node& x) { return x; },
     [](const Builder& b, const Node& inside) { return b.add(inside, b.imm(1)); },
     [](const Builder& b, const Node& x, const Node& deep) {
       return loop_function(b, x, b.make<tir::Evaluate>({deep}));
     }},
    {"an expression of a cast", [](const Builder&, const Node& x) { return x; },
     [](const Builder& b, const Node& inside) -> Node { return b.make<tir::Cast>({kInt64, inside}); },
     [](const Builder& b, const Node& x, const Node& deep) {
       return loop_function(b, x, b.make<tir::Evaluate>({deep}));
     }},
    {"loops", [](const Builder& b, const Node& x) -> Node { return b.make<tir::Evaluate>({x}); },
     [](const Builder& b, const Node& inside) { return b.loop(b.var("i"), b.imm(2), inside); },
     [](const Builder& b, const Node& x, const Node& deep) { return loop_function(b, x, deep); }},
    {"branches", [](const Builder& b, const Node& x) -> Node { return b.make<tir::Evaluate>({x}); },
     [](const Builder& b, const Node& inside) -> Node {
       return b.make<tir::IfThenElse>({b.imm(1, kBool), inside, Value()});
     },
     [](const Builder& b, const Node& x, const Node& deep) { return loop_function(b, x, deep); }},
    {"sequences", [](const Builder& b, const Node& x) -> Node { return b.make<tir::Evaluate>({x}); },
     [](const Builder& b, const Node& inside) -> Node { return b.make<tir::Seq>({b.array({inside})}); },
     [](const Builder& b, const Node& x, const Node& deep) { return loop_function(b, x, deep); }},
    {"tuples", [](const Builder&, const Node& x) { return x; },
     [](const Builder& b, const Node& inside) -> Node { return b.make<relax::Tuple>({Value(), b.array({inside})}); },
     [](const Builder& b, const Node& x, const Node& deep) { return graph_function(b, x, deep); }},
    {"calls", [](const Builder&, const Node& x) { return x; },
     [](const Builder& b, const Node& inside) -> Node {
       return b.make<ir::Call>({Value(), b.make<ir::Op>({Value(), "relax.call_pure_packed"}),
                                b.array({Value(b.make<ir::ExternFunc>({Value(), "f", b.map({})})), Value(inside)}),
                                b.map({}), b.array({})});
     },
     [](const Builder& b, const Node& x, const Node& deep) { return graph_function(b, x, deep); }},
    {"branches of a graph", [](const Builder&, const Node& x) { return x; },
     [](const Builder& b, const Node& inside) -> Node {
       Node c = b.make<relax::PrimValue>({Value(), b.imm(1, kBool)});
       return b.make<relax::If>({Value(), c, inside, seq(b, {}, b.make<relax::Tuple>({Value(), b.array({})}))});
     },
     [](const Builder& b, const Node& x, const Node& deep) { return graph_function(b, x, deep); }},
};

// `levels` levels around the leaf.
Node nested(const Builder& b, const Shape& shape, const Node& x, uint32_t levels) {
  Node n = shape.leaf(b, x);
  for (uint32_t i = 0; i < levels; ++i) n = shape.wrap(b, n);
  return n;
}
Node parameter(const Builder& b, const Shape& shape) {
  bool graph = std::string_view(shape.title).find("tuple") == 0 || std::string_view(shape.title).find("call") == 0 ||
               std::string_view(shape.title).find("graph") != std::string_view::npos;
  return graph ? b.var("x", Value(b.make<relax::AnyType>({}))) : b.var("x");
}

std::string said(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return "error " + std::to_string(e.code) + ": " + e.message + "\n" +
           (e.hint.empty() ? "" : "hint: " + e.hint + "\n");
  }
  return "accepted\n";
}

TEST(DepthErrors, BeyondTheLimitNothingIsMade) {
  with_small_stack([] {
    const CompilerSession session(tn_compiler(), Value());
    const Builder& b = session.builder();
    std::string text;
    for (const Shape& shape : kShapes) {
      Node x = parameter(b, shape);
      Node deepest = nested(b, shape, x, 1);
      while (deepest.depth() < kDepth) {
        uint32_t before = deepest.depth();
        deepest = shape.wrap(b, deepest);
        ASSERT_GT(deepest.depth(), before);
      }
      EXPECT_EQ(deepest.depth(), kDepth) << shape.title;
      text += std::string("== ") + shape.title + "\n" + said([&] { shape.wrap(b, deepest); });
    }
    const std::string golden = std::string(DEPTH_ERRORS_DIR) + "/expected.txt";
    if (std::getenv("TENON_BLESS")) std::ofstream(golden) << text;
    std::ostringstream expected;
    expected << std::ifstream(golden).rdbuf();
    EXPECT_EQ(text, expected.str());
  });
}

TEST(DepthErrors, EveryWalkGetsThroughTheGreatestDepth) {
  with_small_stack([] {
    const CompilerSession session(tn_compiler(), Value());
    const Builder& b = session.builder();
    const TnHostIr* ir = b.ir();
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(shape.title);
      Node x = parameter(b, shape);
      Node module;
      for (uint32_t levels = kDepth; !module; --levels) try {
          module = shape.module(b, x, nested(b, shape, x, levels));
        } catch (const Error& e) { ASSERT_EQ(e.code, TN_ERROR_LIMIT) << e.message; }
      EXPECT_EQ(module.depth(), kDepth);
      Value tree(module);
      // Walk
      size_t entered = 0, left = 0;
      b.walk(tree, [&](const Node&) { return ++entered != 0; }, [&](const Node&) { ++left; });
      EXPECT_GE(entered, kDepth);
      EXPECT_EQ(entered, left);
      // Copy, equality and keys
      Value copy = b.renew(tree);
      EXPECT_FALSE(as_node(copy).same_as(module));
      EXPECT_EQ(b.difference(tree, copy), std::nullopt);
      auto key = [&](const Value& v) {
        return std::string(call([&](TnValue* ret) { return ir->content_key(ir->self, v.ptr(), ret); }).as_string());
      };
      EXPECT_EQ(key(tree), key(copy));
      // Substitute and rewrite
      Node y = b.var("y", x.slot(0));
      Value other = b.substitute(tree, b.array({Value(x)}), b.array({Value(y)}));
      EXPECT_EQ(b.difference(tree, other), std::nullopt);
      size_t rewritten = 0;
      Value same = b.rewrite(tree, [&](const Node&, const Node&) {
        ++rewritten;
        return Value();
      });
      EXPECT_TRUE(as_node(same).same_as(module));
      EXPECT_GE(rewritten, kDepth);
      // Bytes
      Value bytes = call([&](TnValue* ret) { return ir->encode(ir->self, tree.ptr(), ret); });
      std::string_view encoded = bytes.as_string();
      Value decoded = call([&](TnValue* ret) { return ir->decode(ir->self, encoded.data(), encoded.size(), ret); });
      EXPECT_EQ(b.difference(tree, decoded), std::nullopt);
      // Verify
      EXPECT_EQ(said([&] { session.verify(module); }), "accepted\n");
      // Text: reading it may be refused, since brackets nest less deeply.
      std::string text;
      std::string printed = said([&] { text = session.print(tree); });
      EXPECT_TRUE(printed == "accepted\n" || printed.starts_with("error 15:")) << printed;
      if (!text.empty()) {
        Value read;
        std::string answer = said([&] { read = session.parse(text, "deep.py"); });
        EXPECT_TRUE(answer == "accepted\n" || answer.starts_with("error 15:")) << answer;
        if (!read.is_none()) { EXPECT_EQ(b.difference(tree, read), std::nullopt); }
        std::printf("%s: %zu bytes of text, read back: %s\n", shape.title, text.size(),
                    read.is_none() ? "refused" : "yes");
      }
    }  // each tree is released here, on the small stack
  });
}

}  // namespace
}  // namespace tenon
