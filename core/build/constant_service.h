// "tenon.host.constants/1": constants as tensors and back, over the session's store.
#ifndef TENON_BUILD_CONSTANT_SERVICE_H
#define TENON_BUILD_CONSTANT_SERVICE_H

#include <map>
#include <memory>
#include <mutex>

#include "ir/constant_store.h"
#include "tenon/ext/constants.h"

namespace tenon {

class ConstantService {
 public:
  // The store outlives the service; tensors and constants may outlive both.
  explicit ConstantService(ConstantStore& store);
  ConstantService(const ConstantService&) = delete;
  ConstantService& operator=(const ConstantService&) = delete;

  const TnHostConstants* table() const { return &table_; }
  Value tensor(DLDataType dtype, int32_t ndim, const int64_t* shape);
  Value seal(const Value& tensor);
  static Value view(const Value& constant, DLDataType dtype, int32_t ndim, const int64_t* shape);

 private:
  // The drafts whose tensors are alive, by the address of their memory.
  struct Drafts {
    std::mutex mutex;
    std::map<const void*, ConstantDraft> by_data;
  };

  ConstantStore& store_;
  std::shared_ptr<Drafts> drafts_;
  TnHostConstants table_;
};

}  // namespace tenon
#endif
