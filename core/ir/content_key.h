// The identity of a closed tree across processes and time: what caches and deduplication key on.
#ifndef TENON_CORE_IR_CONTENT_KEY_H
#define TENON_CORE_IR_CONTENT_KEY_H

#include <string>

#include "tenon/cxx/node.h"

namespace tenon {

// SHA-256 of the canonical bytes of the tree, as "sha256:" and 64 hex digits. Trees that are structurally equal have
// the same key, however their nodes are shared: variables are numbered by how many are in scope where they are defined,
// names and spans are left out, constants stand as their digests, slots with their defaults at the end of a kind are
// left out. Functions that it calls stand as their names. Throws TN_ERROR_ARGUMENT for a free variable. Bounded stack.
std::string content_key(const TnValue& tree);

}  // namespace tenon
#endif
