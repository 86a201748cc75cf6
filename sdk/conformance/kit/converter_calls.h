// ONNX nodes for a converter: inputs of several shapes, and what a converter must refuse.
#ifndef TENON_CONFORMANCE_CONVERTER_CALLS_H
#define TENON_CONFORMANCE_CONVERTER_CALLS_H

#include "corpus.h"

namespace tenon::conformance {

struct ConverterCall {
  std::string name;
  std::string op;
  Value node;                // what TnOnnxConverter.convert is given
  std::vector<Node> params;  // its inputs
  size_t outputs;
};

std::vector<ConverterCall> converter_calls(const Subject& subject, bool few);
std::vector<ConverterCall> wrong_converter_calls(const Subject& subject);
// Throws Violation when the answer is not an expression for each output.
std::vector<Node> convert(Instance& instance, const ConverterCall& c);
// A module whose function main is the expressions.
Node program_of(const Builder& b, const ConverterCall& c, const std::vector<Node>& outputs);

}  // namespace tenon::conformance
#endif
