#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tool.sh - the tool filelock from outside: side by side with flock(1) where that is installed, and all that flock(1)
# does not have.
#
# Nothing here sleeps to let something happen: processes report and wait on FIFOs.  A case that hangs is ended by
# timeout(1), and fails.

LC_ALL=C
export LC_ALL
unset POSIXLY_CORRECT
if [ -z "$TOOL_SH_GUARDED" ] && command -v timeout >/dev/null; then
    TOOL_SH_GUARDED=1 exec timeout -k 5 "${TOOL_SH_TIMEOUT:-600}" sh "$0" "$@"
fi

tool=${FILELOCK_TOOL:-$PWD/filelock}
source_dir=$(cd "${srcdir:-$(dirname "$0")/..}" && pwd)
[ -x "$tool" ] || { echo "tool.sh: $tool is missing"; exit 99; }

work=$(mktemp -d "${TMPDIR:-/tmp}/filelock-tool.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"
cd "$work" || exit 99
# Opened for reading and writing, so that neither end waits for the other to open it.
mkfifo up go || exit 99
exec 7<>up 8<>go

passed=0 failed=0

# ---- Checks ---------------------------------------------------------------------------------

ok() { passed=$((passed + 1)); echo "ok $1"; }

bad() {
    failed=$((failed + 1))
    echo "FAIL $1: $2"
    sed 's/^/    stdout: /' out
    sed 's/^/    stderr: /' err
}

skip() { echo "skip $1: $2"; }

# verdict NAME CONDITION...: the condition is a command.
verdict() {
    verdict_name=$1
    shift
    if "$@"; then ok "$verdict_name"; else bad "$verdict_name" "not: $*"; fi
}

# run COMMAND...: leaves its status in $status, and its output in the files out and err.
run() { "$@" >out 2>err 7>&- 8>&-; status=$?; }

lines() { wc -l <"$1" | tr -d ' '; }

# expect NAME STATUS [OUT [ERR]]: checks the last command.  OUT and ERR are patterns of the only line of each.  "-"
# stands for anything at all, and an empty pattern for silence.
expect() {
    if [ "$status" -ne "$2" ]; then
        bad "$1" "status $status, expected $2"
    elif ! matches out "$3"; then
        bad "$1" "standard output is not '$3'"
    elif ! matches err "$4"; then
        bad "$1" "standard error is not '$4'"
    else
        ok "$1"
    fi
}

matches() {
    case $2 in
    -) return 0 ;;
    '') [ ! -s "$1" ] ;;
    *) [ "$(lines "$1")" -eq 1 ] && grep -q -e "$2" "$1" ;;
    esac
}

# try NAME STATUS OUT ERR ARGUMENTS...: runs the tool.
try() {
    try_name=$1 try_status=$2 try_out=$3 try_err=$4
    shift 4
    run "$tool" "$@"
    expect "$try_name" "$try_status" "$try_out" "$try_err"
}

# refused NAME ARGUMENTS...: passes if it is a usage error: one sentence, status 64, and no lock file.
refused() {
    refused_name="refused: $1"
    shift
    rm -f f
    run "$tool" "$@"
    if [ -e f ]; then
        bad "$refused_name" "the lock file was made"
    else
        expect "$refused_name" 64 '' '^filelock: .'
    fi
}

# ---- Holders and waiters --------------------------------------------------------------------

# hold COMMAND...: runs a locking command around a process that holds until let_go.  $holder is the command's pid, and
# $inside the process's.
hold() {
    "$@" sh -c 'echo $$ >&7; read -r word <&8' &
    holder=$!
    read -r inside <&7
}

let_go() {
    echo go >&8
    wait "$holder"
}

# wait_in_line COMMAND...: runs a command that has to wait for the lock; $waiter is its pid.
wait_in_line() {
    "$@" >waiter.out 2>waiter.err 7>&- 8>&- &
    waiter=$!
    # Where the system lists its locks, an arrow marks a waiter.
    if [ -r /proc/locks ]; then
        until grep -q -e "-> .* $waiter " /proc/locks; do
            kill -0 "$waiter" 2>/dev/null || { bad "a waiter in line: $*" "it did not wait" && break; }
        done
    fi
}

# Both have the command tell whether it ran.  A conflict has a status of its own, so that no other failure is taken for
# it.
contend() { contend_out=$("$tool" -n -E 42 "$@" echo ran 7>&- 8>&-); contend_status=$?; }
free() { contend "$@" && [ "$contend_status $contend_out" = "0 ran" ]; }
taken() { contend "$@"; [ "$contend_status $contend_out" = "42 " ]; }

# ---- Side by side with flock(1) ---------------------------------------------------------------

normalise() { sed -e 's/^flock:/filelock:/' -e 's/[0-9]\.[0-9]\{6\} seconds/N seconds/' "$1" | sort; }

# same NAME ARGUMENTS...: passes if status and standard output are equal, and both or neither write to standard error.
same() {
    same_name="as flock(1): $1"
    shift
    [ -n "$keep" ] || rm -rf f
    run flock "$@"
    flock_status=$status flock_err=$(wc -c <err)
    normalise out >flock.out
    [ -n "$keep" ] || rm -rf f
    run "$tool" "$@"
    normalise out >tool.out
    if [ "$status" -ne "$flock_status" ]; then
        bad "$same_name" "status $status, flock(1) has $flock_status"
    elif ! cmp -s flock.out tool.out; then
        bad "$same_name" "standard output differs from flock(1)'s: $(cat flock.out)"
    elif [ "$flock_err" -eq 0 ] && [ -s err ]; then
        bad "$same_name" "flock(1) is silent on standard error"
    elif [ "$flock_err" -ne 0 ] && [ ! -s err ]; then
        bad "$same_name" "flock(1) is not silent on standard error"
    else
        ok "$same_name"
    fi
}

side_by_side_free() {
    same "a command" f echo ran
    same "a command's status" f sh -c 'exit 7'
    same "a command's output" f echo a b
    same "a command's standard error" f sh -c 'echo x >&2'
    same "a command killed by SIGKILL" f sh -c 'kill -9 $$'
    same "a command killed by SIGTERM" f sh -c 'kill -15 $$'
    same "-c" f -c 'echo a; exit 3'
    same "--command" f --command 'exit 4'
    same "-c runs \$SHELL" f -c 'echo $0'
    same "-c without a command" f -c
    same "-c with two commands" f -c a b
    same "options end at the file" f echo -s --verbose
    same "options end at --" -n -- f echo ran
    same "a command that is not there" f ./missing
    same "a command that cannot be run" f "$work"
    same "a command named --" f -- echo ran
    same "-F with a command that is not there" -F f ./missing
    for option in -s -x -e -n -o -u -F --shared --exclusive --nb --nonblock --nonblocking --nonb --close \
        --unlock --no-fork --s --sh --e --cl --u --no-f --verbose -sn -xF -eno; do
        same "$option" $option f echo "done"
    done
    same "-w" -w 5 f echo ran
    same "-w.5" -w.5 f echo ran
    same "--wait" --wait 0.01 f echo ran
    same "--timeout=" --timeout=1.25 f echo ran
    same "--w" --w 1 f echo ran
    same "-w 0" -w 0 f echo ran
    same "-E" -E 5 f sh -c 'exit 6'
    same "--conf" --conf 255 f echo ran
    same "--co" --co 255 f echo ran
    same "--verbose with a status" --verbose f sh -c 'exit 9'
    same "--verbose -u" --verbose -u f echo ran
    same "no arguments"
    same "no file" -n
    same "a file without a command" f
    same "a bad option" --nonsense f echo ran
    same "a bad letter" -Z f echo ran
    same "an ambiguous option" --no f echo ran
    same "an option without its value" -w
    same "a timeout that is no number" -w x f echo ran
    same "a timeout with a tail" -w 1x f echo ran
    same "an empty timeout" -w '' f echo ran
    same "a status that is no number" -E x f echo ran
    same "a status too large" -E 256 f echo ran
    same "a negative status" -E -1 f echo ran
    same "-F with -o" -F -o f echo ran
    same "a missing directory" missing/f echo ran
    same "a file for a directory" out/f echo ran
    same "an empty name" '' echo ran
    same "-u with a missing directory" -u missing/f echo ran
    same "a directory" . echo ran
    same "a directory, shared" -s . echo ran
    same "a directory that is named with a slash" ./ echo ran
    same "a descriptor that is not open" 99
    same "-u with a descriptor that is not open" -u 99
    same "a descriptor too large" 99999999999
    same "a number as a file" 99 echo ran
    rm -f 99
    ln -s target link
    same "a symbolic link to nothing" link echo ran
    same "a symbolic link" link echo ran
    verdict "as flock(1): a symbolic link is followed" test -f target -a -L link
    rm -f link target
}

