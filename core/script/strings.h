// String literals of Python, floats that round-trip, and names.
#ifndef TENON_CORE_SCRIPT_STRINGS_H
#define TENON_CORE_SCRIPT_STRINGS_H

#include <optional>
#include <string>
#include <string_view>

namespace tenon::script {

// The content of a literal with its escapes replaced. \udc80 to \udcff stand for bytes that are not UTF-8, as in PEP
// 383.
bool unescape(std::string_view content, std::string* decoded, std::string* problem);
// The literal, in double quotes, that `unescape` turns back into `s`.
std::string quote(std::string_view s);

// The shortest decimal that reads back as the same finite double, with a point or an exponent.
std::string float_text(double value);
// "inf", "-inf", "nan" or "-nan"; null for a finite value.
const char* non_finite_name(double value);
std::optional<double> non_finite_value(std::string_view name);

std::string hex_byte(unsigned char c);
std::string hex_text(std::string_view bytes);
std::optional<std::string> hex_bytes(std::string_view text);

// True for what may stand as a name in the text: a Python identifier in ASCII that is no keyword.
bool is_identifier(std::string_view name);

}  // namespace tenon::script
#endif
