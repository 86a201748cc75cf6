#include "build/model_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tenon {
namespace {

namespace fs = std::filesystem;

class ModelFolder : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / ("model_folder" + std::to_string(getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "model/sub");
    write("secret", "outside");
    write("model/model.bin", "0123456789");
    write("model/weights", "abcdefgh");
    write("model/sub/weights", "ijkl");
    fs::create_symlink(root_ / "secret", root_ / "model/link");
    fs::create_directory_symlink(root_, root_ / "model/up");
    mkfifo((root_ / "model/fifo").c_str(), 0600);
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const char* name, const char* text) { std::ofstream(root_ / name) << text; }

  std::string read(const char* name, uint64_t offset, uint64_t size) {
    ModelSource source((root_ / "model/model.bin").string());
    try {
      Value v = call([&](TnValue* ret) { return source.raw().external(source.raw().self, name, offset, size, ret); });
      auto* c = reinterpret_cast<const TnConstant*>(v.raw().as.object);
      return std::string(static_cast<const char*>(c->data), c->size);
    } catch (const Error& e) { return "refused: " + e.message; }
  }
  fs::path root_;
};

TEST_F(ModelFolder, NothingOutsideIsReached) {
  const char* names[] = {"../secret", "sub/../../secret", "link",      "up/secret", "fifo",     "sub", "", ".", "sub/",
                         "./",        "/etc/passwd",      "/dev/zero", "missing",   "weights/x"};
  for (const char* name : names) EXPECT_EQ(read(name, 0, 4).rfind("refused: ", 0), 0u) << name;
  EXPECT_EQ(read("../secret", 0, 4), "refused: the model names the file '../secret', which leaves its folder");
  EXPECT_EQ(read("link", 0, 4),
            "refused: the model names the file 'link', which leads through a symbolic link or a file");
}

TEST_F(ModelFolder, RangesStayInsideTheFile) {
  EXPECT_EQ(read("weights", 2, 3), "cde");
  EXPECT_EQ(read("./sub/weights", 0, 4), "ijkl");
  EXPECT_EQ(read("weights", 3, UINT64_MAX), "defgh");
  EXPECT_EQ(read("weights", 7, 2).rfind("refused: ", 0), 0u);
  EXPECT_EQ(read("weights", UINT64_MAX - 1, 4).rfind("refused: ", 0), 0u);
}

TEST_F(ModelFolder, TheModelItselfIsAView) {
  ModelSource source((root_ / "model/model.bin").string());
  EXPECT_EQ(std::string(source.raw().data, source.raw().data_size), "0123456789");
  Value v = call([&](TnValue* ret) { return source.raw().view(source.raw().self, 3, 4, ret); });
  EXPECT_EQ(std::memcmp(reinterpret_cast<const TnConstant*>(v.raw().as.object)->data, "3456", 4), 0);
}

}  // namespace
}  // namespace tenon
