dnl Looks for what the tests need besides Check: on Windows POSIX threads, and Wine in a cross build; else dlopen(3).

AC_DEFUN([FILELOCK_CHECK_RUNNER], [
  AM_COND_IF([WINDOWS], [
    FILELOCK_TEST_LIBS=-lpthread
    AS_VAR_IF([cross_compiling], [yes], [AC_CHECK_PROGS([WINE], [wine wine64])])])
  AC_SUBST([FILELOCK_TEST_LIBS])
  AC_CHECK_LIB([dl], [dlopen], [FILELOCK_LIBDL=-ldl])
  AC_SUBST([FILELOCK_LIBDL])
  AM_CONDITIONAL([WINE], [test -n "$WINE"])
])
