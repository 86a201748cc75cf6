#include <spawn.h>
#include <sys/wait.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/linker.h>

extern char** environ;

static char* text_of(TnValue* v) { /* in place: short strings lie in the value */
  return v->type_index == TN_SMALL_STRING ? v->as.small : (char*)((const TnString*)v->as.object)->data;
}

static int link_objects(void* instance, const TnContext* context, const TnValue* objects, const char* output,
                        TnValue* ret) {
  const TnRuntime* runtime = ((const TnInstance*)instance)->runtime;
  (void)context;
  if (objects->type_index != TN_ARRAY)
    return runtime->error(TN_ERROR_ARGUMENT, "objects are an array of file names", NULL, NULL, NULL, ret);
  const TnArray* list = (const TnArray*)objects->as.object;
  char** argv = (char**)calloc(list->size + 9, sizeof(char*));
  if (!argv) return runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", output, NULL, NULL, ret);
  const char* options[] = {"cc", "-shared", "-o", output, "-Wl,-z,defs", "-Wl,--build-id=none"};
  size_t n = 0, i;
  for (i = 0; i < sizeof options / sizeof options[0]; ++i) argv[n++] = (char*)options[i];
  for (i = 0; i < list->size; ++i) argv[n++] = text_of((TnValue*)&list->data[i]);
  argv[n] = (char*)"-lm";
  pid_t pid = 0;
  int status = 0, failure = posix_spawnp(&pid, "cc", NULL, NULL, argv, environ);
  free(argv);
  if (failure)
    return runtime->error(TN_ERROR_NOT_FOUND, "cannot start cc, the C compiler", output, "install a C compiler", NULL,
                          ret);
  while (waitpid(pid, &status, 0) < 0) {}
  if (status != 0)
    return runtime->error(TN_ERROR_PLUGIN, "cc could not link the objects", output, "it says why on standard error",
                          NULL, ret);
  memset(ret, 0, sizeof *ret);
  return 0;
}

static const TnLinker linker_table = TENON_TABLE(TnLinker, &link_objects);
TENON_C_PLUGIN({TN_LINKER, &linker_table})
