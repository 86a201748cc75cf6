// For tests of the registry: files in a fresh folder, and complaints as text.
#ifndef TENON_REGISTRY_TEST_SUPPORT_H
#define TENON_REGISTRY_TEST_SUPPORT_H

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "ir/ir_table.h"
#include "registry/registry.h"

namespace tenon {

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    dir_ = std::filesystem::path(testing::TempDir()) /
           (std::string("tenon_") + info->test_suite_name() + "_" + info->name() + "_" + std::to_string(getpid()));
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  ~RegistryTest() override { std::filesystem::remove_all(dir_); }

  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name) << text;
    return path(name);
  }
  // "12:3 message; hint" a line, the file's path left out.
  std::string lines(const std::vector<Error>& complaints) const {
    std::string out;
    for (const Error& e : complaints) {
      std::string where = e.where, message = e.message;
      for (std::string* s : {&where, &message})
        for (size_t at; (at = s->find(dir_.string() + "/")) != std::string::npos;)
          s->erase(at, dir_.string().size() + 1);
      out += where + " " + message + (e.hint.empty() ? "" : "; " + e.hint) + "\n";
    }
    return out;
  }

  std::filesystem::path dir_;
  Builder b_ = core_builder();
};

}  // namespace tenon
#endif
