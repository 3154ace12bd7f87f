dnl What the platform has, turned into the choice of source files: no #if in lib/.

AC_DEFUN([FILELOCK_CHECK_THREADS], [
  AC_REQUIRE([AC_CANONICAL_HOST])
  filelock_threads=no
  AS_CASE([$host_os],
    [mingw*], [filelock_threads=windows],
    [msys*|cygwin*], [AC_MSG_ERROR([Windows is supported by mingw-w64: configure with --host=x86_64-w64-mingw32])],
    [AC_SEARCH_LIBS([pthread_create], [pthread], [filelock_threads=pthread],
      [AC_MSG_ERROR([POSIX threads are needed])])])
  AM_CONDITIONAL([WINDOWS], [test $filelock_threads = windows])
])

dnl What is chosen between on a POSIX system only.
AC_DEFUN([FILELOCK_PLATFORM_POSIX], [
  filelock_platform=posix
  AC_CHECK_FUNC([eventfd], [filelock_wakeup=eventfd], [filelock_wakeup=pipe])
  AC_CHECK_FUNC([pipe2], [filelock_pipe=pipe2], [filelock_pipe=plain])
  AC_CHECK_FUNC([sem_clockwait], [filelock_sleep=yes], [filelock_sleep=no])
  AC_CHECK_FUNC([pthread_condattr_setclock], [filelock_cond=monotonic], [filelock_cond=realtime])
  AC_CHECK_FUNC([ppoll], [filelock_poll=ppoll], [filelock_poll=poll])

  AC_CACHE_CHECK([for inotify and pidfd_open], [filelock_cv_inotify], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <sys/inotify.h>
#include <sys/syscall.h>]], [[return inotify_init1 (IN_CLOEXEC) + SYS_pidfd_open;]])],
      [filelock_cv_inotify=yes], [filelock_cv_inotify=no])])
  AS_VAR_IF([filelock_cv_inotify], [yes], [filelock_watch=inotify], [filelock_watch=naps])

  AC_CACHE_CHECK([for O_TMPFILE], [filelock_cv_o_tmpfile], [
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <fcntl.h>]], [[return O_TMPFILE;]])],
      [filelock_cv_o_tmpfile=yes], [filelock_cv_o_tmpfile=no])])
  AC_CACHE_CHECK([for renameat2], [filelock_cv_renameat2], [
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <sys/syscall.h>]], [[return SYS_renameat2;]])],
      [filelock_cv_renameat2=yes], [filelock_cv_renameat2=no])])

  dnl glibc loads libgcc_s at the first cancellation, and aborts where it cannot.
  AC_CACHE_CHECK([for backtrace in libc], [filelock_cv_backtrace], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <execinfo.h>]],
      [[void *frame[1]; return backtrace (frame, 1);]])],
      [filelock_cv_backtrace=yes], [filelock_cv_backtrace=no])])

  AC_MSG_CHECKING([how the holder of a lock can be found])
  AS_CASE([$host_os],
    [linux*], [filelock_owners=/proc/locks],
    [filelock_owners=none])
  AC_MSG_RESULT([$filelock_owners])
])

dnl RtlGetLastNtStatus and NtQueryInformationFile are ntdll's.
AC_DEFUN([FILELOCK_PLATFORM_WINDOWS], [
  filelock_platform=windows
  filelock_wakeup=events; filelock_poll=objects; filelock_watch=notifications; filelock_owners=records
  AC_DEFINE([WIN32_LEAN_AND_MEAN], [1], [Windows without what nobody wants.])
  LIBS="-lntdll $LIBS"
])

AC_DEFUN([FILELOCK_CHECK_PLATFORM], [
  AS_VAR_IF([filelock_threads], [windows], [FILELOCK_PLATFORM_WINDOWS], [FILELOCK_PLATFORM_POSIX])
  AC_SUBST([FILELOCK_PLATFORM], [$filelock_platform])
  AM_CONDITIONAL([HAVE_EVENTFD], [test $filelock_wakeup = eventfd])
  AM_CONDITIONAL([HAVE_PIPE2], [test "$filelock_pipe" = pipe2])
  AM_CONDITIONAL([HAVE_SEM_CLOCKWAIT], [test "$filelock_sleep" = yes])
  AM_CONDITIONAL([HAVE_CONDATTR_SETCLOCK], [test "$filelock_cond" = monotonic])
  AM_CONDITIONAL([HAVE_PPOLL], [test $filelock_poll = ppoll])
  AM_CONDITIONAL([HAVE_INOTIFY], [test $filelock_watch = inotify])
  AM_CONDITIONAL([HAVE_RENAMEAT2], [test "$filelock_cv_renameat2" = yes])
  AM_CONDITIONAL([HAVE_O_TMPFILE], [test "$filelock_cv_o_tmpfile" = yes])
  AM_CONDITIONAL([HAVE_BACKTRACE], [test "$filelock_cv_backtrace" = yes])
  AM_CONDITIONAL([OWNERS_PROC], [test $filelock_owners = /proc/locks])
])

dnl FILELOCK_CHECK_LINKS(variable, cflags, libs, header, call)
dnl Turns the variable from yes to no unless the call compiles and links.
AC_DEFUN([FILELOCK_CHECK_LINKS], [
  AS_VAR_IF([$1], [yes], [
    filelock_save_CFLAGS=$CFLAGS; filelock_save_LIBS=$LIBS
    CFLAGS="$CFLAGS $2"; LIBS="$3 $LIBS"
    AC_MSG_CHECKING([whether $4 can be used])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <$4>]], [[(void) $5;]])], [], [$1=no])
    AC_MSG_RESULT([$$1])
    CFLAGS=$filelock_save_CFLAGS; LIBS=$filelock_save_LIBS
  ])
])
