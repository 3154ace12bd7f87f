dnl What the tests of a build for Windows want besides Check.

AC_DEFUN([FILELOCK_CHECK_RUNNER], [
  AM_COND_IF([WINDOWS], [
    dnl Check's own header passes %jd to a printf() that knows none.
    FILELOCK_TEST_CFLAGS="-Wno-format -Wno-format-extra-args -Wno-pedantic-ms-format"
    FILELOCK_TEST_LIBS=-lpthread
    AS_VAR_IF([cross_compiling], [yes], [AC_CHECK_PROGS([WINE], [wine wine64])])])
  AC_SUBST([FILELOCK_TEST_CFLAGS])
  AC_SUBST([FILELOCK_TEST_LIBS])
  AM_CONDITIONAL([WINE], [test -n "$WINE"])
])
