#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check.sh                  checks the manual pages of this source, as they would be installed
# check.sh --installed DIR  checks the pages below DIR, which has man1, man3, man7
#
# Checks that
#   - each exported function has a page
#   - links and cross references lead to pages
#   - each page has the prototypes and the errors of the header, and all sections
#   - mandoc and groff complain of nothing
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

# Prints the text of a page without fonts and spaces.  If the page is a link, follows it.
flat() {
    page=$1
    target=$(sed -n 's/^\.so //p' "$page")
    sed -e 's/^\.[BI][RI]* //; s/"//g; s/\\(dq//g; s/\\-/-/g' "${target:-$page}" | tr -d ' \n'
}

functions=$(sed -n 's/^[[:space:]]*\(filelock_[a-z_]*\);$/\1/p' "$man/../lib/filelock.map" "$man/../lib/etcd/filelock-etcd.map")
[ -n "$functions" ] || complain "found no function in lib/filelock.map"
for name in $functions; do
    [ -e "man3/$name.3" ] || { complain "$name has no page" && continue; }
    prototype=$(cat "$man"/../include/*.h | tr '\n' ' ' |
        sed -n "s/.*FILELOCK_API \([^;]*[ *]$name([^;]*\);.*/\1;/p" | tr -d ' ')
    [ -n "$prototype" ] || complain "$name has no prototype in a header"
    flat "man3/$name.3" | grep -qF "$prototype" || complain "$name.3 lacks the prototype $prototype"
done

# The page on C++ has each public member of the header, and no other.
members() {
    grep -o -e '\(explicit \)\{0,1\}~\{0,1\}[a-z_]*(' | sed 's/explicit //; s/($//' | sort -u
}
sed -n '/^class filelock::file_lock/,/^private:/p' "$man/../include/filelock.hpp" | sed 's|/\*.*||; s/ noexcept : .*//' |
    grep -E '^    [a-z~].*\(' >"$root/members.header"
awk '/^\.SH/ { on = $2 == "SYNOPSIS" } on' man3/filelock_hpp.3 >"$root/members.page"
for member in $(members <"$root/members.header"); do
    members <"$root/members.page" | grep -qx -e "$member" || complain "filelock_hpp.3 lacks $member"
done
for member in $(members <"$root/members.page"); do
    members <"$root/members.header" | grep -qx -e "$member" || complain "filelock_hpp.3 has $member, the header has not"
done
rm "$root/members.header" "$root/members.page"

# Print the errors that the header's comment on a function names, and those in the ERRORS section of a page.
errors_of_header() {
    awk -v name="$1" '/^\/\*/ { comment = "" }
        /^ \*/ || /^\/\*/ { comment = comment $0 "\n" }
        index($0, name "(") && /^FILELOCK_API/ { print comment }' "$man"/../include/*.h |
        grep -o -e '-E[A-Z0-9]*[A-Z]' | tr -d '-' | sort -u
}
errors_of_page() {
    awk '/^\.SH/ { on = $2 == "ERRORS" } on' "$1" | grep -o '\\-E[A-Z0-9]*' | tr -d '\\-' | sort -u
}

sections='NAME LIBRARY SYNOPSIS DESCRIPTION RETURN ERRORS ATTRIBUTES STANDARDS EXAMPLES SEE'
for page in man3/*; do
    grep -q '^\.so ' "$page" && continue
    grep -q '^\.B #include <filelock[a-z-]*\.h\(pp\)*>$' "$page" || complain "${page#*/} does not say what to include"
    there=$(sed -n 's/^\.SH "\{0,1\}\([A-Z]*\).*/\1/p' "$page")
    for section in $sections; do
        echo "$there" | grep -qx "$section" || complain "${page#*/} lacks the section $section"
    done
    # The sections are in this order.  Other sections may stand between them.
    # shellcheck disable=SC2046,SC2086 # words
    order=$(echo "$there" | grep -x $(printf -- '-e %s ' $sections) | tr '\n' ' ')
    [ "$order" = "$sections " ] || complain "${page#*/} has its sections in another order: $order"
    [ "$page" != man3/filelock.3 ] || continue # the overview leaves the details to the other pages

    wanted=''
    for name in $functions; do
        case $(sed -n 's/^\.so //p' "man3/$name.3") in
        "$page") ;;
        '') [ "man3/$name.3" = "$page" ] || continue ;;
        *) continue ;;
        esac
        wanted="$wanted $(errors_of_header "$name" | tr '\n' ' ')"
        awk '/^\.SH/ { on = $2 == "ATTRIBUTES" } on' "$page" | grep -q "^$name()  " ||
            complain "$name is not in the ATTRIBUTES of ${page#*/}"
        awk '/^\.SH/ { on = $2 == "NAME" } on' "$page" | grep -qw "$name" ||
            complain "$name is not in the NAME of ${page#*/}"
    done
    has=" $(errors_of_page "$page" | tr '\n' ' ')"
    for error in $wanted; do
        case $has in *" $error "*) ;; *) complain "${page#*/} lacks the error $error" ;; esac
    done
    for error in $has; do
        case "$wanted " in *" $error "*) ;; *) complain "${page#*/} has the error $error, the header has not" ;; esac
    done
done

for page in man*/*; do
    target=$(sed -n 's/^\.so //p' "$page")
    [ -z "$target" ] || [ -e "$target" ] || complain "$page leads to $target, which is missing"
    references=$(sed -n 's/^\.BR "\{0,1\}\(filelock[a-z_]*\)"\{0,1\} "\{0,1\}(\([1-9]\)).*/\1.\2/p' "$page")
    for reference in $references; do
        [ -e "man${reference##*.}/$reference" ] || complain "$page refers to $reference, which is missing"
    done
done

lint() { # COMMAND...: complains if the command prints anything about a page
    command -v "$1" >/dev/null || { echo "SKIP: $1 is not installed: pages not linted by it" && return; }
    for page in man*/*; do
        grep -q '^\.so ' "$page" && continue # a link, which was followed above
        said=$("$@" "$page" 2>&1)
        [ -z "$said" ] || complain "$1: $said"
    done
}
lint mandoc -T lint
lint groff -t -man -ww -z
exit $failed
