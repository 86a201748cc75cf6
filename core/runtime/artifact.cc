// Artifacts: a compiled model as one shared library, verified before anything of it is mapped for execution.
#include "runtime/artifact.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/elf_file.h"
#include "runtime/run.h"
#include "runtime/value_bytes.h"

namespace tenon::rt {
namespace {

// One object of the artifact: that of the code generator, or the payload of another one. Generated code reads the
// context, which comes first.
struct Part {
  TnModuleContext context;
  TnFunction** imports;
  size_t import_count;
  const void** constants;
  TnBlob* blobs;  // the constants with their sizes
  size_t constant_count;
  TnValue functions;  // of a payload: what it implements for the others, a map
  TnPayload payload;  // of one that a loader takes, as are the next two
  Choice* choice;
  LoadedPayload* loaded;
};

struct Artifact {
  Part main;
  int32_t references;
  int fd;
  char* file;  // the whole file, mapped for reading
  size_t file_bytes;
  void* library;
  TnValue index;
  Part* payloads;
  size_t payload_count;
};

void release_part(Part* p) {
  for (size_t i = 0; i < p->import_count; ++i)
    if (p->imports[i]) tn_object_release(&p->imports[i]->header);
  free(static_cast<void*>(p->imports));
  free(static_cast<void*>(p->constants));
  free(p->blobs);
  tn_value_release(&p->functions);
  if (p->loaded) tn_object_release(&p->loaded->header);
  if (p->choice) tn_value_release(p->choice->reason.ret());
  free(p->choice);
}

void release_artifact(void* context) {
  auto* a = static_cast<Artifact*>(context);
  if (__atomic_sub_fetch(&a->references, 1, __ATOMIC_ACQ_REL)) return;
  release_part(&a->main);
  for (size_t i = 0; i < a->payload_count; ++i) release_part(&a->payloads[i]);
  free(a->payloads);
  if (a->library) dlclose(a->library);
  if (a->file) munmap(a->file, a->file_bytes);
  if (a->fd >= 0) close(a->fd);
  tn_value_release(&a->index);
  free(a);
}

void retain_artifact(void* context) {
  __atomic_add_fetch(&static_cast<Artifact*>(context)->references, 1, __ATOMIC_RELAXED);
}

struct Opening {
  const char* path;
  Environment* e;
  Artifact* a;
  TnValue* ret;

  int corrupt(const char* why) const {
    return make_error(TN_ERROR_CORRUPT, why, path,
                      "compile the model again; what was copied or downloaded may be damaged", nullptr, ret);
  }
  int io(const char* what) const {
    char text[256];
    snprintf(text, sizeof text, "the artifact cannot be %s: %s", what, strerror(errno));
    return make_error(TN_ERROR_IO, text, path, nullptr, nullptr, ret);
  }

  int map_file() const {
    a->fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // of a pipe, not to wait
    if (a->fd < 0) return io("opened");
    struct stat s;
    if (fstat(a->fd, &s)) return io("examined");
    if (!S_ISREG(s.st_mode))
      return make_error(TN_ERROR_IO, "the artifact is no regular file", path, nullptr, nullptr, ret);
    if (s.st_size <= 0) return corrupt("the artifact is empty");
    a->file_bytes = static_cast<size_t>(s.st_size);
    void* p = mmap(nullptr, a->file_bytes, PROT_READ, MAP_PRIVATE, a->fd, 0);
    if (p == MAP_FAILED) return io("mapped");
    a->file = static_cast<char*>(p);
    return 0;
  }

