// The checks that every plugin goes through.
#include <elf.h>
#include <malloc.h>
#include <sys/mman.h>
#include <tenon/ext/pass.h>

#include <clocale>
#include <cstdlib>
#include <ctime>
#include <map>
#include <thread>

#include "check.h"
#include "memory_source.h"
#include "process_state.h"

namespace tenon::conformance {

namespace {

// The names that the dynamic symbol table of a library defines, and the libraries that it needs.
struct Elf {
  std::vector<std::string> exported, needed;
};
Elf read_elf(const std::string& file) {
  const std::string bytes = read_bytes(file);
  Elf out;
  if (bytes.size() < sizeof(Elf64_Ehdr) || bytes.compare(0, SELFMAG, ELFMAG) != 0)
    throw Violation{"E1", "it is no ELF file"};
  auto at = [&](uint64_t offset, uint64_t size) {
    if (offset > bytes.size() || size > bytes.size() - offset) throw Violation{"E1", "its ELF headers are damaged"};
    return bytes.data() + offset;
  };
  Elf64_Ehdr header;
  std::memcpy(&header, at(0, sizeof header), sizeof header);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), at(header.e_shoff, sections.size() * sizeof(Elf64_Shdr)),
              sections.size() * sizeof(Elf64_Shdr));
  for (const Elf64_Shdr& s : sections) {
    if ((s.sh_type != SHT_DYNSYM && s.sh_type != SHT_DYNAMIC) || s.sh_link >= sections.size()) continue;
    const Elf64_Shdr& names = sections[s.sh_link];
    auto name = [&](uint64_t offset) {
      return offset < names.sh_size ? std::string(at(names.sh_offset + offset, 1)) : std::string();
    };
    if (s.sh_type == SHT_DYNSYM)
      for (uint64_t k = 0; k < s.sh_size / sizeof(Elf64_Sym); ++k) {
        Elf64_Sym symbol;
        std::memcpy(&symbol, at(s.sh_offset + k * sizeof symbol, sizeof symbol), sizeof symbol);
        if (symbol.st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol.st_info) != STB_LOCAL && symbol.st_shndx != SHN_ABS)
          out.exported.push_back(name(symbol.st_name));
      }
    else
      for (uint64_t k = 0; k < s.sh_size / sizeof(Elf64_Dyn); ++k) {
        Elf64_Dyn entry;
        std::memcpy(&entry, at(s.sh_offset + k * sizeof entry, sizeof entry), sizeof entry);
        if (entry.d_tag == DT_NEEDED) out.needed.push_back(name(entry.d_un.d_val));
      }
  }
  return out;
}

// Small blocks, and those that have a mapping of their own.
uint64_t bytes_in_use() {
  const auto m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

// Runs an exercise; its result as text, or "refused: ...".
std::string result_text(Instance& instance, const Exercise& e) {
  try {
    Value v = e.run(instance);
    return canonical(instance.subject().b(), v);
  } catch (const Error& error) { return "refused: " + error.message; }
}

uint64_t fnv(const std::string& s) {
  uint64_t h = 1469598103934665603u;
  for (unsigned char c : s) h = (h ^ c) * 1099511628211u;
  return h;
}

uint32_t references(const Value& v) {
  return static_cast<uint32_t>(__atomic_load_n(&v.raw().as.object->counts, __ATOMIC_ACQUIRE));
}

}  // namespace

namespace {

// What a library answers for a pass that it does not have, it answers whatever it is given.
void check_pass_names(const Subject& s, Findings& f, Instance& i) {
  const auto* t = i.table<TnPass>(TN_PASS);
  const Node number = s.b().imm(1);
  for (const Value& row : s.list("passes")) {
    const std::string name = text_of(row.ref<Map>(), "name");
    f.at("the pass " + name);
    Value options(default_options(s.b(), row.ref<Map>().find("options")));
    try {
      call_slot([&](TnValue* ret) {
        if (text_of(row.ref<Map>(), "level") == "module")
          return need(t, &TnPass::run_module, "run_module")(i.self(TN_PASS), i.context(Node()), name.c_str(),
                                                            number.get(), options.ptr(), ret);
        return need(t, &TnPass::run_function, "run_function")(i.self(TN_PASS), i.context(Node()), name.c_str(), "main",
                                                              number.get(), options.ptr(), ret);
      });
    } catch (const Error& e) {
      if (e.code == TN_ERROR_NOT_FOUND) f.fail("E2", "the manifest lists it, and the library answers: " + e.message);
    }
  }
}

}  // namespace