side_by_side_held() {
    keep=yes
    same "conflict -n" -n f echo ran
    same "conflict -n -E" -n -E 42 f echo ran
    for options in '' -F -o -s; do
        same "conflict -n -E 0 $options" -n -E 0 $options f echo ran
        same "conflict -w -E 0 $options" -w 0.02 -E 0 $options --verbose f echo ran
    done
    same "conflict -n -E 0 -c" -n -E 0 f -c 'echo ran'
    same "conflict -s -n" -s -n f echo ran
    same "conflict -w 0" -w 0 f echo ran
    same "conflict -w 0.0" -w 0.0 f echo ran
    same "conflict -n -w 100" -n -w 100 f echo ran
    same "conflict -w 100 -n" -w 100 -n f echo ran
    same "conflict -n --verbose" -n --verbose f echo ran
    same "conflict -w --verbose" -w 0.02 --verbose f echo ran
    same "conflict -u" -u f echo ran
    exec 9<f
    same "conflict on a descriptor" -n 9
    same "conflict, -u on a descriptor" -u 9
    exec 9<&-
    keep=
}

side_by_side() {
    if ! command -v flock >/dev/null; then
        skip "side by side with flock(1)" "it is not installed"
        return
    fi
    side_by_side_free
    : >f
    hold flock f
    side_by_side_held
    verdict "flock(1) excludes" taken f
    verdict "flock(1) excludes shared" taken -s f
    let_go
    hold flock -s f
    verdict "flock -s excludes exclusive" taken f
    verdict "flock -s admits shared" free -s f
    let_go
    hold "$tool" f
    side_by_side_held
    run flock -n f echo ran
    expect "flock(1) is excluded" 1
    run flock -s -n f echo ran
    expect "flock -s is excluded" 1
    let_go
    hold "$tool" -s f
    run flock -n f echo ran
    expect "flock(1) is excluded by shared" 1
    run flock -s -n f echo ran
    expect "flock -s is admitted by shared" 0 '^ran$'
    let_go
}

# ---- What is refused --------------------------------------------------------------------------

usage_errors() {
    refused "no arguments"
    refused "no file" -n
    refused "a file alone" f
    refused "an unknown option" --nonsense f echo ran
    refused "an unknown letter" -Z f echo ran
    refused "an ambiguous option" --no f echo ran
    refused "an ambiguous --v" --v f echo ran
    refused "a value too many" --shared=1 f echo ran
    for option in -w -E -c --wait --timeout --start --length --kind --lease --etcd --fd --who --break; do
        refused "$option alone" $option
    done
    for value in '' ' ' . x 5x 1.5.2 1,5 -1 -0 nan inf infinity 0x10 1e3 1e-3 '5 ' 99999999999999999999 \
        9223372036854775.808; do
        refused "-w '$value'" -w "$value" f echo ran
        refused "--lease '$value'" --lease "$value" f echo ran
    done
    for value in '' x -1 256 1.5 0x1 99999999999999999999; do
        refused "-E '$value'" -E "$value" f echo ran
    done
    for value in '' x -1 1.5 1KBB 1Q 99999999999999999999 16E; do
        refused "--start '$value'" --start "$value" f echo ran
        refused "--length '$value'" --length "$value" f echo ran
    done
    for value in '' x FLOCK flo 1; do
        refused "--kind '$value'" --kind "$value" f echo ran
    done
    for value in '' x 9x -1 1.5 99999999999; do
        refused "--fd '$value'" --fd "$value"
    done
    refused "-F with -o" -F -o f echo ran
    refused "-c before the file" -c 'echo ran' f
    refused "-c without a command" f -c
    refused "-c with two" f -c 'echo ran' 'echo ran'
    refused "--fd with a command twice" --fd 9 -c 'echo ran' 'echo ran'
    refused "--who with a command" --who f echo ran
    refused "--who with a descriptor" --fd 9 --who f
    refused "--who with -c" -c 'echo ran' --who f
    refused "--break with a file too many" --break f g
    refused "a range of a kind that has none" --start 1 --kind flock f echo ran
    refused "--who and a file too many" --who f g
    refused "--list and a directory too many" --list . g
    refused "--list with a descriptor" --fd 9 --list
    refused "--all alone" --all f echo ran
    refused "--all with --list" --all --list
    refused "--json alone" --json f echo ran
    refused "--json with --break" --json --break f
    refused "-u with a file" -u f
    refused "-u of a soft lock" --soft -u 9
}

errors() {
    : >file
    try "error: a missing directory" 66 '' '^filelock: .*missing/f: .' missing/f echo ran
    try "error: a missing directory to lock" 66 '' '^filelock: .*missing/: .' missing/ echo ran
    try "error: a file for a directory" 66 '' '^filelock: .*file/f: .' file/f echo ran
    try "error: an empty name" 66 '' "''.*[Nn]o such file" '' echo ran
    try "error: a name too long" 66 '' '^filelock: .*0000: .' "$(printf %0300d 0)" echo ran
    try "error: a descriptor that is not open" 65 '' '99.*[Bb]ad file descriptor' 99
    try "error: a command that is not there" 69 '' '\./missing.*No such file' f ./missing
    try "error: a command that cannot be run" 69 '' 'Permission denied' f ./file
    try "error: a directory exclusively by --fcntl" 65 '' '^filelock: .' --fcntl . echo ran
    for range in '--start 8E' '--length 8E' '--start 9223372036854775808' '--start 15.9E --length 15.9E' \
        '--start 9223372036854775807 --length 2' '--start 1 --length 9223372036854775807 --start 2' \
        '--start 4611686018427387905 --length 4E'; do
        try "error: $range" 65 '' '^filelock: .* 9223372036854775807 .*beyond' $range f echo ran
    done
    ln -s loop loop
    try "error: a loop of symbolic links" 66 '' '^filelock: .*loop: .*too many symbolic links' loop echo ran
    rm -f loop
    run sh -c '"$0" --version >/dev/full' "$tool"
    expect "error: --version to a full device" 1 '' '^filelock: .'
    run sh -c '"$0" --help >/dev/full' "$tool"
    expect "error: --help to a full device" 1 '' '^filelock: .'
    run sh -c '"$0" --verbose f sh -c "echo ran >&2" >/dev/full' "$tool"
    verdict "error: --verbose to a full device" test "$status" -eq 1
    verdict "error: --verbose to a full device, the command runs" grep -q ran err
    for option in '' -F -o; do
        for number in 0 7; do
            run sh -c '"$0" --verbose $1 f sh -c "echo ran >&2; exit $2" >&-' "$tool" "$option" "$number"
            expect "--verbose $option without a standard output: the command's $number" $number '' '^ran$'
        done
    done
    run sh -c '"$0" --verbose 9 9>f >&-' "$tool"
    expect "--verbose without a standard output: a descriptor" 0
    rm -f f
    run sh -c '"$0" --verbose f sh -c "exit 0" <&- >&- 2>&-' "$tool"
    verdict "closed streams: nothing is written to the lock file" test -f f -a ! -s f
    run sh -c '"$0" f sh -c "exit 7" <&- >&- 2>&-' "$tool"
    expect "closed streams: no failure" 7
}

