dnl Looks for the peers that the benchmarks compare libfilelock with.  Each of them is optional, and so is a
dnl C++ compiler: make bench measures what there is.

dnl FILELOCK_BENCH_SUBJECTS(name, have)
dnl Adds the subjects of bench/NAME.c: a conditional BENCH_NAME for the source, and a row for the table of subjects.
AC_DEFUN([FILELOCK_BENCH_SUBJECTS], [
  AS_VAR_IF([$2], [yes], [filelock_bench_subjects="$filelock_bench_subjects row ($1)"])
  AM_CONDITIONAL([BENCH_]m4_toupper([$1]), [test "$$2" = yes])
])

dnl FILELOCK_BENCH_CXX(have, description, flags, libraries, prologue, body)
dnl Sets the variable `have` to yes if this C++ program links; to no if it does not, or there is no C++ compiler.
AC_DEFUN([FILELOCK_BENCH_CXX], [
  AC_LANG_PUSH([C++])
  filelock_save_CXXFLAGS=$CXXFLAGS; filelock_save_LIBS=$LIBS
  CXXFLAGS="$CXXFLAGS $3"; LIBS="$4 $LIBS"
  AC_MSG_CHECKING([for $2])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([$5], [$6])], [$1=yes], [$1=no])
  AC_MSG_RESULT([$$1])
  CXXFLAGS=$filelock_save_CXXFLAGS; LIBS=$filelock_save_LIBS
  AC_LANG_POP([C++])
])

AC_DEFUN([FILELOCK_BENCH_LIBRARIES], [
  PKG_CHECK_MODULES([BENCH_LIBBSD], [libbsd], [filelock_bench_libbsd=yes], [filelock_bench_libbsd=no])
  FILELOCK_CHECK_LINKS([filelock_bench_libbsd], [$BENCH_LIBBSD_CFLAGS], [$BENCH_LIBBSD_LIBS], [bsd/libutil.h],
    [flopen ("", 0)])
  FILELOCK_BENCH_SUBJECTS([peer_libbsd], [filelock_bench_libbsd])

  PKG_CHECK_MODULES([BENCH_APR], [apr-1], [filelock_bench_apr=yes], [filelock_bench_apr=no])
  FILELOCK_CHECK_LINKS([filelock_bench_apr], [$BENCH_APR_CFLAGS], [$BENCH_APR_LIBS], [apr_file_io.h],
    [apr_file_unlock (NULL)])
  FILELOCK_BENCH_SUBJECTS([peer_apr], [filelock_bench_apr])

  filelock_bench_liblockfile=yes
  AC_SUBST([BENCH_LIBLOCKFILE_LIBS], [-llockfile])
  FILELOCK_CHECK_LINKS([filelock_bench_liblockfile], [], [$BENCH_LIBLOCKFILE_LIBS], [lockfile.h],
    [lockfile_create ("", 0, L_PID)])
  AS_VAR_IF([filelock_bench_liblockfile], [no], [BENCH_LIBLOCKFILE_LIBS=])
  FILELOCK_BENCH_SUBJECTS([peer_liblockfile], [filelock_bench_liblockfile])

  FILELOCK_BENCH_CXX([filelock_bench_boost], [Boost.Interprocess], [], [],
    [[#include <boost/date_time/posix_time/posix_time_types.hpp>
      #include <boost/interprocess/sync/file_lock.hpp>]],
    [[boost::interprocess::file_lock lock; (void) lock;]])
  FILELOCK_BENCH_SUBJECTS([peer_boost], [filelock_bench_boost])

  PKG_CHECK_MODULES([BENCH_QT], [Qt5Core], [filelock_bench_qt=yes], [filelock_bench_qt=no])
  AS_VAR_IF([filelock_bench_qt], [yes], [
    FILELOCK_BENCH_CXX([filelock_bench_qt], [QLockFile], [-fPIC $BENCH_QT_CFLAGS], [$BENCH_QT_LIBS],
      [[#include <QLockFile>]], [[QLockFile lock (QString ("")); lock.unlock ();]])])
  FILELOCK_BENCH_SUBJECTS([peer_qt], [filelock_bench_qt])
])

AC_DEFUN([FILELOCK_BENCH_PROGRAMS], [
  AC_PATH_PROG([BENCH_FLOCK], [flock])
  AC_DEFINE_UNQUOTED([BENCH_FLOCK], ["$BENCH_FLOCK"], [flock(1), "" where there is none.])

  dnl Debian's package python3-filelock is for /usr/bin/python3, which need not be the first python3 on the path.
  AC_CACHE_CHECK([for a Python that has filelock], [filelock_cv_bench_python], [
    filelock_cv_bench_python=none
    for filelock_python in /usr/bin/python3 `command -v python3`; do
      AS_IF([$filelock_python -c 'import filelock' >/dev/null 2>&1],
        [filelock_cv_bench_python=$filelock_python; break])
    done])
  AC_DEFINE_UNQUOTED([BENCH_PYTHON], ["$filelock_cv_bench_python"], [A Python that has filelock.])
  AS_VAR_IF([filelock_cv_bench_python], [none], [filelock_bench_python=no], [filelock_bench_python=yes])
  FILELOCK_BENCH_SUBJECTS([peer_python], [filelock_bench_python])
])

AC_DEFUN([FILELOCK_BENCH_PEERS], [
  AC_REQUIRE([AC_PROG_CXX])
  filelock_bench_subjects='row (raw_exists) row (ours) row (peer_program)'
  FILELOCK_BENCH_SUBJECTS([raw_flock], [filelock_cv_have_flock])
  FILELOCK_BENCH_SUBJECTS([raw_ofd], [filelock_cv_have_ofd])
  FILELOCK_BENCH_LIBRARIES
  FILELOCK_BENCH_PROGRAMS
  AC_DEFINE_UNQUOTED([BENCH_SUBJECTS(row)], [$filelock_bench_subjects], [A row for each file of subjects.])

  dnl The C++ compiler links the program only if there is C++ in it.
  AM_CONDITIONAL([BENCH_CXX], [test "$filelock_bench_boost$filelock_bench_qt" != nono])
  AC_CHECK_FUNC([mallinfo2], [filelock_mallinfo2=yes], [filelock_mallinfo2=no])
  AM_CONDITIONAL([HAVE_MALLINFO2], [test $filelock_mallinfo2 = yes])
])
