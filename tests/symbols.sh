#!/bin/sh
# SPDX-License-Identifier: MIT
#
# symbols.sh - the library exports exactly what its headers declare, and the version script names exactly that.  No
# global symbol of the static library can clash with a program's.  Needs NM, OBJDUMP (for a DLL) and srcdir in the
# environment, as make check has them.  Runs in the build directory.
include=${srcdir:-.}/include
map=${srcdir:-.}/lib/filelock.map
scratch=`mktemp -d` || exit 99
trap 'rm -rf "$scratch"' EXIT
failed=0

say_skipped() {
    echo "SKIP: tests/symbols.sh: $1"
    test -z "$FILELOCK_TEST_CONSOLE" || echo "SKIP: tests/symbols.sh: $1" >&9
}

# same WHAT FILE: passes if the names in FILE are those that the header declares.
same() {
    if diff "$scratch/header" "$2" >"$scratch/diff"; then
        echo "PASS: $1"
    else
        echo "FAIL: $1 differs from the header (<):"
        cat "$scratch/diff"
        failed=1
    fi
}

# A declaration may break after the type, so all headers are made one line, without its comments.
cat "$include/filelock.h" "$include/filelock-provider.h" | tr '\n' ' ' | sed 's:/\*:\n/*:g; s:\*/:*/\n:g' | grep -v '^/\*' | tr '\n' ' ' >"$scratch/code"
grep -o 'FILELOCK_API [^;(]*(' "$scratch/code" | grep -o 'filelock_[a-z0-9_]*(' | tr -d '(' |
    sort >"$scratch/header"
if test "$(wc -l <"$scratch/header")" -lt 10; then
    echo "FAIL: cannot read the header"
    exit 1
fi

grep -o 'filelock_[a-z0-9_]*(' "$scratch/code" | tr -d '(' | sort -u >"$scratch/functions"
same "what is declared, with FILELOCK_API or without," "$scratch/functions"

grep -o '^[[:space:]]*filelock_[a-z0-9_]*;' "$map" | tr -d ' \t;' | sort >"$scratch/map"
same "the version script" "$scratch/map"

shared=
for file in .libs/libfilelock.so .libs/libfilelock.dylib .libs/libfilelock-0.dll; do
    test ! -f $file || shared=$file
done
# Prints the names that a DLL exports.  Its table has "[   0] name", or has an ordinal and a hint before the name.
exports_of_dll() {
    ${OBJDUMP:-objdump} -p "$1" | sed -n '/Name Pointer. Table/,/^$/p' |
        sed -n 's/^[[:space:]]*\[ *[0-9][0-9]*\] *\(+base\[ *[0-9]*\] *[0-9a-f]* *\)*//p' | sort -u
}

if test "${shared%.dll}" != "$shared"; then
    exports_of_dll $shared >"$scratch/shared"
    same "the DLL" "$scratch/shared"
elif test -n "$shared"; then
    case $shared in
    *.so) ${NM:-nm} -D --defined-only $shared ;;
    *) ${NM:-nm} -gU $shared | sed 's/ _/ /' ;;
    esac | awk 'NF >= 3 && $2 != "A" { print $3 }' | sed 's/@.*//' | sort -u |
        grep -v -x -e _init -e _fini -e _edata -e _end -e __bss_start >"$scratch/shared"
    same "the shared library" "$scratch/shared"
else
    say_skipped "there is no shared library here"
fi

# A name with a dot in it is the compiler's own.
if test -f .libs/libfilelock.a; then
    ${NM:-nm} -g .libs/libfilelock.a 2>/dev/null | awk 'NF >= 3 && $2 !~ /[Uw]/ && $3 !~ /[.]/ { print $3 }' |
        sed 's/^_\(filelock\|flk\)/\1/' | sort -u >"$scratch/static"
    grep -v -e '^filelock_' -e '^flk_' "$scratch/static" >"$scratch/foreign"
    grep '^filelock_' "$scratch/static" >"$scratch/public"
    same "what the static library has by the public prefix" "$scratch/public"
    if test -s "$scratch/foreign"; then
        echo "FAIL: globals of the static library without the prefix filelock_ or flk_:"
        cat "$scratch/foreign"
        failed=1
    fi
else
    say_skipped "there is no static library here"
fi
exit $failed