mounted_errors() {
    if ! unshare -m true 2>/dev/null; then
        skip "full and read-only file systems" "no mount namespace to be had"
        return
    fi
    mkdir mounted
    run unshare -m sh -c 'mount -t tmpfs -o nr_inodes=1 none mounted || exit 99; "$0" mounted/f echo ran' "$tool"
    expect "error: a full file system" 73 '' 'mounted/f'
    run unshare -m sh -c 'mount -t tmpfs -o ro none mounted || exit 99; "$0" mounted/f echo ran' "$tool"
    expect "error: a read-only file system" 73 '' 'mounted/f'
    run unshare -m sh -c 'mount -t tmpfs none mounted && : >mounted/f || exit 99
        mount -o remount,ro mounted || exit 99
        "$0" mounted/f echo ran' "$tool"
    expect "a file of a read-only file system" 0 '^ran$'
    rmdir mounted
}

# ---- Options ----------------------------------------------------------------------------------

help_and_version() {
    try "--version" 0 '^filelock from libfilelock [0-9]' '' --version
    try "-V" 0 '^filelock from libfilelock [0-9]' '' -V
    try "--vers" 0 '^filelock from libfilelock [0-9]' '' --vers
    try "-h" 0 - '' -h
    try "--help" 0 - '' --help
    sed 's/\\-/-/g' "$source_dir/man/filelock.1" >page
    for option in --shared --exclusive --nb --nonblock --nonblocking --wait --timeout \
        --conflict-exit-code --close --no-fork --command --unlock --fd --kind --fcntl --soft --lease --etcd --start --length --who \
        --break --all --json --list --record --doctor --meet --verbose --help --version; do
        verdict "$option is in the help" grep -q -e "$option\\>" out
        verdict "$option is in the manual" grep -q -e "$option\\>" page
    done
}

conflicts() {
    : >f
    hold "$tool" f
    try "conflict: -n is silent" 1 '' '' -n f echo ran
    for option in --nb --nonblock --nonblocking -w0 --wait=0 --timeout=.0; do
        try "conflict: $option is silent" 1 '' '' $option f echo ran
    done
    try "conflict: -E" 9 '' '' -n -E 9 f echo ran
    # A conflict runs nothing, whatever its status is, even if that is the status of success.
    for number in 0 1 69 71 255; do
        for options in '' -F -o -s; do
            try "conflict: -E $number $options runs nothing" $number '' '' -n -E $number $options f echo ran
        done
        try "timeout: -E $number runs nothing" $number '' '^filelock: cannot acquire' -w 0.02 -E $number f echo ran
        try "conflict: -E $number --verbose runs nothing" $number '' - -n -E $number --verbose f echo ran
        try "conflict: -E $number -c runs nothing" $number '' '' -n -E $number f -c 'echo ran'
        exec 9<f
        try "conflict: -E $number --fd runs nothing" $number '' '' -n -E $number --fd 9 echo ran
        exec 9<&-
    done
    run "$tool" -n --verbose f echo ran
    expect "conflict: -n --verbose" 1 '' -
    verdict "conflict: -n --verbose says so" grep -q '^filelock: failed to get lock$' err
    try "timeout" 1 '' '^filelock: cannot acquire .*f.*' -w 0.02 f echo ran
    try "timeout: -E" 9 '' '^filelock: cannot acquire .*f.*' -w 0.02 -E 9 f echo ran
    if [ -r /proc/locks ]; then
        try "timeout: the holder is named" 1 '' "held by pid $holder\\>" -w 0.02 f echo ran
        exec 9<f
        try "timeout: the holder is named for a descriptor" 1 '' "held by pid $holder\\>" -w 0.02 9
        exec 9<&-
    else
        skip "timeout: the holder is named" "no /proc/locks"
    fi
    run "$tool" -w 0.02 --verbose f echo ran
    expect "timeout: --verbose" 1 '' -
    verdict "timeout: --verbose says so" grep -q '^filelock: timeout while waiting to get lock$' err
    verdict "timeout: --verbose names the file" grep -q '^filelock: cannot acquire .*f' err
    let_go
    verdict "conflict: over" free f
}

verbosity() {
    run "$tool" --verbose f echo ran
    verdict "--verbose: status and standard error" test "$status" -eq 0 -a ! -s err
    verdict "--verbose: lines" test "$(lines out)" -eq 3
    verdict "--verbose: the time it took" \
        grep -q '^filelock: getting lock took [0-9]*\.[0-9]\{6\} seconds$' out
    verdict "--verbose: the command" grep -q '^filelock: executing echo$' out
    run env SHELL=/bin/sh "$tool" --verbose f -c 'echo hello'
    verdict "--verbose: before the command's output" test "$(sed -n 3p out)" = hello
    verdict "--verbose: the shell" grep -q '^filelock: executing /bin/sh$' out
    run "$tool" --verbose -F f echo ran
    verdict "--verbose -F" test "$(lines out)" -eq 3
    exec 9>f
    try "--verbose, a descriptor" 0 '^filelock: getting lock took' '' --verbose 9
    exec 9>&-
}

shells() {
    run env SHELL=/bin/sh "$tool" f -c 'echo $0'
    expect "-c: \$SHELL" 0 '^/bin/sh$'
    run env SHELL= "$tool" f -c 'echo $0'
    expect "-c: an empty \$SHELL" 0 '^/bin/sh$'
    run env -u SHELL "$tool" f -c 'echo $0'
    expect "-c: no \$SHELL" 0 '^/bin/sh$'
    run env SHELL=/bin/echo "$tool" f -c 'some words'
    expect "-c: any \$SHELL" 0 '^-c some words$'
    run sh -c 'trap "" CHLD; exec "$0" f sh -c "exit 3"' "$tool"
    expect "an ignored SIGCHLD does not lose the status" 3
}

