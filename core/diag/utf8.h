// UTF-8: whether bytes are text, and how long it looks.
#ifndef TENON_DIAG_UTF8_H
#define TENON_DIAG_UTF8_H

#include <string>
#include <string_view>

namespace tenon {

// The length of the character at `at`, 1 to 4; 0 when none that is legal begins there (surrogates and overlong forms
// are not legal).
size_t utf8_length(std::string_view text, size_t at);

// Where the first byte that is no part of a legal character lies; npos when there is none.
size_t find_not_utf8(std::string_view text);

// The number of characters before the byte `at`.
size_t characters_before(std::string_view text, size_t at);

// What can be shown on a terminal: bytes that are not UTF-8, control characters, and characters that are not seen or
// turn the direction of writing become \xNN.
std::string printable(std::string_view text);

// The beginning of a text, in one line of at most `limit` characters, for messages.
std::string shortened(std::string_view text, size_t limit = 80);

}  // namespace tenon
#endif
