// Graphs that the patterns of a partitioner match: from samples, from the kit's programs, and made from the patterns
// themselves.
#ifndef TENON_CONFORMANCE_MATCHES_H
#define TENON_CONFORMANCE_MATCHES_H

#include "corpus.h"

namespace tenon::conformance {

struct Match {
  std::string name;     // of the program
  std::string pattern;  // the name of the row
  Node candidate;       // what TnPartitioner.decide is asked about
  Node module;          // normalised; holds the match
};

// The patterns of a partitioner, an entry of TnCompiler.plugins; empty when it offers none.
Array patterns_of(const Subject& subject, const Map& plugin);
// The code generator that its candidates are for.
std::string codegen_of(const Map& plugin);
// At most `most` matches for each pattern.
std::vector<Match> matches_of(const Subject& subject, const Map& plugin, size_t most);
// The candidate as a module with one public function, main.
Node module_of(const Builder& b, const Node& candidate, const Value& codegen = {});
// Those samples that are models (not .py), imported.
std::vector<Program> sample_models(const Subject& subject);

}  // namespace tenon::conformance
#endif
