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
  TnValue functions;  // of a payload: what it implements for the others, a map
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
  tn_value_release(&p->functions);
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

const TnValue* find(const TnValue& map, const char* key, int32_t type) {
  if (map.type_index != TN_MAP) return nullptr;
  auto* m = reinterpret_cast<const TnMap*>(map.as.object);
  for (size_t i = 0; i < m->size; ++i) {
    auto* k = reinterpret_cast<const TnString*>(m->data[i].key.as.object);
    if (!strcmp(k->data, key)) return m->data[i].value.type_index == type ? &m->data[i].value : nullptr;
  }
  return nullptr;
}

const TnArray& array_of(const TnValue& v) { return *reinterpret_cast<const TnArray*>(v.as.object); }
const TnMap& map_of(const TnValue& v) { return *reinterpret_cast<const TnMap*>(v.as.object); }
const char* text_of(const TnValue& v) { return reinterpret_cast<const TnString*>(v.as.object)->data; }

struct Opening {
  const char* path;
  bool verify_constants;
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
    a->fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (a->fd < 0) return io("opened");
    struct stat s;
    if (fstat(a->fd, &s)) return io("examined");
    if (!S_ISREG(s.st_mode) || s.st_size <= 0) return corrupt("the artifact is no regular file, or empty");
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
    if (version->as.i != kArtifactVersion)
      return fail(TN_ERROR_ABI_MISMATCH, ret, "%s: the artifact has format %lld, this runtime reads format %lld", path,
                  static_cast<long long>(version->as.i), static_cast<long long>(kArtifactVersion));
    return 0;
  }

  // `about` is what the index says of the part.
  int map_constants(const ElfFile& elf, const TnValue& about, Part* part) const {
    const TnValue* list = find(about, "constants", TN_ARRAY);
    size_t n = list ? array_of(*list).size : 0;
    part->constants = static_cast<const void**>(calloc(n + 1, sizeof(void*)));
    if (!part->constants) return out_of_memory(ret);
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
      if (!verify_constants) continue;
      uint8_t bytes[32];
      char text[72] = "sha256:";
      sha256(part->constants[i], static_cast<size_t>(size->as.i), bytes);
      for (int k = 0; k < 32; ++k) snprintf(text + 7 + 2 * k, 3, "%02x", bytes[k]);
      if (strcmp(text, text_of(*digest)) != 0) return corrupt("a constant of the artifact does not match its digest");
    }
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
      if (status) {
        release_artifact(a);
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

  int run(const TnRuntime* runtime, const TnValue* imports) const {
    a->main.context = {sizeof(TnModuleContext), runtime, nullptr, nullptr};
    ElfFile elf;
    if (map_file() || verify(&elf) || allocate_payloads(runtime)) return -1;
    if (map_constants(elf, a->index, &a->main) || bind_given(a->index, imports, &a->main)) return -1;
    for (size_t i = 0; i < a->payload_count; ++i)
      if (map_constants(elf, payload(i), &a->payloads[i]) || bind_given(payload(i), imports, &a->payloads[i]))
        return -1;
    if (load_code()) return -1;
    for (size_t i = 0; i < a->payload_count; ++i)
      if (make_provided(payload(i), &a->payloads[i])) return -1;
    for (size_t i = 0; i < a->payload_count; ++i) {
      Part& part = a->payloads[i];
      if (bind_provided(payload(i), &part)) return -1;
      part.context.imports = part.imports;
      part.context.constants = part.constants;
    }
    if (bind_provided(a->index, &a->main)) return -1;
    a->main.context.imports = a->main.imports;
    a->main.context.constants = a->main.constants;
    TnValue pairs[4] = {{TN_C_STRING, 0, {0}}, {TN_NONE, 0, {0}}, {TN_C_STRING, 0, {0}}, a->index};
    pairs[0].as.s = "functions";
    pairs[2].as.s = "index";
    if (functions(&pairs[1])) return -1;
    int status = make_map(pairs, 2, ret);
    tn_value_release(&pairs[1]);
    return status;
  }
};

}  // namespace

int artifact_open(const char* path, const TnValue* imports, int verify_constants, TnValue* ret) {
  auto* a = static_cast<Artifact*>(calloc(1, sizeof(Artifact)));
  if (!a) return out_of_memory(ret);
  a->references = 1;
  a->fd = -1;
  int status = Opening{path, verify_constants != 0, a, ret}.run(tn_runtime(), imports);
  release_artifact(a);  // the functions hold references of their own
  return status;
}

}  // namespace tenon::rt
