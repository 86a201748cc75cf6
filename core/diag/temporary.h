// Files on their way to their names: gone when the process is ended by a signal.
#ifndef TENON_DIAG_TEMPORARY_H
#define TENON_DIAG_TEMPORARY_H

#include <string>
#include <utility>

namespace tenon {

// While it lives, remove_temporaries removes the file of this name. Beyond 64 at a time they are not removed.
class TemporaryName {
 public:
  explicit TemporaryName(std::string name);
  TemporaryName(TemporaryName&& other) noexcept
      : name_(std::move(other.name_)), slot_(std::exchange(other.slot_, -1)) {}
  TemporaryName& operator=(TemporaryName&&) = delete;
  ~TemporaryName();
  const std::string& text() const { return name_; }

 private:
  std::string name_;
  int slot_ = -1;
};

// For the handler of a signal that ends the process.
void remove_temporaries() noexcept;

}  // namespace tenon
#endif
