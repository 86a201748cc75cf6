/* The interface of libtenon: sessions that find plugins, run pipelines and load modules. For the `tenon` program, for other
 * languages and for programs that embed the compiler.
 *
 * libtenon exports one symbol, `tn_compiler`. Values are made and released with the runtime table in `runtime`.
 * Thread: one call at a time per session, unless the slot says otherwise; sessions are independent. */
#ifndef TENON_COMPILER_H
#define TENON_COMPILER_H

#include "ir.h"
#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TnSession TnSession;

typedef struct TnCompiler {
  size_t size;
  uint32_t abi_version;
  uint32_t ir_vocabulary;
  const char* version; /* of Tenon */
  const TnRuntime* runtime;

  /* `options`: none, or a map with any of
   *   plugin_dirs      array of strings   searched first
   *   config           string             the list of plugins and pipelines, instead of the installation's
   *   search_defaults  bool               TENON_PLUGIN_PATH, the stores and the installation; true
   *   target           string             "cpu" (this machine), "cpu:generic", "cpu:+avx2,+fma", ...
   *   policy           string             a trust policy instead of the user's
   *   use              array of strings   "ID=VERSION" or "ID=sha256:...": which of the installed versions
   *   isolate          bool or array      the plugins that run in a process of their own: every one, or these ids
   *   isolation        map                deadline_ms, memory_mb, repro_dir, keep_weights, probe_deadline_ms: as in the configuration
   *   probe            bool               plugins that are not the installation's own are loaded in another process first; true
   *   validate         bool               checks every call between the host and the plugins (sdk/docs/contract.md);
   *                                       the default is whether TENON_VALIDATE is 1 */
  int (*session_create)(const TnValue* options, TnSession** session, TnValue* ret);
  /* What was loaded through the session must have been released. `session` may be null. */
  void (*session_destroy)(TnSession* session);

  /* What is installed, from the manifests alone: a map
   *   plugins   array of maps {id, version, vendor, license, tier, summary, manifest, library, loaded, provides,
   *             probe: {state, reason, since}, isolated, passes: [{name, level, summary, concurrent, options}], ops: [...], codegen, executor,
   *             runtimes: [{name, range, library}], origin, digest}
   *   others    array of maps {id, version, digest, manifest, reason}   installed beside the version that is used
   *   broken    array of maps {id, manifest, complaints: [{message, where, hint}]}
   *   searched  array of strings   the directories */
  int (*plugins)(TnSession* session, TnValue* ret);
  /* Opens the plugin's library and makes its instance; fails with the reason. */
  int (*load_plugin)(TnSession* session, const char* id, TnValue* ret);
  /* The named pipelines: an array of strings. */
  int (*pipelines)(TnSession* session, TnValue* ret);
  /* A pipeline by name or file, for the session's target: a map {name, summary, stages: [{pass, level, plugin,
   * version, vendor, summary, options, where, why: [{kind, text, where}]}], left_out: [{what, where, why, unchecked}], slots: [{name, where, level,
   * summary, filled}], files, complaints: [{message, where, hint}]}; loads nothing. `why` says from the outside in how a
   * stage came into the pipeline: kind is pipeline, include, slot or when. Fails when the name or the file does not exist. */
  int (*pipeline)(TnSession* session, const char* name_or_file, TnValue* ret);
  /* Whether a manifest is right: an array of complaints. */
  int (*check_manifest)(TnSession* session, const char* file, TnValue* ret);

  /* The resolved target, a map. */
  int (*target)(TnSession* session, TnValue* ret);
  int (*set_target)(TnSession* session, const char* target, TnValue* ret);

  /* A service of the host or a capability of a plugin, as TnHost.service gives it. Any thread. */
  const void* (*service)(TnSession* session, const char* id);
  int (*parse)(TnSession* session, const char* text, size_t size, const char* file, TnValue* ret);
  int (*print)(TnSession* session, const TnValue* tree, TnValue* ret);
  int (*verify)(TnSession* session, const TnNode* module, TnValue* ret);

  /* Runs passes. `pipeline` is a string (a name or a file), or an array of stages: strings "PLUGIN:PASS" with options in
   * braces or without, or maps {pass, options}. `options`: none, or a map with any of
   *   verify      bool      after every pass; true
   *   dump_dir    string    the text of every state goes there
   *   stop_after  string    a stage: its number from 1, "PLUGIN:PASS", or "PLUGIN:PASS#2"
   *   start_from  string    likewise
   *   disable     array     full names of passes to leave out
   *   on_pass     function  called after each pass with {pass, number, changed, disabled, milliseconds}, before, after
   *   check_each  bool      every distinct state runs once on generated inputs, in the bounded executor, and must compute
   *                         what the first does: TN_ERROR_PLUGIN names the pass that is wrong; false
   *   check_steps int       that one such run may take; 200,000,000
   * The result is a map {module, passes: [{pass, number, changed, disabled, milliseconds}]}; with check_each also
   * check: {states, checked, runs, inputs: [string], not_checked: [{pass, number, kind}]}. */
  int (*run_pipeline)(TnSession* session, const TnNode* module, const TnValue* pipeline, const TnValue* options,
                      TnValue* ret);
  /* The running call ends with TN_ERROR_CANCELLED. Any thread. */
  void (*cancel)(TnSession* session);
  /* What plugins have reported since the last call: an array of maps {severity, message, where, hint, from}. */
  int (*diagnostics)(TnSession* session, TnValue* ret);

  /* An external function for the modules loaded from then on; a none value removes it. */
  int (*register_function)(TnSession* session, const char* name, const TnValue* function, TnValue* ret);
  /* Makes a module callable: a map from the names of its public functions to function values. `executor` is the id of a
   * plugin, or null for the first that is installed. `options`: none, a map, or its text "{opt_level: 3}". */
  int (*load)(TnSession* session, const TnNode* module, const char* executor, const TnValue* options, TnValue* ret);
  /* The payload that a code generator makes (ext/codegen.h). `codegen` as above, by the kind of the target. */
  int (*generate)(TnSession* session, const TnNode* module, const char* codegen, const TnValue* options, TnValue* ret);

  /* The module that a model file holds. `options`: none, or a map with any of
   *   frontend   string   the id of a plugin; the first that reads files of this extension
   *   constants  map      name of an input -> tensor on the CPU: the input becomes a constant */
  int (*import_model)(TnSession* session, const char* path, const TnValue* options, TnValue* ret);
  /* Compiles a lowered module into an artifact, complete at `path` or not there at all. `options`: none, or a map with any
   * of
   *   codegen          string   the id of a plugin; the first for the kind of the target
   *   codegen_options  map
   *   linker           string   the id of a plugin; the first that is installed
   *   lock             string   kept in the artifact: how the module was made */
  int (*compile)(TnSession* session, const TnNode* module, const char* path, const TnValue* options, TnValue* ret);
  /* Writes the text of a module into a file, and into the folder data/ beside it the bytes that the text names by their
   * digest: parse finds them there. */
  int (*save)(TnSession* session, const TnNode* module, const char* path, TnValue* ret);
  /* TnRuntime.instantiate with the devices and loaders of the installed plugins, and the registered functions as imports. */
  int (*instantiate)(TnSession* session, const char* path, const TnValue* options, TnValue* ret);
  /* How a module is compiled, as text that is the same for the same inputs: every plugin that takes part with the digests of
   * its files, every stage with all its options, the target and the versions. `parts`: a map with
   *   pipeline         string or array   as run_pipeline takes it; required
   *   name             string   of the pipeline; that of the file
   *   stop_after       string   as for run_pipeline
   *   disable          array    likewise
   *   codegen, linker  string   ids of plugins; the first that would be taken
   *   codegen_options  map
   *   others           array    ids of further plugins that take part
   *   complete         bool     the session has compiled just this: all plugins that it loaded take part; false */
  int (*lock)(TnSession* session, const TnValue* parts, TnValue* ret);
  /* Compares a lock with what is installed: a map {lock: what it says, differences: [{message, where, hint}]}. `file` is for
   * places in messages. `options`: none, or a map with any of
   *   use          bool   fail with the first difference, and make the lock's target that of the session; false
   *   same_target  bool   another target than the session's is a difference; false */
  int (*read_lock)(TnSession* session, const char* text, size_t size, const char* file, const TnValue* options,
                   TnValue* ret);

  /* Loads the plugin in another process, whatever is known of it, and keeps what came of it: a map {state, reason, since};
   * the state is "ok" or "quarantined". Fails when it cannot be loaded at all. */
  int (*probe)(TnSession* session, const char* id, TnValue* ret);
  /* Makes the call that a reproducer's folder holds, in another process: fails as it failed then, or gives a map
   * {plugin, what, error: the text of then}: it fails no more. */
  int (*replay)(TnSession* session, const char* folder, TnValue* ret);
  /* For a handler of signals that end the process: what was running is charged at the next start, and files that
   * were being written are removed. Safe in one. */
  void (*note_signal)(int number);
  /* What the validation layer found since the last call: an array of maps {rule, plugin, during, message}; empty without the
   * layer. With `finish` not 0 the instances of all plugins are destroyed before, so that what they left behind is among
   * them. */
  int (*violations)(TnSession* session, int finish, TnValue* ret);
  /* Packages and trust. `action`, its options (a map) and what it gives (a map):
   *   pack      folder, output                        {file, digest, bytes, id, version, platform, sdk, build_id}
   *   keygen    output, vendor, expires, successor_of {private, public, key}
   *   sign      file, key, detached                   {file, key, digest}
   *   verify    file: a package or a folder           {what a customer will see, trusted, because, problem}
   *   install   file, system, replace                 {folder, digest, already, id, version, because, lines}
   *   remove    what: "ID", "ID=VERSION" or a digest  {removed: [folder]}
   *   trust     command: show, allow, deny or use; subject, vendor, reason, site     {file, text, ...}
   *   doctor    file: a library or a plugin's folder  {file, findings: [{check, ok, message, hint, code}], verdict, code} */
  int (*package)(TnSession* session, const char* action, const TnValue* options, TnValue* ret);
} TnCompiler;

TN_EXPORT const TnCompiler* tn_compiler(void);

#ifdef __cplusplus
}
#endif
#endif
