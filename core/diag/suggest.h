// "Did you mean": the known name nearest to one that is not known.
#ifndef TENON_DIAG_SUGGEST_H
#define TENON_DIAG_SUGGEST_H

#include <string>
#include <string_view>
#include <vector>

namespace tenon {

// Insertions, deletions, substitutions and swaps of neighbours that turn one text into the other.
size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, the first of equally near ones; "" when none is near enough to be meant.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

// "did you mean 'x'?", or `otherwise` when no known name is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known, std::string otherwise = {});

}  // namespace tenon
#endif
