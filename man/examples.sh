#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the examples of the manual: the programs of section 3, which make has cut out of the pages and compiled, and the
# commands of filelock(1).  Needs the build directory as working directory, and srcdir in the environment.
set -u
build=$(pwd)
pages=$(cd "${srcdir:-.}/man" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/filelock-manual.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
trap 'exit 99' INT TERM
cd "$dir" || exit 99
failed=0

# check WHAT EXPECTED GOT: fails if GOT does not match EXPECTED, a pattern as in "case"
check() {
    # shellcheck disable=SC2254 # a pattern on purpose
    case $3 in
    $2) echo "ok    $1" ;;
    *)
        echo "FAIL  $1: expected '$2', got '$3'"
        failed=1
        ;;
    esac
}

# runs PAGE EXPECTED: fails unless the program of the page exits with 0 and prints EXPECTED
runs() {
    said=$("$build/man/$1" 2>&1)
    check "$1: its status" 0 $?
    check "$1: what it says" "$2" "$said"
}

# ---- Section 3 -----------------------------------------------------------------------------
newline='
'
runs filelock "the resource is ours"
runs filelock_new "locked, by [a-z]*"
check "filelock_new: its directory" yes "$(test -f state/app.lock && echo yes)"
runs filelock_new_from_provider "single lock it is ours"
runs filelock_acquire "working"
runs filelock_acquire_begin "working"
runs filelock_convert "writing${newline}reading"
runs filelock_acquire_several "both accounts are ours"
runs filelock_with "hello"
runs filelock_held "published${newline}1 to be released"
runs filelock_remaining "time for another step"
runs filelock_owner "free"
runs filelock_describe "cannot acquire app.lock at once*${newline}somebody else holds it"

# Programs in C++ can be run only if the compiler makes them for the library's machine, without a sanitizer.
machine=${LIBRARY_IS-}
machine=${machine##* }
awk -f "$pages/program.awk" "$pages/filelock_hpp.3" >filelock_hpp.cc
if [ "${machine%%=*}" != "${machine#*=}" ] || echo "${LIBRARY_IS-}" | grep -q sanitize ||
    ! echo 'int nothing;' | ${CXX:-c++} -std=c++11 -x c++ -fsyntax-only - 2>/dev/null; then
    echo "SKIP: filelock_hpp: no C++11 compiler whose programs run with this library"
else
    said=$(${CXX:-c++} -std=c++11 -Wall -Wextra -pedantic -Werror -I"$pages/../include" -c filelock_hpp.cc 2>&1 &&
        here=$PWD && cd "$build" && ./libtool --silent --tag=CXX --mode=link "${CXX:-c++}" -o "$here/filelock_hpp" \
            "$here/filelock_hpp.o" libfilelock.la -lpthread 2>&1 &&
        cd "$here" && "$build/libtool" --mode=execute ./filelock_hpp && cat journal)
    check "filelock_hpp: what it says" "written${newline}one more" "$said"
fi
version=$(sed -n 's/^\.TH .*"libfilelock \([0-9.]*\)".*/\1/p' "$pages/filelock.3")
runs filelock_supported "libfilelock $version${newline}flock: *${newline}ofd: *${newline}*soft: *"
if [ -x "$build/man/filelock_etcd_new" ]; then
    said=$(ETCDCTL_ENDPOINTS=http://127.0.0.1:1 "$build/man/filelock_etcd_new" 2>&1)
    check "filelock_etcd_new: its status" 1 $?
    check "filelock_etcd_new: what it says" "cannot acquire nightly-job: http://127.0.0.1:1: *" "$said"
fi
for program in "$build"/man/filelock*.c; do
    name=${program##*/}
    grep -q -e "^runs ${name%.c} " -e "man/${name%.c}\" 2" "$pages/examples.sh" || check "a program that is not run" "" "$name"
done

# ---- filelock(1) ---------------------------------------------------------------------------
# Runs the commands as the page has them, but with the lock files in this directory.
mkdir bin run etc
ln -s "$build/filelock" bin/filelock
for command in edit-users start-daemon; do
    printf '#!/bin/sh\necho %s\n' $command >bin/$command
done
# This backup says that it runs, and runs until it is told to end.
mkfifo up go
printf '#!/bin/sh\necho backup >%s/up\nread -r line <%s/go\n' "$dir" "$dir" >bin/backup
chmod +x bin/*
PATH=$dir/bin:$PATH

awk '/^\.SH/ { on = /EXAMPLES/ }
    on && /^\.EE/ { inside = 0 }
    inside { gsub(/\\-/, "-"); print >("example." number) }
    on && /^\.EX/ { inside = 1; number++ }' "$pages/filelock.1"
for example in example.*; do
    sed 's|/run/|run/|g; s|/etc/|etc/|g' "$example" >"shell.${example#*.}"
done
check "filelock(1): how many examples it has" 7 "$(echo example.* | wc -w | tr -d ' ')"

# Reads a dialogue: runs each command that is typed, and checks what it prints.  Where the page waits for 10 s, waits
# for 0.1 s.
dialogue() {
    while read -r line; do
        case $line in
        '$ '*)
            command=$(echo "${line#'$ '}" | sed 's/-w 10 /-w 0.1 /')
            said=$(sh -c "$command" 2>&1 | sed "s/pid $holder /pid 4711 /; s/within 0.1 s/within 10 s/")
            ;;
        *) check "filelock(1): $command" "$line" "$said" ;;
        esac
    done
}

timeout 60 sh shell.1 &
shell=$!
read -r line <up
check "filelock(1): $(cat shell.1)" backup "$line"
if [ -e /proc/locks ]; then
    holder=$(filelock --who run/backup.lock | sed 's/.*held by pid \([0-9]*\) .*/\1/')
    dialogue <shell.2
fi
echo >go
wait $shell
check "filelock(1): a backup's status" 0 $?
for expected in '3 edit-users' '4 edit-users' '5 start-daemon' '6 edit-users'; do
    script=shell.${expected% *}
    check "filelock(1): $(head -n 2 "$script" | tr '\n' ' ')..." "${expected#* }" "$(timeout 60 sh "$script" 2>&1)"
done
if [ -e /proc/locks ]; then
    mkdir run/lock
    said=$(filelock run/lock/app sh shell.7 | head -n 1)
    check "filelock(1): $(cat shell.7)" "{\"path\":*/run/lock/app\"*\"role\":\"holder\"*}" "$said"
fi
exit $failed