who() {
    rm -f f
    run "$tool" --who f
    if [ "$status" -eq 69 ]; then
        expect "--who: cannot be known" 69 '' '^filelock: .*f'
        return
    fi
    expect "--who: no file" 1 '^f: nobody holds it$'
    try "--who: no directory" 1 '^missing/f: nobody holds it$' '' --who missing/f
    verdict "--who: makes no file" test ! -e f
    : >f
    try "--who: nobody" 1 '^f: nobody holds it$' '' --who f
    # The command is named, because it holds the lock too.  Where it does not, it is named beside the tool.
    hold "$tool" f
    try "--who: exclusive" 0 "^f: held by pid $inside (sh) with a flock lock, alive\$" '' --who f
    try "--who=" 0 "^f: held by pid $inside " '' --who=f
    try "--kind --who" 0 "^f: held by pid $inside " '' --kind flock --who f
    try "--who --kind" 0 "^f: held by pid $inside " '' --who f --kind flock
    try "--who: another kind" 1 '^f: nobody' '' --who f --kind ofd
    try "--who: a range is another kind" 1 '^f: nobody' '' --who f --length 1
    try "timeout: the command is named" 1 '' "held by pid $holder (.*filelock) for pid $inside (sh)\$" -w 0.02 f echo ran
    verdict "--who: takes no lock away" taken f
    try "--announce: no wait" 1 '' '' --announce -n f echo ran
    run "$tool" --announce -w 0.02 f echo ran
    verdict "--announce: the holder, before the timeout" \
        test "$(sed 's/(.*filelock)/(filelock)/' err)" = "filelock: waiting for f: held by pid $holder (filelock) for pid $inside (sh)
filelock: cannot acquire f within 0.02 s: held by pid $holder (filelock) for pid $inside (sh)"
    let_go
    rm -f f
    try "--announce: a free lock" 0 '^ran$' '' --announce f echo ran
    hold "$tool" -F f
    try "--who: -F" 0 "^f: held by pid $holder (sh) with a flock lock, alive\$" '' --who f
    try "timeout: -F" 1 '' "held by pid $holder (sh)\$" -w 0.02 f echo ran
    let_go
    hold "$tool" -o f
    try "--who: -o" 0 "^f: held by pid $holder (.*filelock) for pid $inside (sh) with a flock lock, alive\$" '' --who f
    let_go
    hold "$tool" -s f
    try "--who: shared" 0 "^f: held by pid $inside (sh) " '' --who f
    let_go
    if command -v flock >/dev/null; then
        hold flock f
        try "--who: flock(1)" 0 "^f: held by pid $inside (sh) with a flock lock, alive\$" '' --who f
        let_go
    fi
    hold "$tool" --fcntl f
    run "$tool" --fcntl --who f
    expect "--who: --fcntl" 0 '^f: held by '
    try "--who: an fcntl lock, of any kind" 0 '^f: held by .* with an fcntl lock, ' '' --who f
    try "--who: --fcntl, another kind" 1 '^f: nobody' '' --who f --kind flock
    let_go
    # A program that records its flock leaves in the file what a marker has.
    hold "$tool" f
    printf '%s\nelsewhere.example\n' "$inside" >f
    try "--who: a flock with a record" 0 '^f: held by .* with a soft lock or a recorded flock, ' '' --who f
    try "--who: a flock with a record, the kind" 0 "^f: held by pid $inside (sh) with a flock lock, " '' \
        --kind flock --who f
    : >f
    let_go
    hold "$tool" f "$tool" --fcntl f
    run "$tool" --who f
    verdict "--who: two kinds" test "$status $(lines out)" = "0 2"
    verdict "--who: two kinds, flock" grep -q '^f: held by pid [0-9]* (.*) with a flock lock, alive$' out
    verdict "--who: two kinds, fcntl" grep -q '^f: held by .* with an fcntl lock, ' out
    let_go
    try "--who: nobody again" 1 '^f: nobody' '' --who f
}

# expect_lines NAME LINE...: passes if the last command ended with 0 and wrote these lines, in any order.  "N" stands
# for a pid that is not looked at.
expect_lines() {
    lines_name=$1
    shift
    printf '%s\n' "$@" | sort >wanted
    if [ "$status" -ne 0 ] || [ -s err ]; then
        bad "$lines_name" "status $status, expected 0 and silence"
    elif ! sort out | diff wanted - >difference; then
        bad "$lines_name" "$(cat difference)"
    else
        ok "$lines_name"
    fi
}

# Waits until the tool lists a waiter for a file, by its pid.  A waiter that has ended is a failure.
until_listed() { # WAITER FILE OPTION...
    listed_waiter=$1
    shift
    until "$tool" --all --who "$@" | grep -q "waited for by pid $listed_waiter "; do
        kill -0 "$listed_waiter" 2>/dev/null || { bad "a waiter is listed: $*" "it did not wait" && break; }
    done
}

# Starts a waiter that needs not be in the list of the system: $waiter is its pid.
wait_anyhow() {
    "$@" >waiter.out 2>waiter.err 7>&- 8>&- &
    waiter=$!
}

find_python() {
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import fcntl, json' 2>/dev/null && return
    done
    python=
}

# Each kind has a holder, which is the tool and its command, and a waiter.
every_process() {
    rm -f f
    if [ ! -r /proc/locks ]; then
        try "--all: without a list it is --who" 1 - - --who --all f
        return
    fi
    name=$(cat /proc/self/comm) # of a shell: what runs cat would be seen otherwise
    try "--all: no file" 1 '^f: nobody holds it$' '' --who --all f
    try "--all --json: no file" 1 '' '' --who --all --json f
    : >f
    try "--all: nobody" 1 '^f: nobody holds it$' '' --all --who f
    found=
    for kind in flock ofd; do
        hold "$tool" --kind $kind f
        name=$(cat /proc/$holder/comm)
        wait_anyhow "$tool" --kind $kind -s f true
        until_listed "$waiter" f
        run "$tool" --who --all f
        expect_lines "--all: $kind" \
            "f: held by pid $holder ($name) with an exclusive $kind lock, alive" \
            "f: held by pid $inside (sh) with an exclusive $kind lock, alive" \
            "f: waited for by pid $waiter ($name) with a shared $kind lock, alive"
        for options in "--who f --all --kind $kind" "--kind $kind --all --who=f" "--all --who --kind $kind -- f"; do
            run "$tool" $options
            verdict "--all: $options" test "$status $(lines out)" = "0 3"
        done
        run "$tool" --who --all --kind default f
        found="$found $status:$(lines out)"
        run "$tool" --who --all --kind win32 f
        verdict "--all: another kind than $kind" test "$status" -ne 0
        let_go
        wait "$waiter"
    done
    case $found in
    " 0:3 1:1" | " 1:1 0:3") found=one ;;
    esac
    verdict "--all: --kind default is one of them" test "$found" = one
    hold "$tool" -s f
    first=$inside
    "$tool" -s --start 3 --length 4 f sh -c 'echo $$ >&7; read -r word <&8' &
    second=$!
    read -r inside <&7
    run "$tool" --who --all f
    expect_lines "--all: two kinds, shared" \
        "f: held by pid $holder ($name) with a shared flock lock, alive" \
        "f: held by pid $first (sh) with a shared flock lock, alive" \
        "f: held by pid $second ($name) with a shared ofd lock on bytes 3 to 6, alive" \
        "f: held by pid $inside (sh) with a shared ofd lock on bytes 3 to 6, alive"
    run "$tool" --who --all --start 6 f
    verdict "--all: bytes" test "$status $(lines out)" = "0 2"
    try "--all: other bytes" 1 '^f: nobody' '' --who --all --start 7 f
    printf 'go\ngo\n' >&8
    wait "$holder" "$second"

    rm -f f
    case $LIBRARY_IS in
    *waiters-poll*) skip "--all: soft" "waiters do not watch here" ;;
    *) every_soft_process ;;
    esac

    find_python
    if [ -z "$python" ]; then
        skip "--all: POSIX locks; JSON" "no python3"
        return
    fi
    cat >hold_posix.py <<'END'
import fcntl, os
f = open("f", "r+")
fcntl.lockf(f, fcntl.LOCK_EX, 4, 3)
os.write(7, b"%d\n" % os.getpid())
os.read(8, 1)
END
    : >f
    "$python" hold_posix.py &
    holder=$!
    read -r inside <&7
    wait_anyhow "$python" -c 'import fcntl; fcntl.lockf(open("f", "r+"), fcntl.LOCK_EX)'
    until_listed "$waiter" f
    name=$(cat /proc/$holder/comm)
    run "$tool" --who --all f
    expect_lines "--all: posix" \
        "f: held by pid $inside ($name) with an exclusive posix lock on bytes 3 to 6, alive" \
        "f: waited for by pid $waiter ($name) with an exclusive posix lock, alive"
    printf g >&8
    wait "$holder" "$waiter"
    every_process_json
}

