#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "cli/app.h"
#include "cli/mount_options.h"
#include "cli/mount_table.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "support/mount.h"

namespace tusk::cli {
namespace {

bool holds(const std::vector<std::string>& list, const std::string& what) {
  return std::ranges::find(list, what) != list.end();
}

MountRequest with_options(const std::string& list) {
  MountRequest request;
  for (const std::string& option : split_options(list)) {
    const auto applied = apply_option(request, option);
    EXPECT_TRUE(applied.has_value()) << option;
  }
  return request;
}

TEST(MountOptions, are_split_at_commas_but_not_at_escaped_ones) {
  EXPECT_EQ(split_options("ro,data_dir=/a\\,b\\\\c,,noatime"),
            (std::vector<std::string>{"ro", "data_dir=/a,b\\c", "noatime"}));
}

TEST(MountOptions, of_every_long_option_have_a_form) {
  const MountRequest request = with_options(
      "data_dir=/d,durability=close,tenant=t,log_file=/l,log_level=debug,db_timeout=7,"
      "delegation_idle=9,migrate,sidecar");
  EXPECT_EQ(request.source.data_dir, "/d");
  EXPECT_EQ(request.durability, core::Durability::close);
  EXPECT_EQ(request.tenant, "t");
  EXPECT_EQ(request.log_file, "/l");
  EXPECT_EQ(request.log_level, log::Level::debug);
  EXPECT_EQ(request.db_timeout, std::chrono::seconds(7));
  EXPECT_EQ(request.delegation_idle, std::chrono::seconds(9));
  EXPECT_TRUE(request.migrate);
  EXPECT_TRUE(request.sidecar);
}

TEST(MountOptions, of_fuse_are_passed_on) {
  const MountRequest request = with_options("ro,allow_other,nosuid,subtype=tuskfs,noatime");
  for (const char* option : {"ro", "allow_other", "nosuid", "subtype=tuskfs", "noatime"})
    EXPECT_TRUE(holds(request.fuse_options, option)) << option;
  EXPECT_TRUE(request.read_only);
  EXPECT_TRUE(request.noatime);
}

TEST(MountOptions, that_mount_and_fstab_add_are_let_pass) {
  const MountRequest request = with_options(
      "rw,defaults,nofail,_netdev,auto,noauto,user,x-systemd.automount,comment=x,default_"
      "permissions,"
      "relatime");
  EXPECT_TRUE(request.fuse_options.empty());
}

TEST(MountOptions, unknown_are_refused_by_name) {
  MountRequest request;
  for (const char* option : {"frobnicate", "frobnicate=1"}) {
    const auto applied = apply_option(request, option);
    ASSERT_FALSE(applied.has_value());
    EXPECT_EQ(applied.error().what, "unknown mount option 'frobnicate'");
  }
}

TEST(MountOptions, without_their_value_are_refused) {
  MountRequest request;
  EXPECT_FALSE(apply_option(request, "data_dir=").has_value());
  EXPECT_FALSE(apply_option(request, "data_dir").has_value());
}

TEST(MountHelper, takes_source_and_folder_and_options_in_any_order) {
  const auto call =
      parse_helper_call({"-t", "fuse.tuskfs", "embedded", "/mnt", "-o", "rw,data_dir=/d"});
  ASSERT_TRUE(call.has_value());
  EXPECT_TRUE(call->request.source.embedded());
  EXPECT_EQ(call->request.source.data_dir, "/d");
  EXPECT_EQ(call->request.mountpoint, "/mnt");
  EXPECT_EQ(call->request.fsname, "embedded");
}

TEST(MountHelper, takes_a_database_as_source) {
  const auto call = parse_helper_call({"host=/run/x dbname=y", "/mnt"});
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(call->request.source.database, "host=/run/x dbname=y");
}

TEST(MountHelper, takes_flags_together_and_values_at_once) {
  const auto call = parse_helper_call({"embedded", "/mnt", "-nvf", "-r", "-odurability=none"});
  ASSERT_TRUE(call.has_value());
  EXPECT_TRUE(call->fake);
  EXPECT_TRUE(call->request.read_only);
  EXPECT_EQ(call->request.durability, core::Durability::none);
}

TEST(MountHelper, leaves_suid_and_dev_to_root) {
  const auto call = parse_helper_call({"embedded", "/mnt", "-o", "nodev"});
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(holds(call->request.fuse_options, "suid"), ::geteuid() == 0);
  EXPECT_FALSE(holds(call->request.fuse_options, "dev"));
}

TEST(MountHelper, lets_unknown_options_pass_only_when_sloppy) {
  EXPECT_FALSE(parse_helper_call({"embedded", "/mnt", "-o", "frobnicate"}).has_value());
  EXPECT_TRUE(parse_helper_call({"embedded", "/mnt", "-s", "-o", "frobnicate"}).has_value());
}

TEST(MountHelper, refuses_what_it_cannot_make_sense_of) {
  EXPECT_FALSE(parse_helper_call({"embedded"}).has_value());
  EXPECT_FALSE(parse_helper_call({"embedded", "/mnt", "more"}).has_value());
  EXPECT_FALSE(parse_helper_call({"embedded", "/mnt", "-x"}).has_value());
  EXPECT_FALSE(parse_helper_call({"embedded", "/mnt", "-o"}).has_value());
  EXPECT_FALSE(parse_helper_call({"dbname=x", "/mnt", "-o", "data_dir=/d"}).has_value());
}

TEST(Secrets, are_found_in_every_form_of_connection_string) {
  EXPECT_EQ(password_in("host=x password=abc dbname=y"), "abc");
  EXPECT_EQ(password_in("host=x password = 'a b\\'c' dbname=y"), "a b\\'c");
  EXPECT_EQ(password_in("password=abc"), "abc");
  EXPECT_EQ(password_in("postgresql://me:abc@host/db"), "abc");
  EXPECT_EQ(password_in("postgres://me@host/db?sslmode=require&password=abc&x=y"), "abc");
  EXPECT_EQ(password_in("postgresql://host/db"), "");
  EXPECT_EQ(password_in("host=x sslpassword_file=abc"), "");
  EXPECT_EQ(password_in("service=mine"), "");
}

TEST(Secrets, are_blotted_out_of_text) {
  EXPECT_EQ(without_password(std::string("no abc here"), "password=abc"), "no *** here");
  EXPECT_EQ(without_password(std::string("no abc here"), "dbname=abc"), "no abc here");
}

TEST(Secrets, are_blotted_out_of_the_arguments) {
  std::string program = "tuskfs", database = "postgresql://me:abc@host/db", folder = "/abc";
  char* argv[] = {program.data(), database.data(), folder.data()};
  hide_password(3, argv, std::string(database));
  EXPECT_EQ(database, "postgresql://me:***@host/db");
  EXPECT_EQ(folder, "/abc");
}

TEST(MountTable, is_read_with_its_escapes_and_owners) {
  const test::TempFolder temp;
  std::ofstream(temp.path() / "mountinfo")
      << "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
      << "40 27 0:40 / /mnt/a\\040b rw,nosuid shared:5 master:2 - fuse.tuskfs tuskfs\\040at\\040x "
         "rw,user_id=1000,group_id=100,default_permissions\n";
  const auto table = mount_table(temp.path() / "mountinfo");
  ASSERT_EQ(table.size(), 2u);
  EXPECT_FALSE(table[0].ours());
  EXPECT_TRUE(table[1].ours());
  EXPECT_EQ(table[1].target, "/mnt/a b");
  EXPECT_EQ(table[1].source, "tuskfs at x");
  EXPECT_EQ(table[1].uid, 1000u);
  EXPECT_EQ(table[1].gid, 100u);
}

TEST(MountTable, paths_are_settled_without_looking_at_the_last_name) {
  const test::TempFolder temp;
  std::filesystem::create_directory(temp.path() / "real");
  std::filesystem::create_directory_symlink(temp.path() / "real", temp.path() / "link");
  EXPECT_EQ(settle_path(temp.path() / "link" / "mnt"), temp.path() / "real" / "mnt");
  EXPECT_EQ(settle_path(temp.path() / "real" / "mnt" / ""), temp.path() / "real" / "mnt");
  EXPECT_EQ(settle_path("/"), "/");
}

TEST(Errors, are_one_line_with_their_hint) {
  EXPECT_EQ(one_line({.code = 1, .what = "first\n\tsecond\n", .hint = ""}), "first, second");
  EXPECT_EQ(one_line({.code = 1, .what = "it failed", .hint = "try again"}),
            "it failed; try again");
}

}  // namespace
}  // namespace tusk::cli
