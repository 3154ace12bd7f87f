#!/bin/sh
# SPDX-License-Identifier: MIT
#
# storage.sh - programs whose thread-local storage nearly fills a helper thread's stack of 256 KiB can wait.  How much
# storage fills it differs from system to system, so there are programs of several sizes.
# Needs CC, CFLAGS, LDFLAGS, LIBRARY (libfilelock.la) and srcdir in the environment, as make check has them.
scratch=`mktemp -d` || exit 99
trap 'rm -rf "$scratch"' EXIT
source=`cd "${srcdir:-.}" && pwd`
here=`pwd`
failed=0

link() { # PROGRAM
    ./libtool --silent --tag=CC --mode=link $CC $CFLAGS $LDFLAGS -o "$1" "$1.o" "$LIBRARY" -lpthread
}

for kib in 248 249 251 253 255; do
    program=$scratch/storage_$kib
    if $CC $CFLAGS -DSTORAGE_KIB=$kib -I"$source/include" \
           -c "$source/tests/storage.c" -o "$program.o" &&
       link "$program" && (cd "$scratch" && "$here/libtool" --mode=execute "$program"); then
        echo "PASS: $kib KiB of thread-local storage"
    else
        echo "FAIL: $kib KiB of thread-local storage"
        failed=1
    fi
done
exit $failed
