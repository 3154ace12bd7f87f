#!/bin/sh
# SPDX-License-Identifier: MIT
#
# posix_only.sh - says which tests a build for Windows does not have, and why.  make check passes POSIX_SUITES, and each
# suite in it has its reason here.
set -u
source=${srcdir:-.}
total=0

reason_of() { # SUITE
    case $1 in
    test_permissions) echo "modes, owners, links and limits of POSIX files" ;;
    test_hostile) echo "links, FIFOs, sockets and devices in the place of a lock file" ;;
    test_inherited) echo "descriptors that fork, exec and dup2 pass on" ;;
    test_signals) echo "Windows has no signals" ;;
    test_rlimits) echo "limits that setrlimit() sets" ;;
    test_fork) echo "Windows has no fork" ;;
    test_lost) echo "descriptors that close_range() and dup2() take away" ;;
    test_lease) echo "leases are not in a build for Windows" ;;
    test_load) echo "fork handlers, exit handlers and modules of POSIX" ;;
    test_foreign) echo "programs that lock by flock() and fcntl(); test_lockfileex is its equal" ;;
    test_soft_files) echo "links, FIFOs and modes in a marker's place" ;;
    test_soft_posix) echo "fork, signals and modes of who holds a marker" ;;
    test_soft_queue) echo "places of waiters, which OFD locks on Linux keep" ;;
    test_soft_storm) echo "a storm of forked processes; test_contention kills spawned ones" ;;
    test_soft_foreign) echo "Python's filelock under POSIX" ;;
    test_soft_takeover) echo "seccomp, links and sticky directories around a marker" ;;
    test_signals_linux) echo "Windows has no signals" ;;
    test_soft_linux) echo "system calls of Linux, stopped and failed one by one" ;;
    test_soft_sharing) echo "Windows has no fork" ;;
    test_limits_linux) echo "what Linux alone says of a waiter that wants much" ;;
    test_owner_linux) echo "what /proc of Linux says of locks, and record locks of fcntl()" ;;
    test_faults) echo "system calls of Linux that fail" ;;
    test_crash) echo "processes of Linux that are killed at a system call" ;;
    test_interleaved) echo "processes of Linux that are paused at a system call" ;;
    esac
}

for suite in ${POSIX_SUITES:?}; do
    name=$(basename "$suite")
    reason=$(reason_of "$name")
    if test -z "$reason"; then
        echo "FAIL: $name is not run on Windows, and there is no reason for it here"
        exit 1
    fi
    tests=$(sed -n 's/^START_TEST(\(.*\))$/\1/p' "$source/tests/$name.c")
    count=$(echo "$tests" | grep -c .)
    test "$count" -gt 0 || { echo "FAIL: no tests in $name.c" && exit 1; }
    total=$((total + count))
    echo "SKIP: $name: $count tests: $reason"
    test -z "${FILELOCK_TEST_CONSOLE:-}" || echo "SKIP: $name: $count tests: $reason" >&9
    echo "$tests" | sed "s/^/    /"
done
echo "$total tests are for POSIX only"
exit 77
