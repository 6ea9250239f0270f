# The mount helper that `mount -t fuse.tuskfs` and fstab call is the same binary by another name.
install(TARGETS tuskfs RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(CODE "
  file(MAKE_DIRECTORY \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/sbin\")
  file(CREATE_LINK \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/tuskfs\"
       \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/sbin/mount.fuse.tuskfs\" SYMBOLIC)
")
