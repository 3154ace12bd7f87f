#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tool_windows.sh - filelock(1) and the examples, built for Windows and run by Wine.  Exit codes, which locks exclude
# which, and the options that do not exist there.  Runs in the build directory, as make check does.
set -u
abs_builddir=$(pwd)
export abs_builddir
case ${srcdir:-.} in
/*) wine=$srcdir/tests/wine.sh ;;
*) wine=$abs_builddir/${srcdir:-.}/tests/wine.sh ;;
esac
: "${WINEPREFIX:=$abs_builddir/tests/wineprefix}"
export WINEPREFIX
dir=$(mktemp -d "${TMPDIR:-/tmp}/filelock-windows.XXXXXX") || exit 99
trap 'exec 8>&-; rm -rf "$dir"' EXIT
trap 'exit 99' INT TERM
cd "$dir" || exit 99
failed=0

program() { # PATH ARGUMENT...
    path=$1
    shift
    "$wine" "$abs_builddir/$path" "$@"
}

tool() {
    program filelock "$@"
}

# check WHAT EXPECTED GOT: EXPECTED is a pattern of case
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

# Leaves out what a Wine without FreeType says when it starts.
without_complaint() {
    grep -v -e 'Wine cannot find the FreeType' -e '^use TrueType fonts' -e '^or equal to 2.0.5' -e '^http://www.freetype.org'
}

# said COMMAND...: leaves what it says on both streams, without carriage returns, in `text`, and its status in `status`
said() {
    "$@" >said.out 2>&1 </dev/null
    status=$?
    text=$(tr -d '\r' <said.out | without_complaint)
}

# hold COMMAND...: starts a holder, which says a line once it holds, and holds until descriptor 8 is closed
hold() {
    mkfifo in out || exit 99
    "$@" <in >out 2>/dev/null &
    holder=$!
    exec 8>in 7<out
    read -r line <&7
    check "a holder is there" "*running*" "$line"
}

let_go() {
    exec 8>&-
    wait "$holder"
    check "the holder ends" 0 $?
    exec 7<&-
    rm -f in out
}

# ---- what a command does ---------------------------------------------------------------------
said tool lock cmd /c 'exit 7'
check "a command's exit code is passed on" 7 $status
said tool lock cmd /c 'echo one two'
check "a command's output" "one two" "$text"
said tool lock -c 'exit 5'
check "-c runs a command line" 5 $status
said tool lock no-such-program-anywhere
check "a command that cannot be found" 69 $status
check "is named" "*no-such-program-anywhere*" "$text"
printf '@echo got %%1\r\n' >batch.bat
said tool lock batch.bat "two words"
check "a batch file" '*got "two words"*' "$text"
for argument in 'x&ver' 'a"b' '%PATH%' 'a^b'; do
    said tool lock ./batch.bat "$argument"
    check "an argument that cmd.exe would not take literally: $argument" 69 $status
    check "and nothing is run" "*cmd.exe would not take*" "$text"
done
said tool --version
check "--version" "*filelock*0.*" "$text"

# ---- which locks exclude which ---------------------------------------------------------------
hold program examples/single lock
said tool -n lock cmd /c 'echo ran'
check "-n against a holder" 1 $status
check "-n against a holder runs nothing" "" "$text"
for number in 42 0; do
    said tool -n -E $number lock cmd /c 'echo ran'
    check "-E $number" $number $status
    check "-E $number runs nothing" "" "$text"
done
said tool -w 0.2 lock cmd /c 'echo ran'
check "-w gives up" 1 $status
check "-w runs nothing" "filelock: cannot acquire*" "$text"
check "-w says who holds it" "*held by pid *single*" "$text"
said tool --who lock
check "--who" 0 $status
check "--who names the holder" "*single*" "$text"
said tool --who --all --json lock
check "--json" 0 $status
check "--json: one object" '{"path":"lock",*"role":"holder","kind":"win32",*"command":"*single*"alive":true}*' "$text"
said tool --list
check "--list does not exist here" 69 $status
said tool --nonsense
check "a wrong option" 64 $status
check "a wrong option ends with a hint" "*unrecognized option '--nonsense'. Try 'filelock --help'.*" "$text"
said program examples/timeout lock 100
check "timeout: gives up" 75 $status
check "timeout: says for whom it waits" "*waiting for*" "$text"
said program examples/single lock
check "single: a second one is refused" 1 $status
let_go
said tool -n lock cmd /c 'exit 3'
check "what is free again" 3 $status

# The command holds the lock for as long as it runs, even if it is a soft lock.
for kind in win32 soft; do
    said tool --kind $kind outer "$abs_builddir/filelock.exe" -n --kind $kind outer cmd /c 'echo ran'
    check "$kind: kept out while the command runs" 1 $status
    check "$kind: and runs nothing" "" "$text"
    said tool --kind $kind -n outer cmd /c 'exit 9'
    check "$kind: and let in afterwards" 9 $status
done
said tool -s lock "$abs_builddir/filelock.exe" -n -s lock cmd /c 'exit 4'
check "two that share" 4 $status
printf '1\nelsewhere.example\n' >marker
said tool --soft -n marker cmd /c 'echo ran'
check "a marker of another host" 1 $status
check "a marker of another host: nothing is run" "" "$text"
said tool --soft --break marker
check "--break" 0 $status
said tool --soft -n marker cmd /c 'exit 6'
check "a broken marker's place" 6 $status

# ---- the doctor ------------------------------------------------------------------------------
mkdir ward
# Wine now and then fails to start a process while the machine is busy, which the doctor tells.
patiently() { # FUNCTION: calls it again, twice at most, after such a failure
    for try in 1 2 3; do
        "$1"
        grep "cannot start a process" said.out other.out || break
        echo "note: $1 failed at try $try"
    done
}

examine() {
    said tool --doctor --json ward
}

meet() {
    tool --doctor --meet -w 60 ward >other.out 2>&1 &
    said tool --doctor --meet -w 60 ward
    wait $!
    other=$?
}

: >other.out
patiently examine
check "--doctor" 0 $status
test "$status" = 0 || echo "$text"
for kind in win32 soft; do
    check "--doctor: $kind excludes, and ends with its holder" \
        *'"kind": "'$kind'", "excludes": true, "overlaps": 0, '*'"freed_by_kill": true, '* "$(grep "\"$kind\", \"excludes" said.out)"
done
patiently meet
check "--doctor --meet" 0 $status
check "--doctor --meet, the other" 0 $other
check "--doctor leaves nothing behind" "" "$(ls -A ward)"
said tool --doctor none
check "--doctor: no directory" 66 $status

# ---- what does not exist ---------------------------------------------------------------------
for option in -o -F -u --fcntl --kind=flock; do
    said tool $option lock cmd /c 'echo ran'
    check "$option is refused" "6[49]" $status
    check "$option: nothing is run" "" "$(grep '^ran' said.out)"
    check "$option is told" "*filelock:*" "$text"
done

# ---- the README's example --------------------------------------------------------------------
said program examples/readme
check "the README's example" "the resource is ours" "$text"
exit $failed
