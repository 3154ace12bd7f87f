# The tests.  Makefile.am includes this file.
#
# AM_CFLAGS and LDADD fit a suite, so that a suite needs no line of its own: it is one word in a list below.  Every
# other program names what it is linked with.

# A suite says on the console what it skips.  Tests have the console as descriptor 9.
AM_TESTS_FD_REDIRECT = 9>&2

# Whether a waiter for a soft lock can be seen by what it watches.
if HAVE_INOTIFY
waiters = waiters-watch
else
waiters = waiters-poll
endif
AM_TESTS_ENVIRONMENT = \
	FILELOCK_TEST_CONSOLE=9; export FILELOCK_TEST_CONSOLE; \
	ASAN_OPTIONS=$${ASAN_OPTIONS:-use_sigaltstack=0}; export ASAN_OPTIONS; \
	CC='$(CC)'; export CC; CFLAGS='$(FILELOCK_CFLAGS) $(CFLAGS)'; export CFLAGS; \
	LDFLAGS='$(LDFLAGS)'; export LDFLAGS; CXX='$(CXX)'; export CXX; CXXFLAGS='$(CXXFLAGS)'; export CXXFLAGS; \
	LIBRARY='$(abs_builddir)/libfilelock.la'; export LIBRARY; \
	LIBRARY_IS='$(FILELOCK_CFLAGS) $(waiters) $(build_triplet)=$(host_triplet)'; export LIBRARY_IS; NM='$(NM)'; export NM; \
	OBJDUMP='$(OBJDUMP)'; export OBJDUMP;

# Run by root: the suites on other file systems.
EXTRA_DIST += tests/filesystems tests/without_locks.c

# Runs the fuzzers' targets over their kept inputs.  tests/fuzz/run fuzzes.
EXTRA_DIST += tests/fuzz/run tests/fuzz/corpus
if WINDOWS
else
fuzz_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/lib -I$(top_srcdir)/tools
fuzz_SOURCES = tests/fuzz/fuzz.h tests/fuzz/string.c tests/fuzz/replay.c
check_PROGRAMS += tests/fuzz/replay_record tests/fuzz/replay_numbers
TESTS += tests/fuzz/replay_record tests/fuzz/replay_numbers
tests_fuzz_replay_record_CPPFLAGS = $(fuzz_CPPFLAGS) -DCORPUS='"$(abs_srcdir)/tests/fuzz/corpus/record"'
tests_fuzz_replay_record_LDADD =
tests_fuzz_replay_record_SOURCES = $(fuzz_SOURCES) tests/fuzz/record.c lib/owner/record.c lib/owner/sha256.c
tests_fuzz_replay_numbers_CPPFLAGS = $(fuzz_CPPFLAGS) -DCORPUS='"$(abs_srcdir)/tests/fuzz/corpus/numbers"'
tests_fuzz_replay_numbers_LDADD =
tests_fuzz_replay_numbers_SOURCES = $(fuzz_SOURCES) tests/fuzz/numbers.c tools/numbers.c
if OWNERS_PROC
check_PROGRAMS += tests/fuzz/replay_proc
TESTS += tests/fuzz/replay_proc
tests_fuzz_replay_proc_CPPFLAGS = $(fuzz_CPPFLAGS) -DCORPUS='"$(abs_srcdir)/tests/fuzz/corpus/proc"'
tests_fuzz_replay_proc_LDADD =
tests_fuzz_replay_proc_SOURCES = $(fuzz_SOURCES) tests/fuzz/proc.c lib/owner/proc_text.c
endif
endif

# Cross-built programs cannot be run by a script.
if WINDOWS
else
TESTS += tests/storage.sh
endif
EXTRA_DIST += tests/storage.sh tests/storage.c
TESTS += tests/header.sh tests/cxx.sh tests/symbols.sh tests/probes.sh
EXTRA_DIST += tests/header.sh tests/cxx.sh tests/cxx.cc tests/symbols.sh tests/probes.sh tests/no_suites.sh tests/foreign_filelock.py \
	tests/foreign_softfilelock.py tests/foreign_softfilelease.py tests/valgrind.supp

