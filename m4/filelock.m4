# filelock.m4 - finds libfilelock, for the configure.ac of a program that uses it        -*- Autoconf -*-
# serial 1
#
# SPDX-License-Identifier: MIT
#
# FILELOCK_CHECK([minimum-version], [if-found], [if-not-found])
#
# Looks for libfilelock by pkg-config.  Then compiles and links a program with it: this shows that the
# library is of the right architecture.  Sets and substitutes FILELOCK_CFLAGS and FILELOCK_LIBS, which
# a user can preset.  If the library is not found and if-not-found is empty, configure ends with an
# error that says what is missing.
#
#   FILELOCK_CHECK([0.1])                                    # the program needs it
#   FILELOCK_CHECK([0.1], [have_lock=yes], [have_lock=no])   # the program uses it if it is there
AC_DEFUN([FILELOCK_CHECK], [
  m4_ifndef([PKG_CHECK_MODULES], [m4_fatal([FILELOCK_CHECK needs pkg.m4: install pkg-config or pkgconf])])
  filelock_found=no
  filelock_missing="libfilelock m4_ifval([$1], [$1 or newer ])was not found by pkg-config"
  PKG_CHECK_MODULES([FILELOCK], [filelock m4_ifval([$1], [>= $1])], [filelock_found=yes], [:])
  AS_VAR_IF([filelock_found], [yes], [
    filelock_save_CPPFLAGS=$CPPFLAGS # not CFLAGS: a check in C++ uses CPPFLAGS, too
    filelock_save_LIBS=$LIBS
    CPPFLAGS="$CPPFLAGS $FILELOCK_CFLAGS"
    LIBS="$FILELOCK_LIBS $LIBS"
    AC_MSG_CHECKING([whether libfilelock can be linked])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <filelock.h>]], [[return filelock_version () == 0;]])], [],
      [filelock_found=no
       filelock_missing="libfilelock was found, but a program could not be linked with it: see config.log"])
    AC_MSG_RESULT([$filelock_found])
    CPPFLAGS=$filelock_save_CPPFLAGS
    LIBS=$filelock_save_LIBS
  ])
  AS_VAR_IF([filelock_found], [yes], [m4_default([$2], [:])],
    [m4_default([$3], [AC_MSG_ERROR([$filelock_missing])])])
])
