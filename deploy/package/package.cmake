# What `cmake --install` puts where, and the Debian package that cpack makes of it. deploy/build-package runs it.

set(CMAKE_INSTALL_SBINDIR sbin)
include(GNUInstallDirs)
set(doc_dir ${CMAKE_INSTALL_DATAROOTDIR}/doc/skein)
set(package_dir ${PROJECT_SOURCE_DIR}/deploy/package)
set(systemd_dir ${PROJECT_SOURCE_DIR}/deploy/systemd)

install(TARGETS skeind DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS skeinctl DESTINATION ${CMAKE_INSTALL_BINDIR})
file(GLOB units ${systemd_dir}/*.service ${systemd_dir}/*.socket)
install(FILES ${units} DESTINATION lib/systemd/system)
install(FILES ${systemd_dir}/skein.sysusers DESTINATION lib/sysusers.d RENAME skein.conf)
install(FILES ${systemd_dir}/skein.tmpfiles DESTINATION lib/tmpfiles.d RENAME skein.conf)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${doc_dir} FILES_MATCHING PATTERN "*.md")
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${package_dir}/debian/README.Debian DESTINATION ${doc_dir})
# What documents call deploy/ is examples/ here.
set(example_dir ${doc_dir}/examples)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/haproxy.cfg ${PROJECT_SOURCE_DIR}/deploy/nginx.conf
  ${PROJECT_SOURCE_DIR}/deploy/keepalived.conf DESTINATION ${example_dir})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/deploy/redis ${PROJECT_SOURCE_DIR}/deploy/prometheus
  ${PROJECT_SOURCE_DIR}/deploy/grafana DESTINATION ${example_dir})
install(PROGRAMS ${PROJECT_SOURCE_DIR}/deploy/rolling-restart DESTINATION ${example_dir})
# Not in the prefix: cpack puts it where a relocatable install would not.
install(FILES ${package_dir}/skein.yaml DESTINATION /etc/skein PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)

# What Debian wants beside it: compressed, without a time inside. Built by this target alone.
add_custom_target(debian_files)
function(install_compressed source name destination)
  set(out ${PROJECT_BINARY_DIR}/package/${name}.gz)
  add_custom_command(OUTPUT ${out} DEPENDS ${source}
    COMMAND sh -c "gzip -9n <'${source}' >'${out}'" VERBATIM)
  add_custom_target(debian_file_${name} DEPENDS ${out})
  add_dependencies(debian_files debian_file_${name})
  install(FILES ${out} DESTINATION ${destination})
endfunction()

set(CPACK_PACKAGE_NAME skein)
set(CPACK_PACKAGE_VENDOR "The Skein authors")
set(CPACK_PACKAGE_CONTACT "The Skein authors <maintainers@skein.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "highly available SMTP relay in a cluster")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "Skein takes mail from the applications and devices of an organisation and
hands it to its next hops. Several nodes keep every message in two
independent places, on a disk and in Redis, until it is delivered, and take
over from one that dies.
.
This package has the node (skeind), the tool of its operators (skeinctl) and
units for systemd.")
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(SKEIN_PACKAGE_RELEASE 1 CACHE STRING "revision of the Debian package")
set(CPACK_DEBIAN_PACKAGE_RELEASE ${SKEIN_PACKAGE_RELEASE})
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "init-system-helpers (>= 1.54), systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "dns-root-data")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-server, haproxy, winbind")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${package_dir}/debian/postinst ${package_dir}/debian/prerm
  ${package_dir}/debian/postrm ${package_dir}/debian/conffiles)

install(FILES ${package_dir}/debian/copyright DESTINATION ${doc_dir})
install(FILES ${package_dir}/debian/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/lintian/overrides RENAME skein)
# The programs write their manuals, and what completes command lines, by themselves.
install_compressed(${PROJECT_BINARY_DIR}/man/skeind.8 skeind.8 ${CMAKE_INSTALL_MANDIR}/man8)
install_compressed(${PROJECT_BINARY_DIR}/man/skeinctl.1 skeinctl.1 ${CMAKE_INSTALL_MANDIR}/man1)
add_dependencies(debian_file_skeind.8 skeind_manual)
add_dependencies(debian_file_skeinctl.1 skeinctl_manual)
function(install_completion shell destination name)
  set(out ${PROJECT_BINARY_DIR}/package/completion.${shell})
  add_custom_command(OUTPUT ${out} DEPENDS skeinctl
    COMMAND sh -c "$<TARGET_FILE:skeinctl> completion ${shell} >'${out}'" VERBATIM)
  add_custom_target(debian_completion_${shell} DEPENDS ${out})
  add_dependencies(debian_files debian_completion_${shell})
  install(FILES ${out} DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/${destination} RENAME ${name})
endfunction()
install_completion(bash bash-completion/completions skeinctl)
install_completion(zsh zsh/vendor-completions _skeinctl)
configure_file(${package_dir}/debian/changelog.in ${PROJECT_BINARY_DIR}/package/changelog @ONLY)
install_compressed(${PROJECT_BINARY_DIR}/package/changelog changelog.Debian ${doc_dir})
