#include "store/mime.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace tusk::store {
namespace {

constexpr mode_t kFile = S_IFREG | 0644;

ByteSpan span(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Mime, an_extension_decides_before_the_content) {
  MimeTypes mime;
  EXPECT_EQ(mime.by_content(kFile, "a.tar.GZ", span("plain")), "application/gzip");
  EXPECT_EQ(mime.by_content(kFile, "a.txt",
                            span("\x7f"
                                 "ELF")),
            "text/plain");
}

TEST(Mime, a_dot_file_has_no_extension) {
  MimeTypes mime;
  EXPECT_FALSE(mime.by_name(kFile, ".png"));
  EXPECT_EQ(mime.by_content(kFile, ".profile", span("export A=1\n")), "text/plain");
}

TEST(Mime, text_is_valid_utf8_that_may_be_cut_at_the_end) {
  MimeTypes mime;
  EXPECT_EQ(mime.by_content(kFile, "README", span("größer\n")), "text/plain");
  EXPECT_EQ(mime.by_content(kFile, "README", span("gr\xc3")), "text/plain");
  EXPECT_NE(mime.by_content(kFile, "README", span(std::string_view("a\0b", 3))), "text/plain");
}

TEST(Mime, content_is_looked_at_when_the_name_says_nothing) {
  MimeTypes mime;
  const std::string_view png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0", 29);
  EXPECT_EQ(mime.by_content(kFile, "picture", span(png)), "image/png");
  EXPECT_EQ(mime.by_content(kFile, "empty", {}), "application/octet-stream");
}

TEST(Mime, only_some_files_a_second_are_worth_a_look) {
  MimeTypes mime;
  const std::string_view png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0", 29);
  int told = 0;
  for (int i = 0; i < 100; i++) told += mime.by_content(kFile, "picture", span(png)) == "image/png";
  EXPECT_EQ(told, 16);
  const std::chrono::steady_clock::time_point start(std::chrono::hours(1));
  mime.start_group(start);
  EXPECT_EQ(mime.by_content(kFile, "picture", span(png)), "image/png");
  for (int i = 0; i < 100; i++) mime.by_content(kFile, "picture", span(png));
  mime.start_group(start + std::chrono::milliseconds(999));
  EXPECT_NE(mime.by_content(kFile, "picture", span(png)), "image/png");
  mime.start_group(start + std::chrono::seconds(1));
  EXPECT_EQ(mime.by_content(kFile, "picture", span(png)), "image/png");
}

TEST(Mime, what_is_not_a_file_is_told_by_its_mode) {
  MimeTypes mime;
  EXPECT_EQ(mime.by_name(S_IFLNK | 0777, "a.txt"), "inode/symlink");
  EXPECT_EQ(mime.by_name(S_IFIFO, "a"), "inode/fifo");
  EXPECT_EQ(mime.by_name(S_IFSOCK, "a"), "inode/socket");
  EXPECT_EQ(mime.by_name(S_IFCHR, "a"), "inode/chardevice");
  EXPECT_EQ(mime.by_name(S_IFBLK, "a"), "inode/blockdevice");
}

}  // namespace
}  // namespace tusk::store
