#include "ir/walk.h"

#include <string>

namespace tenon {

void refuse_places() {
  throw Error(TN_ERROR_LIMIT,
              "a walk entered more than " + std::to_string(kLimits.places) +
                  " places: the tree shares its nodes so much that it cannot be visited place by place",
              {}, "enter each distinct node once");
}

}  // namespace tenon
