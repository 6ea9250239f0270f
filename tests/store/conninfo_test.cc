// Which servers a connection string names.
#include "store/conninfo.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tusk::store {
namespace {

std::vector<std::string> addresses_of(const std::string& conninfo) {
  std::vector<std::string> out;
  for (const ServerAddress& each : several_addresses(settings_of(conninfo)))
    out.push_back(each.host + "/" + each.hostaddr + "/" + each.port);
  return out;
}

using Addresses = std::vector<std::string>;

TEST(Conninfo, several_hosts_are_told_apart_with_their_ports) {
  EXPECT_EQ(addresses_of("host=a,b dbname=x"), (Addresses{"a//5432", "b//5432"}));
  EXPECT_EQ(addresses_of("host=a,b port=1,2"), (Addresses{"a//1", "b//2"}));
  EXPECT_EQ(addresses_of("host=a,b port=7"), (Addresses{"a//7", "b//7"}));
  EXPECT_EQ(addresses_of("postgresql://u@a:1,b:2/x"), (Addresses{"a//1", "b//2"}));
  EXPECT_EQ(addresses_of("hostaddr=10.0.0.1,10.0.0.2"),
            (Addresses{"/10.0.0.1/5432", "/10.0.0.2/5432"}));
  EXPECT_EQ(addresses_of("host=a,b hostaddr=10.0.0.1,10.0.0.2"),
            (Addresses{"a/10.0.0.1/5432", "b/10.0.0.2/5432"}));
}

TEST(Conninfo, one_host_and_what_libpq_refuses_or_chooses_itself_are_left_to_it) {
  EXPECT_EQ(addresses_of("host=a dbname=x"), Addresses{});
  EXPECT_EQ(addresses_of("files"), Addresses{});
  EXPECT_EQ(addresses_of("host=a,b port=1,2,3"), Addresses{});
  EXPECT_EQ(addresses_of("host=a,b hostaddr=10.0.0.1"), Addresses{});
  EXPECT_EQ(addresses_of("host=a,,b"), Addresses{});
  EXPECT_EQ(addresses_of("service=x host=a,b"), Addresses{});
  EXPECT_TRUE(settings_of("host='a").empty()) << "cannot be parsed";
}

TEST(Conninfo, the_environment_counts_where_the_string_is_silent) {
  ::setenv("PGHOST", "a,b", 1);
  EXPECT_EQ(addresses_of("files"), (Addresses{"a//5432", "b//5432"}));
  EXPECT_EQ(addresses_of("host=c"), Addresses{});
  ::unsetenv("PGHOST");
  EXPECT_FALSE(settings_of("host=a,b").contains("target_session_attrs"));
  EXPECT_EQ(settings_of("host=a target_session_attrs=any")["target_session_attrs"], "any");
}

TEST(Conninfo, programs_get_the_one_of_several_that_takes_writes) {
  const auto argument = [](const char* conninfo) { return for_program(conninfo)->argument; };
  EXPECT_NE(argument("host=a,b").find("target_session_attrs=read-write"), std::string::npos);
  EXPECT_EQ(argument("host=a").find("target_session_attrs"), std::string::npos);
  EXPECT_EQ(argument("host=a,b target_session_attrs=any").find("read-write"), std::string::npos);
}

}  // namespace
}  // namespace tusk::store