every_soft_process() {
    hold "$tool" --soft f
    wait_anyhow "$tool" --soft f true
    until_listed "$waiter" f --soft
    run "$tool" --who --all --soft f
    expect_lines "--all: soft" \
        "f: held by pid $inside (sh) with an exclusive soft lock or a recorded flock, alive" \
        "f: waited for by pid $waiter ($name) with an exclusive soft lock or a recorded flock, alive"
    run "$tool" --who --all f
    verdict "--all: soft, of any kind" test "$(grep -c ' soft lock ' out) $(grep -c ' flock lock,' out)" = "2 2"
    verdict "--all: no place in the queue" test "$(grep -c ' ofd lock' out)" = 0
    run "$tool" --who f
    verdict "--who: a marker with a queue" test "$(lines out) $(grep -c "held by pid $inside .* soft lock" out)" = "1 1"
    let_go
    wait "$waiter"
    rm -f f
}

# The objects are read by another program's parser.  The path has every byte that a path can have.
every_process_json() {
    cat >objects.py <<'END'
import json, os, subprocess, sys
tool = sys.argv[1]
name = bytes(set(range(1, 256)) - {ord("/")}) + "\u00e4\u20ac\U0001f512".encode() + b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\xe2\x82"
MEMBERS = {"path", "path_hex", "device", "inode", "role", "kind", "maybe", "mode", "start", "length", "pid", "command",
           "for_pid", "for_command", "host", "local", "alive"}
def objects(*arguments):
    said = subprocess.run([tool, *arguments], stdout=subprocess.PIPE).stdout
    return [json.loads(line.decode("utf-8")) for line in said.splitlines()]
os.mkdir("named")
for path in b"named/" + name[:200], b"named/" + name[200:]:
    program = b"named/\"\\\n\xff"
    if not os.path.exists(program):
        os.symlink("/bin/sh", program)
    held = subprocess.Popen([tool, path, program, "-c", "echo up; read -r line"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    held.stdout.readline()
    for arguments in (["--who", path, "--json"], ["--who", "--all", "--json", path], ["--list", "--json", "named"]):
        found = objects(*arguments)
        assert found, arguments
        for one in found:
            assert MEMBERS == set(one) | {"path_hex"}, one
            assert bytes.fromhex(one["path_hex"]).endswith(path), one
            assert "\ufffd" in one["path"] and one["path"].replace("\ufffd", "").endswith(path.decode("utf-8", "ignore")), one
            assert (one["role"], one["kind"], one["local"], one["alive"]) == ("holder", "flock", True, True), one
        if "--who" not in arguments or "--all" in arguments:
            assert {one["pid"] for one in found} >= {held.pid} and len(found) == 2, found
            assert all(one["mode"] == "exclusive" and one["inode"] == os.stat(path).st_ino for one in found), found
    held.communicate(b"\n")
assert not objects("--list", "--json", "named")
END
    run "$python" objects.py "$tool"
    expect "--json: any bytes" 0
    rm -rf named
}

listing() {
    if [ ! -r /proc/locks ]; then
        skip "--list" "no /proc/locks"
        return
    fi
    mkdir -p below/deep
    here=$(pwd -P)
    : >f
    run "$tool" --list below
    expect "--list DIRECTORY: nothing" 0
    try "--list: no directory" 66 '' '^filelock: .*missing' --list missing
    hold "$tool" --record below/deep/l
    name=$(cat /proc/$holder/comm)
    wait_in_line "$tool" below/deep/l true
    run "$tool" --list
    grep below/deep out >lines && mv lines out
    for listed in '' below; do
        [ -z "$listed" ] || run "$tool" --list "$listed" --kind flock
        expect_lines "--list $listed" \
            "$here/below/deep/l: held by pid $holder ($name) with an exclusive flock lock, alive" \
            "$here/below/deep/l: held by pid $inside (sh) with an exclusive flock lock, alive" \
            "$here/below/deep/l: waited for by pid $waiter ($name) with an exclusive flock lock, alive"
    done
    run "$tool" --list below --kind ofd
    expect "--list DIRECTORY: another kind" 0
    run "$tool" --list bin
    mkdir beside
    run "$tool" --list beside
    expect "--list DIRECTORY: another" 0
    rmdir beside
    let_go
    wait "$waiter"
    # Files that look like markers, or almost: a pid alone, a text, a marker of the dead and one of another host.
    echo $$ >below/a.pid
    echo text >below/text
    printf '1\nelsewhere.example\n' >below/remote
    "$tool" --soft -F below/dead true
    hold "$tool" --soft below/soft
    run "$tool" --list below
    verdict "--list: the soft lock is named" \
        grep -q "^$here/below/soft: held by pid $inside (sh) with an exclusive soft lock or a recorded flock, alive$" out
    verdict "--list: a marker of another host" \
        grep -q "^$here/below/remote: held by pid 1 on elsewhere.example with an exclusive soft lock, " out
    verdict "--list: no pid file, no text, nothing of the dead" test "$(lines out) $(grep -c -e a.pid -e text -e dead out)" = "4 0"
    run "$tool" --soft --list=below
    verdict "--list --soft: what the dead left" grep -q "^$here/below/dead: held by pid [0-9]* with .*soft lock, dead$" out
    let_go
    # One descriptor has to do for the directories, however deep they are.  The shell of libtool's script needs some too.
    deep=below/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20
    mkdir -p $deep
    mv below/remote $deep
    # shellcheck disable=SC3045 # the shells of all systems have it
    (ulimit -n 12 && "$tool" --list below) >out 2>err
    verdict "--list DIRECTORY: many directories deep" \
        grep -q "^$here/$deep/remote: held by pid 1 on elsewhere.example " out
    controls=$(printf 'esc\033\302\233\302\251\t')
    printf '1\nelsewhere.example\n' >"below/$controls."
    run "$tool" --list below
    verdict "--list: control characters" grep -q "^$here/below/esc??$(printf '\302\251')?[.]: held by pid 1 " out
    rm -rf below
    # A user that may not look into the holder is told who took the lock.
    [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null || { skip "--list of another user" "not root"; return; }
    as_user='setpriv --reuid=65534 --regid=65534 --clear-groups'
    $as_user "$tool" --version >/dev/null 2>&1 || { skip "--list of another user" "it may not run $tool"; return; }
    hold "$tool" f
    run $as_user "$tool" --who --all f
    expect "--all: of another user" 0 "^f: held by pid $holder ($name) with an exclusive flock lock, alive\$"
    run $as_user "$tool" --list
    verdict "--list: of another user" grep -q "^inode $(stat -c %i f) of device .*: held by pid $holder ($name) " out
    run $as_user "$tool" --list .
    verdict "--list DIRECTORY: of another user" grep -q "^$here/f: held by pid $holder ($name) " out
    let_go
    mkdir -p below/secret
    chmod 700 below/secret
    printf '1\nelsewhere.example\n' >below/remote
    run $as_user "$tool" --list below/secret
    expect "--list DIRECTORY: it may not be read" 66 '' "^filelock: cannot look through $here/below/secret: Permission denied\$"
    run $as_user "$tool" --list below
    expect "--list DIRECTORY: one below may not be read" 0 "^$here/below/remote: "
    rm -rf below
}

# On a file system that lists no locks of other hosts, the record is what names the holder.
recording() {
    rm -f f
    hold "$tool" --record f
    verdict "--record: the file names the holder" test "$(head -n 1 f)" = "$inside"
    let_go
    verdict "--record: the record ends with the lock" test ! -s f
    hold "$tool" f
    verdict "without --record: the file stays empty" test ! -s f
    let_go
}

sentences() {
    ln -s loop loop
    for options in '-w 0.2' -n; do
        try "a sentence has no timeout if that is not the reason: $options" 66 '' \
            '^filelock: cannot acquire loop: its path has too many symbolic links$' $options loop echo ran
    done
    rm -f loop f
    for option in --nonsense -Z -nZ --no --shared=1 -w -nw --wait; do
        try "$option ends with a hint" 64 '' "^filelock: .*\. Try 'filelock --help'\.\$" $option
    done
    try "no file ends with a hint" 64 '' "missing\. Try 'filelock --help'\.\$"
    try "an unknown option is named" 64 '' "^filelock: unrecognized option '--nonsense'\." --nonsense=5 f true
    try "an unknown letter is named" 64 '' "^filelock: invalid option '-Z'\." -nZ f true
    try "an ambiguous option is said to be" 64 '' "^filelock: option '--no' is ambiguous\." --no f true
    try "a missing value is said to be" 64 '' "^filelock: option '-w' wants a value\." -w
    try "a value too many is said to be" 64 '' "^filelock: option '--shared' takes no value\." --shared=1 f true
    try "-u with a file says what to do" 64 '' "^filelock: .*'filelock -u 9'.*--who" -u f
    verdict "-u with a file makes none" test ! -e f
}

kinds() {
    try "--kind default" 0 '^ran$' '' --kind default f echo ran
    try "--kind flock" 0 '^ran$' '' --kind flock f echo ran
    try "--kind ofd" 0 '^ran$' '' --kind ofd f echo ran
    try "--kind win32" 69 '' '^filelock: .*win32' --kind win32 f echo ran
    try "--break an operating-system lock" 69 '' '^filelock: .*f' --break f
    try "--break with --kind" 69 '' '^filelock: .*ofd' --kind ofd --break f
    hold "$tool" --fcntl f
    verdict "--fcntl excludes --kind ofd" taken --kind ofd f
    try "--fcntl: -E 0 runs nothing" 0 '' '' --fcntl -n -E 0 f echo ran
    verdict "--fcntl excludes --f" taken --f f
    verdict "--fcntl excludes ranges" taken --start 5 --length 1 f
    verdict "--fcntl does not exclude flock" free f
    let_go
    hold "$tool" --start 1K --length 2 f
    verdict "a range excludes its first byte" taken --start 1024 --length 1 f
    verdict "a range excludes its last byte" taken --start 1025 --length 0x10 f
    verdict "a range admits the byte before it" free --start 1023 --length 1 f
    verdict "a range admits the byte after it" free --start 1026 f
    verdict "a range excludes the whole file" taken --fcntl f
    verdict "a range excludes shared" taken -s --start 1KiB --length 1 f
    let_go
    # The last byte that there is: as one byte, as a part of half of all bytes, and as a part of what is left.
    for range in '--start 9223372036854775807 --length 1' '--start 4E --length 4E' '--start 1 --length 9223372036854775807' \
        '--start 9223372036854775807'; do
        hold "$tool" $range f
        verdict "$range excludes the last byte" taken --start 9223372036854775807 --length 1 f
        verdict "$range admits the first byte" free --start 0 --length 1 f
        if [ -r /proc/locks ]; then
            try "$range: --who" 0 '^f: held by ' '' --start 9223372036854775806 --length 2 --who f
            try "$range: --who, the same" 0 '^f: held by ' '' $range --who f
            try "$range: --who, the first byte" 1 '^f: nobody' '' --start 0 --length 1 --who f
        fi
        let_go
    done
    hold "$tool" --length 1 f
    verdict "--length alone locks ranges" taken --length 1 f
    verdict "--length alone begins at 0" free --start 1 f
    let_go
}

# ---- Descriptors --------------------------------------------------------------------------------

descriptors() {
    : >f
    exec 9>f
    try "descriptor: lock" 0 '' '' 9
    verdict "descriptor: is locked after the tool has gone" taken f
    try "descriptor: lock again" 0 '' '' -n 9
    try "descriptor: to shared" 0 '' '' -s 9
    verdict "descriptor: shared admits shared" free -s f
    verdict "descriptor: shared excludes exclusive" taken f
    try "descriptor: to exclusive" 0 '' '' -x 9
    verdict "descriptor: exclusive again" taken -s f
    try "descriptor: unlock" 0 '' '' -u 9
    verdict "descriptor: is free" free f
    try "descriptor: unlock what is not locked" 0 '' '' -u 9
    "$tool" 9
    exec 9>&-
    verdict "descriptor: closing unlocks" free f

    # A conversion of flock(2) lets go first: if it fails, the shared lock is lost.  A conversion of fcntl(2) keeps the
    # lock.
    for option in '' --fcntl; do
        exec 9<>f
        "$tool" $option -s 9
        hold "$tool" $option -s f
        try "descriptor: a conversion that fails, $option" 1 '' '' $option -n -x 9
        let_go
        if [ -z "$option" ]; then
            verdict "descriptor: has lost a shared flock" free $option f
        else
            verdict "descriptor: has kept its lock, $option" taken $option f
        fi
        exec 9<&-
    done

    exec 9<f
    try "descriptor: only readable" 0 '' '' 9
    verdict "descriptor: only readable, taken" taken f
    exec 9<&-

    hold "$tool" f
    exec 9>f
    try "descriptor: -u does not unlock for others" 0 '' '' -u 9
    verdict "descriptor: others still hold it" taken f
    try "descriptor: conflict" 1 '' '' -n 9
    try "descriptor: conflict -E" 7 '' '' -n -E 7 9
    exec 9>&-
    let_go

    run sh -c '( "$0" -n 9 || exit 5; "$0" -n f echo ran; exit $? ) 9>f' "$tool"
    expect "descriptor: of a subshell" 1
    verdict "descriptor: the subshell has gone" free f
}

range_descriptors() {
    exec 9>f
    try "--fcntl descriptor: only writable" 0 '' '' --fcntl 9
    verdict "--fcntl descriptor: taken" taken --fcntl f
    try "--fcntl descriptor: unlock, only writable" 0 '' '' --fcntl -u 9
    verdict "--fcntl descriptor: free" free --fcntl f
    exec 9>&-
    exec 9<f
    try "--fcntl descriptor: shared, only readable" 0 '' '' --fcntl -s 9
    verdict "--fcntl descriptor: shared, taken" taken --fcntl f
    try "--fcntl descriptor: unlock, only readable" 0 '' '' --fcntl -u 9
    verdict "--fcntl descriptor: unlocked" free --fcntl f
    try "--fcntl descriptor: exclusive, only readable" 65 '' '^filelock: .*9' --fcntl 9
    exec 9<&-
    exec 9<>f
    "$tool" --start 0 --length 10 9
    "$tool" -u --start 5 --length 5 9
    verdict "--fcntl descriptor: half unlocked" free --start 5 --length 5 f
    verdict "--fcntl descriptor: half locked" taken --start 4 --length 1 f
    exec 9<&-
}

fd_option() {
    exec 9>f
    try "--fd" 0 '' '' --fd 9
    verdict "--fd: locked" taken f
    "$tool" --fd=9 -u
    verdict "--fd: unlocked" free f
    try "--fd with a command" 0 '^a b$' '' --fd 9 echo a b
    try "--fd with a command's status" 5 '' '' --fd 9 sh -c 'exit 5'
    try "--fd with -c" 6 '' '' --fd 9 -c 'exit 6'
    try "--fd with -- -c" 6 '' '' --fd 9 -- -c 'exit 6'
    try "--fd with -F" 7 '' '' --fd 9 -F -c 'exit 7'
    verdict "--fd: still locked" taken f
    try "--fd: the command has the descriptor" 0 '' '' --fd 9 sh -c 'true >&9'
    run sh -c '"$0" -o --fd 9 sh -c "true >&9" 2>/dev/null' "$tool"
    verdict "--fd -o: the command has not" test "$status" -ne 0
    verdict "--fd -o: still locked" taken f
    exec 9>&-
    verdict "--fd: closed" free f
}

# ---- Which process has the lock, and how long ---------------------------------------------------

inheritance() {
    # The process that is left behind keeps standard output, a FIFO, open: the FIFO's end tells that the process has
    # ended.
    for option in '' -o -F; do
        : >f
        mkfifo tail_fifo
        cat tail_fifo >/dev/null &
        reader=$!
        "$tool" $option f sh -c '{ echo up >&7; read -r word <&8; } &' >tail_fifo
        read -r _ <&7
        if [ "$option" = -o ]; then
            verdict "-o: a process left behind has not got the lock" free f
        else
            verdict "${option:-default}: a process left behind keeps the lock" taken f
        fi
        echo go >&8
        wait "$reader"
        run "$tool" -w 20 f echo ran
        expect "${option:-default}: its end is the lock's" 0 '^ran$'
        rm -f tail_fifo
    done

    try "default: the lock is held while the command runs" 1 '' '' f "$tool" -n f echo ran
    try "-o: the lock is held while the command runs" 1 '' '' -o f "$tool" -n f echo ran
    try "-F: the lock is held while the command runs" 1 '' '' -F f "$tool" -n f echo ran
    run sh -c 'echo $$; exec "$0" -F f sh -c "echo \$\$"' "$tool"
    verdict "-F: the command has the tool's pid" test "$(sort -u out | wc -l)" -eq 1
    run sh -c 'echo $$; exec "$0" f sh -c "echo \$\$; :"' "$tool"
    verdict "default: the command has its own pid" test "$(sort -u out | wc -l)" -eq 2
    if [ -d /proc/self/fd ]; then
        # The pipe's own descriptors go away while they are listed.
        list='ls -l /proc/$$/fd 2>/dev/null | grep /f$'
        try "default: the command has the descriptor" 0 "$work/f\$" '' f sh -c "$list"
        try "-o: the command has not the descriptor" 1 '' '' -o f sh -c "$list"
    else
        skip "the command's descriptors" "no /proc/self/fd"
    fi

    hold "$tool" f
    kill -9 "$holder"
    wait "$holder" 2>/dev/null
    verdict "a killed tool's command keeps the lock" taken f
    echo go >&8
    run "$tool" -w 20 f echo ran
    expect "and its end is the lock's" 0 '^ran$'

    # The command outlives the tool.  It must have read its word before another process reads from the FIFO, or that
    # process takes the word.  Its end closes tail_fifo.
    mkfifo tail_fifo
    cat tail_fifo >/dev/null &
    reader=$!
    hold "$tool" -o f >tail_fifo
    kill -9 "$holder"
    wait "$holder" 2>/dev/null
    run "$tool" -w 20 f echo ran
    expect "-o: a killed tool's lock is free" 0 '^ran$'
    echo go >&8
    wait "$reader"
    rm -f tail_fifo
}

waiting() {
    : >f
    for options in '' '-w 60' '-s' '-s -w 60' '--fcntl' '--fcntl -w 60'; do
        # An OFD lock belongs to no process, so the list does not tell which process waits.
        case $options in *fcntl*) holding=--fcntl ;; *) holding= ;; esac
        hold "$tool" $holding f
        if [ -n "$holding" ]; then
            "$tool" $options f echo got >waiter.out 2>waiter.err 7>&- 8>&- &
            waiter=$!
        else
            wait_in_line "$tool" $options f echo got
        fi
        let_go
        wait "$waiter"
        status=$?
        cp waiter.out out
        cp waiter.err err
        expect "a waiter gets the lock: ${options:-for ever}" 0 '^got$'
    done
    for options in '' '-w 60'; do
        hold "$tool" f
        wait_in_line "$tool" $options f echo got
        kill -TERM "$waiter"
        wait "$waiter" 2>/dev/null
        status=$?
        cp waiter.out out
        cp waiter.err err
        expect "SIGTERM ends a waiter: ${options:-for ever}" 143
        verdict "and not the holder" taken f
        let_go
        verdict "and it is not in the way" free f
    done
}

# ---- Other programs -------------------------------------------------------------------------

posix_locks() {
    python=
    for candidate in python3 /usr/bin/python3; do
        "$candidate" -c 'import fcntl' 2>/dev/null && python=$candidate && break
    done
    if [ -z "$python" ]; then
        skip "--fcntl and POSIX locks" "no python3"
        return
    fi
    cat >posix.py <<'END'
import fcntl, os, sys
f = open("f", "r+")
try:
    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(sys.argv[1]))
except OSError:
    sys.exit(1)
if len(sys.argv) > 2:
    os.execvp(sys.argv[2], sys.argv[2:])
END
    # A lock of the process survives exec, unless python closes its descriptor there.
    sed -i.orig 's/^f = .*/f = open("f", "r+"); os.set_inheritable(f.fileno(), True)/' posix.py
    hold "$python" posix.py 3
    verdict "--fcntl is excluded by a POSIX lock" taken --fcntl f
    verdict "--start is excluded by a POSIX lock" taken --start 3 --length 1 f
    verdict "--start is admitted beside a POSIX lock" free --start 4 f
    verdict "flock is admitted beside a POSIX lock" free f
    if [ -r /proc/locks ]; then
        try "--who: a POSIX lock" 0 "^f: held by pid $holder (sh) with an fcntl lock, alive\$" '' --who f
        try "--who: a POSIX lock, the kind" 0 "^f: held by pid $holder (sh) with an fcntl lock, " '' --fcntl --who f
        try "--who: a POSIX lock, elsewhere" 1 '^f: nobody' '' --start 4 --who f
        try "--who: a POSIX lock, another kind" 1 '^f: nobody' '' --kind flock --who f
    fi
    let_go
    hold "$tool" --start 10 --length 5 f
    run "$python" posix.py 12
    expect "a POSIX lock is excluded by --start" 1
    run "$python" posix.py 15
    expect "a POSIX lock is admitted beside --start" 0
    let_go
}

