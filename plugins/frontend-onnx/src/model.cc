// The fields of onnx.proto that are needed, by their numbers.
#include "model.h"

#include <tenon/cxx/object.h>

#include <protozero/exception.hpp>
#include <type_traits>
// A field of another wire type than its number has is a damaged model, not a mistake of this program.
#define protozero_assert(x) ((x) ? void() : throw protozero::unknown_pbf_wire_type_exception{})
#include <protozero/pbf_reader.hpp>

namespace tenon::onnx {
namespace {

using Reader = protozero::pbf_reader;

constexpr size_t kMaxItems = 4'000'000;  // nodes, dimensions and numbers that take more memory than in the file

struct Counter {
  const std::string& file;
  size_t left = kMaxItems;
  void take(size_t n = 1) {
    if (n > left)
      throw Error(TN_ERROR_LIMIT, "the model holds more than " + std::to_string(kMaxItems) + " items", file,
                  "tensors of raw data, as onnx.numpy_helper.from_array makes them, are not counted");
    left -= n;
  }
};

std::string text(const protozero::data_view& v) { return {v.data(), v.size()}; }

// A repeated number, packed or not. Fractions are as long in the file as in memory.
template <class T, class Packed, class Single>
void numbers(Reader& r, std::vector<T>& out, Counter& count, Packed packed, Single single) {
  if (r.wire_type() == protozero::pbf_wire_type::length_delimited) {
    for (auto v : packed()) {
      if (!std::is_floating_point_v<T>) count.take();
      out.push_back(static_cast<T>(v));
    }
  } else {
    count.take();
    out.push_back(static_cast<T>(single()));
  }
}

TensorData tensor(Reader r, Counter& count) {
  TensorData t;
  while (r.next()) {
    switch (r.tag()) {
      case 1: numbers(r, t.dims, count, [&] { return r.get_packed_int64(); }, [&] { return r.get_int64(); }); break;
      case 2: t.type = r.get_int32(); break;
      case 4: numbers(r, t.floats, count, [&] { return r.get_packed_float(); }, [&] { return r.get_float(); }); break;
      case 5: numbers(r, t.ints, count, [&] { return r.get_packed_int32(); }, [&] { return r.get_int32(); }); break;
      case 7: numbers(r, t.longs, count, [&] { return r.get_packed_int64(); }, [&] { return r.get_int64(); }); break;
      case 8: t.name = text(r.get_view()); break;
      case 9: {
        auto v = r.get_view();
        t.raw = {v.data(), v.size()};
        t.has_raw = true;
        break;
      }
      case 10:
        numbers(r, t.doubles, count, [&] { return r.get_packed_double(); }, [&] { return r.get_double(); });
        break;
      case 11:
        numbers(r, t.unsigned_longs, count, [&] { return r.get_packed_uint64(); }, [&] { return r.get_uint64(); });
        break;
      case 13: {
        Reader entry = r.get_message();
        std::string key, value;
        while (entry.next()) {
          if (entry.tag() == 1)
            key = text(entry.get_view());
          else if (entry.tag() == 2)
            value = text(entry.get_view());
          else
            entry.skip();
        }
        t.location[key] = value;
        break;
      }
      case 14: t.external = r.get_int32() == 1; break;
      default: r.skip();
    }
  }
  return t;
}

Attribute attribute(Reader r, Counter& count, std::string* name) {
  Attribute a;
  while (r.next()) {
    switch (r.tag()) {
      case 1: *name = text(r.get_view()); break;
      case 2: a.f = r.get_float(); break;
      case 3: a.i = r.get_int64(); break;
      case 4: a.s = text(r.get_view()); break;
      case 5: a.t = tensor(r.get_message(), count); break;
      case 7: numbers(r, a.floats, count, [&] { return r.get_packed_float(); }, [&] { return r.get_float(); }); break;
      case 8: numbers(r, a.ints, count, [&] { return r.get_packed_int64(); }, [&] { return r.get_int64(); }); break;
      case 20: a.type = r.get_int32(); break;
      default: r.skip();
    }
  }
  return a;
}

OnnxNode node(Reader r, Counter& count) {
  OnnxNode n;
  while (r.next()) {
    count.take();
    switch (r.tag()) {
      case 1: n.inputs.push_back(text(r.get_view())); break;
      case 2: n.outputs.push_back(text(r.get_view())); break;
      case 3: n.name = text(r.get_view()); break;
      case 4: n.op = text(r.get_view()); break;
      case 5: {
        std::string name;
        Attribute a = attribute(r.get_message(), count, &name);
        n.attributes[name] = std::move(a);
        break;
      }
      case 7: n.domain = text(r.get_view()); break;
      default: r.skip();
    }
  }
  return n;
}

void tensor_type(Reader r, ValueInfo& info, Counter& count) {
  info.is_tensor = true;
  while (r.next()) {
    if (r.tag() == 1) {
      info.type = r.get_int32();
    } else if (r.tag() == 2) {
      info.has_shape = true;
      Reader shape = r.get_message();
      while (shape.next()) {
        if (shape.tag() != 1) {
          shape.skip();
          continue;
        }
        count.take();
        Dimension d;
        Reader dim = shape.get_message();
        while (dim.next()) {
          if (dim.tag() == 1)
            d.value = dim.get_int64();
          else if (dim.tag() == 2)
            d.symbol = text(dim.get_view());
          else
            dim.skip();
        }
        info.shape.push_back(d);
      }
    } else {
      r.skip();
    }
  }
}

ValueInfo value_info(Reader r, Counter& count) {
  ValueInfo info;
  while (r.next()) {
    if (r.tag() == 1) {
      info.name = text(r.get_view());
    } else if (r.tag() == 2) {
      Reader type = r.get_message();
      while (type.next()) {
        if (type.tag() == 1)
          tensor_type(type.get_message(), info, count);
        else
          type.skip();
      }
    } else {
      r.skip();
    }
  }
  return info;
}

void graph(Reader r, Model& m, Counter& count) {
  while (r.next()) {
    count.take();
    switch (r.tag()) {
      case 1: m.nodes.push_back(node(r.get_message(), count)); break;
      case 2: m.graph_name = text(r.get_view()); break;
      case 5: m.initializers.push_back(tensor(r.get_message(), count)); break;
      case 11: m.inputs.push_back(value_info(r.get_message(), count)); break;
      case 12: m.outputs.push_back(value_info(r.get_message(), count)); break;
      case 15:
        ++m.sparse;
        r.skip();
        break;
      default: r.skip();
    }
  }
}

}  // namespace

Model read_model(std::string_view bytes, const std::string& file) {
  Model m;
  Counter count{file};
  bool has_graph = false;
  try {
    Reader r(bytes.data(), bytes.size());
    while (r.next()) {
      switch (r.tag()) {
        case 1: m.ir_version = r.get_int64(); break;
        case 7:
          has_graph = true;
          graph(r.get_message(), m, count);
          break;
        case 8: {
          Reader o = r.get_message();
          std::string domain;
          int64_t version = 0;
          while (o.next()) {
            if (o.tag() == 1)
              domain = text(o.get_view());
            else if (o.tag() == 2)
              version = o.get_int64();
            else
              o.skip();
          }
          m.opsets[domain == "ai.onnx" ? "" : domain] = version;
          break;
        }
        case 25:
          ++m.functions;
          r.skip();
          break;
        default: r.skip();
      }
    }
  } catch (const Error&) { throw; } catch (const std::exception& e) {
    throw Error(TN_ERROR_CORRUPT, std::string("the file is no complete ONNX model: ") + e.what(), file,
                "it may be cut off or damaged; load it with another tool to see");
  }
  if (!has_graph)
    throw Error(TN_ERROR_CORRUPT, "the file is no ONNX model: it holds no graph", file,
                "is it another format, or empty?");
  return m;
}

}  // namespace tenon::onnx
