#include "violator.h"

#include <sys/mman.h>
#include <tenon/ext/codegen.h>

#include <cstdlib>
#include <stdexcept>

const TnHost* old_host = nullptr;
const TnHostIr* old_ir = nullptr;

namespace {

int run_module(void* instance, const TnContext* context, const char*, const TnNode* module, const TnValue* options,
               TnValue* ret) {
  const TnValue* way = tn_map_find(options, "way");
  auto* text = reinterpret_cast<const TnString*>(way->as.object);
  Call c{*static_cast<Instance*>(instance), context, module, options, ret};
  std::string_view said(text->data, text->size);
  if (Way way_of = find_way(said)) return way_of(c);
  // "F1:decide": the rule, and the slot of another capability that breaks it.
  if (size_t colon = said.find(':'); colon != std::string_view::npos) {
    break_in_slot(c, said.substr(0, colon), said.substr(colon + 1));
    return c.same();
  }
  return c.rt->error(TN_ERROR_NOT_FOUND, "there is no such way", nullptr, nullptr, nullptr, ret);
}

const TnCodegen kSmall = {8, nullptr};  // E5: a table without room for a slot
const TnCodegen kWhole = {sizeof(TnCodegen),
                          [](void*, const TnContext*, const TnNode*, const TnValue*, TnValue*) { return -1; }};

const char* asked_of_create() {
  const char* way = std::getenv("VIOLATE_CREATE");
  return way ? way : "";
}

int create(const TnHost* host, void** instance, TnValue* ret) {
  std::string_view way = asked_of_create();
  if (way == "E6_instance") return 0;
  if (way == "F3_create") return -1;
  if (way == "F1_create") throw std::runtime_error("while starting");
  auto* self = new Instance{};
  self->host = host;
  self->rt = host->runtime;
  self->ir = static_cast<const TnHostIr*>(host->service(host->self, TN_HOST_IR));
  self->arith = static_cast<const TnHostArith*>(host->service(host->self, TN_HOST_ARITH));
  self->second = {sizeof(TnPass), &run_module, nullptr};
  self->table = static_cast<TnPass*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  *self->table = self->second;
  *instance = self;
  *ret = {TN_NONE, 0, {0}};
  return 0;
}
void destroy(void* instance) {
  auto* self = static_cast<Instance*>(instance);
  old_host = self->host;
  old_ir = self->ir;
  if (self->table) munmap(self->table, 4096);
  delete self;
}
const void* capability(void* instance, const char* id) {
  auto* self = static_cast<Instance*>(instance);
  if (std::string_view(id) == TN_CODEGEN) return std::getenv("VIOLATE_TABLE") ? &kSmall : &kWhole;
  if (std::string_view(id) != TN_PASS) return other_capability(id);
  return self->other_table ? &self->second : self->table;
}
constexpr TnPlugin kPlugin = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "violator",
                              "0.1.0",          &create,        &destroy,         &capability};

}  // namespace

extern "C" TN_EXPORT const TnPlugin* tenon_plugin(void) { return &kPlugin; }