# A file that can be opened for reading can be locked by flock(2), but not by an exclusive OFD lock.
permissions() {
    as_user=
    if [ "$(id -u)" -eq 0 ]; then
        as_user='setpriv --reuid=65534 --regid=65534 --clear-groups'
        if ! $as_user "$tool" --version >/dev/null 2>&1; then
            skip "permissions" "no setpriv(1), or another user may not run $tool"
            return
        fi
    fi
    mkdir closed
    : >closed/f
    : >read_only
    : >unreadable
    chmod 555 closed
    chmod 444 read_only
    chmod 000 unreadable
    run $as_user "$tool" read_only echo ran
    expect "a read-only file" 0 '^ran$'
    run $as_user "$tool" -s --fcntl read_only echo ran
    expect "a read-only file, shared by --fcntl" 0 '^ran$'
    run $as_user "$tool" --fcntl read_only echo ran
    expect "a read-only file, exclusively by --fcntl" 66 '' '^filelock: .*read_only: .'
    run $as_user "$tool" closed echo ran
    expect "a read-only directory" 0 '^ran$'
    run $as_user "$tool" closed/new echo ran
    expect "a new file in a read-only directory" 66 '' '^filelock: .*closed/new: .'
    run $as_user "$tool" unreadable echo ran
    expect "an unreadable file" 66 '' '^filelock: .*unreadable: .'
    hold "$tool" read_only
    run $as_user "$tool" -n read_only echo ran
    expect "a read-only file, taken" 1
    let_go
    chmod 755 closed
}