  // Digests first: nothing of the file is believed, and no code of it mapped, before they match.
  int verify(ElfFile* elf) const {
    if (!elf->open(a->file, a->file_bytes)) return corrupt("the artifact is no complete 64-bit ELF file");
#if defined(__x86_64__)
    constexpr uint16_t machine = EM_X86_64;
#else
    constexpr uint16_t machine = EM_AARCH64;
#endif
    if (elf->machine() != machine)
      return make_error(TN_ERROR_ABI_MISMATCH, "the artifact was compiled for another processor", path,
                        "compile the model for this machine", nullptr, ret);
    Bytes seal_bytes, index;
    uint64_t offset;
    if (!elf->section(kSealSection, &seal_bytes, &offset) || seal_bytes.size != sizeof(ArtifactSeal) ||
        !elf->section(kIndexSection, &index, &offset))
      return corrupt("the file is no Tenon artifact: it has no seal or no index");
    ArtifactSeal seal;
    memcpy(&seal, seal_bytes.data, sizeof seal);
    uint8_t digest[32];
    if (memcmp(seal.magic, kSealMagic, sizeof kSealMagic) != 0)
      return corrupt("the artifact has a seal of another version");
    sha256(index.data, index.size, digest);
    if (memcmp(digest, seal.index, 32) != 0) return corrupt("the index of the artifact does not match its digest");
    if (!elf->loaded_digest(sha256, digest) || memcmp(digest, seal.loaded, 32) != 0)
      return corrupt("the code of the artifact does not match its digest");
    if (decode_value(index.data, index.size, ret)) return -1;
    a->index = *ret;
    const TnValue* version = find(a->index, "version", TN_INT);
    if (!version) return corrupt("the index of the artifact has no version");
    if (version->as.i < kArtifactVersion || version->as.i > kNewestArtifactVersion)
      return fail(TN_ERROR_ABI_MISMATCH, ret,
                  "%s: the artifact has format %lld, this runtime reads formats %lld to %lld", path,
                  static_cast<long long>(version->as.i), static_cast<long long>(kArtifactVersion),
                  static_cast<long long>(kNewestArtifactVersion));
    return 0;
  }

  // `about` is what the index says of the part.
  int map_constants(const ElfFile& elf, const TnValue& about, Part* part) const {
    const TnValue* list = find(about, "constants", TN_ARRAY);
    size_t n = list ? array_of(*list).size : 0;
    part->constants = static_cast<const void**>(calloc(n + 1, sizeof(void*)));
    part->blobs = static_cast<TnBlob*>(calloc(n + 1, sizeof(TnBlob)));
    part->constant_count = n;
    if (!part->constants || !part->blobs) return out_of_memory(ret);
    Bytes section = {nullptr, 0};
    uint64_t offset = 0;
    if (n && !elf.section(kConstantsSection, &section, &offset))
      return corrupt("the artifact has no section of constants");
    if (offset % 4096) return corrupt("the constants of the artifact do not begin at a page");
    for (size_t i = 0; i < n; ++i) {
      const TnValue& c = array_of(*list).data[i];
      const TnValue *at = find(c, "offset", TN_INT), *size = find(c, "size", TN_INT),
                    *digest = find(c, "digest", TN_STRING);
      if (!at || !size || !digest || at->as.i < 0 || size->as.i < 0 || static_cast<uint64_t>(at->as.i) > section.size ||
          static_cast<uint64_t>(size->as.i) > section.size - static_cast<uint64_t>(at->as.i))
        return corrupt("a constant of the artifact lies outside its section");
      part->constants[i] = section.data + at->as.i;
      part->blobs[i] = {part->constants[i], static_cast<uint64_t>(size->as.i)};
      if (e->verify_constants && !matches(part->blobs[i], text_of(*digest)))
        return corrupt("a constant of the artifact does not match its digest");
    }
    return 0;
  }

  static bool matches(const TnBlob& blob, const char* digest) {
    uint8_t bytes[32];
    char text[72] = "sha256:";
    sha256(blob.data, static_cast<size_t>(blob.bytes), bytes);
    for (int k = 0; k < 32; ++k) snprintf(text + 7 + 2 * k, 3, "%02x", bytes[k]);
    return !strcmp(text, digest);
  }

  // Whether a loader takes the payload; code that was linked into the artifact needs none.
  bool is_loaded(size_t i) const { return find(payload(i), "offset", TN_INT) != nullptr; }

  // The bytes of a payload for a loader: believed only when they match their digest.
  int map_payload(const ElfFile& elf, size_t i) const {
    const TnValue& about = payload(i);
    Part& part = a->payloads[i];
    const int64_t at = find_int(about, "offset", -1), size = find_int(about, "size", -1);
    const TnValue *digest = find(about, "digest", TN_STRING), *exports = find(about, "functions", TN_MAP),
                  *format = find(about, "format", TN_STRING);
    Bytes section = {nullptr, 0};
    uint64_t offset = 0;
    if (!elf.section(kPayloadsSection, &section, &offset)) return corrupt("the artifact has no section of payloads");
    if (offset % 4096 || at % 4096) return corrupt("a payload of the artifact does not begin at a page");
    if (!digest || !exports || !format || at < 0 || size < 0 || static_cast<uint64_t>(at) > section.size ||
        static_cast<uint64_t>(size) > section.size - static_cast<uint64_t>(at))
      return corrupt("a payload of the artifact lies outside its section");
    part.payload = {sizeof(TnPayload),
                    text_of(*format),
                    find_text(about, "device", ""),
                    find_text(about, "codegen", ""),
                    section.data + at,
                    static_cast<uint64_t>(size),
                    find(about, "requirements", TN_MAP),
                    exports,
                    part.blobs,
                    part.constant_count,
                    part.imports,
                    part.import_count};
    if (!matches({part.payload.data, part.payload.bytes}, text_of(*digest)))
      return corrupt("a payload of the artifact does not match its digest");
    part.choice = static_cast<Choice*>(calloc(1, sizeof(Choice)));
    return part.choice ? 0 : out_of_memory(ret);
  }

