# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# The steps of .ci/run.  The comment line above a step is its title.  $top is the checkout.  Each step runs in $work,
# which it may fill, under set -euo pipefail.
set -euo pipefail
export CI=true DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
export CK_DEFAULT_TIMEOUT=300 # s for a test: beside those of other steps
[ ! -x /bin/dash ] || export CONFIG_SHELL=/bin/dash # as ./dev has it, and for its reason
: "${top:?}" "${work:?}"

# ---- Parts of steps ------------------------------------------------------------------------

# configure_in DIRECTORY ARGUMENT...: configures in this directory of $work, and stays there
configure_in() {
    mkdir -p "$work/$1"
    cd "$work/$1"
    shift
    "$top/configure" --quiet "$@"
    sed -n 's/^CC = /note: CC is /p' Makefile
}

# The suites that kill or pause a process at each of its system calls.  They look at what it leaves behind, which differs
# little from one build to another.
stopping_suites='test_crash test_interleaved'
# And the suite in which each system call fails.  What follows depends on the C library and on the checks of the build,
# hardly on the processor.
system_call_suites="test_faults $stopping_suites"

# For builds that differ little from others: repeats little, and leaves out the suites that take long.  These are the
# suites about markers alone, and those that stop at each system call.  The others test the soft kind too.
soft_suites='test_soft test_soft_posix test_soft_storm test_soft_foreign test_soft_linux test_soft_queue test_soft_sharing test_soft_takeover'
briefly() { # COMMAND...
    FILELOCK_TEST_SCALE=0.2 FILELOCK_TEST_SKIP="$soft_suites $system_call_suites" "$@"
}

build_and_check() { # DIRECTORY CONFIGURE-ARGUMENT...
    configure_in "$@"
    make -s -j2
    check
}

# The scripts that know no difference between the builds for Linux.
scripts_alike='cxx.sh completion.sh'

# Prints what this target of make lists, without those scripts, the programs and scripts of the manual, and what
# FILELOCK_TEST_SKIP leaves out.  The steps check, trixie, deb and rpm run the scripts and the manual's programs.
kept() { # list-tests|list-programs
    # shellcheck disable=SC2086 # lists
    make -s "$1" | tr ' ' '\n' | grep -v '^man/' |
        grep -vxF -f <(printf 'tests/%s\n' $scripts_alike ${FILELOCK_TEST_SKIP-}) | tr '\n' ' '
}

