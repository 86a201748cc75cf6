#include "diag/files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tenon/cxx/object.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

TEST(Files, AFullDiskIsAnErrorAndLeavesNothing) {
  try {
    write_file("/dev/full", "text");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code, TN_ERROR_IO);
    EXPECT_EQ(e.message, "cannot write the file: No space left on device");
    EXPECT_EQ(e.where, "/dev/full");
  }
}

TEST(Files, AMissingFolderIsAnError) {
  EXPECT_THROW(write_file("/no/such/folder/file", "x"), Error);
  EXPECT_THROW(read_file("/no/such/file"), Error);
}

TEST(Files, WritesAndReadsAndLeavesNoTemporary) {
  fs::path dir = fs::path(testing::TempDir()) / "files_test";
  fs::remove_all(dir);
  make_directories((dir / "a").string());
  std::string file = (dir / "a" / "x").string(), bytes("one\0two", 7);
  write_file(file, "old");
  write_file(file, bytes);
  EXPECT_EQ(read_file(file), bytes);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "a"), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace tenon
