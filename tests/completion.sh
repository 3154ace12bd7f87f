#!/bin/sh
# SPDX-License-Identifier: MIT
#
# completion.sh - what bash, zsh and fish offer for the tool filelock.  They offer every option that the help names, and
# nothing that the tool refuses; the values of options; files; the command.  Needs srcdir, and the tool in the working
# directory.
FILELOCK_TOOL=${FILELOCK_TOOL:-`pwd`/filelock}
source=`cd "${srcdir:-.}" && pwd`
FILELOCK_COMPLETIONS=$source/completions
FILELOCK_COMPLETION=$FILELOCK_COMPLETIONS/filelock
export FILELOCK_TOOL FILELOCK_COMPLETION FILELOCK_COMPLETIONS
failed=0 tried=0
# A shell that waits for an answer that does not come is ended, and fails.
limit=
if command -v timeout >/dev/null; then limit="timeout 120"; fi

# in_shell SHELL ARGUMENT...: runs the part for this shell.
in_shell() {
    if ! command -v "$1" >/dev/null; then
        echo "SKIP: tests/completion.sh: $1 is not installed"
        test -z "$FILELOCK_TEST_CONSOLE" || echo "SKIP: tests/completion.sh: $1 is not installed" >&9
        return
    fi
    tried=1
    $limit "$@" || failed=1
}
in_shell bash --norc --noprofile "$source/tests/completion.bash"
in_shell zsh -f "$source/tests/completion.zsh"
in_shell fish --no-config "$source/tests/completion.fish"

# zsh shows no list here: its options are those of the help by their names in the source.
"$FILELOCK_TOOL" --help | sed -n 's/^ *\(-[-a-zA-Z, ]*\).*/\1/p' | tr -c 'a-zA-Z-' '\n' |
    grep '^--*[a-zA-Z]' | sort -u |
    while read -r option; do
        grep -q -e "[{,']${option}[+=]*[],}[]" "$FILELOCK_COMPLETIONS/_filelock" || echo "$option"
    done | grep . && echo "FAIL: zsh does not offer these" && failed=1
test $tried -eq 1 || exit 77
exit $failed
