#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cxx.sh - <filelock.hpp> compiles with warnings as errors in every dialect from C++11 on, and tests/cxx.cc passes.
# Needs CXX, LIBRARY (libfilelock.la) and srcdir in the environment, as make check has them.
scratch=`mktemp -d` || exit 99
trap 'rm -rf "$scratch"' EXIT
failed=0 tried=0
source=`cd "${srcdir:-.}" && pwd`
: "${CXX:=c++}"
strict="-pedantic-errors -Wall -Wextra -Werror -Wundef -Wconversion -Wshadow -Wold-style-cast"

say_skipped() {
    echo "SKIP: tests/cxx.sh: $1"
    test -z "$FILELOCK_TEST_CONSOLE" || echo "SKIP: tests/cxx.sh: $1" >&9
}

# Programs can be run only if the C++ compiler makes them for the library's machine, and with the library's sanitizer.
build=${LIBRARY_IS##* }
case $LIBRARY_IS in
*sanitize*) runnable=no ;;
*) runnable=yes ;;
esac
test "${build%%=*}" = "${build#*=}" || runnable=no

# runs DIALECT: the program's tests.
runs() {
    mkdir "$scratch/$1" &&
    ./libtool --silent --tag=CXX --mode=link $CXX $CXXFLAGS -o "$scratch/$1.bin" "$scratch/$1.o" "$LIBRARY" -lpthread &&
    (here=`pwd` && cd "$scratch/$1" && "$here/libtool" --mode=execute "$scratch/$1.bin")
}

for dialect in c++11 c++14 c++17 c++20; do
    echo 'int nothing;' >"$scratch/empty.cc"
    if ! $CXX -std=$dialect -c "$scratch/empty.cc" -o "$scratch/empty.o" >/dev/null 2>&1; then
        say_skipped "no C++ compiler that has -std=$dialect"
        continue
    fi
    tried=1
    if $CXX $CXXFLAGS -std=$dialect $strict -I"$source/include" -c "$source/tests/cxx.cc" -o "$scratch/$dialect.o" &&
       { test $runnable = no || runs $dialect; }; then
        echo "PASS: $CXX -std=$dialect"
    else
        echo "FAIL: $CXX -std=$dialect"
        failed=1
    fi
done
test $tried -eq 1 || exit 77
exit $failed
