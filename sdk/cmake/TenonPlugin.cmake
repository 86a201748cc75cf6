# Builds and tests plugins, inside the tree and against an installed SDK alike.
include_guard(GLOBAL)
set(TENON_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR} CACHE INTERNAL "where the package's scripts lie")

# A plugin from its folder: NAME.so and manifest.yaml in lib/tenon/plugins/NAME of the build tree and the install tree.
#   tenon_add_plugin(passes-loop SOURCES src/plugin.cc ... [LIBS signature ...] [DATA file ...])
# SOURCES are C11 or C++20; LIBS are libraries of sdk/lib by their folder name, or anything else that is linked hidden;
# DATA files are laid beside the manifest. The one exported symbol is tenon_plugin, and nothing is left undefined.
# A test NAME/loads opens the library and makes an instance. Where TENON_PLUGIN_FOLDER is set, the plugin is built there instead and not
# installed.
function(tenon_add_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;DATA" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tenon_add_plugin(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}; write SOURCES before the files")
  endif()
  set(plugins ${CMAKE_BINARY_DIR}/lib/tenon/plugins)
  if(TENON_PLUGIN_FOLDER)
    set(plugins ${TENON_PLUGIN_FOLDER})
  endif()
  set(folder ${plugins}/${name})
  set(laid)
  foreach(file manifest.yaml ${ARG_DATA})
    get_filename_component(base ${file} NAME)
    add_custom_command(OUTPUT ${folder}/${base} DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} VERBATIM
      COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${folder}/${base})
    list(APPEND laid ${folder}/${base})
    if(NOT TENON_PLUGIN_FOLDER)
      install(FILES ${file} DESTINATION lib/tenon/plugins/${name})
    endif()
  endforeach()
  add_custom_target(${name}-data ALL DEPENDS ${laid})
  if(NOT TENON_PLUGIN_FOLDER)
    set_property(GLOBAL APPEND PROPERTY TENON_PLUGIN_NAMES ${name})
  endif()
  if(TARGET Tenon::tool AND NOT (DEFINED TENON_TESTS AND NOT TENON_TESTS))
    add_test(NAME ${name}/loads COMMAND $<TARGET_FILE:Tenon::tool> plugin check ${name})
    set_tests_properties(${name}/loads PROPERTIES TIMEOUT 60 ENVIRONMENT TENON_PLUGIN_PATH=${plugins})
  endif()
  if(NOT ARG_SOURCES)
    return()
  endif()

  set(exports ${CMAKE_CURRENT_BINARY_DIR}/${name}.exports)
  file(CONFIGURE OUTPUT ${exports} CONTENT "{ global: tenon_plugin; local: *; };\n")
  # Which SDK built it, for those who read the file without loading it: section .note.tenon.
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(note ${CMAKE_CURRENT_BINARY_DIR}/${name}.note.cc)
  if(C IN_LIST languages)
    set(note ${CMAKE_CURRENT_BINARY_DIR}/${name}.note.c)
  endif()
  file(CONFIGURE OUTPUT ${note} @ONLY CONTENT "#include <tenon/abi.h>
#include <tenon/kinds.h>
__attribute__((section(\".note.tenon\"), used, aligned(4))) static const struct {
  uint32_t name_size, size, type;
  char name[8];
  uint32_t abi, vocabulary;
  char sdk[16];
} note = {6, 24, 1, \"Tenon\", TN_ABI_VERSION, TN_IR_VOCABULARY, \"@Tenon_VERSION@\"};
")
  add_library(${name} MODULE ${ARG_SOURCES} ${note})
  add_dependencies(${name} ${name}-data)
  set_target_properties(${name} PROPERTIES
    PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${folder} LINK_DEPENDS ${exports} BUILD_RPATH "" INSTALL_RPATH ""
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF C_STANDARD 11 C_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${name} PRIVATE -ffp-contract=off)
  target_link_options(${name} PRIVATE -Wl,--version-script=${exports} -Wl,--exclude-libs,ALL -Wl,--build-id)
  if(NOT TENON_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  target_link_libraries(${name} PRIVATE Tenon::sdk)
  tenon_plugin_identity(${name} ${CMAKE_CURRENT_SOURCE_DIR}/manifest.yaml)
  tenon_link(${name} ${ARG_LIBS})
  if(NOT TENON_PLUGIN_FOLDER)
    install(TARGETS ${name} LIBRARY DESTINATION lib/tenon/plugins/${name})
  endif()
endfunction()

# A kernel that a code generator hands out: SOURCE (C or C++) compiled to an object of position-independent code that needs
# nothing of the plugin, and its bytes in NAME.inc, which a source of the plugin includes as the initialiser of an array.
#   tenon_embed_kernel(PLUGIN NAME SOURCE)
function(tenon_embed_kernel plugin name source)
  add_library(${plugin}-${name} OBJECT ${source})
  target_link_libraries(${plugin}-${name} PRIVATE Tenon::sdk)
  target_compile_options(${plugin}-${name} PRIVATE -O2 -fPIC -ffp-contract=off -fno-sanitize=all -fno-stack-protector
                                                   -fvisibility=default -fno-lto)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${plugin}-kernels)
  add_custom_command(OUTPUT ${folder}/${name}.inc VERBATIM DEPENDS ${plugin}-${name} $<TARGET_OBJECTS:${plugin}-${name}>
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
    COMMAND ${CMAKE_COMMAND} -DFROM=$<TARGET_OBJECTS:${plugin}-${name}> -DTO=${folder}/${name}.inc
            -P ${TENON_CMAKE_DIR}/TenonEmbed.cmake)
  target_sources(${plugin} PRIVATE ${folder}/${name}.inc)
  target_include_directories(${plugin} PRIVATE ${folder})
endfunction()

# The library says the id and the version that its manifest says; nobody writes them twice.
function(tenon_plugin_identity target manifest)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${manifest})
  foreach(key id version)
    file(STRINGS ${manifest} line REGEX "^${key}:" LIMIT_COUNT 1)
    string(REGEX REPLACE "^${key}:[ \t]*[\"']?([^ \t\"'#]*).*$" "\\1" value "${line}")
    string(TOUPPER ${key} upper)
    target_compile_definitions(${target} PRIVATE TENON_PLUGIN_${upper}="${value}")
  endforeach()
endfunction()

# Links libraries to a target; a name that the SDK has stands for Tenon::NAME.
function(tenon_link target)
  foreach(library ${ARGN})
    if(TARGET Tenon::${library})
      set(library Tenon::${library})
    endif()
    target_link_libraries(${target} PRIVATE ${library})
  endforeach()
endfunction()

# Says why a plugin cannot be built here and leaves its CMakeLists: tenon_skip_plugin(codegen-cuda "nvcc was not found").
macro(tenon_skip_plugin name reason)
  message(STATUS "Tenon: plugin ${name} is skipped: ${reason}")
  set_property(GLOBAL APPEND PROPERTY TENON_PLUGINS_SKIPPED "${name}: ${reason}")
  return()
endmacro()

# Each *.test of a folder becomes a test named PREFIX/FILE; the prefix is the name of the calling folder unless given.
#   tenon_add_text_tests(tests [PREFIX name] [TIMEOUT seconds])
# The tests see the plugins of this build tree, and those of the SDK where this tree has none of the name.
function(tenon_add_text_tests folder)
  cmake_parse_arguments(ARG "" "PREFIX;TIMEOUT" "" ${ARGN})
  if(NOT ARG_PREFIX)
    get_filename_component(ARG_PREFIX ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  get_filename_component(folder ${folder} ABSOLUTE)
  file(GLOB tests CONFIGURE_DEPENDS ${folder}/*.test)
  foreach(test ${tests})
    get_filename_component(stem ${test} NAME_WLE)
    add_test(NAME ${ARG_PREFIX}/${stem} COMMAND $<TARGET_FILE:Tenon::test> ${test})
    set_tests_properties(${ARG_PREFIX}/${stem} PROPERTIES TIMEOUT ${ARG_TIMEOUT}
      ENVIRONMENT TENON_PLUGIN_PATH=${CMAKE_BINARY_DIR}/lib/tenon/plugins)
  endforeach()
endfunction()

# The conformance kit on a plugin of this tree, as a test NAME/conforms (`tenon plugin check --help`).
#   tenon_add_conformance_test(NAME [SAMPLES file ...] [OPTIONS --only pass ...] [TIMEOUT seconds])
# SAMPLES are what the plugin reads: models for a frontend, modules for passes and code generators.
function(tenon_add_conformance_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SAMPLES;OPTIONS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set(words)
  foreach(sample ${ARG_SAMPLES})
    get_filename_component(sample ${sample} ABSOLUTE)
    list(APPEND words --sample ${sample})
  endforeach()
  set(plugins ${CMAKE_BINARY_DIR}/lib/tenon/plugins)
  if(TENON_PLUGIN_FOLDER)
    set(plugins ${TENON_PLUGIN_FOLDER})
  endif()
  add_test(NAME ${name}/conforms COMMAND $<TARGET_FILE:Tenon::tool> plugin check ${plugins}/${name} ${words} ${ARG_OPTIONS})
  set_tests_properties(${name}/conforms PROPERTIES TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT TENON_PLUGIN_PATH=${plugins})
endfunction()

# A GoogleTest program of a plugin; it sees the SDK's headers, the compiler's library, and the plugins of this build tree.
#   tenon_add_plugin_test(codegen_llvm_test SOURCES tests/jit_test.cc [LIBS ...])
function(tenon_add_plugin_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  if(DEFINED TENON_TESTS AND NOT TENON_TESTS)
    return()
  endif()
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE Tenon::sdk GTest::gtest_main)
  if(TARGET Tenon::compiler)
    target_link_libraries(${name} PRIVATE Tenon::compiler)
  endif()
  tenon_link(${name} ${ARG_LIBS})
  if(COMMAND tenon_test_code)
    tenon_test_code(${name})
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300
    ENVIRONMENT TENON_PLUGIN_PATH=${CMAKE_BINARY_DIR}/lib/tenon/plugins)
endfunction()
