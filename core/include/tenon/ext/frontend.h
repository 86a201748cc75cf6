/* "tenon.frontend/1": a model file in, a module out. [isolable] */
#ifndef TENON_EXT_FRONTEND_H
#define TENON_EXT_FRONTEND_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A model as the host opened it. Frontends open no files: what a model names is resolved by the host, in one place, and
 * never outside the folder of the model. Borrowed for the call. */
typedef struct TnModelSource {
  size_t size;
  void* self;
  const char* name; /* for messages */
  const char* data; /* the whole file, mapped */
  size_t data_size;
  /* A constant that is a view into the model's own bytes. */
  int (*view)(void* self, uint64_t offset, uint64_t size, TnValue* ret);
  /* A constant in another file beside the model; `size` UINT64_MAX for all that is left. */
  int (*external)(void* self, const char* name, uint64_t offset, uint64_t size, TnValue* ret);
  /* The tensor that the user gives for the model's input of this name, which then is a constant and no parameter; none
   * when it stays a parameter. Ask for each input: the host refuses names that no one asked for. */
  int (*constant)(void* self, const char* input, TnValue* ret);
} TnModelSource;

#define TN_FRONTEND "tenon.frontend/1"
typedef struct TnFrontend {
  size_t size;
  /* `*ret` is an ir.Module whose public function `main` is the model. `options` holds every option of the manifest's
   * schema. Errors name the node: TN_ERROR_CORRUPT for bytes that do not decode, TN_ERROR_UNSUPPORTED for operators that
   * have no converter (name and domain), TN_ERROR_SHAPE and TN_ERROR_TYPE from the operators' own checks. */
  int (*import)(void* instance, const TnContext* context, const TnModelSource* source, const TnValue* options,
                TnValue* ret);
} TnFrontend;

#ifdef __cplusplus
}
#endif
#endif
