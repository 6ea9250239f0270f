// The schema as SQL clients meet it.
#include <gtest/gtest.h>

#include "store/connection.h"
#include "store/session.h"
#include "store/statements.h"
#include "support/fs_sql.h"
#include "support/store_backends.h"
#include "support/store_session.h"
#include "tuskfs/store/migrate.h"

namespace tusk::test {
namespace {

using namespace store;

class Schema : public ::testing::Test {
 protected:
  void SetUp() override { s_.backend().detach(); }
  std::string insert(const std::string& name, const std::string& data = "hello") {
    return sql_.value(
        "insert into tusk.files (tenant_id, filename, mime_type, size_bytes, data) "
        "select id, $1, 'text/plain', 0, $2::bytea from tusk.tenants returning id",
        {name, data});
  }
  StoreSession<PostgresBackend> s_;
  Sql sql_{s_.backend().conninfo()};
};

TEST_F(Schema, every_statement_prepares_on_a_fresh_schema) {
  ASSERT_TRUE(migrate_up(s_.backend().conninfo(), -1, store::Schema::cache));
  ASSERT_TRUE(migrate_up(s_.backend().conninfo(), -1, store::Schema::stats));
  PGconn* raw = PQconnectdb(s_.backend().conninfo().c_str());
  const std::unique_ptr<PGconn, void (*)(PGconn*)> connection(raw, PQfinish);
  PQclear(PQexec(raw, "set search_path = tusk"));  // as the migrator, in each of its schemas
  for (const Statement& each : all_statements()) {
    PgResult result(PQprepare(raw, each.name.c_str(), each.text.c_str(), 0, nullptr));
    EXPECT_EQ(PQresultStatus(result.get()), PGRES_COMMAND_OK)
        << each.name << ": " << PQerrorMessage(raw);
  }
}

TEST_F(Schema, every_check_holds_on_a_fresh_schema) {
  EXPECT_EQ(broken_invariants(s_.backend().conninfo()), std::vector<std::string>{});
}

TEST_F(Schema, every_table_column_and_function_is_explained) {
  EXPECT_EQ(sql_.number("select count(*) from pg_class c where relnamespace = 'tusk'::regnamespace "
                        "and relkind = 'r' and obj_description(oid, 'pg_class') is null"),
            0);
  EXPECT_EQ(sql_.number("select count(*) from pg_proc where pronamespace = 'tusk'::regnamespace "
                        "and obj_description(oid, 'pg_proc') is null"),
            0);
  EXPECT_EQ(sql_.number(
                "select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid "
                "where c.relnamespace = 'tusk'::regnamespace and c.relkind = 'r' and a.attnum > 0 "
                "and c.relname <> 'schema_migrations' and not a.attisdropped "
                "and col_description(c.oid, a.attnum) is null"),
            0);
}

TEST_F(Schema, an_insert_of_the_classic_columns_makes_a_file_in_the_root) {
  const std::string id = insert("hello.txt");
  EXPECT_EQ(sql_.value("select tusk.path($1::uuid)", {id}), "/hello.txt");
  EXPECT_EQ(sql_.value("select tusk.resolve('/hello.txt')"), id);
  s_.attach();
  const FileId file{*Uuid::parse(id)};
  const auto row = s_.row_of(file);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->size, 5u);
  EXPECT_EQ(row->meta.mode, mode_t{0100644});
  EXPECT_FALSE(row->damaged);
  EXPECT_EQ(s_.inline_of(file), "hello");
  EXPECT_TRUE(broken_invariants(s_.backend().conninfo()).empty());
}

TEST_F(Schema, names_that_no_folder_can_hold_are_refused) {
  for (const std::string& name : {std::string(""), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string(256, 'x')}) {
    EXPECT_THROW(insert(name), std::exception) << name;
  }
  insert(std::string(255, 'x'));
}

TEST_F(Schema, a_name_that_a_folder_or_link_has_is_refused) {
  insert("file");
  EXPECT_THROW(insert("file"), std::exception);
  sql_.run(
      "insert into tusk.folders (tenant_id, parent_id, name) select id, root_id, 'folder' from "
      "tusk.tenants;"
      "insert into tusk.file_links (file_id, folder_id, name) "
      "select f.id, t.root_id, 'link' from tusk.tenants t, tusk.files f");
  EXPECT_THROW(insert("folder"), std::exception);
  EXPECT_THROW(insert("link"), std::exception);
}

TEST_F(Schema, path_and_resolve_translate_both_ways) {
  s_.attach();
  const FolderId a = s_.new_folder(), b = s_.new_folder();
  FileChange file = s_.file(s_.new_file(), "file", "x");
  file.row.folder = b;
  Group group;
  group.folders = {s_.folder(a, s_.root(), "a"), s_.folder(b, a, "b")};
  group.files = {file};
  group.links_added = {{file.row.id, a, "link"}};
  s_.commit(group);
  const auto path = [&](Uuid id) { return sql_.value("select tusk.path($1::uuid)", {id.text()}); };
  const auto resolve = [&](const std::string& p) {
    return sql_.value("select tusk.resolve($1)", {p});
  };
  EXPECT_EQ(path(s_.root().uuid), "/");
  EXPECT_EQ(path(b.uuid), "/a/b");
  EXPECT_EQ(path(file.row.id.uuid), "/a/b/file");
  EXPECT_EQ(resolve("/"), s_.root().uuid.text());
  EXPECT_EQ(resolve("a//b/"), b.uuid.text());
  EXPECT_EQ(resolve("/a/b/file"), file.row.id.uuid.text());
  EXPECT_EQ(resolve("/a/link"), file.row.id.uuid.text());
  EXPECT_EQ(resolve("/a/no"), "<null>");
  EXPECT_EQ(resolve("/a/b/file/more"), "<null>");
  EXPECT_EQ(sql_.value("select tusk.resolve('/a', 'no such tree')"), "<null>");
}

TEST_F(Schema, new_ids_are_of_version_seven_and_in_order) {
  EXPECT_EQ(sql_.number("select count(*) from generate_series(1, 1000) n, lateral (select n, "
                        "tusk.uuid_v7() as id) u "
                        "where substr(id::text, 15, 1) = '7' and substr(id::text, 20, 1) in ('8', "
                        "'9', 'a', 'b')"),
            1000);
  EXPECT_EQ(sql_.number("select count(distinct u) from (select tusk.uuid_v7() as u from "
                        "generate_series(1, 1000)) x"),
            1000);
  EXPECT_EQ(sql_.value("with a as materialized (select tusk.uuid_v7() as id), "
                       "z as materialized (select a.id, pg_sleep(0.005) from a) "
                       "select z.id < tusk.uuid_v7() from z"),
            "t");
}

TEST_F(Schema, nanoseconds_become_timestamps) {
  EXPECT_EQ(
      sql_.value(
          "select tusk.ns_to_timestamp(1700000000123456789) = '2023-11-14 22:13:20.123456+00'"),
      "t");
  EXPECT_EQ(sql_.value("select tusk.ns_to_timestamp(-1) <= '1970-01-01 00:00:00+00'"), "t");
}

TEST_F(Schema, the_checksum_is_the_one_that_xxhsum_prints) {
  s_.attach();
  s_.commit_files({s_.file(s_.new_file(), "file", "")});
  // XXH3-128 of nothing.
  EXPECT_EQ(sql_.value("select encode(checksum, 'hex') from tusk.files"),
            "99aa06d3014798d86001c324468d497f");
}

TEST_F(Schema, rows_that_make_no_sense_are_flagged_alone) {
  for (const std::string name : {"mode", "size", "holes", "uid", "sound"}) insert(name);
  sql_.run(
      "set tusk.driver = 'on';"
      "update tusk.files set mode = 16877 where filename = 'mode';"
      "update tusk.files set size_bytes = -1 where filename = 'size';"
      "update tusk.files set data = null, holes = '{3,1}' where filename = 'holes';"
      "update tusk.files set uid = 4294967296 where filename = 'uid'");
  s_.attach();
  for (const auto& row : s_.list(s_.root()).files)
    EXPECT_EQ(row.damaged, row.name != "sound") << row.name;
}

TEST_F(Schema, content_that_does_not_match_its_checksum_is_not_given_out) {
  s_.attach();
  const FileId file = s_.new_file(), big = s_.new_file();
  Group group;
  group.files = {s_.file(file, "file", "content"), s_.chunked(big, "big", 2, 1)};
  group.chunk_puts = {{big, 0, 1, bytes_of("a")}, {big, 1, 1, bytes_of("b")}};
  s_.commit(group);
  sql_.run(
      "set tusk.driver = 'on';"
      "update tusk.files set data = 'c0ntent' where filename = 'file';"
      "update tusk.file_chunks set data = 'x' where chunk_no = 1");
  EXPECT_EQ(s_.inline_of(file), std::nullopt);
  EXPECT_EQ(s_.chunks(big, {0, 1}, 1), "0:a");
  const auto damaged = s_.try_chunks({big, {0, 2}, 1});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, EIO);
}

TEST_F(Schema, a_missing_chunk_is_an_error_of_content) {
  s_.attach();
  const FileId big = s_.new_file();
  Group group;
  group.files = {s_.chunked(big, "big", 2, 1)};
  group.chunk_puts = {{big, 0, 1, bytes_of("a")}};
  s_.commit(group);
  EXPECT_THROW(s_.content(big), std::exception);
}

}  // namespace
}  // namespace tusk::test
