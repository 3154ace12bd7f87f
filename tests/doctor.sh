#!/bin/sh
# SPDX-License-Identifier: MIT
#
# doctor.sh - filelock --doctor: what it says where locks work, and where they are made to lie (tests/lying.c); what it
# leaves behind; two doctors that meet.  A doctor that hangs is ended by timeout(1), and fails.

LC_ALL=C
export LC_ALL
if [ -z "$DOCTOR_SH_GUARDED" ] && command -v timeout >/dev/null; then
    DOCTOR_SH_GUARDED=1 exec timeout -k 5 300 sh "$0" "$@"
fi

tool=${FILELOCK_TOOL:-$PWD/filelock}
tests=$(cd "${srcdir:-$(dirname "$0")/..}" && pwd)/tests
[ -x "$tool" ] || { echo "doctor.sh: $tool is missing"; exit 99; }
work=$(mktemp -d "${TMPDIR:-/tmp}/filelock-doctor.XXXXXX") || exit 99
clean_up() {
    for mounted in one two; do
        fusermount -u "$work/$mounted" 2>/dev/null || fusermount3 -u "$work/$mounted" 2>/dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
cd "$work" || exit 99
mkdir d

failed=0

ok() { echo "ok $1"; }
bad() {
    failed=$((failed + 1))
    echo "FAIL $1: $2"
    sed 's/^/    stdout: /' out
    sed 's/^/    stderr: /' err
}
skip() {
    echo "SKIP: $1: $2"
    [ -z "$FILELOCK_TEST_CONSOLE" ] || echo "SKIP: tests/doctor.sh: $1: $2" >&"$FILELOCK_TEST_CONSOLE"
}

# verdict NAME COMMAND...
verdict() {
    verdict_name=$1
    shift
    if "$@"; then ok "$verdict_name"; else bad "$verdict_name" "not: $*"; fi
}

# run COMMAND...: leaves its status in $status, and its output in the files out and err.
run() { "$@" >out 2>err; status=$?; }

is_empty() { [ -z "$(ls -A "$1")" ]; }

# expect NAME STATUS ERR: checks the last command, which has left nothing in d.  ERR is a pattern of the only line of
# standard error; nothing: it is silent.
expect() {
    if [ "$status" -ne "$2" ]; then
        bad "$1" "status $status, expected $2"
    elif [ -z "$3" ] && [ -s err ]; then
        bad "$1" "standard error is not silent"
    elif [ -n "$3" ] && ! { [ "$(wc -l <err)" -eq 1 ] && grep -q -e "$3" err; }; then
        bad "$1" "standard error is not '$3'"
    elif ! is_empty d; then
        bad "$1" "it has left: $(ls -A d)"
    else
        ok "$1"
    fi
}

# says FILE KIND PATTERN: the JSON in the file says that of the kind, in its only line of it.
says() { [ "$(grep -c "{\"kind\": \"$2\", .*$3" "$1")" -eq 1 ]; }

lie=none
# doctor ARGUMENT...: with locks that lie as $lie says.
doctor() {
    if [ "$lie" = none ]; then
        "$tool" --doctor "$@"
    else
        FILELOCK_LIE=$lie LD_PRELOAD=$work/lying.so "$tool" --doctor "$@"
    fi
}

kinds=$("$tool" --kind none-such f true 2>&1 | sed -n 's/.*it is one of //p' | sed 's/,//g')
has() {
    case " $kinds " in *" $1 "*) "$tool" --kind "$1" probe true 2>/dev/null ;; *) false ;; esac
}

# ---- Where locks work ---------------------------------------------------------------------------

works() {
    run doctor --json d
    expect "a directory where locks work" 0
    cp out plain
    for kind in $kinds; do
        [ "$kind" != default ] && has "$kind" || continue
        verdict "$kind excludes" says out "$kind" '"excludes": true, "overlaps": 0, '
        verdict "$kind is gone with its holder" says out "$kind" '"freed_by_kill": true'
        verdict "$kind has no error" says out "$kind" '"error": null'
        if [ "$kind" = soft ] || [ "$kind" = lease ]; then
            verdict "$kind is not shared" says out "$kind" '"shared": null'
        else
            verdict "$kind is shared" says out "$kind" '"shared": true'
            case $LIBRARY_IS in
            *sanitize=thread*) skip "$kind tells its waiters" "this sanitizer has a thread that wakes up by itself" ;;
            *) verdict "$kind tells its waiters" says out "$kind" '"waiter": "told"' ;;
            esac
        fi
    done
    for able in rename hard_link symbolic_link; do
        verdict "$able works" grep -q "\"$able\": true" out
    done
    verdict "its real path" grep -qF "\"directory\": \"$(pwd -P)/d\"" out
    verdict "the default is judged" grep -q '^  "judged_excludes": true,$' out
    if command -v python3 >/dev/null && python3 -c pass 2>/dev/null; then
        verdict "it is JSON" python3 -c 'import json, sys; json.load(open("out"))'
    else
        skip "it is JSON" "no python3"
    fi
    cd d || exit 99
    run doctor
    cd ..
    mv d/out d/err .
    expect "the working directory" 0
    verdict "a table" grep -q '^kind  *excludes  *shared  *kill -9  *waiter  *between machines$' out
    verdict "a line about the default" grep -q '^[a-z0-9]* (default)  *yes ' out
    verdict "a recommendation, last" sh -c 'tail -n 1 out | grep -q "^Use [a-z0-9]*, the default, "'
    has soft || return
    run doctor --kind soft d
    expect "--kind" 0
    verdict "--kind is judged" grep -q '^soft (judged)  *yes ' out
}

