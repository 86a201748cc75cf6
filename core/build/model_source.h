// A model file as frontends see it, and the one resolver of the files that a model names.
#ifndef TENON_BUILD_MODEL_SOURCE_H
#define TENON_BUILD_MODEL_SOURCE_H

#include <memory>
#include <string>

#include "tenon/cxx/object.h"
#include "tenon/ext/frontend.h"

namespace tenon {

class ModelSource {
 public:
  // Maps the file; throws TN_ERROR_IO.
  explicit ModelSource(const std::string& path);
  ModelSource(const ModelSource&) = delete;
  ModelSource& operator=(const ModelSource&) = delete;
  ~ModelSource();

  // Valid as long as this object.
  const TnModelSource& raw() const { return raw_; }

 private:
  std::string path_;
  int fd_ = -1;
  TnModelSource raw_ = {};
};

// Opens a file that a model names, for reading: a relative name below `folder`, of a regular file, reached through no
// symbolic link. Throws TN_ERROR_ARGUMENT for a name that leads elsewhere, TN_ERROR_IO when it cannot be opened.
int open_beside(const std::string& folder, const std::string& name);

}  // namespace tenon
#endif