void check_manifest(const Subject& s, Findings& f) {
  f.at("its manifest and its table");
  const TnPlugin* t = s.table();
  if (!t->id || s.id() != t->id)
    f.fail("E1", "the library says the id '" + std::string(t->id ? t->id : "") + "', the manifest '" + s.id() + "'");
  if (!t->version || text_of(s.info(), "version") != t->version)
    f.fail("E1", "the library says the version '" + std::string(t->version ? t->version : "") + "', the manifest '" +
                     text_of(s.info(), "version") + "'");
  if (t->abi_version == 0 || t->abi_version > TN_ABI_VERSION)
    f.fail("E1", "it was built for the ABI " + std::to_string(t->abi_version));
  if (t->ir_vocabulary > TN_IR_VOCABULARY) f.fail("E1", "it was built for a newer vocabulary");
  for (const char* key : {"vendor", "summary"})
    if (text_of(s.info(), key).empty()) f.note(std::string("the manifest says no ") + key);
  Instance i(s, s.session());
  for (const Value& c : s.list("provides")) {
    const std::string id(c.as_string());
    f.at("the capability " + id);
    const void* table = i.table<void>(id.c_str());
    if (i.table<void>(id.c_str()) != table) f.fail("E4", "it answers with another table the second time");
    if (id.rfind("tenon.", 0) == 0) {
      size_t size = 0;
      std::memcpy(&size, table, sizeof size);
      if (size < sizeof(size_t) + sizeof(void*) || size > 4096)
        f.fail("E5", "its table says a size of " + std::to_string(size));
    }
    const std::string newer = id.substr(0, id.find('/')) + "/999";
    if (t->capability(i.self(), newer.c_str())) f.fail("E2", "it answers for " + newer + ", which nobody has defined");
  }
  if (s.provides(TN_PASS)) check_pass_names(s, f, i);
  f.at("capabilities that it does not have");
  for (const char* id : {"", "tenon.no-such-capability/1", "tenon.pas", "/", "tenon.pass/"})
    if (t->capability(i.self(), id)) f.fail("E2", "it answers for '" + std::string(id) + "'");
}

void check_exports(const Subject& s, Findings& f) {
  f.at(s.library());
  Elf elf = read_elf(s.library());
  std::string others;
  size_t n = 0;
  bool entry = false;
  for (const std::string& name : elf.exported) {
    if (name == TN_PLUGIN_SYMBOL)
      entry = true;
    else if (++n <= 3)
      others += (others.empty() ? "" : ", ") + name;
  }
  if (!entry) f.fail("E1", "it does not export " TN_PLUGIN_SYMBOL);
  if (n > 0)
    f.fail("E10", "it exports " + std::to_string(n) + " more symbols than " TN_PLUGIN_SYMBOL ": " + others +
                      "; build it with tenon_add_plugin, or with a version script");
  for (const std::string& name : elf.needed)
    if (name.rfind("libtenon", 0) == 0) f.fail("E11", "it links " + name + ": a plugin receives the host as a table");
}

void check_create(const Subject& s, Findings& f) {
  f.at("create and destroy");
  auto round = [&] { Instance i(s, s.session()); };
  for (int k = 0; k < 3; ++k) round();
  uint64_t before = bytes_in_use();
  constexpr int kRounds = 64;
  for (int k = 0; k < kRounds; ++k) round();
  uint64_t after = bytes_in_use();
  if (after > before + kRounds * 48)
    f.fail("O6", "each instance leaves " + std::to_string((after - before) / kRounds) + " bytes behind");
  f.at("two instances at once");
  auto first = std::make_unique<Instance>(s, s.session());
  Instance second(s, s.session());
  if (first->self() == second.self() && !s.list("provides").empty()) f.note("its instances share one state");
  std::vector<Exercise> all = exercises(s, true);
  if (!all.empty()) {
    f.at("an instance after another one was destroyed");
    first.reset();
    attempt(f, [&] { all[0].run(second); });
  }
}

