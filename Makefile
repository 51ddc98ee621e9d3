# Two commands do everything on a fresh machine: `make demo` and `make test`.  `make help` lists the rest.
#
# Variables worth knowing (make VAR=value ...):
#   B        where everything is built (build); each kind of build has its own: build/asan, build/clang, ...
#   CC       gcc (default) or clang          WERROR=1  warnings are errors
#   CFLAGS LDFLAGS  added last, for packagers and experiments
#   OPT      optimisation and debug flags    SANITIZE  e.g. address,undefined
#   JOBS     tests run at the same time (processors + 2, for they wait a lot)
#   TIMEOUT  seconds one test file may take (300)
#   TESTS    only these test files, by a part of their name: make check TESTS='sftp chunk'
#   SETUP=no `make test` and `make demo` install nothing
#   PREFIX DESTDIR  where `make install` puts things

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
# All processors, unless the caller says -j; inner makes share what the outer one has.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

B ?= build
ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR := ar
endif
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell expr $$(nproc) + 2)
TIMEOUT ?= 300
SETUP ?= yes
TESTS ?=
WERROR ?=
SANITIZE ?=
COVERAGE ?=
FUZZER ?=
CFLAGS ?=
LDFLAGS ?=
V ?=
Q := $(if $(V),,@)
say = @printf '  %-6s %s\n' $(1) $(2)

# ---- flags --------------------------------------------------------------------------------------------------

IS_CLANG := $(findstring clang,$(notdir $(CC)))
ARCH := $(shell uname -m)

WARN := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wvla -Wcast-qual -Wcast-align -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wundef -Wpointer-arith -Wwrite-strings \
	-Wdouble-promotion -Wnested-externs -Wimplicit-fallthrough -Wdate-time
ifeq ($(IS_CLANG),)
WARN += -Wlogical-op -Wduplicated-cond -Wformat-signedness -Wtrampolines
else
WARN += -Wno-unknown-warning-option -Wcomma -Wloop-analysis
endif
ifneq ($(filter-out 0 no,$(WERROR)),)
WARN += -Werror
endif

DEFS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
HARDEN := -fstack-protector-strong -fstack-clash-protection
ifneq ($(filter x86_64 i686,$(ARCH)),)
HARDEN += -fcf-protection
endif
HARDEN_LD := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

OPT ?= -O2 -g
ifneq ($(SANITIZE),)
# Sanitizers see more without FORTIFY's replacements and with frame pointers; for their traces lines are enough.
override OPT := -O1 -g1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
SAN_LD := -fsanitize=$(SANITIZE)
else ifneq ($(COVERAGE),)
override OPT := -O0 -g --coverage
SAN_LD := --coverage
else
HARDEN += -U_FORTIFY_SOURCE $(if $(filter -O0,$(OPT)),,-D_FORTIFY_SOURCE=2)
endif

# One call for all libraries; on a machine that has no pkg-config yet the plain names are used.
PKGS := libarchive libsodium libssh2 libzstd yaml-0.1 jansson sqlite3 libxxhash libpq libmariadb libmicrohttpd
FALLBACK_LIBS := -larchive -lsodium -lssh2 -lzstd -lyaml -ljansson -lsqlite3 -lxxhash -lpq -lmariadb -lmicrohttpd
PKG_CFLAGS := $(patsubst -I%,-isystem%,$(shell $(PKG_CONFIG) --cflags $(PKGS) check 2>/dev/null))
PKG_LIBS := $(or $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null),$(FALLBACK_LIBS))
# Only for what sends notices: restore needs no network but the storage's.
CURL_LIBS := $(or $(shell $(PKG_CONFIG) --libs libcurl 2>/dev/null),-lcurl)
CHECK_LIBS := $(or $(shell $(PKG_CONFIG) --libs check 2>/dev/null),-lcheck -lsubunit -lrt)
LIBS := $(PKG_LIBS) -lm

BASE_CFLAGS = -std=c17 $(OPT) $(WARN) $(HARDEN) -fPIE -pthread $(DEFS) -I. -I$(B)/gen $(PKG_CFLAGS) \
	$(if $(FUZZER),-fsanitize=fuzzer-no-link)
ALL_LDFLAGS = -pie -pthread $(HARDEN_LD) $(SAN_LD) $(LDFLAGS)
# The library keeps its symbols to itself; tests may use what pedantic C forbids (Check's macros do).
LIB_CFLAGS := -fvisibility=hidden -Wpedantic
TEST_CFLAGS := -Wno-missing-prototypes -Wno-format-signedness
ifneq ($(IS_CLANG),)
TEST_CFLAGS := -Wno-missing-prototypes
endif