  // Asks the loaders about every payload, before anything is loaded.
  int choose_loaders() const {
    for (size_t i = 0; i < a->payload_count; ++i)
      if (is_loaded(i) && choose(e, a->payloads[i].payload, a->payloads[i].choice, ret)) return located();
    if (e->check_only) return 0;
    for (size_t i = 0; i < a->payload_count; ++i)
      if (is_loaded(i) && require_accepted(a->payloads[i].payload, *a->payloads[i].choice, ret)) return located();
    return 0;
  }

  // Says which artifact an error is about.
  int located() const {
    Owned error;
    *error.ret() = *ret;
    if (ret->type_index != TN_ERROR) return -1;
    auto* given = reinterpret_cast<TnError*>(ret->as.object);
    if (*given->where) {
      (void)error.take();
      return -1;
    }
    return make_error(given->code, given->message, path, given->hint, given->cause, ret);
  }

  int make_loaded(Part* part) const {
    if (load_payload(e, part->payload, *part->choice, nullptr, &part->loaded, ret)) return located();
    Owned functions;
    if (payload_functions(part->loaded, nullptr, nullptr, nullptr, functions.ret())) {
      *ret = functions.take();
      return located();
    }
    part->functions = functions.take();
    return 0;
  }

  // Whether a payload of the artifact implements the function.
  bool is_provided(const char* name) const {
    for (size_t i = 0; i < a->payload_count; ++i)
      if (const TnValue* functions = find(payload(i), "functions", TN_MAP);
          functions && find(*functions, name, TN_STRING))
        return true;
    return false;
  }
  const TnValue& payload(size_t i) const { return array_of(*find(a->index, "payloads", TN_ARRAY)).data[i]; }

  // What the caller gives is bound before any code is loaded, so that what is missing is refused before.
  int bind_given(const TnValue& about, const TnValue* given, Part* part) const {
    const TnValue* list = find(about, "imports", TN_ARRAY);
    size_t n = list ? array_of(*list).size : 0;
    part->imports = static_cast<TnFunction**>(calloc(n + 1, sizeof(TnFunction*)));
    if (!part->imports) return out_of_memory(ret);
    part->import_count = n;
    for (size_t i = 0; i < n; ++i) {
      const TnValue& name = array_of(*list).data[i];
      if (name.type_index != TN_STRING) return corrupt("the name of an import is no text");
      if (is_provided(text_of(name))) continue;
      const TnValue* f = given ? find(*given, text_of(name), TN_FUNCTION) : nullptr;
      if (!f && e->check_only) continue;
      if (!f) {
        char text[512];
        snprintf(text, sizeof text, "the artifact needs the external function '%.300s'", text_of(name));
        return make_error(TN_ERROR_NOT_FOUND, text, path, "pass it among the imports of TnRuntime.artifact_open",
                          nullptr, ret);
      }
      part->imports[i] = reinterpret_cast<TnFunction*>(f->as.object);
      tn_object_retain(f->as.object);
    }
    return 0;
  }

  int bind_provided(const TnValue& about, Part* part) const {
    const TnValue* list = find(about, "imports", TN_ARRAY);
    for (size_t i = 0; i < part->import_count; ++i) {
      for (size_t k = 0; k < a->payload_count && !part->imports[i]; ++k) {
        const TnValue* f = find(a->payloads[k].functions, text_of(array_of(*list).data[i]), TN_FUNCTION);
        if (!f) continue;
        part->imports[i] = reinterpret_cast<TnFunction*>(f->as.object);
        tn_object_retain(f->as.object);
      }
      if (!part->imports[i]) return corrupt("a payload of the artifact lacks a function that its index names");
    }
    return 0;
  }