refusals() {
    run doctor missing
    expect "no directory" 66 '^filelock: cannot try locks in missing: No such file'
    : >file
    run doctor file
    expect "a file" 66 '^filelock: cannot try locks in file: Not a directory'
    for arguments in 'd d' '--fd 1' '-c true' '--start 1 d'; do
        # shellcheck disable=SC2086 # words
        run doctor $arguments
        expect "refused: $arguments" 64 '^filelock: .'
    done
    run "$tool" --who f --doctor d
    expect "refused: --who before it" 64 '^filelock: .'
    for option in --meet --json; do
        run "$tool" $option file true
        expect "refused: $option alone" 64 '^filelock: .*--doctor'
    done
    run doctor --kind win32 d
    expect "a kind that the build lacks" 69 '^filelock: .*win32'
    if [ -w /dev/full ]; then
        run sh -c '"$0" --doctor d >/dev/full' "$tool"
        expect "a full standard output" 1 '^filelock: cannot write'
    fi
}

# ---- Where it is mounted ------------------------------------------------------------------------

mounts() {
    if ! unshare -m true 2>/dev/null || [ ! -r /proc/self/mountinfo ]; then
        skip "mounts" "no mount namespace to be had"
        return
    fi
    mkdir 'a b'
    run unshare -m sh -c 'mount -t tmpfs -o mode=755 first "$2" && mount -t tmpfs -o mode=700 second "$2" || exit 99
        mkdir "$2/below" && "$1" --doctor --json "$2/below"' - "$tool" 'a b'
    expect "a mount on another" 0
    verdict "its type, source and point" grep -qF \
        "\"mount\": {\"type\": \"tmpfs\", \"source\": \"second\", \"point\": \"$(pwd -P)/a b\", \"options\": [\"rw\"," out
    verdict "its options" grep -q '"mode=700"' out
    verdict "its locks stay on the machine" grep -q '"between_machines": "locks are kept by this machine'\''s kernel only' out
    run unshare -m sh -c 'mount -t tmpfs -o ro none "$2" || exit 99; "$1" --doctor "$2"' - "$tool" 'a b'
    expect "a read-only file system" 73 '^filelock: cannot try locks in a b: Read-only'
}

# ---- Where locks lie ----------------------------------------------------------------------------