# Builds and runs the suites, or these TESTS of check_PROGRAMS.  What is left out is not built either.  Fails if none has
# run, for which Automake says PASS.
check() { # [COMMAND-BEFORE-MAKE...] [VARIABLE=VALUE...]
    local prefix=()
    [[ " $* " == *" TESTS="* ]] || set -- "$@" TESTS="$(kept list-tests)" check_PROGRAMS="$(kept list-programs)"
    while [ $# -gt 0 ] && [[ $1 != *=* ]]; do
        prefix+=("$1")
        shift
    done
    make -s -j2 test-programs "$@"
    "${prefix[@]}" make -s -j2 check VERBOSE=yes "$@" | tee check.out
    grep -Eq '^# PASS: +[1-9]' check.out
}

# refuses SENTENCE COMMAND...: succeeds if the command fails and says the sentence
refuses() {
    local sentence=$1 out
    shift
    if out=$("$@" 2>&1); then
        echo "should have failed: $*"
        return 1
    fi
    printf '%s\n' "$out"
    grep -qF -- "$sentence" <<<"$out"
}

# Runs a command in the checkout.  Of the steps that use the build there, one runs at a time.
in_turn() { # COMMAND...
    (
        flock 6
        cd "$top"
        "$@" 6>&-
    ) 6>"$work/in_turn.lock"
}

# Runs a command with addresses that are not random: TSan breaks on kernels that randomize more than it knows.
fixed_addresses() {
    if setarch -R true 2>/dev/null; then
        setarch -R "$@"
    else
        echo "note: setarch -R is not permitted here; running without it"
        "$@"
    fi
}

# Copies the files of the checkout that git knows, or would add.
export_tree() { # DIRECTORY
    mkdir -p "$1"
    (cd "$top" && git -c safe.directory='*' ls-files -z -co --exclude-standard |
        tar --create --null --files-from=- --file=-) | tar --extract --directory="$1"
}

# Makes the release tarball in $work/release, unless another step has made it.
release() {
    (
        flock 9
        [ ! -d "$work/release" ] || exit 0
        export_tree "$work/release.tree"
        "$work/release.tree/dev" dist
        mkdir "$work/release"
        mv "$work/release.tree"/build/libfilelock-*.tar.xz "$work/release"
        rm -rf "$work/release.tree"
    ) 9>"$work/release.lock"
}

# ---- The steps -----------------------------------------------------------------------------

# the README's first command on this machine: it installs what it needs
step_demo() {
    cd "$top"
    ./dev demo
    refuses "unknown command 'bogus'" ./dev bogus
    refuses 'check takes --long or nothing' ./dev check --bogus
    refuses 'packages takes deb, rpm or nothing' ./dev packages bogus
}

# install what the other steps need
step_packages() {
    "$top/dev" setup build etcd lint ci windows mac packages machines deb rpm
}

# the README's second command on this machine: every suite
step_check() {
    in_turn ./dev check | sed 's/^== checked/note: checked/'
}

# apt can install from the repository of ./dev packages, by the line that it says
step_dev_packages() {
    local at=$work/dev_packages options
    mkdir -p "$at/lists/partial"
    in_turn ./dev packages >"$at/said" 2>"$at/log" || { cat "$at/log" && return 1; }
    sed -n "s/^  echo '\(deb .*\)' |.*/\1/p" "$at/said" >"$at/local.list"
    options=(-o Dir::Etc::sourcelist="$at/local.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$at/lists"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
    apt-get "${options[@]}" -q update
    apt-get "${options[@]}" -q -s install libfilelock-dev filelock >"$at/plan"
    for package in libfilelock0 libfilelock-dev filelock; do
        grep "^Inst $package (" "$at/plan"
    done
}

# a release: build out of tree from the tarball, test, install, uninstall, clean
step_distcheck() {
    configure_in distcheck
    # Of the suites, one is enough: the steps of packages run the others from the same tarball.
    make -s -j2 distcheck DISTCHECK_CONFIGURE_FLAGS='--enable-silent-rules CFLAGS=-O0' VERBOSE=yes \
        TESTS='tests/test_acquire tests/symbols.sh tests/header.sh examples/check.sh man/examples.sh'
    tar -tf libfilelock-*.tar.xz >files
    for file in README.md NEWS COPYING SECURITY.md bootstrap configure dev include/filelock.h m4/filelock.m4 \
        examples/demo.c; do
        grep -q "^libfilelock-[0-9.]*/$file\$" files || { echo "the tarball lacks $file" && return 1; }
    done
}

# small_frames DIRECTORY: succeeds if no frame of the code compiled there with -fstack-usage is over 4 KiB, or unbounded
small_frames() {
    find "$1" -name '*.su' -exec cat {} + | awk -F '\t' '
        $2 > 4096 || $3 == "dynamic" { print $1 ": a frame of " $2 " bytes, " $3; bad = 1 }
        END { exit bad || NR == 0 }'
}

# gcc, warnings are errors; small stacks are enough for the library; each system call fails with each of its errors
step_gcc() {
    configure_in gcc CC=gcc --enable-werror CFLAGS='-g -O2 -D_FORTIFY_SOURCE=2 -fstack-usage'
    make -s -j2
    small_frames lib
    mkdir large dynamic # and it can fail
    (cd large && printf 'void f(char *);\nvoid large(void)\n{\n    char a[5000];\n    f(a);\n}\n' >a.c && gcc -O2 -fstack-usage -c a.c)
    refuses 'a.c:2:6:large: a frame of 5' small_frames large
    (cd dynamic && printf 'void f(char *);\nvoid grows(int n)\n{\n    char a[n];\n    f(a);\n}\n' >a.c && gcc -O2 -fstack-usage -c a.c)
    refuses 'bytes, dynamic' small_frames dynamic
    make -s -j2 test-programs # all, for the warnings
    FILELOCK_TEST_SCALE=1 check TESTS=tests/test_faults check_PROGRAMS=tests/test_faults
}

# ./dev bench measures peers too that are installed after the build was configured
step_bench() {
    local tree=$work/bench/tree
    mkdir bench
    export_tree "$tree"
    mkdir "$tree.without"
    # shellcheck disable=SC2016 # the script's own variables
    printf '%s\n' '#!/bin/sh' 'case " $* " in *" libbsd "* | *" apr-1 "*) exit 1 ;; esac' \
        "exec $(command -v pkg-config) \"\$@\"" >"$tree.without/pkg-config"
    chmod +x "$tree.without/pkg-config"
    export CFLAGS=-O0 # what it measures does not matter here
    PATH=$tree.without:$PATH "$tree/dev" demo >"$tree.demo" 2>&1
    ! grep peer_libbsd "$tree/build/config.h" || return 1 # or there is nothing to be found later
    "$tree/dev" bench --quick uncontended >"$tree.bench" 2>&1 || { cat "$tree.bench" && return 1; }
    grep 'configuring again' "$tree.bench"
    grep '^| libbsd ' "$tree.bench"
    "$tree/dev" bench --quick uncontended >"$tree.bench" 2>&1
    ! grep 'configuring again' "$tree.bench"
}

# a minute of torture finds nothing, and finds two holders where there are
step_torture() {
    in_turn ./dev torture 1 | sed 's/^== nothing was found/note: torture: nothing was found/'
    FILELOCK_TORTURE_APART=yes refuses 'two are inside who may not be' in_turn ./dev torture 1
}

# locks of etcd, kept by three nodes: a leader dies, pauses, answers late; no majority; a short torture, which can fail
step_etcd_three() {
    configure_in etcd_three --with-etcd=yes --disable-static CFLAGS='-g -O1'
    make -s -j2 tests/test_etcd tests/test_etcd_three tests/torture/writer
    for suite in test_etcd test_etcd_three; do
        FILELOCK_TEST_ETCD_NODES=3 srcdir=$top/tests "./tests/$suite" | tee etcd.out
        grep -Eq '^100%: Checks: [1-9]' etcd.out
        ! grep SKIP etcd.out || return 1
    done
    torture=(/usr/bin/python3 "$top/tests/torture/etcd.py" --writer "$PWD/tests/torture/writer" --seconds)
    "${torture[@]}" 25 | sed 's/^verdict/note: torture: verdict/'
    refuses 'verdict: WRONG' "${torture[@]}" 10 --mutant greedy
}

fallbacks=(
    ac_cv_func_eventfd=no ac_cv_func_pipe2=no ac_cv_func_ppoll=no ac_cv_func_sem_clockwait=no
    ac_cv_func_pthread_condattr_setclock=no filelock_cv_backtrace=no
    filelock_cv_inotify=no filelock_cv_o_tmpfile=no filelock_cv_renameat2=no filelock_cv_constructor=no
    ac_cv_func_sigtimedwait=no filelock_cv_soft_queue=no ac_cv_have_decl_CLOCK_BOOTTIME=no
)

# the portable fallbacks in place of what Linux and glibc have
step_fallbacks() {
    # Without backtrace(), glibc loads libgcc_s at the first cancellation, and aborts if no descriptor is left for
    # that.  Systems that need this fallback do no such thing, so load it at the start.
    # Left out: suites about the features that are replaced here, and test_crash, which takes many minutes because
    # waiters nap.
    export FILELOCK_TEST_SKIP='test_soft_posix test_soft_linux test_soft_queue test_limits_linux test_lost test_crash'
    FILELOCK_TEST_SCALE=0.1 build_and_check fallbacks --enable-werror CFLAGS='-g -O1' LDFLAGS='-Wl,--no-as-needed -lgcc_s' \
        "${fallbacks[@]}"
    local feature
    for feature in EVENTFD PIPE2 PPOLL SEM_CLOCKWAIT CONDATTR_SETCLOCK BACKTRACE INOTIFY O_TMPFILE RENAMEAT2 \
        CONSTRUCTOR SIGTIMEDWAIT SOFT_QUEUE CLOCK_BOOTTIME; do
        grep -q "^S\[\"HAVE_${feature}_TRUE\"\]=\"#\"" config.status ||
            { echo "the fallback for $feature was not built" && return 1; }
    done
    "$top/.ci/circles" "$top" "$PWD"
}

# address and undefined-behaviour sanitizers, gcc; each system call fails
step_asan_gcc() {
    FILELOCK_TEST_SCALE=0.1 FILELOCK_TEST_SKIP=$stopping_suites build_and_check asan_gcc CC=gcc CFLAGS='-g -O1' \
        --enable-sanitizer=address,undefined --disable-static
}

# address and undefined-behaviour sanitizers, clang, warnings are errors; no shared library, OFD locks as the default kind
step_asan_clang() {
    configure_in asan_clang CC=clang CFLAGS='-g -O1' --enable-werror --enable-sanitizer=address,undefined \
        --disable-shared --with-backend=ofd
    make -s -j2
    make -s -j2 test-programs # all, for the warnings
    briefly check
    mkdir "$work/asan_clang/win32"
    cd "$work/asan_clang/win32"
    refuses '--with-backend=win32: this platform lacks it' "$top/configure" --with-backend=win32
    refuses '--with-backend=paper: not one of' "$top/configure" --with-backend=paper
}

# thread sanitizer, gcc: clang has the same run-time library
step_tsan() {
    # TSan takes the threads of the parent, which a forked child has not, for leaks.
    export TSAN_OPTIONS=report_thread_leaks=0
    configure_in tsan CC=gcc CFLAGS='-g -O1' --enable-sanitizer=thread --disable-static
    make -s -j2
    # The tool has no threads of its own.
    FILELOCK_TEST_SCALE=0.1 FILELOCK_TEST_SKIP="$stopping_suites tool.sh doctor.sh" check fixed_addresses
}

# the suites under valgrind
step_valgrind() {
    # In the storm, processes wait for each other longer than they are slowed down.  A node of etcd may not answer in time.
    # No script has valgrind run the tool.
    export FILELOCK_TEST_SCALE=0.1
    export FILELOCK_TEST_SKIP="test_soft_queue test_soft_storm test_etcd $stopping_suites tool.sh doctor.sh"
    # valgrind does not know that F_OFD_SETLKW blocks, and stops all threads: leave the queue of soft waiters out.
    configure_in valgrind CFLAGS='-g -O1' --disable-static filelock_cv_soft_queue=no
    make -s -j2
    # shellcheck disable=SC2016 # make's own variable
    check LOG_COMPILER='$(LIBTOOL) --mode=execute valgrind -q --error-exitcode=9 --leak-check=full \
        --suppressions=$(top_srcdir)/tests/valgrind.supp'
}

# ---- Other machines ------------------------------------------------------------------------

# Installs what the steps of this section need, builds for this machine, and counts the test cases of each suite.  The
# first step that asks does it.
prepare_machines() {
    (
        flock 8
        [ ! -e "$work/native/cases" ] || exit 0
        "$top/dev" setup build machines
        [ -x "$top/configure" ] || (cd "$top" && ./bootstrap)
        # Some suites need headers of the kernel, which musl has not: make a directory of them alone.
        mkdir -p "$work/kernel"
        ln -s /usr/include/linux /usr/include/asm-generic "/usr/include/$(gcc -print-multiarch)/asm" "$work/kernel"
        configure_in native CFLAGS=-O0 --with-etcd=no # whose libraries are there for this machine alone
        make -s -j2 && make -s -j2 check TESTS= >/dev/null
        for suite in tests/test_*; do
            [ ! -x "$suite" ] || echo "${suite#tests/} $("$suite" --cases)"
        done >cases.new
        mv cases.new cases
    ) 8>"$work/machines.lock"
    [ -s "$work/native/cases" ]
}

# The reasons for which tests are skipped natively too.
native_skips='the waiters did not look for|does not use the number of a file again|locks end with their descriptor|does not tell the process that has taken|does not apply to|kind win32 is not in this build|wants kind ofd and a flock\(1\)|nothing was written for|left out by FILELOCK_TEST_SKIP'

# known_skips SKIPS: succeeds if each skipped test is skipped natively too, or for one of these reasons
known_skips() {
    local skipped unknown
    skipped=$(grep -h '^SKIP: ' tests/test_*.log | tr -d '\r' | grep -Ev "$native_skips") || true
    unknown=$(grep -Ev "${1:-^$}" <<<"$skipped") || true
    [ -z "$unknown" ] || { echo "this is skipped here, and should not be: $unknown" && return 1; }
    echo "note: $(grep -c . <<<"$skipped" || true) cases are skipped here alone"
}

# as_native SKIPS: succeeds if the suites have passed as many cases as natively, and the reasons of skips are known
as_native() {
    local suite number all=0
    while read -r suite number; do
        [[ " ${FILELOCK_TEST_SKIP-} " != *" $suite "* ]] || continue
        grep -q "^100%: Checks: $number, Failures: 0, Errors: 0" "tests/$suite.log" ||
            { echo "$suite has not passed $number cases, as it does natively" && return 1; }
        all=$((all + number))
    done <"$work/native/cases"
    echo "note: $all cases, as many as natively"
    known_skips "$1"
}

machine_check=()

# Has check() build and run these suites alone, and as_native() expect no other.
only_suites() { # SUITE...
    FILELOCK_TEST_SKIP=$(awk '{ print $1 }' "$work/native/cases" | grep -vxFf <(printf '%s\n' "$@") | tr '\n' ' ')
    export FILELOCK_TEST_SKIP
    machine_check=(TESTS="$(printf 'tests/%s ' "$@")" check_PROGRAMS="$(printf 'tests/%s ' "$@")")
}

# Builds Check for another host, into $work/check.HOST.  The first step that asks does it.
check_for() { # HOST [CONFIGURE-ARGUMENT...]
    (
        flock 7
        [ -d "$work/check.source" ] ||
            { "$top/.ci/windows" source "$work/check.new" && mv "$work/check.new" "$work/check.source"; }
        [ -e "$work/check.$1/lib/pkgconfig/check.pc" ] ||
            "$top/.ci/windows" check "$work/check.source" "$1" "$work/check.$1" "${@:2}"
    ) 7>"$work/check.lock"
}

# on_machine NAME HOST CC SKIPS [CONFIGURE-ARGUMENT...]: builds Check and the library, runs the suites
on_machine() {
    local name=$1 host=$2 cc=$3 skips=$4 with=$work/check.$2
    check_for "$host" CC="$cc"
    export FILELOCK_TEST_SCALE=0.05 FILELOCK_TEST_SKIP="${FILELOCK_TEST_SKIP-$system_call_suites}"
    configure_in "$name/build" --build="$(dpkg-architecture -qDEB_BUILD_GNU_TYPE)" --host="$host" CC="$cc" PKG_CONFIG=false \
        CHECK_CFLAGS="-I$with/include" CHECK_LIBS="-L$with/lib -lcheck -lm -lrt -lpthread" "${@:5}"
    make -s -j2
    check "${machine_check[@]}"
    as_native "$skips"
}

# Runs these suites of another processor by qemu, and the small programs that compute what a file is to hold.
emulated() { # NAME SUITE...
    local programs='tests/tool_numbers tests/fuzz/replay_record tests/fuzz/replay_numbers tests/fuzz/replay_proc'
    prepare_machines
    only_suites "${@:2}"
    export CK_DEFAULT_TIMEOUT=400 FILELOCK_TEST_EMULATOR="/usr/bin/qemu-$1 -L /usr/$1-linux-gnu"
    machine_check=("${machine_check[@]/%/ $programs}")
    # shellcheck disable=SC2016 # make's own variables
    machine_check+=(LOG_COMPILER='$(LIBTOOL) --mode=execute $(FILELOCK_TEST_EMULATOR)')
    on_machine "$1" "$1-linux-gnu" "$1-linux-gnu-gcc" 'system calls cannot be|the emulator|another malloc may keep|threads cannot be forbidden|the end of a process cannot be watched|there is no queue' --disable-static CFLAGS='-g -O1'
}

# i686, natively: 32 bits
step_i686() {
    prepare_machines
    # The suites are built like a user's program: their off_t has 32 bits and cannot say a terabyte.  The clock and the
    # open() by which they replace the C library's are those of 64-bit machines.
    local libc=/usr/i686-linux-gnu/lib
    local skips='cannot make a terabyte here|the clock cannot be set for a program|files cannot be lost by a program'
    on_machine i686 i686-linux-gnu i686-linux-gnu-gcc "$skips" --enable-werror --disable-static CFLAGS='-g -O1' \
        LDFLAGS="-Wl,--dynamic-linker=$libc/ld-linux.so.2 -Wl,--disable-new-dtags,-rpath,$libc"
    make -s -j2 test-programs # all, for the warnings
}

# s390x, under qemu-user: big-endian, and char is unsigned there.  The suites of what is read and written
step_s390x() {
    emulated s390x test_options test_acquire test_announce test_questions test_begin test_convert test_descriptor \
        test_provider test_limits test_owner_linux test_replaced test_scopes test_lease test_soft test_soft_files \
        test_soft_linux test_soft_queue test_soft_sharing test_soft_takeover
}

# musl, shared; and all of it static, where the suites about threads and ends are enough
step_musl() {
    local skips='libraries stay loaded|another malloc may keep|nothing tells when a file was made'
    prepare_machines
    FILELOCK_TEST_SKIP=$stopping_suites on_machine musl x86_64-linux-musl musl-gcc "$skips" CFLAGS='-g -O0' CPPFLAGS="-I$work/kernel"
    musl-gcc -static -I"$top/include" "$top/examples/update.c" .libs/libfilelock.a -o update
    ./update number
    ./update number
    [ "$(cat number)" = 2 ]
    refuses 'directory does not exist' ./update missing/number
    # The same objects, linked again.
    find . -path './.libs/filelock' -o -path './tests/*' -type f -perm -u+x ! -name '*.so*' ! -name '*.sh' >programs
    xargs rm -f filelock <programs
    export MAKEFLAGS=LDFLAGS=-all-static # an option of libtool, which configure would refuse
    only_suites test_acquire test_begin test_timeout test_cancel test_threads test_fork test_convert test_several test_lease
    make -s -j2
    check "${machine_check[@]}"
    as_native "$skips"
    ! readelf --program-headers tests/test_acquire filelock | grep INTERP
}

# Succeeds if this kernel can mount such a file system, by its own list.
can_mount() { # NAME, as tests/filesystems has it
    local type=$1 device=''
    [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null || return 1
    case $1 in
    tmpfs) ;;
    overlayfs) type=overlay ;;
    read-only) type=ext4 device=loop ;;
    exfat-fuse) type=fuseblk device=loop ;;
    bindfs | without-locks) type=fuse ;;
    *) device=loop ;;
    esac
    [[ $type != fuse* ]] || [ -w /dev/fuse ] || return 1
    [ -z "$device" ] || losetup --find >/dev/null 2>&1 || return 1
    grep -qw "$type" /proc/filesystems
}

