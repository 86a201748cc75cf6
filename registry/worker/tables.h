// Whether a capability's table is one: in memory, of a size that a table can have, its slots null or code.
#ifndef TENON_REGISTRY_WORKER_TABLES_H
#define TENON_REGISTRY_WORKER_TABLES_H

#include <string>

namespace tenon::worker {

// "" or what is wrong with a table of one of Tenon's own capabilities. Reads nothing that is not mapped.
std::string table_problem(const std::string& capability, const void* table);

}  // namespace tenon::worker
#endif
