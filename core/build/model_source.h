// A model file as frontends see it, and the one resolver of the files that a model names.
#ifndef TENON_BUILD_MODEL_SOURCE_H
#define TENON_BUILD_MODEL_SOURCE_H

#include <memory>
#include <string>
#include <vector>

#include "tenon/cxx/object.h"
#include "tenon/ext/frontend.h"

namespace tenon {

class ModelSource {
 public:
  // Maps the file; throws TN_ERROR_IO. `constants`: name of an input -> the tensor that it always is.
  explicit ModelSource(const std::string& path, const Map& constants = Map());
  ModelSource(const ModelSource&) = delete;
  ModelSource& operator=(const ModelSource&) = delete;
  ~ModelSource();

  // Valid as long as this object.
  const TnModelSource& raw() const { return raw_; }

  // Throws TN_ERROR_NOT_FOUND when a constant was given for an input that the frontend did not ask for.
  void require_all_used() const;

 private:
  struct Opened;
  static int view(void* self, uint64_t offset, uint64_t size, TnValue* ret);
  static int external(void* self, const char* name, uint64_t offset, uint64_t size, TnValue* ret);
  static int constant(void* self, const char* input, TnValue* ret);

  std::unique_ptr<Opened> file_;
  TnModelSource raw_ = {};
};

// Opens a file that a model names, for reading: a relative name below `folder`, of a regular file, reached through no
// symbolic link. Throws TN_ERROR_ARGUMENT for a name that leads elsewhere, TN_ERROR_IO when it cannot be opened.
int open_beside(const std::string& folder, const std::string& name);

}  // namespace tenon
#endif
