dnl Finds out what the platform has, and chooses source files by it, so that lib/ needs no #if.

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

dnl Makes the choices that there are only on POSIX systems.
AC_DEFUN([FILELOCK_PLATFORM_POSIX], [
  filelock_platform=posix
  filelock_wakeup=pipe
  AC_CHECK_DECL([F_SETSIG], [filelock_mark=setsig], [filelock_mark=no], [[#include <fcntl.h>]])
  AS_VAR_IF([filelock_mark], [setsig], [AC_CHECK_FUNC([eventfd], [filelock_wakeup=eventfd])])
  AC_CHECK_FUNC([pipe2], [filelock_pipe=pipe2], [filelock_pipe=plain])
  AC_CHECK_FUNC([sem_clockwait], [filelock_sleep=yes], [filelock_sleep=no])
  AC_CHECK_FUNC([pthread_condattr_setclock], [filelock_cond=monotonic], [filelock_cond=realtime])
  AC_CHECK_DECL([CLOCK_BOOTTIME], [filelock_boot_clock=boottime], [filelock_boot_clock=monotonic], [[#include <time.h>]])
  AC_CHECK_FUNC([ppoll], [filelock_poll=ppoll], [filelock_poll=poll])

  AC_CHECK_MEMBER([struct stat.st_mtim], [filelock_mtim=st_mtim], [filelock_mtim=st_mtimespec],
    [[#include <sys/stat.h>]])
  AC_DEFINE_UNQUOTED([ST_MTIM], [$filelock_mtim], [The member of struct stat that tells when the data changed.])

  AC_CACHE_CHECK([for inotify and pidfd_open], [filelock_cv_inotify], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <sys/inotify.h>
#include <sys/syscall.h>]], [[return inotify_init1 (IN_CLOEXEC) + SYS_pidfd_open;]])],
      [filelock_cv_inotify=yes], [filelock_cv_inotify=no])])
  AC_CACHE_CHECK([for kqueue with events of unlocking], [filelock_cv_kqueue], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <fcntl.h>
#include <sys/types.h>
#include <sys/event.h>
#include <sys/param.h>
#include <sys/mount.h>]], [[return kqueue () + EVFILT_VNODE + EVFILT_PROC + EVFILT_USER + NOTE_FUNLOCK + O_EVTONLY +
      MNT_LOCAL;]])],
      [filelock_cv_kqueue=yes], [filelock_cv_kqueue=no])])
  AS_CASE([$filelock_cv_inotify:$filelock_cv_kqueue],
    [yes:*], [filelock_watch=inotify],
    [*:yes], [filelock_watch=kqueue; filelock_mark=kqueue],
    [filelock_watch=naps])
  AC_CACHE_CHECK([for libproc], [filelock_cv_libproc], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <libproc.h>]],
      [[struct proc_bsdinfo info;
        return proc_pidinfo (1, PROC_PIDTBSDINFO, 0, &info, (int) sizeof info) + proc_listallpids (0, 0);]])],
      [filelock_cv_libproc=yes], [filelock_cv_libproc=no])])

  AC_CACHE_CHECK([for O_TMPFILE], [filelock_cv_o_tmpfile], [
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <fcntl.h>]], [[return O_TMPFILE;]])],
      [filelock_cv_o_tmpfile=yes], [filelock_cv_o_tmpfile=no])])
  AC_CHECK_FUNC([sigtimedwait], [filelock_pending=timed], [filelock_pending=wait])
  AC_CACHE_CHECK([for renameat2], [filelock_cv_renameat2], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <fcntl.h>
#include <stdio.h>]], [[return renameat2 (AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE);]])],
      [filelock_cv_renameat2=function],
      [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <sys/syscall.h>]], [[return SYS_renameat2;]])],
        [filelock_cv_renameat2=syscall], [filelock_cv_renameat2=no])])])

  AC_CHECK_FUNC([statx], [filelock_statx=yes], [filelock_statx=no])
  AC_CHECK_FUNC([renamex_np], [filelock_renamex=yes], [filelock_renamex=no])

  dnl At the first cancellation glibc loads libgcc_s, and aborts if it cannot.  backtrace() tells whether it can.
  AC_CACHE_CHECK([for backtrace in libc], [filelock_cv_backtrace], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <execinfo.h>]],
      [[void *frame[1]; return backtrace (frame, 1);]])],
      [filelock_cv_backtrace=yes], [filelock_cv_backtrace=no])])

  AC_CACHE_CHECK([for probes by sys/sdt.h], [filelock_cv_sdt], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <sys/sdt.h>]], [[DTRACE_PROBE1 (filelock, wait, "");]])],
      [filelock_cv_sdt=yes], [filelock_cv_sdt=no])])

  dnl A compiler that does not know the attributes only warns: -Werror makes that a failure.
  AC_CACHE_CHECK([for constructors and destructors of C], [filelock_cv_constructor], [
    filelock_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror"
    AC_LINK_IFELSE([AC_LANG_SOURCE([[__attribute__ ((constructor (101))) static void loaded (void) {}
__attribute__ ((destructor (101))) static void unloaded (void) {}
int main (void) { return 0; }]])],
      [filelock_cv_constructor=yes], [filelock_cv_constructor=no])
    CFLAGS=$filelock_save_CFLAGS])

  AC_MSG_CHECKING([how the holder of a lock can be found])
  AS_CASE([$filelock_cv_libproc:$host_os],
    [yes:*], [filelock_owners=libproc],
    [*:linux*], [filelock_owners=/proc/locks],
    [filelock_owners=none])
  AC_MSG_RESULT([$filelock_owners])
])

