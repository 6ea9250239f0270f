install(TARGETS tuskfs RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES docs/tuskfs.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/mount.fuse.tuskfs.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)

# The helper that `mount -t fuse.tuskfs` and fstab call is the same binary by another name. mount(8)
# looks for it in /sbin only, whatever the prefix: an installation into the system gets a link there.
install(CODE "
  set(bin \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/tuskfs\")
  set(folders \"\${CMAKE_INSTALL_PREFIX}/sbin\")
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr/local\")
    list(APPEND folders /usr/sbin)
  endif()
  foreach(folder IN LISTS folders)
    message(STATUS \"Linking: \$ENV{DESTDIR}\${folder}/mount.fuse.tuskfs\")
    file(MAKE_DIRECTORY \"\$ENV{DESTDIR}\${folder}\")
    file(CREATE_LINK \"\${bin}\" \"\$ENV{DESTDIR}\${folder}/mount.fuse.tuskfs\" SYMBOLIC)
  endforeach()
")
