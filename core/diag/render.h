// Errors as a person reads them on a terminal.
#ifndef TENON_DIAG_RENDER_H
#define TENON_DIAG_RENDER_H

#include <string>

#include "tenon/cxx/object.h"

namespace tenon {

// "error: MESSAGE", then the place with its source line when `where` is a readable file:line:col, the hint, and the
// causes. Ends with a newline.
std::string render_error(const Error& error);

// A stranger's text for a terminal: control characters and what is no UTF-8 as \xNN, and its further lines indented, so
// that none can pass for one of ours.
std::string shown(const std::string& text);

// The parts of "file:line:col"; line 0 when the text has another form.
struct Place {
  std::string file;
  int line = 0, column = 0;
};
Place parse_place(const std::string& where);

}  // namespace tenon
#endif