  // The functions of a payload. The artifact keeps them, so that they do not keep the artifact.
  int make_provided(const TnValue& about, Part* part) const {
    const TnValue* table = find(about, "functions", TN_MAP);
    if (!table) return 0;
    const TnMap& m = map_of(*table);
    auto* pairs = static_cast<TnValue*>(calloc(2 * m.size + 1, sizeof(TnValue)));
    if (!pairs) return out_of_memory(ret);
    int status = 0;
    size_t made = 0;
    for (; made < m.size && status == 0; ++made) {
      const TnValue& symbol = m.data[made].value;
      void* entry = symbol.type_index == TN_STRING ? dlsym(a->library, text_of(symbol)) : nullptr;
      pairs[2 * made] = m.data[made].key;
      status = entry ? make_function(reinterpret_cast<TnCall>(entry), part, nullptr, &pairs[2 * made + 1])
                     : corrupt("the artifact lacks the code of a function that its index names");
      if (status && entry) *ret = pairs[2 * made + 1];
      if (status) break;
    }
    TnValue functions = {TN_NONE, 0, {0}};
    if (status == 0) {
      status = make_map(pairs, m.size, &functions);
      if (status)
        *ret = functions;
      else
        part->functions = functions;
    }
    for (size_t i = 0; i < made; ++i) tn_value_release(&pairs[2 * i + 1]);
    free(pairs);
    return status;
  }

  int allocate_payloads(const TnRuntime* runtime) const {
    const TnValue* list = find(a->index, "payloads", TN_ARRAY);
    size_t n = list ? array_of(*list).size : 0;
    if (!n) return 0;
    a->payloads = static_cast<Part*>(calloc(n, sizeof(Part)));
    if (!a->payloads) return out_of_memory(ret);
    a->payload_count = n;
    for (size_t i = 0; i < n; ++i) a->payloads[i].context = {sizeof(TnModuleContext), runtime, nullptr, nullptr};
    return 0;
  }

  int load_code() const {
    // The verified file itself, whatever may now lie at the path. The descriptor stays open as long as the library.
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", a->fd);
    a->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!a->library) return make_error(TN_ERROR_IO, dlerror(), path, nullptr, nullptr, ret);
    return 0;
  }

  int functions(TnValue* out) const {
    const TnValue* table = find(a->index, "functions", TN_MAP);
    if (!table) return corrupt("the index of the artifact has no functions");
    const TnMap& m = map_of(*table);
    auto* pairs = static_cast<TnValue*>(calloc(2 * m.size + 1, sizeof(TnValue)));
    if (!pairs) return out_of_memory(ret);
    int status = 0;
    size_t made = 0;
    for (; made < m.size && status == 0; ++made) {
      const TnValue* symbol = find(m.data[made].value, "symbol", TN_STRING);
      void* entry = symbol ? dlsym(a->library, text_of(*symbol)) : nullptr;
      if (!entry) {
        status = corrupt("the artifact lacks the code of a function that its index names");
        break;
      }
      auto code = reinterpret_cast<TnCall>(entry);
      pairs[2 * made] = m.data[made].key;  // borrowed: the map copies its keys
      __atomic_add_fetch(&a->references, 1, __ATOMIC_RELAXED);
      status = make_function(code, a, release_artifact, &pairs[2 * made + 1]);
      if (status)
        release_artifact(a);
      else if (is_bound())
        status = bind_function(&pairs[2 * made + 1], e->defaults);
      if (status) {
        *ret = pairs[2 * made + 1];
        break;
      }
    }
    if (status == 0 && make_map(pairs, m.size, out)) {
      *ret = *out;
      status = -1;
    }
    for (size_t i = 0; i < made; ++i) tn_value_release(&pairs[2 * i + 1]);
    free(pairs);
    return status;
  }

  bool is_bound() const { return e->defaults.threads || e->defaults.profiler || e->defaults.allocator; }

  // A map from the names of devices in the artifact to those that are open.
  int devices(TnValue* out) const {
    Block<TnValue> pairs(2 * a->payload_count);
    if (!pairs.data) return out_of_memory(ret);
    size_t n = 0;
    for (size_t i = 0; i < a->payload_count; ++i) {
      const LoadedPayload* p = a->payloads[i].loaded;
      bool known = !p || !p->device;
      for (size_t k = 0; k < n && !known; ++k) known = !strcmp(pairs.data[2 * k].as.s, p->payload.device);
      if (known) continue;
      pairs.data[2 * n] = c_string(p->payload.device);
      pairs.data[2 * n++ + 1] = object_value(&p->device->header);
    }
    if (make_map(pairs.data, n, out) == 0) return 0;
    *ret = *out;
    *out = TnValue{TN_NONE, 0, {0}};
    return -1;
  }

