# find_package(Tenon): Tenon::sdk (headers), Tenon::NAME (each library of sdk/lib), and the functions of TenonPlugin.cmake.
if(NOT TARGET Tenon::sdk)
  include(${CMAKE_CURRENT_LIST_DIR}/TenonTargets.cmake)
endif()
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/TenonPlugin.cmake)
enable_testing()