# A build for Windows on another system runs its programs by Wine.
if WINE
LOG_COMPILER = $(srcdir)/tests/wine.sh
AM_LOG_FLAGS = --suite
AM_TESTS_ENVIRONMENT += \
	WINE='$(WINE)'; export WINE; POSIX_SUITES='$(posix_suites) $(linux_suites)'; export POSIX_SUITES;
check_DATA = tests/wineprefix.stamp
tests/wineprefix.stamp:
	$(AM_V_GEN)$(MKDIR_P) tests && WINE='$(WINE)' $(srcdir)/tests/wine.sh --prepare && : >$@
CLEANFILES += tests/wineprefix.stamp
clean-local:
	rm -rf tests/wineprefix
endif
EXTRA_DIST += tests/wine.sh tests/posix_only.sh

# Tortured by ./dev torture-etcd.
EXTRA_DIST += tests/torture/etcd.py tests/torture/witness.py
if ETCD
check_PROGRAMS += tests/torture/writer
tests_torture_writer_SOURCES = tests/torture/writer.c
tests_torture_writer_LDADD = libfilelock-etcd.la libfilelock.la
endif

if HAVE_CHECK
# Every suite is a program, and also its own helper process (tests/peer.h).
suites = \
	tests/test_options tests/test_acquire tests/test_timeout tests/test_cancel tests/test_threads \
	tests/test_questions tests/test_scopes tests/test_contention \
	tests/test_announce tests/test_convert tests/test_several tests/test_begin tests/test_provider \
	tests/test_replaced tests/test_leaks tests/test_soft tests/test_files tests/test_descriptor tests/test_limits
posix_suites = \
	tests/test_permissions tests/test_lost tests/test_hostile tests/test_inherited tests/test_rlimits tests/test_signals \
	tests/test_fork tests/test_lease tests/test_load tests/test_foreign \
	tests/test_soft_files tests/test_soft_posix tests/test_soft_storm tests/test_soft_foreign
linux_suites = \
	tests/test_owner_linux tests/test_interleaved tests/test_crash tests/test_faults \
	tests/test_soft_linux tests/test_soft_queue tests/test_soft_sharing tests/test_soft_takeover \
	tests/test_limits_linux tests/test_signals_linux
if WINDOWS
suites += tests/test_windows tests/test_lockfileex
check_PROGRAMS += tests/foreign_lockfileex
tests_foreign_lockfileex_LDADD =
TESTS += tests/posix_only.sh
if STATIC_LIBRARY
suites += tests/test_overlapped tests/test_answers
endif
else
suites += $(posix_suites)
check_PROGRAMS += tests/foreign_fcntl
tests_foreign_fcntl_LDADD =
endif
if OWNERS_PROC
suites += $(linux_suites)
endif
if HAVE_KQUEUE
if OWNERS_LIBPROC
suites += tests/test_kqueue
endif
endif
# What Linux needs to build and test the sources for macOS: .ci/steps.sh does that.
EXTRA_DIST += tests/standin/standin.c tests/standin/stdio.h tests/standin/libproc.h tests/standin/sys/event.h \
	tests/standin/sys/mount.h
if ETCD
# The suite of three nodes takes its time, and is not for every make check: .ci/run has a step of it.
suites += tests/test_etcd
check_PROGRAMS += tests/test_etcd_three
etcd_LDADD = tests/libtesting.la libfilelock-etcd.la libfilelock.la $(CHECK_LIBS) $(FILELOCK_TEST_LIBS)
tests_test_etcd_LDADD = $(etcd_LDADD)
tests_test_etcd_SOURCES = tests/test_etcd.c tests/etcd_nodes.c tests/etcd_nodes.h
tests_test_etcd_three_LDADD = $(etcd_LDADD)
tests_test_etcd_three_SOURCES = tests/test_etcd_three.c tests/etcd_nodes.c tests/etcd_nodes.h
endif
# A library that is loaded and unloaded while a program runs.  It has the library's objects in it, as it would have
# those of a static library.
if SHARED_LIBRARY
if !WINDOWS
plugins = tests/plugin.la
tests_plugin_la_LDFLAGS = -module -avoid-version -no-undefined -shared -rpath $(abs_builddir)/tests \
	-export-symbols-regex '^plugin_'