dnl RtlGetLastNtStatus and NtQueryInformationFile are in ntdll.
AC_DEFUN([FILELOCK_PLATFORM_WINDOWS], [
  filelock_platform=windows
  filelock_wakeup=events; filelock_poll=objects; filelock_watch=notifications; filelock_owners=records
  AC_DEFINE([WIN32_LEAN_AND_MEAN], [1], [Leaves out of windows.h what this library does not use.])
  LIBS="-lntdll $LIBS"
])

AC_DEFUN([FILELOCK_CHECK_PLATFORM], [
  AS_VAR_IF([filelock_threads], [windows], [FILELOCK_PLATFORM_WINDOWS], [FILELOCK_PLATFORM_POSIX])
  AC_SUBST([FILELOCK_PLATFORM], [$filelock_platform])
  AS_VAR_IF([filelock_cv_sdt], [yes], [filelock_probes=sdt], [filelock_probes=fallback])
  AC_DEFINE_UNQUOTED([FLK_PROBES_FILE], ["system/probes_$filelock_probes.h"], [Defines the probes.])
  AM_CONDITIONAL([HAVE_SETSIG], [test "$filelock_mark" = setsig])
  AM_CONDITIONAL([HAVE_EVENTFD], [test $filelock_wakeup = eventfd])
  AM_CONDITIONAL([HAVE_PIPE2], [test "$filelock_pipe" = pipe2])
  AM_CONDITIONAL([HAVE_SEM_CLOCKWAIT], [test "$filelock_sleep" = yes])
  AM_CONDITIONAL([HAVE_CONDATTR_SETCLOCK], [test "$filelock_cond" = monotonic])
  AM_CONDITIONAL([HAVE_CLOCK_BOOTTIME], [test "$filelock_boot_clock" = boottime])
  AM_CONDITIONAL([HAVE_PPOLL], [test $filelock_poll = ppoll])
  AM_CONDITIONAL([HAVE_INOTIFY], [test $filelock_watch = inotify])
  AM_CONDITIONAL([HAVE_KQUEUE], [test $filelock_watch = kqueue])
  AM_CONDITIONAL([HAVE_STATX], [test "$filelock_statx" = yes])
  AM_CONDITIONAL([HAVE_RENAMEX], [test "$filelock_renamex" = yes])
  AM_CONDITIONAL([HAVE_RENAMEAT2], [test "$filelock_cv_renameat2" = function])
  AM_CONDITIONAL([HAVE_SIGTIMEDWAIT], [test "$filelock_pending" = timed])
  AM_CONDITIONAL([HAVE_SYS_RENAMEAT2], [test "$filelock_cv_renameat2" = syscall])
  AM_CONDITIONAL([HAVE_O_TMPFILE], [test "$filelock_cv_o_tmpfile" = yes])
  AM_CONDITIONAL([HAVE_BACKTRACE], [test "$filelock_cv_backtrace" = yes])
  AM_CONDITIONAL([HAVE_CONSTRUCTOR], [test "$filelock_cv_constructor" = yes])
  AM_CONDITIONAL([OWNERS_LIBPROC], [test $filelock_owners = libproc])
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
