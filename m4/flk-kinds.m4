dnl Finds out which kinds of lock this platform has, and chooses the default.

dnl FILELOCK_KIND(name, class, probe)
dnl The probe sets filelock_cv_have_NAME.  If the platform has the kind, its source is linked (automake conditional
dnl KIND_NAME), and it gets a row in the table of kinds (LINKED_KINDS in config.h).
AC_DEFUN([FILELOCK_KIND], [
  $3
  filelock_known="$filelock_known known (m4_toupper([$1]), $1)"
  m4_if([$2], [os], [m4_append([FILELOCK_OS_KINDS], [$1], [, ])filelock_os_known="$filelock_os_known $1"])
  AS_VAR_IF([filelock_cv_have_$1], [yes], [
    filelock_kinds_found="$filelock_kinds_found $1"
    filelock_rows="$filelock_rows m4_if([$2], [os], [os_row], [row]) ($1)"
    m4_if([$2], [os], [filelock_os_kinds="$filelock_os_kinds $1"])
  ], [filelock_kinds_missing="$filelock_kinds_missing $1"])
  AM_CONDITIONAL([KIND_]m4_toupper([$1]), [test "$filelock_cv_have_$1" = yes])
])

AC_DEFUN([FILELOCK_PROBE_FLOCK], [
  AC_CACHE_CHECK([for flock], [filelock_cv_have_flock], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <sys/file.h>]],
      [[return flock (0, LOCK_EX | LOCK_NB);]])],
      [filelock_cv_have_flock=yes], [filelock_cv_have_flock=no])])
])

dnl The check links, and does not run: if the kernel lacks these locks, the library finds out when it runs.
AC_DEFUN([FILELOCK_PROBE_OFD], [
  AC_CACHE_CHECK([for fcntl open-file-description locks], [filelock_cv_have_ofd], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <fcntl.h>]],
      [[struct flock range = { 0 };
        return fcntl (0, F_OFD_SETLK, &range) + F_OFD_SETLKW + F_OFD_GETLK;]])],
      [filelock_cv_have_ofd=yes], [filelock_cv_have_ofd=no])])
])

AC_DEFUN([FILELOCK_PROBE_WIN32], [
  AC_CACHE_CHECK([for LockFileEx], [filelock_cv_have_win32], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <windows.h>]],
      [[OVERLAPPED at = { 0 };
        return LockFileEx (0, LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &at);]])],
      [filelock_cv_have_win32=yes], [filelock_cv_have_win32=no])])
])

dnl Chooses the operating-system lock that the user names, or else the first that was found.
AC_DEFUN([FILELOCK_CHOOSE_BACKEND], [
  AC_ARG_WITH([backend],
    [AS_HELP_STRING([--with-backend=KIND],
      [what FILELOCK_KIND_DEFAULT means: ]m4_defn([FILELOCK_OS_KINDS])[ or auto @<:@auto@:>@])],
    [], [with_backend=auto])
  AS_CASE([$with_backend],
    [auto|yes], [set dummy $filelock_os_kinds; filelock_default=$[2]],
    [AS_CASE([" $filelock_os_known "],
      [*" $with_backend "*], [],
      [AC_MSG_ERROR([--with-backend=$with_backend: not one of ]m4_defn([FILELOCK_OS_KINDS])[, auto])])
    AS_CASE([" $filelock_os_kinds "],
      [*" $with_backend "*], [filelock_default=$with_backend],
      [AC_MSG_ERROR([--with-backend=$with_backend: this platform lacks it (it has:${filelock_os_kinds:- none})])])])
  AS_IF([test -z "$filelock_default"],
    [AC_MSG_ERROR([this platform has none of flock, fcntl open-file-description locks and LockFileEx])])
  filelock_kinds_found=`echo $filelock_kinds_found`
  filelock_kinds_missing=`echo ${filelock_kinds_missing:-nothing}`
  AC_DEFINE_UNQUOTED([LINKED_KINDS(os_row, row)], [$filelock_rows], [A row for each kind that is linked.])
  AC_DEFINE_UNQUOTED([KNOWN_KINDS(known)], [$filelock_known], [Constant and name of each kind that there is, linked or not.])
  AC_DEFINE_UNQUOTED([DEFAULT_KIND], [flk_kind_$filelock_default], [What FILELOCK_KIND_DEFAULT means.])
])

dnl A marker needs nothing but a file system.
AC_DEFUN([FILELOCK_PROBE_SOFT], [filelock_cv_have_soft=yes])

dnl A lease is a marker that a thread renews.  That is not written for Windows.
AC_DEFUN([FILELOCK_PROBE_LEASE], [
  AS_VAR_IF([filelock_threads], [pthread], [filelock_cv_have_lease=yes], [filelock_cv_have_lease=no])
])