lies() {
    # shellcheck disable=SC2086 # CC may be a compiler with options
    if ! ${CC:-cc} -shared -fPIC -o lying.so "$tests/lying.c" -ldl 2>err ||
        ! FILELOCK_LIE=hello LD_PRELOAD=$work/lying.so "$tool" --version >out 2>err || ! grep -q . err || grep -qv '^lying is loaded$' err; then
        skip "locks that lie" "no library can be loaded before the C library's"
        rm -f lying.so
        return
    fi
    has flock && has ofd && has soft || { skip "locks that lie" "a kind is not in this build"; return; }
    lie=grant
    run doctor --kind flock --json d
    expect "locks that are granted to all: the status" 1
    for kind in flock ofd; do
        verdict "locks that are granted to all: $kind" says out $kind '"excludes": false, "overlaps": [1-9]'
    done
    verdict "locks that are granted to all: soft is recommended" grep -q '^  "recommended": "soft"' out
    run doctor --kind soft d
    expect "locks that are granted to all: soft excludes" 0
    verdict "locks that are granted to all: the table" grep -q '^flock  *no  *yes  *-  *- ' out
    lie=marker
    run doctor --kind soft --json d
    expect "markers that are not there" 1
    verdict "markers that are not there: soft" says out soft '"excludes": false'
    verdict "links that are not there" grep -q '"hard_link": false' out
    lie=alone
    run doctor --kind flock --json d
    expect "shared locks that exclude each other" 0
    verdict "shared locks that exclude each other: flock" says out flock '"excludes": true.*"shared": false'
    lie=outlive
    run doctor --kind flock --json d
    expect "locks that outlive their holder" 0
    verdict "locks that outlive their holder: flock" says out flock '"freed_by_kill": false'
    verdict "locks that outlive their holder: ofd" says out ofd '"freed_by_kill": true'
    verdict "locks that outlive their holder: flock is not recommended" grep -q '^  "recommended": "ofd"' out
    if says plain soft '"waiter": "told"'; then
        lie=silent
        run doctor --kind flock --json d
        expect "directories that cannot be watched" 0
        verdict "directories that cannot be watched: soft polls" says out soft '"waiter": "polls"'
    else
        skip "directories that cannot be watched" "soft does not watch here"
    fi
    lie=grant
    meet d d --kind flock
    verdict "two meet, and locks are granted to all" test "$first $second" = "1 1"
    lie=none
}

# ---- What is left behind ------------------------------------------------------------------------

# within_seconds COMMAND...: waits until it is true.
within_seconds() {
    for _ in $(seq 200); do
        "$@" && return
        sleep 0.05
    done
    return 1
}

is_held() { [ -e "$1" ] && ! "$tool" --fcntl -n "$1" true; }

has_begun() { [ -n "$(find d -name "$1")" ]; }

interrupted() {
    begin=
    if env --default-signal=INT true 2>/dev/null; then
        begin='env --default-signal=INT'
    else
        skip "SIGINT" "env(1) cannot set it to its default"
    fi
    for signal in TERM HUP KILL ${begin:+INT}; do
        for wait in now later; do
            $begin "$tool" --doctor d >out 2>err &
            pid=$!
            case $wait in
            now) within_seconds has_begun '.filelock-doctor.*' ;;
            later) within_seconds has_begun "$("$tool" --kind flock probe true 2>/dev/null && echo flock || echo soft)" ;;
            esac
            kill -$signal $pid
            wait $pid 2>/dev/null
            status=$?
            verdict "SIG$signal, $wait: ends it" test "$status" -gt 128
            if [ $signal = KILL ]; then
                # A process that outlives the doctor removes the directory when the others have ended.
                verdict "SIG$signal, $wait: leaves nothing" within_seconds is_empty d
            else
                verdict "SIG$signal, $wait: leaves nothing" is_empty d
            fi
        done
    done
}

# ---- Two that meet ------------------------------------------------------------------------------

# meet DIRECTORY DIRECTORY ARGUMENT...: leaves the statuses of the two in $first and $second.
meet() {
    one=$1 two=$2
    shift 2
    doctor --meet --json -w 60 "$@" "$one" >out 2>err &
    pid=$!
    doctor --meet --json -w 60 "$@" "$two" >out2 2>err2
    second=$?
    wait $pid
    first=$?
}