# none_missing FILE: succeeds if this output of tests/filesystems skips no file system that can be mounted
none_missing() {
    local name
    for name in ext4 xfs btrfs tmpfs overlayfs exfat-fuse bindfs without-locks read-only; do
        grep -Eq "^$name: [0-9]+ (tests|checks) passed" "$1" || ! can_mount "$name" ||
            { echo "$name can be mounted here, and was not tested" && return 1; }
    done
}

# the suites of what matters most on each file system that can be mounted here
step_filesystems() {
    local status=0
    prepare_machines
    mkdir -p "$work/filesystems"
    cd "$work/filesystems"
    FILELOCK_TEST_SCALE=0.05 "$top/tests/filesystems" "$work/native" >lines || status=$?
    sed '/^SKIP/!s/^/note: /' lines
    [ "$status" -eq 0 ] || [ "$status" -eq 77 ]
    none_missing lines
    sed '/^tmpfs:/d' lines >fewer # and it can fail
    ! can_mount tmpfs || refuses 'tmpfs can be mounted' none_missing fewer
}

# the release tarball: the same bytes from another place, time zone and umask; one version; its links hold
step_dist() {
    release
    export_tree "$work/dist/elsewhere"
    (umask 077 && TZ=Asia/Tokyo "$work/dist/elsewhere/dev" dist)
    cmp "$work"/release/*.tar.xz "$work"/dist/elsewhere/build/*.tar.xz
    cd "$top"
    # The release has every file that the pages link to.
    local file version
    tar -tf "$work"/release/*.tar.xz | sed 's|^[^/]*/||; s|/$||' >"$work/dist/files"
    grep -ohE '\]\([^):]+\)' README.md SECURITY.md | sed 's/^](//; s/[)#].*//' | sort -u >"$work/dist/links"
    [ -s "$work/dist/links" ]
    while read -r file; do
        grep -qFx "$file" "$work/dist/files" || { echo "no $file, which is linked to" && return 1; }
    done <"$work/dist/links"
    version=$(sed -n 's/^AC_INIT(\[libfilelock\], \[\([0-9.]*\)\])$/\1/p' configure.ac)
    [ -e "$work/release/libfilelock-$version.tar.xz" ]
    [ "$(sed -n 's/^libfilelock (\([0-9.]*\)-.*/\1/p' debian/changelog | head -n 1)" = "$version" ]
    [ "$(sed -n 's/^Version: *//p' rpm/libfilelock.spec)" = "$version" ]
    [ "$(sed -n '/^[0-9.]*[0-9]\(, not yet released\)*$/{s/,.*//;p;q;}' NEWS)" = "$version" ]
    [ "$(sed -n 's/^\.TH .*"libfilelock \([0-9.]*\)".*/\1/p' man/*.[137] | sort -u)" = "$version" ]
}