soft() {
    rm -f f
    run "$tool" --soft f echo ran
    if [ "$status" -eq 69 ]; then
        expect "--soft: not in this build" 69 '' '^filelock: .*soft'
        try "--kind soft: not in this build" 69 '' '^filelock: .*soft' --kind soft f echo ran
        return
    fi
    expect "--soft" 0 '^ran$'
    verdict "--soft: no marker is left" test ! -e f
    try "--soft: a marker while the command runs" 0 '' '' --soft f test -s f
    try "--soft: passes the status on" 5 '' '' --soft f sh -c 'exit 5'
    for number in 0 1; do
        try "--soft: -E $number runs nothing" $number '' '' \
            --soft f "$tool" --soft -n -E $number f echo ran
        try "--soft: -w -E $number runs nothing" $number '' '^filelock: cannot acquire' \
            --soft f "$tool" --soft -w 0.02 -E $number f echo ran
        try "--soft: -F -E $number runs nothing" $number '' '' \
            --soft f "$tool" --soft -n -F -E $number f echo ran
    done
    try "--soft: excludes" 1 '' '' --soft f "$tool" --soft -n f echo ran
    try "--soft: not shared" 64 '' '^filelock: .' --soft -s f echo ran
    try "--soft: no descriptor" 64 '' '^filelock: .' --soft 7
    try "--soft -o" 0 '' '' --soft -o f test -s f
    verdict "--soft -o: no marker is left" test ! -e f
    try "--soft -F" 0 '' '' --soft -F f test -s f
    verdict "--soft -F: leaves its marker" test -s f
    try "--soft: takes over from the dead" 0 '^ran$' '' --soft -w 20 f echo ran
    try "--soft: --break without a marker" 1 '' '^filelock: .*f' --soft --break f
    hold "$tool" --soft f
    # The command goes on holding when the tool is killed, so the marker names the command.
    try "--soft: --who of any kind" 0 "^f: held by pid $inside (sh) with a soft lock" '' --who f
    try "--soft: --who, another kind" 1 '^f: nobody' '' --kind ofd --who f
    try "--soft: --who" 0 "^f: held by pid [0-9]* (sh)" '' --soft --who f
    try "--soft: timeout" 1 '' "held by pid [0-9]* (sh)" --soft -w 0.02 f echo ran
    try "--soft: --break" 0 '' '' --soft --break f
    verdict "--soft: broken" test ! -e f
    let_go
    # A process that the command leaves behind keeps the lock, as with locks of the system, and is named.  --close
    # leaves it out.
    mkfifo tail_fifo
    for option in '' -F -o; do
        cat tail_fifo >/dev/null &
        reader=$!
        "$tool" --soft $option f sh -c '{ echo up >&7; read -r word <&8; } &' >tail_fifo
        read -r _ <&7
        if [ "$option" = -o ]; then
            verdict "--soft -o: a process left behind has not got the lock" free --soft f
        else
            verdict "--soft $option: a process left behind keeps the lock" taken --soft f
            [ "$option" = -F ] || try "--soft $option: and is named" 0 '^f: held by pid [0-9]* (sh) ' '' --soft --who f
        fi
        echo go >&8
        wait "$reader"
        run "$tool" --soft -w 20 f echo ran
        expect "--soft ${option:-default}: its end is the lock's" 0 '^ran$'
    done
    for option in '' -o; do
        cat tail_fifo >/dev/null &
        reader=$!
        hold "$tool" --soft $option f >tail_fifo
        kill -9 "$holder"
        wait "$holder" 2>/dev/null
        if [ "$option" = -o ]; then
            run "$tool" --soft -w 20 f echo ran
            expect "--soft -o: a killed tool's lock is free" 0 '^ran$'
        else
            verdict "--soft: a killed tool's command keeps the lock" taken --soft f
            try "--soft: and is named" 0 "^f: held by pid $inside (sh) with a soft lock, alive" '' --soft --who f
        fi
        echo go >&8
        wait "$reader"
        run "$tool" --soft -w 20 f echo ran
        expect "--soft ${option:-default}: the command's end is the lock's" 0 '^ran$'
        verdict "--soft ${option:-default}: no marker is left" test ! -e f
    done
    rm -f tail_fifo
    # --who tells of a marker whose process cannot be seen, such as a process of another host.  It does not tell of what
    # a dead process left.
    printf '1\nelsewhere.example\n' >f
    try "--who: a marker of another host" 0 '^f: held by pid 1 on elsewhere.example with a soft lock, ' '' --who f
    "$tool" --soft --break f
    "$tool" --soft -F f true
    try "--who: a marker of the dead" 1 '^f: nobody' '' --who f
    try "--soft --who: a marker of the dead" 0 '^f: held by pid [0-9]* with a soft lock, dead$' '' --soft --who f
    printf 'a text\n' >f
    try "--who: a file that is no marker" 1 '^f: nobody' '' --who f
    for options in -n '-w 20' '-n -E 9' '-n -E 0'; do
        try "--soft $options: a file that is no marker" 65 '' '^filelock: .* f[ :].*not a lock file of this kind' \
            --soft $options f echo ran
    done
    try "--soft --break: a file that is no marker" 65 '' '^filelock: .*f: .*not a lock file' --soft --break f
    verdict "--soft: a file that is no marker stays" test -s f
    rm -f f
}

