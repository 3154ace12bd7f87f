#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs each example, and checks that it works as its own comment says.  Waits for processes by FIFOs
# and exit statuses, never by sleeping.
set -u
here=$(pwd)/examples
examples=$(cd "${srcdir:-.}/examples" && pwd) || exit 99
dir=$(mktemp -d "${TMPDIR:-/tmp}/filelock-examples.XXXXXX") || exit 99
started=
# shellcheck disable=SC2086 # a list of pids
trap 'kill -9 $started 2>/dev/null; rm -rf "$dir"' EXIT
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

# hold LOCKFILE: starts a holder, which releases the lock when descriptor 9 is closed
hold() {
    "$here/single" "$1" <in >out &
    holder=$!
    started="$started $holder"
    exec 9>in 8<out
    read -r line <&8
    check "a holder is there" "single: running" "$line"
}

let_go() {
    exec 9>&-
    wait "$holder"
    check "the holder ends" 0 $?
    exec 8<&-
}

mkfifo in out || exit 99

# update: processes that run at once lose no increment
i=0
updaters=
while [ $i -lt 8 ]; do
    (
        n=0
        while [ $n -lt 10 ]; do
            "$here/update" number || exit 1
            n=$((n + 1))
        done
    ) &
    updaters="$updaters $!"
    i=$((i + 1))
done
for pid in $updaters; do
    wait "$pid" || check "an updater's status" 0 $?
done
check "update: 8 processes x 10" 80 "$(cat number)"
echo word >number
message=$("$here/update" number 2>&1)
check "update: a body's error is passed on" 1 $?
check "update: and told" "update: number holds no number" "$message"
ln -s loop loop
message=$("$here/update" loop 2>&1)
check "update: what cannot be read is not begun anew" 1 $?
message=$("$here/update" missing/number 2>&1)
check "update: a missing directory" 1 $?
check "update: is told with its path" "update: *missing/number.lock*" "$message"

# config: a program and a shell script change one file, and no change is lost.  Without OFD locks the example says so.
PATH=$here/..:$PATH
if filelock --fcntl probe.lock true 2>/dev/null; then
    "$here/config" settings key0 old
    setters=
    for i in 0 1 2 3 4 5 6 7; do
        "$here/config" settings "key$i" "program $i" &
        setters="$setters $!"
        sh "$examples/config.sh" settings "name$i" "script $i" &
        setters="$setters $!"
    done
    for pid in $setters; do
        wait "$pid" || check "config: a setter's status" 0 $?
    done
    check "config: every change is there" \
        "$(for i in 0 1 2 3 4 5 6 7; do echo "key$i=program $i" && echo "name$i=script $i"; done | sort)" "$(sort settings)"
    check "config: the record is gone with the lock" "" "$(cat settings.lock)"
    filelock --fcntl settings.lock "$here/../filelock" --fcntl -n -E 9 settings.lock true
    check "config: the script's lock keeps others out" 9 $?
    message=$(sh "$examples/config.sh" missing/settings key value 2>&1)
    check "config.sh: a missing directory" 66 $?
    message=$("$here/config" missing/settings key value 2>&1)
    check "config: a missing directory" "1 config: cannot acquire missing/settings.lock: *" "$? $message"
else
    echo "SKIP: config: no OFD locks here"
fi

# single: a second instance is refused, and told the holder
hold single.lock
message=$("$here/single" single.lock </dev/null 2>&1)
check "single: a second one is refused" 1 $?
check "single: by name" "single: already running: *single.lock*held by pid $holder (*" "$message"

# timeout: names the holder that it waits for, and gives up
message=$("$here/timeout" single.lock 100 2>&1)
check "timeout: gives up" 75 $?
check "timeout: names whom it waits for" \
    "timeout: waiting for pid $holder (*)?timeout: *held by pid $holder (*" "$(echo "$message" | tr '\n' '?')"
let_go
message=$("$here/timeout" single.lock 100 2>&1)
check "timeout: acquires what is free" "timeout: acquired" "$message"
"$here/timeout" single.lock soon 2>/dev/null
check "timeout: refuses what is no number" 64 $?

# cancel: a signal ends the wait
hold cancel.lock
mkfifo waiting
"$here/cancel" cancel.lock >waiting 2>cancelled &
canceller=$!
started="$started $canceller"
read -r line <waiting
check "cancel: waits" "cancel: waiting" "$line"
kill -TERM $canceller
wait $canceller
check "cancel: ends" 1 $?
check "cancel: says so" "cancel: *cancel.lock*" "$(cat cancelled)"
let_go
check "cancel: acquires what is free" "cancel: waiting?cancel: acquired?" \
    "$("$here/cancel" cancel.lock | tr '\n' '?')"

