# cmake -DIN=sql/queries -DOUT=queries.inc -P EmbedSql.cmake
# Writes one {"name.sql", R"sql(text)sql"} initialiser per file, sorted by name.
file(GLOB files "${IN}/*.sql")
list(SORT files)
set(body "")
foreach(path IN LISTS files)
  file(READ "${path}" text)
  get_filename_component(name "${path}" NAME)
  string(APPEND body "{\"${name}\", R\"__sql__(${text})__sql__\"},\n")
endforeach()
file(WRITE "${OUT}" "${body}")
