#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check.sh                  the manual pages of this source, as they would be installed
# check.sh --installed DIR  those below DIR, which has man1, man3, man7
#
# Each exported function has a page, links and cross references lead somewhere, each page shows the
# prototypes of the header, and mandoc and groff have nothing to say about any.
set -u
man=$(cd "$(dirname "$0")" && pwd)
failed=0

complain() {
    echo "man: $*"
    failed=1
}

if [ "${1-}" = --installed ]; then
    root=$2
else
    root=$(mktemp -d "${TMPDIR:-/tmp}/filelock-man.XXXXXX") || exit 99
    trap 'rm -rf "$root"' EXIT
    for page in "$man"/*.[1-9]; do
        section=man${page##*.}
        mkdir -p "$root/$section"
        cp "$page" "$root/$section"
    done
fi
cd "$root" || exit 99

# The text of a page with links followed, fonts and spacing gone.
flat() {
    page=$1
    target=$(sed -n 's/^\.so //p' "$page")
    sed -e 's/^\.[BI][RI]* //; s/"//g; s/\\(dq//g; s/\\-/-/g' "${target:-$page}" | tr -d ' \n'
}

functions=$(sed -n 's/^[[:space:]]*\(filelock_[a-z_]*\);$/\1/p' "$man/../lib/filelock.map")
[ -n "$functions" ] || complain "found no function in lib/filelock.map"
for name in $functions; do
    [ -e "man3/$name.3" ] || { complain "$name has no page" && continue; }
    prototype=$(tr '\n' ' ' <"$man/../include/filelock.h" |
        sed -n "s/.*FILELOCK_API \([^;]*[ *]$name([^;]*\);.*/\1;/p" | tr -d ' ')
    [ -n "$prototype" ] || complain "$name has no prototype in filelock.h"
    flat "man3/$name.3" | grep -qF "$prototype" || complain "$name.3 lacks the prototype $prototype"
done

for page in man*/*; do
    target=$(sed -n 's/^\.so //p' "$page")
    [ -z "$target" ] || [ -e "$target" ] || complain "$page leads to $target, which is missing"
    references=$(sed -n 's/^\.BR "\{0,1\}\(filelock[a-z_]*\)"\{0,1\} "\{0,1\}(\([1-9]\)).*/\1.\2/p' "$page")
    for reference in $references; do
        [ -e "man${reference##*.}/$reference" ] || complain "$page refers to $reference, which is missing"
    done
done

lint() { # COMMAND...: silent on every page
    command -v "$1" >/dev/null || { echo "SKIP: $1 is not installed: pages not linted by it" && return; }
    for page in man*/*; do
        grep -q '^\.so ' "$page" && continue # a link, followed above
        said=$("$@" "$page" 2>&1)
        [ -z "$said" ] || complain "$1: $said"
    done
}
lint mandoc -T lint
lint groff -t -man -ww -z
exit $failed
