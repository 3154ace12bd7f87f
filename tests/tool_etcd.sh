#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tool_etcd.sh - filelock --etcd and examples/cluster, with a node of etcd on the loopback interface.  Runs in the build
# directory.
LC_ALL=C
export LC_ALL
if [ -z "$TOOL_SH_GUARDED" ] && command -v timeout >/dev/null; then
    TOOL_SH_GUARDED=1 exec timeout -k 5 300 sh "$0" "$@"
fi

tool=${FILELOCK_TOOL:-$PWD/filelock}
cluster=$PWD/examples/cluster
[ -x "$tool" ] || { echo "tool_etcd.sh: $tool is missing"; exit 99; }
work=$(mktemp -d "${TMPDIR:-/tmp}/filelock-etcd.XXXXXX") || exit 99
node=''
jobs=''
trap 'test -z "$node$jobs" || kill -KILL $node $jobs 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work" || exit 99
failed=0

# expect NAME STATUS OUT ERR COMMAND...: checks a command.  OUT and ERR are patterns for all that it prints.
expect() {
    name=$1 want=$2 out=$3 err=$4
    shift 4
    "$@" >out 2>err
    status=$?
    # shellcheck disable=SC2254 # patterns on purpose
    case $status:$(cat out):$(cat err) in
    $want:$out:$err) echo "ok $name" ;;
    *)
        echo "FAIL $name: status $status, expected $want"
        sed 's/^/    stdout: /' out
        sed 's/^/    stderr: /' err
        failed=1
        ;;
    esac
}

# ---- Without a node -------------------------------------------------------------------------

nowhere=http://127.0.0.1:1
expect "no endpoint answers" 69 '' "filelock: cannot acquire job: $nowhere: *" \
    "$tool" --etcd $nowhere -n job echo ran
expect "not until the deadline" 69 '' "filelock: cannot acquire job: $nowhere: *" \
    "$tool" --etcd $nowhere -w 0.1 job echo ran
expect "no endpoints" 64 '' "filelock: invalid endpoints *" "$tool" --etcd '' job echo ran
expect "a lease that is too short" 64 '' "filelock: *2 seconds at least*" "$tool" --etcd $nowhere --lease 1 job echo ran
expect "no command" 64 '' "filelock: a command to run is missing" "$tool" --etcd $nowhere job
for options in --soft "--kind lease" "--start 1" --fcntl "--fd 1" -u -F "--who job" "--break job"; do
    # shellcheck disable=SC2086 # options
    expect "not with $options" 64 '' "filelock: *" "$tool" --etcd $nowhere $options job echo ran
done

# ---- With a node ----------------------------------------------------------------------------

if ! command -v etcd >/dev/null || ! command -v etcdctl >/dev/null; then
    echo "SKIP: tests/tool_etcd.sh: wants etcd and etcdctl (Debian: etcd-server, etcd-client)"
    test -z "$FILELOCK_TEST_CONSOLE" || echo "SKIP: tests/tool_etcd.sh: wants etcd and etcdctl" >&9
    exit $failed
fi

# Starts a node at two ports that may be taken; true if it answers.
start_node() { # PORT
    ETCDCTL_ENDPOINTS=http://127.0.0.1:$1
    ETCDCTL_API=3
    export ETCDCTL_ENDPOINTS ETCDCTL_API
    etcd --name n --data-dir "data.$1" --listen-client-urls "$ETCDCTL_ENDPOINTS" \
        --advertise-client-urls "$ETCDCTL_ENDPOINTS" --listen-peer-urls "http://127.0.0.1:$(($1 + 1))" \
        --initial-advertise-peer-urls "http://127.0.0.1:$(($1 + 1))" \
        --initial-cluster "n=http://127.0.0.1:$(($1 + 1))" --heartbeat-interval 20 --election-timeout 200 \
        >log 2>&1 &
    node=$!
    while kill -0 $node 2>/dev/null; do
        etcdctl put ready yes >/dev/null 2>&1 && return 0
    done
    node=
    return 1
}
port=$((20000 + $$ % 10000))
until start_node $port; do
    port=$((port + 7))
    [ $port -lt 31000 ] || { sed 's/^/    etcd: /' log; exit 99; }
