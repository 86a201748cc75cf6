#include "registry/worker/wire.h"

#include "build/op_service.h"

namespace tenon::worker {

namespace {

std::vector<std::string> texts_of(const Value& v) {
  std::vector<std::string> out;
  if (v.is_array())
    for (const Value& item : v.ref<Array>()) out.emplace_back(item.as_string());
  return out;
}

}  // namespace

Array OpenRequest::to_array(const Builder& b) const {
  std::vector<Value> dirs;
  for (const SearchDir& d : place.dirs)
    dirs.push_back(b.array({b.string(d.path), Value(d.must_exist), Value(int64_t{d.level}), b.string(d.origin)}));
  return b.array({b.string(plugin.id), b.string(plugin.version), b.string(plugin.manifest), b.string(plugin.library),
                  texts_value(b, plugin.provides), b.array(dirs), b.string(place.installation), b.string(place.config),
                  b.string(plugin.origin), b.string(plugin.digest), b.string(place.policy), texts_value(b, place.use),
                  Value(trial), Value(plugin.consumes), Value(plugin.emits)});
}

OpenRequest OpenRequest::from(const Array& m) {
  if (m.size() != 15) throw Error(TN_ERROR_CORRUPT, "the host's first message is not of this version");
  OpenRequest r;
  auto text = [&](size_t i) { return std::string(m[i].as_string()); };
  r.plugin.id = text(0);
  r.plugin.version = text(1);
  r.plugin.manifest = text(2);
  r.plugin.library = text(3);
  r.plugin.provides = texts_of(m[4]);
  if (m[5].is_array())
    for (const Value& v : m[5].ref<Array>()) {
      const Array& d = v.ref<Array>();
      r.place.dirs.push_back({std::string(d[0].as_string()), d[1].as_bool(), static_cast<int>(d[2].as_int()),
                              std::string(d[3].as_string())});
    }
  r.place.installation = text(6);
  r.place.config = text(7);
  r.plugin.origin = text(8);
  r.plugin.digest = text(9);
  r.place.policy = text(10);
  r.place.use = texts_of(m[11]);
  r.trial = m[12].as_bool();
  r.plugin.consumes = m[13].as_int();
  r.plugin.emits = m[14].as_int();
  return r;
}

}  // namespace tenon::worker