  int describe_payloads(TnValue* out) const {
    Block<TnValue> list(a->payload_count);
    if (!list.data) return out_of_memory(ret);
    size_t n = 0;
    int status = 0;
    for (size_t i = 0; i < a->payload_count && status == 0; ++i) {
      Part& part = a->payloads[i];
      if (!part.choice) continue;
      Owned functions;
      if (part.loaded) status = payload_functions(part.loaded, retain_artifact, release_artifact, a, functions.ret());
      if (status == 0) status = describe_payload(part.payload, *part.choice, &functions.get(), &list.data[n]);
      if (status)
        *ret = functions.get().type_index == TN_ERROR ? functions.take() : list.data[n];
      else
        ++n;
    }
    if (status == 0 && make_array(list.data, n, out)) {
      *ret = *out;
      *out = TnValue{TN_NONE, 0, {0}};
      status = -1;
    }
    for (size_t i = 0; i < n; ++i) tn_value_release(&list.data[i]);
    return status;
  }

  // {functions, index, devices, payloads}
  int describe(const TnValue& functions) const {
    Owned open, payloads;
    if (devices(open.ret()) || describe_payloads(payloads.ret())) return -1;
    const TnValue pairs[] = {c_string("functions"), functions,  c_string("index"),    a->index,
                             c_string("devices"),   open.get(), c_string("payloads"), payloads.get()};
    return e->check_only ? make_map(pairs + 2, 3, ret) : make_map(pairs, 4, ret);
  }

  int run(const TnRuntime* runtime) const {
    const TnValue* imports = e->imports;
    a->main.context = {sizeof(TnModuleContext), runtime, nullptr, nullptr};
    ElfFile elf;
    if (map_file() || verify(&elf) || allocate_payloads(runtime)) return -1;
    if (map_constants(elf, a->index, &a->main) || bind_given(a->index, imports, &a->main)) return -1;
    for (size_t i = 0; i < a->payload_count; ++i)
      if (map_constants(elf, payload(i), &a->payloads[i]) || bind_given(payload(i), imports, &a->payloads[i]))
        return -1;
    for (size_t i = 0; i < a->payload_count; ++i)
      if (is_loaded(i) && map_payload(elf, i)) return -1;
    if (choose_loaders()) return -1;
    if (e->check_only) return describe(TnValue{TN_NONE, 0, {0}});
    if (load_code()) return -1;
    for (size_t i = 0; i < a->payload_count; ++i)
      if (is_loaded(i) ? make_loaded(&a->payloads[i]) : make_provided(payload(i), &a->payloads[i])) return -1;
    for (size_t i = 0; i < a->payload_count; ++i) {
      Part& part = a->payloads[i];
      if (bind_provided(payload(i), &part)) return -1;
      part.context.imports = part.imports;
      part.context.constants = part.constants;
    }
    if (bind_provided(a->index, &a->main)) return -1;
    a->main.context.imports = a->main.imports;
    a->main.context.constants = a->main.constants;
    TnValue made = {TN_NONE, 0, {0}};
    if (functions(&made)) return -1;
    int status = describe(made);
    tn_value_release(&made);
    return status;
  }
};

int instantiate_in(Environment* e, const char* path, TnValue* ret) {
  auto* a = static_cast<Artifact*>(calloc(1, sizeof(Artifact)));
  if (!a) return out_of_memory(ret);
  a->references = 1;
  a->fd = -1;
  int status = Opening{path, e, a, ret}.run(tn_runtime());
  release_artifact(a);  // the functions hold references of their own
  return status;
}

}  // namespace

int artifact_open(const char* path, const TnValue* imports, int verify_constants, TnValue* ret) {
  Environment e = {};
  e.defaults.size = sizeof e.defaults;
  e.imports = imports && imports->type_index == TN_MAP ? imports : nullptr;
  e.verify_constants = verify_constants != 0;
  return instantiate_in(&e, path, ret);
}

int instantiate(const char* path, const TnValue* options, TnValue* ret) {
  Environment e;
  int status = read_options(options, &e, ret);
  if (status == 0) status = instantiate_in(&e, path, ret);
  release_environment(&e);
  return status;
}

}  // namespace tenon::rt
