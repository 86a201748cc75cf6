// Plugins, pipelines, complaints and pass records as values, for the interface of libtenon.
#ifndef TENON_REGISTRY_DESCRIBE_H
#define TENON_REGISTRY_DESCRIBE_H

#include "build/session.h"
#include "registry/registry.h"

namespace tenon {

Value describe_plugins(Session& session, Registry& registry);
Value describe_pipeline(const Builder& b, PluginProvider& provider, const PipelineResult& result);
Value describe_complaints(const Builder& b, const std::vector<Error>& complaints);
Value describe_record(const Builder& b, const PassRecord& record);
Value describe_diagnostics(const Builder& b, const std::vector<Diagnostic>& diagnostics);

}  // namespace tenon
#endif
