// Whole files in and out, with errors that name the file and the reason.
#ifndef TENON_DIAG_FILES_H
#define TENON_DIAG_FILES_H

#include <cstdint>
#include <string>
#include <string_view>

namespace tenon {

// Throws TN_ERROR_IO.
std::string read_file(const std::string& path);
// The same, of what strangers made, in at most `most` bytes: refuses folders, pipes, which would be waited for, and
// devices, which need not end.
inline constexpr uint64_t kMostRegular = uint64_t{1} << 33;
std::string read_regular_file(const std::string& path, uint64_t most = kMostRegular);
bool is_regular_file(const std::string& path);
// Whether something else than a regular file lies at `path`, such as a pipe or a device: it is written in place.
bool is_special_file(const std::string& path);
// Where a file that is written to `path` lies: links are followed, so that the file is replaced and the link stays.
std::string written_path(const std::string& path);

// Writes a temporary file beside `path`, flushes it to the disk, then renames it: after a failure (a full disk, no
// rights) what was at `path` before is still there, and no partial file; neither is one after a signal that the program
// tells remove_temporaries of. Throws TN_ERROR_IO.
void write_file(const std::string& path, std::string_view bytes);

void make_directories(const std::string& path);

}  // namespace tenon
#endif