lease() {
    rm -f f
    run "$tool" --lease 60 f echo ran
    if [ "$status" -eq 69 ]; then
        expect "--lease: not in this build" 69 '' '^filelock: .*lease'
        return
    fi
    expect "--lease" 0 '^ran$'
    verdict "--lease: no marker is left" test ! -e f
    try "--lease: its marker" 0 '^duration=2.5$' '' --lease 2.5 f grep ^duration f
    try "--kind lease" 0 '^duration=30.0$' '' --kind lease f grep ^duration f
    try "--lease: passes the status on" 5 '' '' --lease 60 f sh -c 'exit 5'
    try "--lease: passes a signal on" 143 '' '' --lease 60 f sh -c 'kill -TERM $$'
    try "--lease: a command that is not there" 69 '' '^filelock: cannot run' --lease 60 f ./not-there
    try "--lease: too long" 65 '' '^filelock: .' --lease 1000000000 f echo ran
    refused "--lease 0" --lease 0 f echo ran
    refused "--lease -F" --lease 60 -F f echo ran
    refused "--lease of another kind" --lease 60 --soft f echo ran
    refused "--lease: no descriptor" --lease 60 7
    refused "--lease -u" --lease 60 -u 7
    refused "--lease -s" --lease 60 -s f echo ran
    hold "$tool" --lease 60 f
    verdict "--lease excludes" taken --lease 60 f
    verdict "--lease excludes --soft" taken --soft f
    try "--lease: another duration" 65 '' '^filelock: .*a lease of 60.000 s.*one of 30.000 s' --lease 30 f echo ran
    try "--lease: --who" 0 "^f: held by pid $holder .*(sh) with a lease, alive$" '' --kind lease --who f
    try "--lease: --who of any kind" 0 "^f: held by pid $holder .*(sh) with a soft lock" '' --who f
    let_go
    # The command of a lost lease is ended.  It has ended by itself, is ended by SIGTERM, or only by SIGKILL.
    try "--lease: a loss that is found at the end" 75 '' '^filelock: .*f: the lease was lost: its file was removed$' \
        --lease 60 f rm f
    for signals in '' "trap '' TERM"; do
        run "$tool" --lease 1.5 f sh -c "$signals
            rm f; exec sleep 600"
        expect "--lease: a loss ends the command${signals:+, which ignores SIGTERM}" 75 '' '^filelock: .*f: the lease was lost'
    done
    verdict "--lease: no marker is left after a loss" test ! -e f
    hold "$tool" --lease 60 f
    kill -KILL "$holder"
    wait "$holder"
    try "--lease: takes over from the dead" 0 '^ran$' '' --lease 60 -n f echo ran
    echo go >&8
    "$tool" --lease 60 f true
    try "--lease: --break without a marker" 1 '' '^filelock: .*f' --kind lease --break f
    rm -f f
}

side_by_side
usage_errors
errors
mounted_errors
help_and_version
conflicts
verbosity
shells
who
every_process
listing
recording
sentences
kinds
descriptors
range_descriptors
fd_option
inheritance
waiting
posix_locks
permissions
soft
lease

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
