#!/bin/sh
# SPDX-License-Identifier: MIT
#
# wine.sh - runs a program for Windows by Wine:  wine.sh [--suite] PROGRAM [ARGUMENT...]  make check runs each suite of
# a cross build by it (LOG_COMPILER), in the build directory.  Scripts use it for the tool and the examples.  It needs
# what make check has in the environment: WINE and CC; and abs_builddir, if it is not run in the build directory.
#
# Drive C is also the share \\localhost\C$, as on Windows.
#
# Libtool's own way (execute mode) does not work under Wine.  So the program is looked for in .libs, and Wine finds the
# library and the compiler's DLLs by WINEPATH.  WINEPREFIX is set up once, before the first use: wine.sh --prepare.
set -u

: "${WINE:=wine}" "${CC:=x86_64-w64-mingw32-gcc}"
build=${abs_builddir:-`pwd`}
: "${WINEPREFIX:=$build/tests/wineprefix}"
WINEDEBUG=-all
WINEDLLOVERRIDES=mscoree,mshtml=
DISPLAY=
export WINEPREFIX WINEDEBUG WINEDLLOVERRIDES DISPLAY

share() { # Wine has shares in a directory: this share is a link there
    mkdir -p "$WINEPREFIX/dosdevices/unc/localhost" || exit 99
    ln -sfn ../../../drive_c "$WINEPREFIX/dosdevices/unc/localhost/c\$" || exit 99
}

if test "${1-}" = --prepare; then
    test ! -e "$WINEPREFIX/system.reg" || { share && exit 0; }
    mkdir -p "$WINEPREFIX" || exit 99
    timeout 300 $WINE wineboot --init </dev/null >"$WINEPREFIX/log" 2>&1 || { cat "$WINEPREFIX/log"; exit 99; }
    for second in `seq 120`; do # the file is written when the last process of Wine has ended
        test ! -e "$WINEPREFIX/system.reg" || { share && exit 0; }
        sleep 1
    done
    echo "wine.sh: $WINE has not set up $WINEPREFIX, since $second s"
    exit 99
fi

suite=
if test "${1-}" = --suite; then
    suite=yes
    shift
fi
program=$1
shift
directory=`dirname "$program"`
name=`basename "$program"`
case $name in
*.exe) ;;
*) name=$name.exe ;;
esac
test ! -f "$directory/.libs/$name" || directory=$directory/.libs
WINEPATH=Z:$build/.libs
for dll in libwinpthread-1.dll libgcc_s_seh-1.dll libgcc_s_dw2-1.dll; do
    file=`$CC -print-file-name=$dll`
    case $file in
    /*) WINEPATH="$WINEPATH;Z:`dirname "$file"`" ;;
    esac
done
export WINEPATH

# A suite says on its output what it skips, because descriptors above 2 do not get through to it.
unset FILELOCK_TEST_CONSOLE
if test -n "$suite"; then
    out=`mktemp` || exit 99
    trap 'rm -f "$out"' EXIT
    timeout -k 10 "${FILELOCK_TEST_LIMIT:-900}" $WINE "$directory/$name" "$@" </dev/null >"$out" 2>&1
    status=$?
    cat "$out"
    grep '^SKIP: ' "$out" >&9
    exit $status
fi
exec $WINE "$directory/$name" "$@"