# ---- sources ------------------------------------------------------------------------------------------------

LIB_SRC := $(sort $(wildcard common/*/*.c common/engine/*/*.c))
BACKUPD_SRC := $(sort $(wildcard backupd/*.c backupd/*/*.c))
RESTORE_SRC := $(sort $(wildcard restore/*.c restore/*/*.c))
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c))
UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c))
TOOL_SRC := $(sort $(wildcard tests/tool/*.c))
SCRIPT_SRC := $(sort $(wildcard scripts/*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
INTEGRATION := $(sort $(wildcard tests/integration/test_*.sh))
HEADERS := $(sort $(shell find common backupd restore tests -name '*.h' 2>/dev/null))
C_FILES = $(LIB_SRC) $(BACKUPD_SRC) $(RESTORE_SRC) $(SUPPORT_SRC) $(UNIT_SRC) $(TOOL_SRC) $(SCRIPT_SRC) $(FUZZ_SRC)
SHELL_FILES = $(shell grep -rlE --exclude='*.[ch]' '^\#! ?/(usr/)?bin/(env )?(ba)?sh' .ci scripts tests 2>/dev/null | sort) \
	$(wildcard tests/support/*.sh)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))
BACKUPD_OBJ := $(call obj,$(filter-out backupd/main.c,$(BACKUPD_SRC)))
RESTORE_OBJ := $(call obj,$(filter-out restore/main.c,$(RESTORE_SRC)))
SUPPORT_OBJ := $(call obj,$(SUPPORT_SRC))

LIB := $(B)/libbackup.a
PROGRAMS := $(if $(wildcard backupd/main.c),$(B)/backupd) $(if $(wildcard restore/main.c),$(B)/restore)
HELPERS := $(patsubst %.c,$(B)/%,$(SCRIPT_SRC))
UNIT := $(patsubst %.c,$(B)/%,$(UNIT_SRC))
TOOLS := $(patsubst %.c,$(B)/%,$(TOOL_SRC))
FUZZ := $(patsubst %.c,$(B)/%,$(FUZZ_SRC))

# ---- building -----------------------------------------------------------------------------------------------

.PHONY: all tests help
all: $(LIB) $(PROGRAMS) $(HELPERS)
tests: all $(UNIT) $(TOOLS)

help:
	@echo 'make all             build the library, backupd and restore in $(B)/'
	@echo 'make demo            install what is missing, build, and show a backup and a restore'
	@echo 'make demo-drill      the same for restore drills: PostgreSQL, MariaDB, SQLite, and a fault that is found'
	@echo 'make test            install what is missing, build, run the unit and integration tests'
	@echo 'make check           the same without installing, and the checks of floors, headers and symbols'
	@echo 'make check-asan | check-ubsan | check-valgrind   the unit tests under a checker'
	@echo 'make check-units     the units of systemd: are they sound, and how much may they do'
	@echo 'make check-model     the model of the deletion protocol and its mutants, with Spin (minutes)'
	@echo 'make check-alerts    the alert rules for Prometheus and the metrics, with promtool'
	@echo 'make lint | format-check | format | coverage'
	@echo 'make proof-NAME      run tests/proof/NAME and keep its output in docs/evidence/NAME.txt'
	@echo 'make soak | fuzz | bench   run the scripts in tests/soak, tests/fuzz, tests/bench'
	@echo 'make install | uninstall   PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make clean'

.PHONY: FORCE
FORCE:

# Files that change only when their content does, so that what depends on them is rebuilt then and only then.
quote = '$(subst ','\'',$(1))'
put = mkdir -p $(@D); if ! cmp -s - $@ <<<"$$text"; then printf '%s\n' "$$text" >$@; fi

$(B)/gen/version.h: FORCE
	@text=$$(scripts/version --header); $(put)
$(B)/gen/flags: FORCE
	@text=$(call quote,$(CC) $(BASE_CFLAGS) $(CFLAGS) | $(ALL_LDFLAGS) $(LIBS)); $(put)
$(B)/gen/lib.list: FORCE
	@text='$(LIB_OBJ)'; $(put)
$(B)/gen/backupd.list: FORCE
	@text='$(BACKUPD_OBJ)'; $(put)
$(B)/gen/restore.list: FORCE
	@text='$(RESTORE_OBJ)'; $(put)
$(B)/gen/support.list: FORCE
	@text='$(SUPPORT_OBJ)'; $(put)

$(call obj,$(LIB_SRC) $(BACKUPD_SRC) $(RESTORE_SRC)): ROOM_CFLAGS := $(LIB_CFLAGS)
$(call obj,$(SUPPORT_SRC) $(UNIT_SRC) $(TOOL_SRC) $(FUZZ_SRC)): ROOM_CFLAGS := $(TEST_CFLAGS)

# A fingerprint of every row is made here: what the compiler can do more is worth it. gcc takes products of 128 bits through
# memory unless it is told to leave them whole.
ifeq ($(SANITIZE)$(COVERAGE),)
$(B)/obj/common/crypto/checkrows.o: ROOM_CFLAGS += -O3 $(if $(IS_CLANG),,-fno-split-wide-types)
endif
# Nothing but arithmetic on lanes: with sanitizers compilers take minutes for it, and no unit test calls it.
ifneq ($(SANITIZE),)
$(B)/obj/tests/support/attack_curve.o $(B)/obj/tests/support/attack_lanes.o: ROOM_CFLAGS += -fno-sanitize=all
endif

$(B)/obj/%.o: %.c $(B)/gen/flags | $(B)/gen/version.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(ROOM_CFLAGS) $(CFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

archive = mkdir -p $(@D); rm -f $@; $(AR) rcD $@ $(filter %.o,$^); $(AR) sD $@
$(LIB): $(LIB_OBJ) $(B)/gen/lib.list
	$(call say,AR,$@)
	$(Q)$(archive)
# What the programs consist of, without main: the tests in tests/unit/backupd and tests/unit/restore link it.
$(B)/backupd.a: $(BACKUPD_OBJ) $(B)/gen/backupd.list
	$(Q)$(archive)
$(B)/restore.a: $(RESTORE_OBJ) $(B)/gen/restore.list
	$(Q)$(archive)
$(B)/support.a: $(SUPPORT_OBJ) $(B)/gen/support.list
	$(Q)$(archive)

link = $(call say,LD,$@)
define do_link
	@mkdir -p $(@D)
	$(Q)$(CC) $(OPT) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(LIBS)
endef

$(B)/backupd: $(B)/obj/backupd/main.o $(B)/backupd.a $(LIB)
	$(link)
	$(call do_link,$(CURL_LIBS))
$(B)/restore: $(B)/obj/restore/main.o $(B)/restore.a $(LIB)
	$(link)
	$(call do_link)

# Order on the linker's line: what is linked against comes after what uses it.
$(filter $(B)/tests/unit/backupd/%,$(UNIT)): $(B)/backupd.a
$(filter $(B)/tests/unit/restore/%,$(UNIT)): $(B)/restore.a
$(B)/tests/tool/drill_keep: $(B)/restore.a
$(UNIT) $(TOOLS) $(FUZZ): $(B)/%: $(B)/obj/%.o $(B)/support.a
$(HELPERS): $(B)/%: $(B)/obj/%.o
$(UNIT) $(TOOLS) $(HELPERS) $(FUZZ): $(LIB)

$(UNIT):
	$(link)
	$(call do_link,$(CHECK_LIBS) $(if $(filter $(B)/tests/unit/backupd/% $(B)/tests/unit/notify/%,$@),$(CURL_LIBS)))
$(TOOLS) $(HELPERS):
	$(link)
	$(call do_link,$(if $(SUPPORT_OBJ),$(CHECK_LIBS)))
$(FUZZ):
	$(link)
	$(call do_link,-fsanitize=fuzzer $(CHECK_LIBS))

-include $(patsubst %.c,$(B)/obj/%.d,$(C_FILES))

# ---- testing ------------------------------------------------------------------------------------------------

.PHONY: test check check-unit check-integration check-floors check-headers check-symbols gates
.PHONY: check-asan check-ubsan check-valgrind
SUB = $(MAKE) --no-print-directory
pick = $(if $(TESTS),$(foreach t,$(1),$(if $(strip $(foreach w,$(TESTS),$(findstring $(w),$(t)))),$(t))),$(1))
run_tests = B='$(B)' scripts/run-tests --jobs $(JOBS) --timeout $(TIMEOUT) --logs $(B)/logs

# pkg-config and the compiler may only exist after setup, so the build is a make of its own.
test:
	$(if $(filter no,$(SETUP)),,@scripts/setup test)
	+@$(SUB) tests
	+@$(SUB) run-tests

check:
	+@$(SUB) tests gates
	+@$(SUB) run-tests

.PHONY: run-tests
run-tests:
	@$(run_tests) $(call pick,$(UNIT) $(INTEGRATION))
check-unit: $(UNIT) $(B)/tests/tool/netproxy
	@$(run_tests) $(call pick,$(UNIT))
check-integration: tests
	@$(run_tests) $(call pick,$(INTEGRATION))

gates: check-floors check-headers check-symbols
check-floors:
	@scripts/check-floors
check-headers: $(B)/gen/version.h
	@CC='$(CC)' FLAGS='-std=c17 $(DEFS) -I. -I$(B)/gen $(PKG_CFLAGS) -Wall -Wextra' scripts/check-headers $(HEADERS)
check-symbols: $(LIB)
	@scripts/check-symbols $(LIB)

check-asan:
	+@ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:$${ASAN_OPTIONS:-} \
		$(SUB) B=$(B)/asan SANITIZE=address check-unit
check-ubsan:
	+@UBSAN_OPTIONS=print_stacktrace=1:$${UBSAN_OPTIONS:-} \
		$(SUB) B=$(B)/ubsan SANITIZE=undefined check-unit
VALGRIND ?= valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --track-fds=no
check-valgrind: tests
	@CK_TIMEOUT_MULTIPLIER=20 $(run_tests) --wrap '$(VALGRIND)' $(call pick,$(UNIT))

# The units of systemd, as systemd-analyze reads them, and what it says about what they may do.
.PHONY: check-units
check-units: all
	@B='$(B)' scripts/check-units

# The model of the deletion protocol; needs spin (scripts/setup dev).
.PHONY: check-model
check-model:
	@scripts/check-model

# The alert rules and the metrics; needs promtool (scripts/setup ci).
.PHONY: check-alerts
check-alerts: $(B)/backupd $(B)/tests/tool/fill_history
	@B='$(B)' scripts/check-alerts

.PHONY: soak fuzz bench fuzz-build demo demo-drill
soak bench:
	@scripts/run-all tests/$@
fuzz:
	@scripts/run-all tests/fuzz
# The harnesses tests/fuzz/fuzz_*.c with clang's fuzzer, in build/fuzz/tests/fuzz/.
fuzz-build:
	+@$(SUB) B=$(B)/fuzz CC=clang FUZZER=1 SANITIZE=address,undefined fuzz-harnesses
.PHONY: fuzz-harnesses
fuzz-harnesses: $(FUZZ)

proof-%: tests
	@scripts/run-proof $*

demo:
	$(if $(filter no,$(SETUP)),,@scripts/setup demo)
	+@$(SUB) all $(TOOLS)
	@B='$(B)' scripts/demo
demo-drill:
	$(if $(filter no,$(SETUP)),,@scripts/setup test)
	+@$(SUB) all
	@B='$(B)' scripts/demo-drill

# ---- reading the code ---------------------------------------------------------------------------------------

.PHONY: lint lint-tidy lint-cppcheck lint-shell lint-man format format-check coverage
CLANG_TIDY ?= clang-tidy
CLANG_FORMAT ?= clang-format
lint: lint-tidy lint-cppcheck lint-shell lint-man
lint-tidy: $(B)/gen/version.h
	@printf '%s\n' $(LIB_SRC) $(BACKUPD_SRC) $(RESTORE_SRC) | xargs -r -P $(JOBS) -n 4 bash -c \
		'$(CLANG_TIDY) --quiet --warnings-as-errors="*" "$$@" -- -x c -std=c17 $(DEFS) -I. -I$(B)/gen $(PKG_CFLAGS)' _ \
		2> >(grep -vE '^[0-9]+ warnings? (and [0-9]+ errors? )?(generated|treated)' >&2)
lint-cppcheck: $(B)/gen/version.h
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem --suppress=memleak:common/base/alloc.c $(DEFS) -I. -I$(B)/gen -j $(JOBS) common backupd restore
lint-shell:
	@shellcheck -x -P SCRIPTDIR $(SHELL_FILES)
lint-man: $(if $(wildcard backupd/main.c),man)
	@pages="$(wildcard docs/man/*.[1-8]) $(MAN)"; if [[ -n $${pages// } ]]; then mandoc -T lint -W warning $$pages; fi
format:
	@$(CLANG_FORMAT) -i $(C_FILES) $(HEADERS)
format-check:
	@$(CLANG_FORMAT) --dry-run -Werror $(C_FILES) $(HEADERS)

coverage:
	@find $(B)/cov -name '*.gcda' -delete 2>/dev/null || true
	+@$(SUB) B=$(B)/cov COVERAGE=1 tests
	+@$(SUB) B=$(B)/cov COVERAGE=1 run-tests
	@gcovr --root . --object-directory $(B)/cov --filter common/ --filter backupd/ --filter restore/ \
		--exclude-unreachable-branches --print-summary --html-details $(B)/cov/index.html --txt $(B)/cov/coverage.txt
	@echo 'Pages: $(B)/cov/index.html, a line per file: $(B)/cov/coverage.txt'

# ---- installing ---------------------------------------------------------------------------------------------

.PHONY: man install uninstall clean
MAN := $(if $(wildcard backupd/main.c),$(B)/man/backupd.8 $(B)/man/backupd.yaml.5) $(if $(wildcard restore/main.c),$(B)/man/restore.1)
COMPLETIONS := $(patsubst $(B)/%,$(B)/completions/%,$(PROGRAMS))
man: $(MAN)
$(B)/man/backupd.yaml.5: $(B)/backupd
	@mkdir -p $(@D)
	@$< man config >$@
$(B)/man/%.8 $(B)/man/%.1: $(B)/%
	@mkdir -p $(@D)
	@$< --man >$@
$(B)/completions/%: $(B)/%
	@mkdir -p $(@D)
	@$< --bash-completion >$@

bindir = $(DESTDIR)$(PREFIX)/bin
mandir = $(DESTDIR)$(PREFIX)/share/man
docdir = $(DESTDIR)$(PREFIX)/share/doc/backupd
compdir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
DOCS := $(sort $(wildcard README.md docs/*.md))
man_section = $(mandir)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))
MAN_ALL = $(MAN) $(sort $(wildcard docs/man/*.[1-8]))

# Units name the programs where they are installed. Nothing is enabled.
libdir = $(DESTDIR)$(PREFIX)/lib
UNITS := $(sort $(wildcard scripts/systemd/*.service scripts/systemd/*.timer scripts/systemd/*.d/*.conf))
unit_path = $(libdir)/systemd/system/$(patsubst scripts/systemd/%,%,$(1))
install_unit = mkdir -p $(dir $(2)); sed 's|/usr/local/bin/|$(PREFIX)/bin/|' $(1) >$(2); chmod 644 $(2);

.PHONY: install-units uninstall-units
install-units:
	@set -e; $(foreach f,$(UNITS),$(call install_unit,$(f),$(call unit_path,$(f)))) \
	install -D -m 644 scripts/systemd/sysusers.conf $(libdir)/sysusers.d/backupd.conf; \
	install -D -m 644 scripts/systemd/tmpfiles.conf $(libdir)/tmpfiles.d/backupd.conf
uninstall-units:
	@rm -f $(foreach f,$(UNITS),$(call unit_path,$(f))) $(libdir)/sysusers.d/backupd.conf $(libdir)/tmpfiles.d/backupd.conf
	@folder=$(libdir)/systemd/system/backupd-.service.d; if [[ -d $$folder ]]; then rmdir --ignore-fail-on-non-empty $$folder; fi

install: all man $(COMPLETIONS) install-units
	@set -e; $(foreach f,$(PROGRAMS),install -D -m 755 $(f) $(bindir)/$(notdir $(f));) \
	$(foreach f,$(MAN_ALL),install -D -m 644 $(f) $(call man_section,$(f));) \
	$(foreach f,$(COMPLETIONS),install -D -m 644 $(f) $(compdir)/$(notdir $(f));) \
	$(foreach f,$(DOCS),install -D -m 644 $(f) $(docdir)/$(notdir $(f));) \
	install -D -m 755 scripts/emergency-restore.py $(docdir)/emergency-restore.py
	@install -D -m 644 docs/monitoring/alerts.yaml $(docdir)/monitoring/alerts.yaml
	@echo 'Installed below $(DESTDIR)$(PREFIX): $(notdir $(PROGRAMS))'

# Exactly what install puts there; only the documentation folder is the project's own.
uninstall: uninstall-units
	@rm -f $(foreach f,$(PROGRAMS),$(bindir)/$(notdir $(f))) $(foreach f,$(MAN_ALL),$(call man_section,$(f))) \
		$(foreach f,$(COMPLETIONS),$(compdir)/$(notdir $(f))) $(foreach f,$(DOCS),$(docdir)/$(notdir $(f))) \
		$(docdir)/emergency-restore.py $(docdir)/monitoring/alerts.yaml
	@if [[ -d $(docdir)/monitoring ]]; then rmdir --ignore-fail-on-non-empty $(docdir)/monitoring; fi
	@if [[ -d $(docdir) ]]; then rmdir --ignore-fail-on-non-empty $(docdir); fi

clean:
	@rm -rf -- $(B)