void check_sessions(const Subject& s, Findings& f) {
  f.at("two sessions");
  auto other = s.another_session();
  std::vector<Exercise> all = exercises(s, true);
  Instance here(s, s.session());
  {
    Instance there(s, *other);
    for (size_t k = 0; k < all.size() && k < 4; ++k) {
      f.at(all[k].name + ", in two sessions");
      attempt(f, [&] {
        std::string a = result_text(here, all[k]), c = result_text(there, all[k]);
        if (a != c) f.fail("R1", "two sessions give different results");
      });
    }
  }
  f.at("instances in four threads");
  std::vector<std::thread> threads;
  std::vector<std::string> broken(4);
  for (size_t k = 0; k < 4; ++k)
    threads.emplace_back([&, k] {
      try {
        for (int n = 0; n < 8; ++n) {
          Instance i(s, *other);
          if (!all.empty() && n % 4 == 0) result_text(i, all[k % all.size()]);
        }
      } catch (const Violation& v) { broken[k] = v.what; } catch (const Error& e) {
        broken[k] = e.message;
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& why : broken)
    if (!why.empty()) f.fail("T4", "an instance in a thread of its own: " + why);
}

void check_slots(const Subject& s, Findings& f) {
  Instance i(s, s.session());
  std::vector<Exercise> all = exercises(s, false);
  if (all.empty()) return f.skip("nothing is known to call it with: give --sample FILE");
  size_t refused = 0;
  for (const Exercise& e : all) {
    f.at(e.name);
    std::string why;
    if (!attempt(f, [&] { e.run(i); }, &why)) ++refused;
  }
  f.note(std::to_string(all.size()) + " calls, " + std::to_string(refused) + " of them refused with an error");
}

void check_errors(const Subject& s, Findings& f) {
  Instance i(s, s.session());
  size_t refused = 0, n = 0;
  for (const Exercise& e : wrong_calls(s)) {
    f.at(e.name);
    std::string why;
    ++n;
    if (!attempt(f, [&] { e.run(i); }, &why)) ++refused;
  }
  if (n == 0) return f.skip("no slots of its capabilities are known");
  f.note(std::to_string(n) + " wrong calls, " + std::to_string(refused) + " refused, the others answered");
}

void check_options(const Subject& s, Findings& f) {
  std::vector<Exercise> all = wild_options(s);
  if (all.empty()) return f.skip("it has no options");
  Instance i(s, s.session());
  for (const Exercise& e : all) {
    f.at(e.name);
    attempt(f, [&] { e.run(i); });
  }
  f.note(std::to_string(all.size()) + " calls");
}

void check_ownership(const Subject& s, Findings& f) {
  std::vector<Exercise> all = exercises(s, true);
  std::vector<Exercise> wrong = wrong_calls(s);
  for (size_t k = 0; k < wrong.size() && k < 8; ++k) all.push_back(wrong[k]);
  if (all.empty()) return f.skip("nothing is known to call it with: give --sample FILE");
  auto quietly = [&](Instance& i, const Exercise& e) {
    try {
      e.run(i);
    } catch (const Error&) {
    } catch (const Violation& v) { f.fail(v.rule, v.what); }
    i.context(Node());  // which holds the module of the call
  };
  // What LLVM and its linker leave behind is below; an object of ours that leaks is seen above, whatever its size.
  const uint64_t tolerated = s.provides("tenon.linker/1") ? 4096 : 256;
  {
    f.at("what its instances hold");
    Pins pins(s.b().runtime(), s.b().ir());
    for (size_t k = 0; k < all.size(); ++k) {
      f.at(all[k].name);
      Instance i(s, s.session(), &pins);
      std::vector<uint32_t> before;
      for (const Value& a : all[k].arguments) before.push_back(references(a));
      quietly(i, all[k]);
      quietly(i, all[k]);
      i.destroy();
      for (const std::string& why : pins.finish()) f.fail(why.find("leaks") != std::string::npos ? "O6" : "O3", why);
      for (size_t a = 0; a < before.size(); ++a) {
        uint32_t after = references(all[k].arguments[a]);
        for (uint32_t n = after; n < before[a]; ++n) tn_object_retain(all[k].arguments[a].raw().as.object);
        if (after < before[a]) f.fail("O4", "it released an argument, or returned one without a reference of its own");
        if (after > before[a]) f.fail("O7", "after destroy it still holds an argument");
      }
    }
  }
  if (f.failed()) return;  // what is released too often does not bear more calls
  Instance i(s, s.session());
  for (size_t k = 0; k < all.size(); k += all.size() > 8 ? all.size() / 8 : 1) {
    f.at(all[k].name + ", again and again");
    for (int n = 0; n < 2; ++n) quietly(i, all[k]);
    // What grows only until caches and free lists are warm stops in a longer window; a leak goes on in every one.
    uint64_t least = UINT64_MAX;
    for (int rounds : {4, 16, 64}) {
      uint64_t before = bytes_in_use();
      for (int n = 0; n < rounds; ++n) quietly(i, all[k]);
      uint64_t after = bytes_in_use();
      least = std::min(least, after > before ? (after - before) / rounds : 0);
      if (least < tolerated) break;
    }
    if (least >= tolerated) f.fail("O6", "memory grows by " + std::to_string(least) + " bytes with every call");
  }
}

void check_validation(const Subject& s, Findings& f) {
  std::vector<Exercise> all = exercises(s, true);
  for (Exercise& e : wrong_calls(s)) all.push_back(std::move(e));
  if (all.empty()) return f.skip("nothing is known to call it with: give --sample FILE");
  auto session = s.another_session(true);
  Instance i(s, *session, Instance::OfTheHost());
  auto report = [&](bool finish) {
    const Value reports = session->violations(finish);
    for (const Value& v : reports.ref<Array>()) {
      const Map& found = v.ref<Map>();
      if (text_of(found, "plugin") != s.id()) continue;
      const std::string during = text_of(found, "during");
      f.fail(text_of(found, "rule").c_str(), (during.empty() ? "" : during + ": ") + text_of(found, "message"));
    }
  };
  for (Exercise& e : all) {
    f.at(e.name);
    // Refusals and results are the business of other checks.
    for (int n = 0; n < 2; ++n) try {
        e.run(i);
      } catch (const Error&) {
      } catch (const Violation&) {}
    report(false);
    // What was borrowed goes, so that whoever kept it is seen.
    i.context(Node());
    e = {};
  }
  f.at("destroy");
  report(true);
  f.note(std::to_string(2 * all.size()) + " calls");
}

void check_threads(const Subject& s, Findings& f) {
  std::vector<Exercise> all = exercises(s, true), concurrent;
  for (const Exercise& e : all)
    if (e.concurrent) concurrent.push_back(e);
  if (concurrent.empty()) return f.skip("it declares no calls that may be concurrent");
  Instance i(s, s.session());
  std::vector<std::string> due;
  for (const Exercise& e : concurrent) {
    f.at(e.name);
    due.push_back("");
    attempt(f, [&] { due.back() = result_text(i, e); });
  }
  f.at("the same calls from four threads at once");
  std::vector<std::thread> threads;
  std::vector<std::string> broken(4);
  for (size_t k = 0; k < 4; ++k)
    threads.emplace_back([&, k] {
      for (size_t n = 0; n < concurrent.size(); ++n) {
        const size_t at = (n + k) % concurrent.size();
        try {
          if (result_text(i, concurrent[at]) != due[at]) broken[k] = concurrent[at].name + " gives another result";
        } catch (const Violation& v) { broken[k] = concurrent[at].name + ": " + v.what; } catch (const Error& e) {
          broken[k] = concurrent[at].name + ": " + e.message;
        }
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& why : broken)
    if (!why.empty()) f.fail("T4", why);
}

void check_determinism(const Subject& s, Findings& f) {
  // Where the machine has a locale that writes numbers with a comma, this process has it.
  bool comma = false;
  if (std::getenv("TENON_CHECK_LOCALE"))
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "es_ES.UTF-8", "ru_RU.UTF-8"})
      if (!comma && std::setlocale(LC_ALL, name)) comma = std::localeconv()->decimal_point[0] == ',';
  if (std::getenv("TENON_CHECK_LOCALE") && !comma) f.note("this machine has no locale with a decimal comma: not tried");
  std::vector<Exercise> all = exercises(s, true);
  if (all.empty()) return f.skip("nothing is known to call it with: give --sample FILE");
  Instance i(s, s.session());
  for (const Exercise& e : all) {
    f.at(e.name);
    attempt(f, [&] {
      std::string first = result_text(i, e), again = result_text(i, e);
      if (first != again) f.fail("R1", "the same call gives another result the second time");
      char hex[20];
      std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(fnv(first)));
      f.digest(e.name, hex);
    });
  }
}

void check_process(const Subject& s, Findings& f) {
  f.at("loading the library");
  s.table();
  std::vector<Exercise> all = exercises(s, true), wrong = wrong_calls(s);
  for (size_t k = 0; k < wrong.size() && k < 6; ++k) all.push_back(wrong[k]);
  TnValue started{TN_NONE, 0, {0}};  // the host's own threads, which are no business of the plugin either
  s.b().runtime()->parallel_for([](void*, int32_t, int32_t, TnValue*) { return 0; }, nullptr, 64, &started);
  const size_t threads = threads_now();
  ProcessState state(!s.options().in_process);
  auto judge = [&](bool files) {
    for (const StateChange& c : state.changes_and_restore())
      if (files || !c.opens_files) f.fail(c.rule, c.what);
  };
  {  // files that the host itself opens at first use are no business of the plugin
    Instance warm(s, s.session());
    for (const Exercise& e : all) {
      f.at(e.name);
      try {
        e.run(warm);
        break;
      } catch (const Error&) {
      } catch (const Violation&) {}
    }
  }
  judge(false);
  f.at("create");
  Instance i(s, s.session());
  judge(true);
  for (const Exercise& e : all) {
    f.at(e.name);
    try {
      e.run(i);
    } catch (const Error&) {
    } catch (const Violation&) {}
    judge(true);
  }
  f.at("destroy");
  i.destroy();
  judge(true);
  // A thread that was told to end may need a moment.
  for (int n = 0; n < 100 && threads_now() > threads; ++n) usleep(10'000);
  if (threads_now() > threads)
    f.fail("P7", "after destroy " + std::to_string(threads_now() - threads) + " threads of it are left");
}

void check_unknown(const Subject& s, Findings& f) {
  const Builder& b = s.b();
  {
    f.at("a host that no other plugin is installed at");
    Instance i(s, s.session(), nullptr, true);
    std::vector<Exercise> all = exercises(s, true);
    for (size_t k = 0; k < all.size() && k < 12; ++k) {
      f.at(all[k].name + ", where no other plugin is installed");
      attempt(f, [&] { all[k].run(i); });
    }
  }
  // A module with what the plugin has never heard of: an operator, attributes, an external function.
  const Node unknown = s.session().parse(R"(@I.ir_module
class Module:
    I.module_attrs({"com.vendor.kept": 7})

    @R.function
    def main(x: R.Tensor((4, 6), "float32")) -> R.Tensor((4, 6), "float32"):
        R.func_attr({"com.vendor.kept": "yes"})
        y = R.call_dps_packed("com.vendor.function", (x,), out_sinfo=R.Tensor((4, 6), "float32"))
        return y

    @T.prim_func
    def loops(A: T.Buffer((6,), "float32"), B: T.Buffer((6,), "float32")):
        T.func_attr({"com.vendor.kept": "yes"})
        for i in T.serial(6, annotations={"com.vendor.hint": 3}):
            B[i] = A[i] + T.float32(0)
)",
                                         "unknown.py");
  Instance i(s, s.session());
  for (const Value& row : s.list("passes")) {
    const std::string name = s.id() + ":" + text_of(row.ref<Map>(), "name");
    f.at(name + " on functions and attributes that it does not know");
    attempt(f, [&] {
      Map done = s.session().run_pipeline(unknown, b.array({b.string(name)}), Value());
      // They may move to a function that takes another one's place, but not go.
      size_t kept = 0;
      for (const Map::Entry& e : as_node(*done.find("module")).to<ir::Module>().functions()) {
        const Node& n = as_node(e.value());
        const auto* g = n.as<relax::Function>();
        const auto* l = n.as<tir::PrimFunc>();
        const Map* attrs = g ? &g->attrs() : l ? &l->attrs() : nullptr;
        kept += attrs && attrs->find("com.vendor.kept");
      }
      if (kept < 2) f.fail("R7", "the attribute com.vendor.kept of a function is gone");
    });
  }
}

}  // namespace tenon::conformance
