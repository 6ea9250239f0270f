# cmake -DIN=sql/queries -DOUT=queries.inc [-DONLY=*.sql] -P EmbedText.cmake
# Writes one {"name.sql", R"(text)"} initialiser per file, sorted by name.
if(NOT ONLY)
  set(ONLY "*")
endif()
file(GLOB files "${IN}/${ONLY}")
list(SORT files)
set(body "")
foreach(path IN LISTS files)
  file(READ "${path}" text)
  get_filename_component(name "${path}" NAME)
  string(APPEND body "{\"${name}\", R\"__sql__(${text})__sql__\"},\n")
endforeach()
file(WRITE "${OUT}" "${body}")
