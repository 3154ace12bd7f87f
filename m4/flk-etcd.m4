dnl libfilelock-etcd, which needs libcurl and jansson.  The core library needs neither.

AC_DEFUN([FILELOCK_CHECK_ETCD], [
  AC_ARG_WITH([etcd],
    [AS_HELP_STRING([--with-etcd=auto|yes|no],
      [build libfilelock-etcd, on libcurl and jansson @<:@auto@:>@])],
    [], [with_etcd=auto])
  AS_CASE([$with_etcd], [auto|yes|no], [], [AC_MSG_ERROR([--with-etcd=$with_etcd: not one of auto, yes, no])])
  filelock_have_etcd=no
  AS_IF([test "$with_etcd" != no && test "$filelock_threads" = pthread], [
    PKG_CHECK_MODULES([ETCD], [libcurl >= 7.68 jansson >= 2.11], [filelock_have_etcd=yes], [filelock_have_etcd=no])
    dnl In a cross build, pkg-config may find the libraries of the build machine.
    FILELOCK_CHECK_LINKS([filelock_have_etcd], [$ETCD_CFLAGS], [$ETCD_LIBS],
      [curl/curl.h], [curl_global_init (0)])
    AC_CHECK_FUNC([pipe2], [], [filelock_have_etcd=no])])
  AS_IF([test "$with_etcd/$filelock_have_etcd" = yes/no],
    [AC_MSG_ERROR([--with-etcd=yes: this needs threads of POSIX, pipe2, libcurl 7.68 and jansson 2.11])])
  AM_CONDITIONAL([ETCD], [test "$filelock_have_etcd" = yes])
  AC_SUBST([LIBFILELOCK_ETCD_VERSION_INFO], [0:0:0])
])
