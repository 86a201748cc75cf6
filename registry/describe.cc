#include "registry/describe.h"

#include <map>

#include "registry/probe/quarantine.h"

namespace tenon {

namespace {

// An array of f(item).
template <class Items, class F>
Value list(const Builder& b, const Items& items, F&& f) {
  std::vector<Value> values;
  for (const auto& item : items) values.push_back(f(item));
  return b.array(values);
}

Value describe_pass(const Builder& b, const PassInfo& pass) {
  Builder::Entries e{{"name", b.string(pass.name)},
                     {"level", b.string(level_name(pass.level))},
                     {"summary", b.string(pass.summary)},
                     {"concurrent", Value(pass.concurrent)},
                     {"options", schemas_value(b, pass.options)}};
  auto add = [&](const char* key, const std::vector<std::string>& names) {
    if (!names.empty()) e.emplace_back(key, texts_value(b, names));
  };
  add("requires", pass.required);
  add("provides", pass.provided);
  add("invalidates", pass.invalidated);
  add("after", pass.after);
  add("before", pass.before);
  return b.map(e);
}

Value describe_plugin(Session& session, Registry& registry, const PluginInfo& p) {
  const Builder& b = session.builder();
  Standing standing = registry.standing(p);
  Builder::Entries e{{"id", b.string(p.id)},
                     {"version", b.string(p.version)},
                     {"vendor", b.string(p.vendor)},
                     {"license", b.string(p.license)},
                     {"tier", b.string(p.tier)},
                     {"summary", b.string(p.summary)},
                     {"manifest", b.string(p.manifest)},
                     {"library", b.string(p.library)},
                     {"loaded", Value(session.instances().is_loaded(p.id))},
                     {"isolated", Value(registry.isolates(p))},
                     {"probe", b.map({{"state", b.string(standing.state)},
                                      {"reason", b.string(standing.reason)},
                                      {"since", b.string(standing.since)}})},
                     {"provides", texts_value(b, p.provides)},
                     {"passes", list(b, p.passes, [&](const PassRef& pass) { return describe_pass(b, *pass); })},
                     {"ops", list(b, p.ops, [&](const OpRow& op) { return Value(op.row); })}};
  if (p.codegen)
    e.emplace_back("codegen", b.map({{"targets", texts_value(b, p.codegen->targets)},
                                     {"formats", texts_value(b, p.codegen->formats)},
                                     {"level", b.string(level_name(p.codegen->level))},
                                     {"options", schemas_value(b, p.codegen->options)}}));
  if (p.executor)
    e.emplace_back("executor", b.map({{"bounded", Value(p.executor->bounded)},
                                      {"options", schemas_value(b, p.executor->options)}}));
  if (p.frontend) e.emplace_back("frontend", b.map({{"extensions", texts_value(b, p.frontend->extensions)}}));
  if (p.device) e.emplace_back("device", b.map({{"kinds", texts_value(b, p.device->kinds)}}));
  if (p.loader) e.emplace_back("loader", b.map({{"formats", texts_value(b, p.loader->formats)}}));
  if (!p.kinds.empty())
    e.emplace_back("kinds", list(b, p.kinds, [&](const KindDeclaration& kind) { return b.string(kind.id); }));
  if (!p.targets.empty())
    e.emplace_back("targets", list(b, p.targets, [&](const TargetSchema& target) {
                     return Value(b.map({{"kind", b.string(target.kind)},
                                         {"summary", b.string(target.summary)},
                                         {"features", texts_value(b, target.features)},
                                         {"attributes", schemas_value(b, target.attributes)}}));
                   }));
  if (p.offers) e.emplace_back("offers", b.map_value(p.offers));
  std::vector<Value> runtimes;
  for (const RuntimeNeed& need : p.runtimes)
    runtimes.push_back(
        b.map({{"name", b.string(need.name)}, {"range", b.string(need.range)}, {"library", b.string(need.library)}}));
  e.emplace_back("runtimes", b.array(runtimes));
  e.emplace_back("origin", b.string(p.origin));
  e.emplace_back("digest", b.string(p.digest));
  return b.map(e);
}

}  // namespace

Value describe_complaints(const Builder& b, const std::vector<Error>& complaints) {
  return list(b, complaints, [&](const Error& e) {
    return Value(b.map({{"code", Value(int64_t{e.code})},
                        {"message", b.string(e.message)},
                        {"where", b.string(e.where)},
                        {"hint", b.string(e.hint)}}));
  });
}

namespace {
// Operators that several plugins declare: who uses one is refused, so that none is taken by chance.
Value describe_disputes(const Builder& b, Registry& registry) {
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> declared;
  for (const PluginInfo& p : registry.plugins())
    for (const OpRow& op : p.ops) declared[op.id].emplace_back(p.id, op.origin);
  std::vector<Value> out;
  for (const auto& [op, places] : declared) {
    if (places.size() < 2) continue;
    out.push_back(b.map({{"operator", b.string(op)}, {"declared", list(b, places, [&](const auto& place) {
                                                        return Value(b.map({{"plugin", b.string(place.first)},
                                                                            {"where", b.string(place.second)}}));
                                                      })}}));
  }
  return b.array(out);
}
}  // namespace

Value describe_plugins(Session& session, Registry& registry) {
  const Builder& b = session.builder();
  return b.map({{"plugins", list(b, registry.plugins(),
                                 [&](const PluginInfo& p) { return describe_plugin(session, registry, p); })},
                {"broken", list(b, registry.broken(),
                                [&](const BrokenPlugin& p) {
                                  return Value(b.map({{"id", b.string(p.id)},
                                                      {"manifest", b.string(p.manifest)},
                                                      {"complaints", describe_complaints(b, p.complaints)}}));
                                })},
                {"others", list(b, registry.others(),
                                [&](const OtherVersion& o) {
                                  return Value(b.map({{"id", b.string(o.plugin.id)},
                                                      {"version", b.string(o.plugin.version)},
                                                      {"digest", b.string(o.plugin.digest)},
                                                      {"manifest", b.string(o.plugin.manifest)},
                                                      {"reason", b.string(o.reason)}}));
                                })},
                {"disputed", describe_disputes(b, registry)},
                {"searched", texts_value(b, registry.searched())}});
}

Value describe_pipeline(const Builder& b, PluginProvider& provider, const PipelineResult& result) {
  size_t number = 0;
  Value stages = list(b, result.pipeline.stages, [&](const Stage& s) {
    Value why = list(b, result.reasons[number++], [&](const StageReason& r) {
      return Value(b.map({{"kind", b.string(r.kind)}, {"text", b.string(r.text)}, {"where", b.string(r.where)}}));
    });
    const PluginInfo* plugin = provider.find(s.pass->plugin);
    return Value(b.map({{"pass", b.string(s.pass->full_name())},
                        {"version", b.string(plugin ? plugin->version : "")},
                        {"vendor", b.string(plugin ? plugin->vendor : "")},
                        {"level", b.string(level_name(s.pass->level))},
                        {"plugin", b.string(s.pass->plugin)},
                        {"summary", b.string(s.pass->summary)},
                        {"options", b.map_value(s.options)},
                        {"where", b.string(s.where)},
                        {"why", why}}));
  });
  Value left_out = list(b, result.left_out, [&](const LeftOut& l) {
    return Value(b.map({{"what", b.string(l.what)},
                        {"where", b.string(l.where)},
                        {"why", b.string(l.why)},
                        {"unchecked", Value(l.unchecked)}}));
  });
  Value slots = list(b, result.slots, [&](const PipelineSlot& s) {
    return Value(b.map({{"name", b.string(s.name)},
                        {"where", b.string(s.where)},
                        {"level", b.string(s.level)},
                        {"summary", b.string(s.summary)},
                        {"filled", Value(static_cast<int64_t>(s.filled))}}));
  });
  return b.map({{"name", b.string(result.pipeline.name)},
                {"summary", b.string(result.pipeline.summary)},
                {"stages", stages},
                {"left_out", left_out},
                {"slots", slots},
                {"files", texts_value(b, result.files)},
                {"complaints", describe_complaints(b, result.complaints)}});
}

Value describe_record(const Builder& b, const PassRecord& r) {
  return b.map({{"pass", b.string(r.pass)},
                {"number", Value(static_cast<int64_t>(r.number))},
                {"changed", Value(r.changed)},
                {"disabled", Value(r.disabled)},
                {"milliseconds", Value(r.milliseconds)}});
}

Value describe_diagnostics(const Builder& b, const std::vector<Diagnostic>& diagnostics) {
  return list(b, diagnostics, [&](const Diagnostic& d) {
    return Value(b.map({{"severity", Value(int64_t{d.severity})},
                        {"message", b.string(d.message)},
                        {"where", b.string(d.where)},
                        {"hint", b.string(d.hint)},
                        {"from", b.string(d.from)}}));
  });
}

}  // namespace tenon