# event_loop NAME: the example waits for two locks at once, and is told of each when its holder lets go
event_loop() {
    [ -x "$here/$1" ] || { echo "SKIP: $1: configure has not found the library" && return; }
    rm -f stop told
    mkfifo stop told
    hold first.lock
    "$here/$1" first.lock second.lock <stop >told 2>&1 8<&- 9>&- &
    waiter=$!
    started="$started $waiter"
    exec 7>stop 6<told
    if [ "$1" = poll ]; then
        read -r line <&6
        check "$1: names the holder" "$1: waiting for first.lock: held by *" "$line"
    fi
    read -r line <&6
    check "$1: acquires what is free" "$1: acquired second.lock" "$line"
    if [ "$1" != poll ]; then
        echo >&7
        read -r line <&6
        check "$1: serves its input meanwhile" "$1: waiting for 1" "$line"
    fi
    let_go
    read -r line <&6
    check "$1: acquires what its holder let go" "$1: acquired first.lock" "$line"
    check "$1: holds it" 75 "$("$here/timeout" first.lock 0 >/dev/null 2>&1; echo $?)"
    exec 7>&-
    wait $waiter
    check "$1: ends with its input" 0 $?
    exec 6<&-
    check "$1: and lets go" "timeout: acquired" "$("$here/timeout" first.lock 0 2>/dev/null)"
    hold first.lock
    : | "$here/$1" first.lock second.lock >abandoned 2>&1
    check "$1: its end aborts what is under way" "0 $1: acquired second.lock" "$? $(tail -n 1 abandoned)"
    let_go
}

event_loop poll
event_loop libuv
event_loop glib

# lease: works while the lease lasts, and stops when it is lost.  Removing the marker is what an operator does.
"$here/lease" lease.lock 0.6 <in >out 2>lost &
leaser=$!
started="$started $leaser"
exec 9>in 8<out
read -r line <&8
check "lease: has it" "lease: ours" "$line"
echo one >&9
read -r line <&8
check "lease: does a step" "done: one" "$line"
message=$("$here/lease" lease.lock 0.6 </dev/null 2>&1)
check "lease: a second one is refused" "75 lease: *held by pid $leaser (*" "$? $message"
rm lease.lock
wait $leaser
check "lease: ends when the lease is lost" "75 lease: *lease.lock*" "$? $(cat lost)"
exec 8<&- 9>&-
message=$(echo two | "$here/lease" lease.lock 0.6 2>&1)
check "lease: is free again" "0 lease: ours?done: two?" "$? $(echo "$message" | tr '\n' '?')"
[ ! -e lease.lock ]
check "lease: leaves no marker" 0 $?

# daemon: holds its pid file in the background; a second daemon is refused
"$here/daemon" "$dir/daemon.pid" >daemon.out 2>&1
check "daemon: starts" 0 $?
check "daemon: says nothing" "" "$(cat daemon.out)"
pid=$(cat daemon.pid)
started="$started $pid"
kill -0 "$pid"
check "daemon: its pid is in the file" 0 $?
# The daemon's parent shares the lock until it has ended, and may be the holder that is named.
for _ in $(seq 100); do
    message=$("$here/daemon" "$dir/daemon.pid" 2>&1)
    status=$?
    case $message in *" pid $pid "*) break ;; esac
    sleep 0.1
done
check "daemon: a second one is refused" 1 $status
check "daemon: in the foreground, and told which one lives" \
    "daemon: already running: *daemon.pid*held by pid $pid (*daemon*)*" "$message"
check "daemon: the refused one left the pid" "$pid" "$(cat daemon.pid)"
kill -TERM "$pid"
check "daemon: lets go at its end" "timeout: acquired" "$("$here/timeout" daemon.pid 10000 2>/dev/null)"
check "daemon: and cleared the file" "" "$(cat daemon.pid)"

# demo: loses sales without the lock, none with it
"$here/demo" "$dir" >demo.out 2>&1
check "demo: shows what it says" 0 $?
check "demo: lost without" "*without a lock*sales lost*with the lock*none lost*" "$(cat demo.out)"
check "demo: names the holder" "*cannot acquire tickets.lock within 0.5 s: held by pid * (*demo*)*" \
    "$(cat demo.out)"

# The example in README.md
"$here/readme" >readme.out 2>&1
check "README: its example runs" 0 $?
check "README: and says so" "*ours*" "$(cat readme.out)"
exit $failed
