dnl Features of compiler and linker.  None of them is needed; each is used where it is there.

AC_DEFUN([FILELOCK_TRY_CFLAG], [
  AS_VAR_PUSHDEF([cache], [filelock_cv_cflag_$1])
  AC_CACHE_CHECK([whether $CC takes $1], [cache], [
    filelock_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $1"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
    CFLAGS=$filelock_save_CFLAGS])
  AS_VAR_IF([cache], [yes], [$2="$$2 $1"])
  AS_VAR_POPDEF([cache])
])

dnl Every build has the warnings.  They are errors only with --enable-werror, as in CI.
AC_DEFUN([FILELOCK_CHECK_WARNINGS], [
  m4_foreach_w([flag], [-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes],
    [FILELOCK_TRY_CFLAG(flag, [FILELOCK_CFLAGS])])
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [make compiler warnings errors])],
    [AS_VAR_IF([enableval], [yes], [FILELOCK_CFLAGS="$FILELOCK_CFLAGS -Werror"])])
  AC_SUBST([FILELOCK_CFLAGS])

  FILELOCK_TRY_CFLAG([-fvisibility=hidden], [FILELOCK_LIB_CFLAGS])
  dnl Cancelling a thread unwinds its stack.  On some architectures the compiler writes the tables for that only
  dnl if it is asked to.
  AS_VAR_IF([filelock_threads], [pthread], [
    FILELOCK_TRY_CFLAG([-fexceptions], [FILELOCK_LIB_CFLAGS])
    FILELOCK_TRY_CFLAG([-fasynchronous-unwind-tables], [FILELOCK_LIB_CFLAGS])])
  AC_SUBST([FILELOCK_LIB_CFLAGS])
])

AC_DEFUN([FILELOCK_TRY_LDFLAG], [
  AC_CACHE_CHECK([whether the linker takes $1], [$2], [
    filelock_save_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS $1"
    AC_LINK_IFELSE([AC_LANG_PROGRAM], [$2=yes], [$2=no])
    LDFLAGS=$filelock_save_LDFLAGS])
])

AC_DEFUN([FILELOCK_CHECK_LINKER], [
  AC_CACHE_CHECK([whether the linker takes a version script], [filelock_cv_version_script], [
    echo 'T_1 { global: main; local: *; };' >conftest.map
    filelock_save_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS -Wl,--version-script=conftest.map"
    AC_LINK_IFELSE([AC_LANG_PROGRAM], [filelock_cv_version_script=yes], [filelock_cv_version_script=no])
    dnl A linker of another format may ignore the option: then it takes what is no version script too.
    echo 'T_1 { global: main' >conftest.map
    AC_LINK_IFELSE([AC_LANG_PROGRAM], [filelock_cv_version_script=no])
    LDFLAGS=$filelock_save_LDFLAGS
    rm -f conftest.map])
  filelock_version_script=$filelock_cv_version_script
  AM_CONDITIONAL([HAVE_VERSION_SCRIPT], [test $filelock_version_script = yes])

  dnl At the end of a thread, and at fork, the system calls functions of the library: it must not be unloaded.
  FILELOCK_TRY_LDFLAG([-Wl,-z,nodelete], [filelock_cv_nodelete])
  AS_VAR_IF([filelock_cv_nodelete], [yes], [FILELOCK_LIB_LDFLAGS="-Wl,-z,nodelete"])
  dnl On some machines libgcc does 64-bit division.  Without this flag the DLL would need the DLL of libgcc for it.
  AS_VAR_IF([filelock_threads], [windows], [FILELOCK_LIB_LDFLAGS="$FILELOCK_LIB_LDFLAGS -Wc,-static-libgcc"])
  AC_SUBST([FILELOCK_LIB_LDFLAGS])
])

dnl Library, tool and tests get the same flag, because all of them must use one run-time library.
AC_DEFUN([FILELOCK_ENABLE_SANITIZER], [
  AC_ARG_ENABLE([sanitizer],
    [AS_HELP_STRING([--enable-sanitizer=LIST], [build with -fsanitize=LIST (address,undefined or thread)])],
    [], [enable_sanitizer=no])
  AS_CASE([$enable_sanitizer],
    [no], [],
    [yes], [AC_MSG_ERROR([--enable-sanitizer wants a list, as address,undefined])],
    [FILELOCK_CFLAGS="$FILELOCK_CFLAGS -fsanitize=$enable_sanitizer -fno-sanitize-recover=all -fno-omit-frame-pointer"])
  AM_CONDITIONAL([THREAD_SANITIZER], [test "$enable_sanitizer" = thread])
])
