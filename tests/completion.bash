# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# The part of tests/completion.sh that runs in bash.
set -u
scratch=$(mktemp -d "${TMPDIR:-/tmp}/filelock-completion.XXXXXX") || exit 99
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 99
touch app.lock 'other lock'
mkdir apps
failed=0

# The completion asks the tool, as it is typed, for what the build has.
mkdir tool
ln -s "$FILELOCK_TOOL" tool/filelock
PATH=$scratch/tool:$PATH

# shellcheck source=/dev/null
. "$FILELOCK_COMPLETION"

# offers WORD...: completes the last word, as bash does at the end of a line; the answer is in COMPREPLY.
offers() {
    COMP_WORDS=() COMPREPLY=()
    local word
    for word in "$@"; do
        case $word in
        --*=) COMP_WORDS+=("${word%=}" "=") ;; # bash ends words at =
        --*=*) COMP_WORDS+=("${word%%=*}" "=" "${word#*=}") ;;
        *) COMP_WORDS+=("$word") ;;
        esac
    done
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _filelock
}

# expect 'WHAT|IS|OFFERED' WORD...: passes if just these completions are offered, in any order.
expect() {
    local wanted=$1 got
    shift
    offers "$@"
    got=$(printf '%s\n' "${COMPREPLY[@]-}" | sort | paste -sd '|')
    if [ "$got" = "$wanted" ]; then
        echo "PASS: $*"
    else
        echo "FAIL: $*: expected '$wanted', got '$got'"
        failed=1
    fi
}

# ---- Options: the same as in the help, and the tool accepts each ---------------------------
offers filelock -
printf '%s\n' "${COMPREPLY[@]}" | sort >offered
"$FILELOCK_TOOL" --help | sed -n 's/^ *\(-[-a-zA-Z, ]*\).*/\1/p' | grep -o -e '--*[a-zA-Z][-a-zA-Z]*' | sort -u >named
if [ "$(wc -l <named)" -ge 30 ] && diff named offered; then
    echo "PASS: the options are those of --help"
else
    echo "FAIL: the options of --help (<) are not those that are offered (>)"
    failed=1
fi
while read -r option; do
    # An option that the tool does not know is refused even if --help follows it, and then nothing is locked.
    said=$("$FILELOCK_TOOL" "$option" --help 2>&1)
    case $said in
    *"unrecognized option"* | *"invalid option"* | *ambiguous*)
        echo "FAIL: $option is offered, and refused: $said"
        failed=1
        ;;
    esac
done <offered
expect '--shared|--soft|--start' filelock --s
expect '--json' filelock --who --js
expect '--json' filelock --list . --js
expect '--kind' filelock -w 5 --ki
expect '--nb|--no-fork|--nonblock|--nonblocking' filelock --n
expect '--version' filelock --fd 1 --vers

# ---- Kinds: those that this build has, and no others -------------------------------------
offers filelock --kind ''
[ "${#COMPREPLY[@]}" -ge 2 ] || { echo "FAIL: no kinds are offered" && failed=1; }
for kind in default flock ofd win32 soft lease "${COMPREPLY[@]}"; do
    "$FILELOCK_TOOL" --kind "$kind" kind.lock true 2>/dev/null
    case "$? ${COMPREPLY[*]} " in
    "0 "*" $kind "* | "0 $kind "*) ;;
    "0 "* | *" $kind "*)
        echo "FAIL: the kind $kind is offered and refused, or neither"
        failed=1
        ;;
    esac
done
rm -f kind.lock

# ---- Values --------------------------------------------------------------------------------
kinds=$("$FILELOCK_TOOL" --kind bogus file true 2>&1 | sed -n 's/.*it is one of //p' | sed 's/, /\n/g' |
    sort | paste -sd '|')
expect "$kinds" filelock --kind ''
expect "$kinds" filelock --kind=
expect 'soft' filelock --kind=s
expect 'ofd' filelock -n --kind o
expect '' filelock --wait ''
expect '' filelock -w ''
expect '' filelock -nw ''
expect '' filelock --timeout=
expect '' filelock -E ''
exec 7>/dev/null
expect '7' filelock --fd 7
exec 7>&-
expect '' filelock --fd 7
(
    for fd in /dev/fd/*; do # descriptors that this shell was started with
        fd=${fd##*/}
        [ "$fd" -le 2 ] || exec {fd}>&-
    done
    exec 7>/dev/null
    expect '0|1|2|7' filelock --fd ''
    expect '0|1|2|7' filelock --fd=
    exit $failed
) || failed=1
expect 'app.lock|apps' filelock --who ap
expect 'app.lock|apps' filelock --break=ap
expect 'app.lock|apps' filelock --who --all ap
expect 'app.lock|apps' filelock --who --kind flock --json ap
expect 'app.lock|apps' filelock --who=ap
expect '' filelock --who --all app.lock ''
expect '' filelock --who=app.lock ''
expect 'apps' filelock --list ap
expect 'apps' filelock --list --json ap
expect '' filelock --list apps ''
expect '' filelock --who app.lock ''
expect 'apps' filelock --doctor ap
expect 'apps' filelock --doctor --kind soft --meet ap
expect '' filelock --doctor apps ap
expect '--doctor' filelock --do
expect '4K|4KB|4KiB' filelock --length 4K
expect '' filelock --start ''
[ "$("$FILELOCK_TOOL" --length 4KiB app.lock echo taken 2>&1)" = taken ] || {
    echo "FAIL: a unit that is offered is refused"
    failed=1
}

# ---- Files, and the command ----------------------------------------------------------------
expect 'app.lock|apps' filelock ap
expect 'other lock' filelock oth
expect 'other lock' filelock 'other\ l'
expect 'other lock' filelock "'other l"
expect 'other lock' filelock --who '"oth'
expect 'app.lock|apps' filelock -s -w5 ap
expect 'app.lock|apps' filelock --kind=soft ap
expect 'app.lock|apps' filelock -- ap
mkdir bin
printf '#!/bin/sh\n' | tee bin/flk-backup >bin/flk-restore
chmod +x bin/*
PATH=$PATH:$scratch/bin
expect 'flk-backup|flk-restore' filelock app.lock flk-
expect 'flk-backup' filelock -n app.lock flk-b
expect 'flk-backup|flk-restore' filelock app.lock -c flk-
expect 'flk-backup|flk-restore' filelock -- app.lock flk-
expect 'flk-backup|flk-restore' filelock --fd 9 flk-
expect 'flk-backup|flk-restore' filelock --fd 9 -c flk-
expect 'app.lock|apps' filelock app.lock cat ap
expect '' filelock app.lock cat --sh

# If the package bash-completion is there, the command's own completion is asked, beginning with the command's name.
_command_offset() { COMPREPLY=("from $1"); }
expect 'from 4' filelock -n -w5 app.lock flk-backup --al
expect 'from 2' filelock app.lock flk-
unset -f _command_offset
exit $failed
