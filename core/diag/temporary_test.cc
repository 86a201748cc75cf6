#include "diag/temporary.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace tenon {
namespace {

namespace fs = std::filesystem;

TEST(Temporary, IsGoneWhenASignalEndsTheProcess) {
  const std::string folder = (fs::temp_directory_path() / ("temporary-" + std::to_string(getpid()))).string();
  fs::create_directories(folder);
  const std::string on_the_way = folder + "/on-the-way", arrived = folder + "/arrived";
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGTERM, [](int number) {
      remove_temporaries();
      signal(number, SIG_DFL);
      raise(number);
    });
    { TemporaryName over(arrived); }
    TemporaryName held(on_the_way);
    std::ofstream(on_the_way) << "half";
    std::ofstream(arrived) << "whole";
    raise(SIGTERM);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  EXPECT_FALSE(fs::exists(on_the_way));
  EXPECT_TRUE(fs::exists(arrived));
  fs::remove_all(folder);
}

TEST(Temporary, MoreThanThereIsRoomForDoNoHarm) {
  std::vector<TemporaryName> many;
  for (int i = 0; i < 200; ++i) many.emplace_back("/nowhere/" + std::to_string(i));
  EXPECT_EQ(many[199].text(), "/nowhere/199");
}

}  // namespace
}  // namespace tenon