tests_plugin_la_SOURCES = tests/plugin.c tests/plugin.h
tests_plugin_la_LIBADD = $(libfilelock_la_OBJECTS) $(libfilelock_la_LIBADD)
load_CPPFLAGS = -DPLUGIN='"$(abs_builddir)/tests/.libs/plugin.so"'
EXTRA_tests_test_load_DEPENDENCIES = tests/plugin.la
endif
endif
tests_test_load_CPPFLAGS = $(AM_CPPFLAGS) $(start_CPPFLAGS) $(load_CPPFLAGS)
tests_test_load_LDADD = $(LDADD) $(FILELOCK_LIBDL)
tests_test_fork_LDADD = $(LDADD) $(FILELOCK_LIBDL)
if !HAVE_CONSTRUCTOR
start_CPPFLAGS = -DSTARTS_LATE
endif
check_PROGRAMS += $(suites)
TESTS += $(suites)

check_LTLIBRARIES = tests/libtesting.la $(plugins)
tests_libtesting_la_SOURCES = \
	tests/main.c tests/harness.h \
	tests/testing.c tests/testing.h \
	tests/names.c tests/names.h \
	tests/workers.c tests/workers.h \
	tests/witness.c tests/witness.h \
	tests/peers.c tests/peers.h \
	tests/peer.c tests/peer.h tests/peer_work.c \
	tests/platform.h \
	tests/markers.c tests/markers.h
if WINDOWS
tests_libtesting_la_SOURCES += \
	tests/platform_win32.c tests/peer_win32.c tests/markers_win32.c tests/win32.h
else
tests_libtesting_la_SOURCES += \
	tests/platform_posix.c tests/peer_posix.c tests/markers_posix.c \
	tests/posix.c tests/posix.h tests/storm.c tests/storm.h
endif

tests_test_overlapped_LDFLAGS = -static
tests_test_limits_linux_SOURCES = tests/test_limits_linux.c tests/syscalls_linux.c tests/syscalls_linux.h
tests_test_soft_sharing_SOURCES = tests/test_soft_sharing.c tests/syscalls_linux.c tests/syscalls_linux.h
if !HAVE_SOFT_QUEUE
queue_CPPFLAGS = -DNO_SOFT_QUEUE
endif
tests_test_soft_queue_CPPFLAGS = $(AM_CPPFLAGS) $(queue_CPPFLAGS)
tests_test_soft_takeover_CPPFLAGS = $(AM_CPPFLAGS) $(queue_CPPFLAGS)
tests_test_soft_takeover_SOURCES = tests/test_soft_takeover.c tests/syscalls_linux.c tests/syscalls_linux.h
tests_test_overlapped_SOURCES = tests/test_overlapped.c tests/imports.h
tests_test_answers_LDFLAGS = -static
tests_test_answers_SOURCES = tests/test_answers.c tests/imports.h
tests_test_soft_linux_SOURCES = tests/test_soft_linux.c tests/syscalls_linux.c tests/syscalls_linux.h
subject_SOURCES = tests/subject.c tests/subject.h tests/syscalls_linux.c tests/syscalls_linux.h
tests_test_faults_SOURCES = tests/test_faults.c tests/memory.c tests/memory.h tests/raw.c tests/raw.h \
	$(subject_SOURCES)
tests_test_interleaved_SOURCES = tests/test_interleaved.c tests/raw.c tests/raw.h $(subject_SOURCES)
tests_test_signals_linux_SOURCES = tests/test_signals_linux.c $(subject_SOURCES)
tests_test_crash_SOURCES = tests/test_crash.c tests/history.c tests/history.h $(subject_SOURCES)
else
TESTS += tests/no_suites.sh
endif

# For ./dev check, which numbers the suites, and for .ci/run, which leaves some out.
.PHONY: list-tests list-programs
list-tests:
	@echo $(TESTS)
list-programs:
	@echo $(check_PROGRAMS)

# Builds the test programs without optimizing, which _FORTIFY_SOURCE wants.  What they prove does not depend on it, and
# they compile faster like this.
.PHONY: test-programs
test-programs: all
	@$(MAKE) $(AM_MAKEFLAGS) check TESTS= CFLAGS='$(CFLAGS) -g1 -O0 -U_FORTIFY_SOURCE' >/dev/null