# the manual: mandoc and groff are there, and have nothing to say
step_docs() {
    "$top/man/check.sh" | tee "$work/docs.out"
    [ ! -s "$work/docs.out" ]
}

# the tests of the header, the symbols and the manual fail where they must
step_can_fail() {
    "$top/.ci/can-fail"
}

# the ABI: as the last release has it; the header in every dialect, by every compiler
step_abi() {
    "$top/.ci/abi"
    local compiler dialect
    for compiler in gcc:g++ clang:clang++ x86_64-w64-mingw32-gcc:x86_64-w64-mingw32-g++; do
        CC=${compiler%:*} CXX=${compiler#*:} srcdir=$top "$top/tests/header.sh" | tee "$work/abi/header"
        for dialect in c89 c99 c11 c17 c2x c++98 c++11 c++14 c++17 c++20; do
            grep -F "PASS: ${compiler%:*} -std=$dialect " "$work/abi/header" ||
                grep -F "PASS: ${compiler#*:} -std=$dialect " "$work/abi/header"
        done
        echo "note: the header, by ${compiler%:*} and ${compiler#*:}"
    done
}

# the protocols, by model checking: doc/models
step_model() {
    "$top/doc/models/run" | sed 's/^/note: /'
}

# Debian: built twice in a clean root, equal; lintian has nothing to say
step_deb() {
    release
    "$top/.ci/deb" build
}

# RPM: from the tarball, with its tests; installed by dnf into an empty root, used, removed
step_rpm() {
    release
    "$top/.ci/rpm"
}

# an installed library, used by pkg-config, CMake and the m4 macro; uninstalled, nothing is left
step_consumer() {
    "$top/.ci/consumer"
}

# Goes the first steps of README in a root: its commands install what is missing, show the library, and run the suites.
# Only the first is done by root.
first_steps_in() { # ROOT
    in_root "$1" sh -euc 'cd /home/builder/tree && ./dev setup'
    in_as_user "$1" env FILELOCK_TEST_SCALE="$FILELOCK_TEST_SCALE" FILELOCK_TEST_SKIP="$FILELOCK_TEST_SKIP" sh -euc '
        mkdir ~/tree/build && cd ~/tree/build
        ../configure -q --enable-werror
        make -s -j2 check TESTS=
        cd .. && ./dev demo && ./dev check'
}

# Debian 13: built by its gcc 14 with glibc 2.41 in a clean root, warnings are errors; README's commands, the suites
step_trixie() {
    local root=$work/trixie/root
    # shellcheck source=.ci/roots.sh
    . "$top/.ci/roots.sh"
    release
    new_root "$root" trixie
    install_in "$root" passwd
    in_as_user "$root" gcc --version | sed -n '1s/^/note: /p'
    xz -d <"$(echo "$work"/release/*.tar.xz)" |
        in_as_user "$root" sh -c 'mkdir ~/tree; tar -C ~/tree --strip-components=1 -x'
    briefly first_steps_in "$root" | tee trixie/out
    grep -Eq '^== checked: [1-9][0-9]* suites passed, 0 failed' trixie/out
}

# Builds for Windows by mingw-w64, and tests by Wine, in the directory windows_ARCHITECTURE.
windows() { # ARCHITECTURE
    local suites programs some=() scripts_alike=completion.sh
    export HOST=$1-w64-mingw32 WINEPREFIX=$work/windows_$1/wineprefix
    "$top/dev" setup build windows
    check_for "$HOST"
    export PKG_CONFIG_LIBDIR=$work/check.$HOST/lib/pkgconfig
    if [ "$1" = i686 ]; then
        "$top/.ci/windows" wine32 "$work/windows_$1/wine"
        export WINE=$work/windows_$1/wine/usr/lib/wine/wine WINEARCH=win32
        export WINESERVER=$work/windows_$1/wine/usr/lib/wine/wineserver32
    fi
    # Without these answers, libtool translates paths by Wine's winepath, which sets up a prefix of its own.
    for_windows=(--build="$(dpkg-architecture -qDEB_BUILD_GNU_TYPE)" --host="$HOST"
        lt_cv_to_host_file_cmd=func_convert_file_noop lt_cv_to_tool_file_cmd=func_convert_file_noop)
    [ "$1" = x86_64 ] || for_windows+=(CFLAGS='-g -O1') # one of the two is enough to be optimized as users have it
    "$top/tests/wine.sh" --prepare
    configure_in "windows_$1/build" "${for_windows[@]}" --enable-werror --prefix=/opt/filelock
    make -s -j2
    make -s -j2 test-programs # all, for the warnings
    if [ "$1" = i686 ]; then # which differs in the sizes of types and in calling conventions
        suites=$(printf 'tests/test_%s.exe ' acquire answers begin convert files limits lockfileex options overlapped \
            provider questions soft threads timeout windows)
        programs=$(printf '%s.exe ' tests/foreign_lockfileex examples/single examples/timeout examples/readme)
        some=(TESTS="$suites tests/tool_windows.sh tests/symbols.sh tests/posix_only.sh" check_PROGRAMS="$suites $programs")
    fi
    FILELOCK_TEST_SCALE=0.1 check "${some[@]}"
    # What Windows has not, and what Wine does not do.  tests/posix_only.sh tells which suites are left out.
    known_skips 'kind (flock|ofd|lease) is not in this build|no symbolic link can|read-only to this user|a directory stays here'
    "$top/.ci/circles" "$top" "$PWD"
    "$top/.ci/windows-consumer"
}

# Windows, 64 bits: the suites by Wine, the DLL and the static library in use
step_windows_x86_64() {
    windows x86_64
}

# Windows, 32 bits: suites by Wine, the DLL and the static library in use
step_windows_i686() {
    windows i686
}

for_macos() { # MACHINE NAME CC CONFIGURE-ARGUMENT...: configures, builds and installs
    local host=${1/arm64/aarch64}-apple-darwin
    # clang 14 finds fault with what macros of Apple's headers become.
    configure_in "macos/$2" --build="$(dpkg-architecture -qDEB_BUILD_GNU_TYPE)" --host="$host" CC="$3" CXX=false \
        CFLAGS='-O0 -Wno-gnu-statement-expression' AR=llvm-ar RANLIB=llvm-ranlib NM=llvm-nm STRIP=: DSYMUTIL=: \
        lt_cv_prog_gnu_ld=no PKG_CONFIG=false --enable-werror "${@:4}"
    make -s -j2
    make -s install DESTDIR="$work/macos/$2/root"
    file .libs/filelock filelock | grep "Mach-O 64-bit $1 executable"
}

# macOS, arm64 and x86_64: compiled, linked and installed; its library's versions and symbols; nothing of it can run here
step_macos() {
    local machine macos=$top/.ci/macos root=root/usr/local/lib/libfilelock
    "$top/dev" setup build mac
    [ -x "$top/configure" ] || (cd "$top" && ./bootstrap)
    "$macos" sdk "$work/macos/sdk"
    export ZIG_GLOBAL_CACHE_DIR=$work/macos/cache ZIG_LOCAL_CACHE_DIR=$work/macos/cache
    for machine in arm64 x86_64; do
        for_macos $machine $machine "$("$macos" cc "$work/macos/sdk" $machine)"
        info=$(sed -n 's/^LIBFILELOCK_VERSION_INFO = //p' Makefile)
        "$macos" library $root.0.dylib "$top/lib/filelock.map" "$info"
        [ -e $root.a ]
    done
    make -s -j2 check TESTS= # the test programs are compiled once
    sed '/filelock_depth;/d' "$top/lib/filelock.map" >map # and the check can fail
    refuses 'does not export what the map names' "$macos" library $root.0.dylib map "$info"
    refuses 'which are not those of 7:0:7' "$macos" library $root.0.dylib "$top/lib/filelock.map" 7:0:7
    # Another compiler.  Its linker ignores a version script, and configure must not take that for support.
    for_macos arm64 zig "$("$macos" zig "$work/macos/sdk" arm64)" --disable-shared
    grep -F 'S["HAVE_VERSION_SCRIPT_TRUE"]="#"' config.status
    echo "note: macOS: compiled and linked for arm64 and x86_64; nothing was run"
}

# the sources for macOS, tested on Linux against a stand-in of kqueue, libproc and renamex_np
step_standin() {
    local source=$top/tests/standin
    mkdir -p standin
    cd standin
    gcc -D_GNU_SOURCE -g -O2 -Wall -Wextra -Werror -isystem "$source" -c "$source/standin.c"
    ar rc libstandin.a standin.o
    configure_in standin/build --disable-shared --enable-werror CPPFLAGS="-isystem $source" \
        LIBS="$work/standin/libstandin.a" "${fallbacks[@]}"
    make -s -j2
    "$top/.ci/circles" "$top" "$PWD"
    FILELOCK_TEST_SCALE=0.1 check TESTS='tests/test_kqueue tests/test_acquire' check_PROGRAMS='tests/test_kqueue tests/test_acquire'
    # And the suite can fail: without events, waiters poll.
    STANDIN_DEAF=yes CK_RUN_CASE=waits refuses 'test_handover:0: Assertion' ./tests/test_kqueue
}

# Debian: installed by apt into another clean root, used, purged; autopkgtest
step_deb_install() {
    release
    "$top/.ci/deb" install
}

# Debian: cross-built for arm64, without tests and documentation, and with all other files
step_deb_cross() {
    release
    "$top/.ci/deb" cross
}

# the tree stays clean after a build in it
step_clean_tree() {
    export_tree "$work/clean_tree/tree"
    cd "$work/clean_tree/tree"
    git -c init.defaultBranch=main init -q .
    git add -A
    ./bootstrap
    ./configure --quiet CFLAGS=-O0
    make -s -j2
    make -s -j2 check TESTS=
    git -c user.name=ci -c user.email=ci@localhost commit -q -m tree
    [ -z "$(git status --porcelain)" ] || { git status --porcelain && return 1; }
    make -s distclean
    [ -z "$(git status --porcelain)" ] || { git status --porcelain && return 1; }
}

# static analysis of the C sources
step_cppcheck() {
    configure_in cppcheck
    cd "$top"
    cppcheck --quiet --std=c99 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        -j2 --include="$work/cppcheck/config.h" -U_WIN32 -I include -I lib -I lib/posix -i tests/cxx.cc \
        lib tools examples bench tests
}

# the C sources as .clang-format says, by Debian 12's clang-format: other versions differ in small things
step_format() {
    cd "$top"
    local files
    mapfile -t files < <(git -c safe.directory='*' ls-files -co --exclude-standard -- '*.[ch]')
    printf 'note: %d files\n' "${#files[@]}"
    clang-format --dry-run -Werror "${files[@]}"
    mkdir -p "$work/format" # and the check can fail
    cp .clang-format "$work/format"
    printf 'int f(void) {\n  return 0;\n}\n' >"$work/format/bad.c"
    refuses clang-format-violations clang-format --dry-run -Werror "$work/format/bad.c"
}

# the scripts, by shellcheck
step_shellcheck() {
    cd "$top"
    local scripts
    mapfile -t scripts < <(
        git -c safe.directory='*' ls-files -co --exclude-standard |
            while read -r file; do
                [[ $file == *.sh || $file == *.bash || $file == completions/filelock ]] ||
                    head -n 1 "$file" | grep -aEq '^#!.*[/ ](ba)?sh' || continue
                printf '%s\n' "$file"
            done
    )
    printf 'note: %d scripts\n' "${#scripts[@]}"
    [ "${#scripts[@]}" -ge 4 ]
    shellcheck -x --severity=warning "${scripts[@]}"
}

# The steps of the fallbacks, of Windows and of the stand-in check the arrows of their builds.
# no circles between the files of lib/, by includes and by symbols, and no arrow from a lower room to a higher one
step_circles() {
    prepare_machines
    mkdir -p "$work/circles/linux"
    cp -r "$work/native/lib" "$work/circles/linux"
    "$top/.ci/circles" "$top" "$work/circles/linux"
    # The check can fail: for an include that points up, two headers in a circle, a symbol from above.
    mkdir -p "$work/circles/up" "$work/circles/round"
    cp -r "$top/lib" "$work/circles/up"
    cp -r "$top/lib" "$work/circles/round"
    echo '#include "handle/handle.h"' >>"$work/circles/up/lib/system/list.c"
    refuses 'lib/handle is not below lib/system' "$top/.ci/circles" "$work/circles/up"
    echo '#include "wait/await.h"' >>"$work/circles/round/lib/wait/nap.h"
    echo '#include "wait/nap.h"' >>"$work/circles/round/lib/wait/await.h"
    refuses 'circle: ' "$top/.ci/circles" "$work/circles/round"
    printf 'int flk_start(void);\nint flk_up(void);\nint flk_up(void)\n{\n    return flk_start();\n}\n' >up.c
    gcc -c -o "$work/circles/linux/lib/system/libfilelock_la-up.o" up.c
    refuses 'system/up uses flk_start' "$top/.ci/circles" "$top" "$work/circles/linux"
}

# no condition on the platform in lib/: #if only guards headers
step_no_if() {
    cd "$top"
    "$top/.ci/no-if" lib
    mkdir -p "$work/no_if" # and the check can fail
    printf '#include "x.h"\n#ifdef __linux__\n#endif\n' >"$work/no_if/bad.c"
    refuses bad.c:2 "$top/.ci/no-if" "$work/no_if"
}

# the comments and the pages in plain English, but for the files of .ci/plain.later
step_plain() {
    cd "$top"
    local files
    mapfile -t files < <(git -c safe.directory='*' ls-files -co --exclude-standard -- lib tools include tests bench \
        examples man doc README.md SECURITY.md NEWS)
    .ci/plain .ci/plain.later "${files[@]}"
    printf 'note: %d files are to be rewritten\n' "$(grep -vc '^#' .ci/plain.later)"

    mkdir -p "$work/plain/man" # and the check can fail
    cd "$work/plain"
    printf '/* As f() does. */\nint a; // It waits.\n                           // He goes.\n' >bad.c
    printf '# It runs, be it\n# in vain.\n' >bad.sh
    printf '.SH NAME\n.TP\n.B tag\nIt waits.\n.PP\nWith\n.BR flock (2)\nit goes.\n' >man/bad.1
    printf '# Head\n\nIt is held\n(whoever asks).\n\n- Not now.\n' >bad.md
    printf '/* Says "so", often.\n *\n * As is said. */\nconst char *text = "/* As text */";\n' >plain.c
    printf 'bad.c\n' >later
    printf 'plain.c\nlost.c\n' >over
    local plain=$top/.ci/plain
    refuses 'bad.c:1: "As"' "$plain" none bad.c
    refuses 'bad.c:2: "He"' "$plain" none bad.c
    refuses 'bad.sh:1: "be it"' "$plain" none bad.sh
    refuses 'man/bad.1:6: "With"' "$plain" none man/bad.1
    refuses 'bad.md:3: "whoever"' "$plain" none bad.md
    refuses 'bad.md:6: "Not"' "$plain" none bad.md
    refuses 'plain.c: it is plain' "$plain" over plain.c
    refuses 'lost.c: it is not there' "$plain" over plain.c
    "$plain" later bad.c # which waits for its turn
}

# gcc's analyzer on the library and the tool
step_analyzer() {
    configure_in analyzer CC=gcc CFLAGS='-O1 -fanalyzer' --enable-werror --disable-shared
    make -s -j2 libfilelock.la filelock
    printf '#include <stdlib.h>\nvoid twice(void *p);\nvoid twice(void *p)\n{\n    free(p);\n    free(p);\n}\n' >twice.c
    refuses analyzer-double-free gcc -O1 -fanalyzer -Werror -c twice.c # and it can fail
}

# fuzzing what reads the text of others, for a fixed number of runs from the kept corpus
step_fuzz() {
    configure_in fuzz
    "$top/tests/fuzz/run" 100000 "$work/fuzz" | sed 's/^/note: /'
    sed "s/ && text\[0\] != '0'//" "$top/lib/owner/record.c" >"$work/fuzz/record.c" # and what is wrong is found
    cmp -s "$top/lib/owner/record.c" "$work/fuzz/record.c" && return 1
    RECORD=$work/fuzz/record.c refuses 'broken promise' "$top/tests/fuzz/run" 300000 "$work/fuzz" record
}