done

# shellcheck disable=SC2016 # for the inner shell
expect "a command with a token" 0 '[1-9]*' '' "$tool" --etcd "$ETCDCTL_ENDPOINTS" job sh -c 'echo $FILELOCK_TOKEN'
first=$(cat out)
# shellcheck disable=SC2016 # for the inner shell
expect "a status" 5 '[1-9]*' '' "$tool" --lease 3 --etcd "$ETCDCTL_ENDPOINTS" job sh -c 'echo $FILELOCK_TOKEN; exit 5'
[ "$(cat out)" -gt "$first" ] || { echo "FAIL the token is not greater"; failed=1; }
expect "a conflict" 1 '' '' "$tool" --etcd "$ETCDCTL_ENDPOINTS" job "$tool" --etcd "$ETCDCTL_ENDPOINTS" -n job echo ran
expect "a conflict after a wait" 1 '' 'filelock: cannot acquire job within 0.1 s: held by pid *' \
    "$tool" --etcd "$ETCDCTL_ENDPOINTS" job "$tool" --etcd "$ETCDCTL_ENDPOINTS" -w 0.1 job echo ran
expect "beside etcdctl lock" 1 '' '*' etcdctl lock job -- "$tool" --etcd "$ETCDCTL_ENDPOINTS" -n job echo ran
expect "two readers" 0 'ran' '' \
    "$tool" -s --etcd "$ETCDCTL_ENDPOINTS" job "$tool" -s --etcd "$ETCDCTL_ENDPOINTS" -n job echo ran
expect "a loss ends the command" 75 '*' 'filelock: cannot release job: its key was removed' \
    "$tool" --etcd "$ETCDCTL_ENDPOINTS" job sh -c 'etcdctl del --prefix job/; exec sleep 600'
expect "the lock is free" 0 'ran' '' "$tool" --etcd "$ETCDCTL_ENDPOINTS" -n job echo ran

# ---- The example: a job that runs on one host of several ------------------------------------------

# check NAME EXPECTED GOT: fails if GOT does not match EXPECTED, a pattern as in "case"
check() {
    # shellcheck disable=SC2254 # a pattern on purpose
    case $3 in
    $2) echo "ok $1" ;;
    *)
        echo "FAIL $1: expected '$2', got '$3'"
        failed=1
        ;;
    esac
}

# start_job N: starts a job whose input is the FIFO in.N, and whose output goes to the FIFO out.N
start_job() {
    mkfifo "in.$1" "out.$1"
    "$cluster" daily data 2 <"in.$1" >"out.$1" 2>"err.$1" &
    jobs="$jobs $!"
}

[ -z "${FILELOCK_TOOL-}" ] || exit $failed # a tool that was built elsewhere
[ -x "$cluster" ] || { echo "tool_etcd.sh: $cluster is missing"; exit 99; }
start_job 1
first_job=$!
exec 6>in.1 7<out.1
read -r line <&7
check "the job runs" 'cluster: ours, token *' "$line"
start_job 2
second_job=$!
exec 8>in.2 9<out.2
echo one >&6
until [ -s data ]; do :; done
kill -KILL $first_job
read -r next <&9
check "another host goes on" 'cluster: ours, token *' "$next"
[ "${next##* }" -gt "${line##* }" ] || { echo "FAIL the token is not greater"; failed=1; }
echo two >&8
exec 8>&-
wait $second_job
check "the job ends with its input" 0 $?
check "the data" "${line##* } one ${next##* } two " "$(tr '\n' ' ' <data)"
echo "999999999 late" >>data
# shellcheck disable=SC2016 # for the inner shell
expect "data of a later holder is left alone" 75 'cluster: ours, token *' 'cluster: another host has gone on with data' \
    sh -c 'echo three | "$1" daily data 2' sh "$cluster"
check "and nothing was added" "999999999 late" "$(tail -n 1 data)"
exit $failed
