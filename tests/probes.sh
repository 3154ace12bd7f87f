#!/bin/sh
# SPDX-License-Identifier: MIT
#
# probes.sh - the probes that filelock(3) lists are in the library, with their arguments, and each is one nop.  Reads the
# notes of the ELF file.  Needs srcdir and OBJDUMP in the environment, and the build as working directory.
say_skipped() {
    echo "SKIP: tests/probes.sh: $1"
    test -z "$FILELOCK_TEST_CONSOLE" || echo "SKIP: tests/probes.sh: $1" >&9
    exit 77
}
grep -q 'FLK_PROBES_FILE "system/probes_sdt.h"' config.h || say_skipped "this build has no probes: no <sys/sdt.h>"
command -v readelf >/dev/null || say_skipped "no readelf"
source=`cd "${srcdir:-.}" && pwd`
scratch=`mktemp -d` || exit 99
trap 'rm -rf "$scratch"' EXIT
failed=0

# The shared library, or a program that is linked with the static one.
file=filelock
test ! -e .libs/filelock || file=.libs/filelock
test ! -e .libs/libfilelock.so || file=.libs/libfilelock.so

# A line for each probe: its name, the number of its arguments, its address.
readelf -n -W "$file" 2>/dev/null | awk '
    /Provider:/ { ours = $NF == "filelock" }
    $1 == "Name:" { name = $2 }
    $1 == "Location:" { place = $2; sub(/,/, "", place) }
    $1 == "Arguments:" && ours { print name, NF - 1, place }' >"$scratch/found"

# The page has a line for each: its name, a tab, and its arguments.
awk '/^\.SS Probes/ { on = 1; next }
    /^\.S[SH]/ { on = 0 }
    on && /^filelock:/ { sub(/^filelock:/, "", $1); print $1, NF - 1 }' "$source/man/filelock.3" | sort >"$scratch/listed"
cut -d ' ' -f 1,2 "$scratch/found" | sort -u >"$scratch/distinct"
if test "$(wc -l <"$scratch/listed")" -ge 5 && diff "$scratch/listed" "$scratch/distinct"; then
    echo "PASS: the probes are those of filelock(3)"
else
    echo "FAIL: the probes of filelock(3) (<) are not those of $file (>)"
    failed=1
fi

while read -r name _ place; do
    end=`printf '0x%x' $(($place + 1))`
    if ${OBJDUMP:-objdump} -d --start-address="$place" --stop-address="$end" "$file" | grep -qw nop; then
        echo "PASS: $name at $place is a nop"
    else
        echo "FAIL: $name at $place is no nop"
        failed=1
    fi
done <"$scratch/found"
exit $failed
