dnl Looks for the libraries with event loops, each of which an example uses.  None of them is needed.

dnl FILELOCK_CHECK_LOOP(name, module, header, call)
dnl Sets a conditional EXAMPLES_NAME, true if the library can be used, and what it takes to compile and link with it.
AC_DEFUN([FILELOCK_CHECK_LOOP], [
  PKG_CHECK_MODULES([EXAMPLES_]m4_toupper([$1]), [$2], [filelock_loop_$1=yes], [filelock_loop_$1=no])
  FILELOCK_CHECK_LINKS([filelock_loop_$1], [$EXAMPLES_]m4_toupper([$1])[_CFLAGS], [$EXAMPLES_]m4_toupper([$1])[_LIBS],
    [$3], [$4])
  AM_CONDITIONAL([EXAMPLES_]m4_toupper([$1]), [test "$filelock_loop_$1" = yes])
])

AC_DEFUN([FILELOCK_CHECK_LOOPS], [
  FILELOCK_CHECK_LOOP([libuv], [libuv], [uv.h], [uv_default_loop ()])
  FILELOCK_CHECK_LOOP([glib], [glib-2.0 >= 2.36], [glib-unix.h], [g_unix_fd_add (0, G_IO_IN, NULL, NULL)])
])
