#!/bin/sh
# SPDX-License-Identifier: MIT
#
# header.sh - each header compiles alone, with warnings as errors, in every dialect that may include it.  Needs CC, CXX
# and srcdir in the environment, as make check has them.
scratch=`mktemp -d` || exit 99
trap 'rm -rf "$scratch"' EXIT
failed=0

say_skipped() {
    echo "SKIP: tests/header.sh: $1"
    test -z "$FILELOCK_TEST_CONSOLE" || echo "SKIP: tests/header.sh: $1" >&9
}

# Uses what the header has, because some of it expands only when it is used.
cat >"$scratch/use.c" <<'END'
#include <filelock.h>
#include <filelock.h>
#include <filelock-provider.h>
#include <filelock-provider.h>
#include <filelock-etcd.h>
#include <filelock-etcd.h>
int use(struct filelock **lock);
int use(struct filelock **lock)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock_etcd_options etcd = FILELOCK_ETCD_OPTIONS_INIT;
    struct filelock_owner owner;
    if (etcd.user != 0)
        return 0;
    owner.size = sizeof(owner);
    options.flags = FILELOCK_ANY_THREAD | FILELOCK_FORK_SHARE | FILELOCK_KEEP_ON_EXEC | FILELOCK_UNLINK |
                    FILELOCK_MAKE_PARENTS | FILELOCK_FOLLOW_SYMLINK | FILELOCK_INTERRUPTIBLE |
                    FILELOCK_RECORD_OWNER | FILELOCK_NEVER_BREAK;
    options.cancel = FILELOCK_NO_WAITABLE;
    if (filelock_new(lock, "path", &options) == 0 &&
        filelock_acquire(*lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER) == 0)
        return filelock_owner(*lock, &owner);
    return FILELOCK_VERSION_MAJOR + FILELOCK_VERSION_MINOR + FILELOCK_VERSION_PATCH;
}
END
cp "$scratch/use.c" "$scratch/use.cc"

# try COMPILER LANGUAGE-OPTIONS...
try() {
    compiler=$1
    shift
    if ! $compiler "$@" >"$scratch/log" 2>&1; then
        echo "FAIL: $compiler $*"
        cat "$scratch/log"
        failed=1
    else
        echo "PASS: $compiler $*"
    fi
}

# takes COMPILER OPTION SUFFIX: true if the compiler knows the dialect.
takes() {
    echo 'int nothing;' >"$scratch/empty.$3"
    $1 $2 -c "$scratch/empty.$3" -o "$scratch/empty.o" >/dev/null 2>&1
}

include="-I${srcdir:-.}/include"
output="-c -o $scratch/use.o"
strict="-pedantic-errors -Wall -Wextra -Werror -Wundef -Wconversion -Wshadow"

for dialect in c89 c99 c11 c17 c2x; do
    if takes "$CC" -std=$dialect c; then
        try "$CC" -std=$dialect $strict -Wstrict-prototypes -Wmissing-prototypes $include $output "$scratch/use.c"
    else
        say_skipped "$CC has no -std=$dialect"
    fi
done
for dialect in c++98 c++11 c++14 c++17 c++20; do
    if takes "${CXX:-c++}" -std=$dialect cc; then
        try "${CXX:-c++}" -std=$dialect $strict -Wold-style-cast $include $output "$scratch/use.cc"
    else
        say_skipped "no C++ compiler that has -std=$dialect"
    fi
done

# The header defines no macro without its prefix, except the errno value that Windows may lack.
printf '#include <%s>\n' filelock-provider.h filelock-etcd.h >"$scratch/only.c"
cat >"$scratch/base.c" <<'END'
#include <stddef.h>
#include <stdint.h>
#ifdef _WIN32
#include <errno.h>
#ifndef ESTALE
#define ESTALE 10070
#endif
#endif
END
if $CC -dM -E $include "$scratch/only.c" >"$scratch/only" 2>/dev/null &&
   $CC -dM -E "$scratch/base.c" >"$scratch/base" 2>/dev/null; then
    foreign=`sort "$scratch/base" "$scratch/base" "$scratch/only" | uniq -u | grep -v '^#define FILELOCK_'`
    if test -n "$foreign"; then
        echo "FAIL: macros without the prefix: $foreign"
        failed=1
    fi
fi
exit $failed