meetings() {
    meet d d
    verdict "two meet" test "$first $second" = "0 0"
    verdict "two meet: nothing is left" is_empty d
    for kind in $kinds; do
        [ "$kind" != default ] && has "$kind" || continue
        verdict "$kind excludes between two" says out "$kind" '"excludes": true'
        verdict "$kind excludes between two, says the other" says out2 "$kind" '"excludes": true'
    done
    verdict "two on one host" grep -q '"same_host": true' out
    run doctor --meet -w 0.05 d
    status_alone=$status
    verdict "nobody comes" test "$status_alone" -eq 69
    verdict "nobody comes: it says so" grep -q '^filelock: no other doctor came to .*/d/.filelock-meet$' err
    verdict "nobody comes: nothing is left" is_empty d
    mkdir d/.filelock-meet
    : >d/.filelock-meet/1
    : >d/.filelock-meet/2
    run doctor --meet d
    verdict "two are there already" test "$status" -eq 69
    verdict "two are there already: they stay" test -f d/.filelock-meet/1 -a -f d/.filelock-meet/2
    rm -rf d/.filelock-meet
    "$tool" --doctor --meet d >out2 2>err2 &
    pid=$!
    within_seconds has_begun 1.hello
    kill -TERM $pid
    wait $pid
    verdict "a wait is interrupted" test $? -eq 143
    verdict "a wait is interrupted: nothing is left" is_empty d
    has flock && has ofd || { skip "the other is killed" "a kind is not in this build"; return; }
    # The meeting goes on to the second kind, whose lock a third process holds.
    mkdir d/.filelock-meet
    mkfifo go
    "$tool" --fcntl d/.filelock-meet/lock.ofd cat go &
    holder=$!
    within_seconds is_held d/.filelock-meet/lock.ofd
    "$tool" --doctor --meet -w 60 d >out 2>err &
    other=$!
    within_seconds has_begun 1.hello
    "$tool" --doctor --meet -w 60 d >out2 2>err2 &
    pid=$!
    within_seconds has_begun '*.2'
    kill -KILL $pid
    : >go
    wait $pid 2>/dev/null
    wait $holder
    wait $other
    status=$?
    verdict "the other is killed" test $status -eq 69
    verdict "the other is killed: it says so" grep -q '^filelock: the other in .* has left before the end$' err
    verdict "the other is killed: nothing is left" within_seconds is_empty d
}

# A lock of a FUSE file system is kept by the kernel, for each mount by itself: as by two machines.
two_mounts() {
    mkdir shared one two
    if ! command -v bindfs >/dev/null || ! bindfs shared one 2>/dev/null || ! bindfs shared two 2>/dev/null; then
        skip "two mounts of one FUSE file system" "it cannot be mounted here"
        return
    fi
    has flock && has soft || { skip "two mounts of one FUSE file system" "a kind is not in this build"; return; }
    run doctor --kind flock --json one
    expect "one mount alone: flock excludes" 0
    verdict "one mount alone: its type" grep -q '"type": "fuse' out
    verdict "one mount alone: nothing is left" is_empty shared
    meet one two --kind flock
    verdict "two mounts: flock does not exclude" test "$first $second" = "1 1"
    verdict "two mounts: flock, in both answers" says out flock '"excludes": false'
    verdict "two mounts: flock, in both answers (2)" says out2 flock '"excludes": false'
    verdict "two mounts: soft excludes" says out soft '"excludes": true'
    verdict "two mounts: soft is recommended" grep -q '^  "recommended": "soft"' out
    verdict "two mounts: nothing is left" within_seconds is_empty shared
    meet one two --kind soft
    verdict "two mounts: soft" test "$first $second" = "0 0"
}

works
refusals
mounts
interrupted
meetings
two_mounts
lies
[ "$failed" -eq 0 ] || { echo "$failed failed"; exit 1; }
