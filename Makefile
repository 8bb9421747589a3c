# courier-relay. `make help` lists the targets.

# ---- packages: the one list; README, Dockerfile and CI take them from here ------------------
PACKAGES_BUILD = gcc libc6-dev make pkg-config libmicrohttpd-dev libcurl4-openssl-dev \
    libjsonnet-dev libesmtp-dev libjansson-dev libsqlite3-dev libsodium-dev libgmime-3.0-dev \
    libicu-dev libseccomp-dev libssl-dev
PACKAGES_RUN = libmicrohttpd12 libcurl4 libjsonnet0 libesmtp6 libjansson4 libsqlite3-0 \
    libsodium23 libgmime-3.0-0 libicu72 libseccomp2 libssl3 \
    ca-certificates
PACKAGES_CHECK = libcmocka-dev libasan8 libubsan1 python3 python3-pytest python3-pytest-xdist \
    python3-aiosmtpd python3-hypothesis strace procps openssl tidy \
    e2fsprogs xfsprogs util-linux mount faketime libfaketime patch
PACKAGES_DEMO = python3 python3-aiosmtpd
PACKAGES_SCREENSHOTS = python3 chromium fonts-noto-core fonts-noto-color-emoji
PACKAGES_BENCH = python3 procps strace
PACKAGES_INSTRUMENT = libtsan2 valgrind python3 python3-aiosmtpd openssl
PACKAGES_FUZZ = clang-14 libclang-rt-14-dev llvm-14 python3
PACKAGES_DOCKER = python3 python3-aiosmtpd debootstrap
PACKAGES_LINT = clang-format clang-tidy cppcheck shellcheck python3

PREFIX ?= /usr/local
DESTDIR ?=
CC = gcc
VERSION := $(shell cat VERSION)
PYTHON = /usr/bin/python3

# SANITIZE=1 builds with ASan and UBSan, SANITIZE=thread with TSan, each into a folder of its own.
ifeq ($(SANITIZE),1)
BUILD ?= build/sanitize
INSTRUMENT = -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(SANITIZE),thread)
BUILD ?= build/tsan
INSTRUMENT = -O1 -fsanitize=thread -fno-omit-frame-pointer
else
BUILD ?= build/release
INSTRUMENT = -O2 -D_FORTIFY_SOURCE=3 -fzero-call-used-regs=used-gpr -ftrivial-auto-var-init=zero
endif
# FUZZ=1, with clang, adds what libFuzzer steers by.
ifeq ($(FUZZ),1)
CC = clang-14
BUILD = build/fuzz
INSTRUMENT = -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer
endif
# Dependency files name their objects as they were made, so a folder has one name.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))

ifeq ($(WERROR),1)
INSTRUMENT += -Werror
endif

CPPFLAGS = -I. -D_GNU_SOURCE
CFLAGS = -std=gnu17 -g $(INSTRUMENT) \
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla -Wundef \
    -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wpointer-arith -Wwrite-strings \
    -Wswitch-enum -Wnull-dereference -Werror=implicit-function-declaration \
    -Werror=format-security -fno-common -fPIE -fstack-protector-strong \
    -fstack-clash-protection -fcf-protection=full -fno-delete-null-pointer-checks \
    -fno-strict-overflow -fno-strict-aliasing -pthread -MMD -MP
LDFLAGS = -pie -pthread $(filter -fsanitize%,$(INSTRUMENT)) \
    -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed

# ---- what is built of what --------------------------------------------------------------------
# Each folder is one archive; a program is its main.o and the archives it may use. The arrows
# relay -> queue, composer -> {templates, jsonnet} are thereby kept by the linker as well.
FOLDERS = relay relay/dispatch relay/children relay/smarthosts relay/admin relay/http relay/config \
    relay/cli relay/base relay/composer relay/deliverer queue templates templates/mustache jsonnet
PROGRAMS = $(BUILD)/bin/courier-relay $(BUILD)/libexec/courier-relay/composer \
    $(BUILD)/libexec/courier-relay/deliverer

relay_LIBS     = relay relay/dispatch relay/children relay/smarthosts relay/admin relay/http relay/config \
    relay/cli queue relay/base
composer_LIBS  = relay/composer templates templates/mustache jsonnet relay/base
deliverer_LIBS = relay/deliverer relay/base

pc = $(shell pkg-config $(1) $(2) 2>/dev/null)
relay_PKG     = libmicrohttpd libcurl jansson sqlite3 libsodium
composer_PKG  = jansson gmime-3.0 icu-i18n icu-uc libseccomp
deliverer_PKG = libcurl jansson openssl
composer_EXTRA  = -ljsonnet -lm
deliverer_EXTRA = -lesmtp -ldl

archive = $(BUILD)/lib/lib$(subst /,-,$(1)).a
archives = $(foreach folder,$(1),$(call archive,$(folder)))
sources = $(filter-out $(1)/main.c,$(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

.PHONY: all
all: $(PROGRAMS) ## build the three programs (this is the default)

$(BUILD)/obj/relay/composer/%.o: PKG = $(composer_PKG)
$(BUILD)/obj/templates/%.o: PKG = $(composer_PKG)
$(BUILD)/obj/jsonnet/%.o: PKG = $(composer_PKG)
$(BUILD)/obj/jsonnet/std_additions.o: jsonnet/std_additions.libsonnet
$(BUILD)/obj/queue/schema_steps.o: $(wildcard queue/schema/*.sql)
$(BUILD)/obj/relay/deliverer/%.o: PKG = $(deliverer_PKG)
$(BUILD)/obj/%.o: PKG = $(relay_PKG)
$(BUILD)/obj/relay/main.o: CPPFLAGS += -DRELAY_VERSION='"$(VERSION)"'
$(BUILD)/obj/relay/main.o: VERSION
# System headers are not ours to be warned about.
system_includes = $(patsubst -I%,-isystem %,$(call pc,--cflags,$(1)))

# V=1 shows the commands.
quiet = $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(patsubst $(CURDIR)/%,%,$(2))")

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(quiet)$(CC) $(CPPFLAGS) $(CFLAGS) $(call system_includes,$(PKG)) -c -o $@ $<

define folder_archive
$(call archive,$(1)): $(call objects,$(call sources,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(quiet)ar rcs $$@ $$^
endef
$(foreach folder,$(FOLDERS),$(eval $(call folder_archive,$(folder))))

link = $(quiet)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) \
    -Wl,--end-group $(call pc,--libs,$($(1)_PKG)) $($(1)_EXTRA)

$(BUILD)/bin/courier-relay: $(BUILD)/obj/relay/main.o $(call archives,$(relay_LIBS))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(call link,relay)
$(BUILD)/libexec/courier-relay/composer: $(BUILD)/obj/relay/composer/main.o \
    $(call archives,$(composer_LIBS))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(call link,composer)
# -rdynamic: libesmtp must find our connect(), libcurl our recv() and SSL_read(), see *_shim.h.
$(BUILD)/libexec/courier-relay/deliverer: $(BUILD)/obj/relay/deliverer/main.o \
    $(call archives,$(deliverer_LIBS))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(call link,deliverer) -rdynamic

# ---- unit tests: tests/unit/<folder>/test_*.c, linked with what that folder may use ------------
TEST_SOURCES = $(wildcard $(foreach folder,$(FOLDERS),tests/unit/$(folder)/test_*.c))
UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(TEST_SOURCES))

test_side = $(if $(filter relay/composer% templates% jsonnet%,$(1)),composer,$(if \
    $(filter relay/deliverer%,$(1)),deliverer,relay))

define unit_test
$(BUILD)/tests/$(1): $(BUILD)/obj/tests/unit/$(1).o \
    $(call archives,$($(call test_side,$(1))_LIBS))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(call link,$(call test_side,$(1))) -lcmocka $$(TEST_WRAP)
$(BUILD)/obj/tests/unit/$(1).o: PKG = $($(call test_side,$(1))_PKG) cmocka
endef
$(foreach test,$(TEST_SOURCES:tests/unit/%.c=%),$(eval $(call unit_test,$(test))))

# Where tests find the repository's data, whatever their working directory is.
$(BUILD)/obj/tests/%.o: CPPFLAGS += -DREPOSITORY_ROOT='"$(CURDIR)"'
# Half of the time that building them took went into optimising what runs once.
$(BUILD)/obj/tests/unit/%.o: CFLAGS += -O0

.PHONY: unit
unit: $(UNIT_TESTS) # build the unit tests

# The composer with acts of an intruder built in: see tests/support/probe.c.
$(BUILD)/tests/composer-probe: $(BUILD)/obj/relay/composer/main.o \
    $(BUILD)/obj/tests/support/probe.o $(call archives,$(composer_LIBS))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(call link,composer) -Wl,--wrap=payload_text,--wrap=confine,--wrap=setrlimit \
	    -Wl,--wrap=landlock_forbid_all,--wrap=syscall_filter_install
$(BUILD)/obj/tests/support/probe.o: PKG = $(composer_PKG)
$(BUILD)/tests/relay/composer/test_confine: TEST_WRAP = -Wl,--wrap=syscall,--wrap=getrlimit
$(BUILD)/tests/relay/dispatch/test_backlog: TEST_WRAP = -Wl,--wrap=queue_due,--wrap=queue_next_due
$(BUILD)/tests/queue/test_rekey: TEST_WRAP = -Wl,--wrap=writer_submit

# GMime's strict parser, as a second opinion on every mail: see tests/support/strict_mime.c.
$(BUILD)/tests/strict-mime: $(BUILD)/obj/tests/support/strict_mime.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(call link,strict_mime)
strict_mime_PKG = gmime-3.0 jansson
$(BUILD)/obj/tests/support/strict_mime.o: PKG = $(strict_mime_PKG)
unit: $(BUILD)/tests/strict-mime

.PHONY: probe
probe: $(BUILD)/tests/composer-probe # build what tests try the release build with

# ---- fuzz targets: with libFuzzer where FUZZ=1, else with a main() that runs the corpus once -----
FUZZ_TARGETS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS = $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)
fuzz_http_head_SIDE = relay
fuzz_envelope_SIDE  = relay
fuzz_frame_SIDE     = relay
fuzz_reply_SIDE     = deliverer
fuzz_dialogue_SIDE  = deliverer
fuzz_side = $(or $($(1)_SIDE),composer)

define fuzz_target
$(BUILD)/fuzz/$(1): $(BUILD)/obj/tests/fuzz/$(1).o \
    $(if $(filter 1,$(FUZZ)),,$(BUILD)/obj/tests/fuzz/replay.o) \
    $(call archives,$($(call fuzz_side,$(1))_LIBS))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(call link,$(call fuzz_side,$(1))) $(if $(filter 1,$(FUZZ)),-fsanitize=fuzzer)
$(BUILD)/obj/tests/fuzz/$(1).o: PKG = $($(call fuzz_side,$(1))_PKG)
endef
$(foreach target,$(FUZZ_TARGETS),$(eval $(call fuzz_target,$(target))))

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)
unit: $(if $(filter 1,$(SANITIZE)),$(FUZZ_PROGRAMS))

# ---- what the fault suites run a relay under: see tests/faults/README.md -------------------------
FAULT_PROGRAMS = $(BUILD)/tests/faults/inject $(BUILD)/tests/faults/failing_calls
fault_PKG = libseccomp
$(FAULT_PROGRAMS): $(BUILD)/tests/faults/%: $(BUILD)/obj/tests/faults/%.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(call link,fault)
$(FAULT_PROGRAMS:$(BUILD)/%=$(BUILD)/obj/%.o): PKG = $(fault_PKG)

# The programs once more, in a tree of their own, with allocations that can be made to fail.
FAILING = $(BUILD)/tests/faults/failing
FAILING_PROGRAMS = $(PROGRAMS:$(BUILD)/%=$(FAILING)/%)
FAILING_WRAP = $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc reallocarray strdup strndup \
    asprintf vasprintf __asprintf_chk __vasprintf_chk sodium_malloc)
comma = ,
$(FAILING)/bin/courier-relay: SIDE = relay
$(FAILING)/libexec/courier-relay/composer: SIDE = composer
$(FAILING)/libexec/courier-relay/deliverer: SIDE = deliverer
$(FAILING)/bin/courier-relay: $(BUILD)/obj/relay/main.o $(call archives,$(relay_LIBS))
$(FAILING)/libexec/courier-relay/composer: $(BUILD)/obj/relay/composer/main.o \
    $(call archives,$(composer_LIBS))
$(FAILING)/libexec/courier-relay/deliverer: $(BUILD)/obj/relay/deliverer/main.o \
    $(call archives,$(deliverer_LIBS))
$(FAILING_PROGRAMS): $(BUILD)/obj/tests/faults/failing_allocations.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(call link,$(SIDE)) $(FAILING_WRAP) $(if $(filter deliverer,$(SIDE)),-rdynamic)

.PHONY: faults
faults: $(FAULT_PROGRAMS) $(FAILING_PROGRAMS)

# ---- bench programs: they use relay/base and, to fill one, the queue ------------------------------
BENCH_PROGRAMS = $(BUILD)/bench/load $(BUILD)/bench/compose $(BUILD)/bench/disk \
    $(BUILD)/bench/fill $(BUILD)/bench/drain
bench_LIBS = queue relay/base
bench_PKG = jansson sqlite3 libsodium

$(BUILD)/bench/load: $(call objects,bench/load.c bench/clients.c bench/sink.c)
$(BUILD)/bench/compose: $(call objects,bench/compose.c)
$(BUILD)/bench/disk: $(call objects,bench/disk.c)
$(BUILD)/bench/drain: $(call objects,bench/drain.c bench/sink.c)
$(BUILD)/bench/fill: $(call objects,bench/fill.c)
$(BENCH_PROGRAMS): $(call objects,bench/ledger.c bench/payload.c bench/samples.c) \
    $(call archives,$(bench_LIBS))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(call link,bench)

.PHONY: bench-programs
bench-programs: $(BENCH_PROGRAMS)
probe: $(BUILD)/bench/fill # queues that tests begin with

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# ---- what is missing from Debian is installed; what is there is left alone ------------------------
define install_missing
@missing=$$(for package in $(1); do \
        dpkg-query -W -f '$${db:Status-Status}\n' $$package 2>/dev/null | grep -qx installed || \
        echo $$package; \
    done); \
test -z "$$missing" && exit 0; \
echo "installing (takes about a minute): "$$missing; \
if test "$$(id -u)" = 0; then as_root=; \
elif command -v sudo >/dev/null; then as_root=sudo; \
else echo "these packages are missing, and there is neither root nor sudo to install them:" \
    $$missing >&2; exit 1; fi; \
$$as_root apt-get update -qq && \
$$as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes \
    apt-get install -y -qq --no-install-recommends $$missing >/dev/null
endef

PACKAGES_deps-build = $(PACKAGES_BUILD)
PACKAGES_deps-check = $(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_CHECK)
PACKAGES_deps-demo  = $(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_DEMO)
PACKAGES_deps-screenshots = $(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_SCREENSHOTS)
PACKAGES_deps-bench = $(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_BENCH)
PACKAGES_deps-instrument = $(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_INSTRUMENT)
PACKAGES_deps-fuzz  = $(PACKAGES_BUILD) $(PACKAGES_FUZZ)
PACKAGES_deps-docker = $(PACKAGES_DOCKER)
PACKAGES_deps-lint  = $(PACKAGES_BUILD) $(PACKAGES_LINT)
DEPS = deps-build deps-check deps-demo deps-screenshots deps-bench deps-instrument deps-fuzz \
    deps-docker deps-lint

.PHONY: deps $(DEPS)
deps: deps-check ## install what building and checking needs and Debian has (deps-build: building alone)
$(DEPS):
	$(call install_missing,$(PACKAGES_$@))

# What judges metrics and alerts. Its package would start a server, so it is unpacked and not installed.
PROMTOOL = build/tools/promtool
$(PROMTOOL):
	@mkdir -p $(@D)/package
	@echo "fetching promtool, 19 MB"
	@cd $(@D)/package && apt-get -qq -o APT::Sandbox::User=root download prometheus || \
	    { echo "no promtool to be had; perhaps 'apt-get update' helps" >&2; exit 1; }
	@dpkg-deb --fsys-tarfile $(@D)/package/prometheus_*.deb | \
	    tar -x -C $(@D)/package ./usr/bin/promtool
	@mv $(@D)/package/usr/bin/promtool $@
	@rm -r $(@D)/package

.PHONY: packages-build packages-run
packages-build: # print the packages that building needs
	@echo $(PACKAGES_BUILD)
packages-run: # print the packages that an installed relay needs
	@echo $(PACKAGES_RUN)

# ---- to be called by people ----------------------------------------------------------------------
# A make of its own, so that nothing is looked for with pkg-config before it is installed.
build = +$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: check
check: deps-check ## install what is missing, build with ASan and UBSan, run every test: 8 minutes
	$(build) SANITIZE=1 BUILD=build/sanitize all unit
	$(build) BUILD=build/release all probe faults $(PROMTOOL)
	$(PYTHON) tests/run --build build/sanitize --release build/release

.PHONY: golden
golden: deps-build ## write tests/data/golden anew, after texts or frames have changed on purpose
	$(build) all
	RELAY_BUILD=$(BUILD) $(PYTHON) tests/support/golden.py

.PHONY: demo
demo: deps-demo ## install what is missing, build, and mail four real payloads to a local server: 1.5 minutes
	$(build) all
	$(PYTHON) tests/e2e/demo.py --build $(BUILD)

.PHONY: mails
mails: deps-build ## build, and write every mail into build/mails, with index.html that leads to them
	$(build) all
	$(BUILD)/bin/courier-relay render --all build/mails

.PHONY: demo-container
demo-container: ## make demo from a clone in a bare Debian container, with the README's line
	tests/e2e/fresh_container.sh

.PHONY: screenshots
screenshots: deps-screenshots ## show every mail in Chromium, light and dark: build/screenshots/*.png
	$(build) all
	$(PYTHON) tests/e2e/screenshots.py --build $(BUILD)

.PHONY: bench
bench: deps-bench ## measure, beside this machine's own limits: 3 minutes
	$(build) all bench-programs
	$(PYTHON) bench/bench.py --build $(BUILD)

.PHONY: bench-million
bench-million: deps-bench ## the cells of a large queue with a million messages: 20 minutes, 2 GB of disk
	$(build) all bench-programs
	$(PYTHON) bench/bench.py --build $(BUILD) --only-waiting --waiting 1000000 --watch 60

FUZZ_SECONDS = 60
.PHONY: fuzz
fuzz: deps-fuzz ## feed every parser of strangers' bytes by libFuzzer, FUZZ_SECONDS (60) each
	$(build) FUZZ=1 BUILD=build/fuzz fuzz-programs
	$(PYTHON) tests/fuzz/run.py --build build/fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_ONLY)

ATTACK_SECONDS = 60
ATTACK_REQUESTS = 20000
.PHONY: attack
attack: deps-check ## besiege the relay for ATTACK_SECONDS (60), then send ATTACK_REQUESTS odd requests
	$(build) BUILD=build/release all
	$(build) SANITIZE=1 BUILD=build/sanitize all
	$(PYTHON) tests/attack/siege.py --build build/release --seconds $(ATTACK_SECONDS)
	$(PYTHON) tests/attack/raw_requests.py --build build/sanitize --requests $(ATTACK_REQUESTS)

MUTANTS =
.PHONY: mutants
mutants: deps-check ## plant bugs in a copy, each of which must turn a test red: 5 minutes; MUTANTS="03 17": only those
	$(build) SANITIZE=1 BUILD=build/sanitize all unit
	$(PYTHON) tests/mutants/run.py --build build/sanitize $(MUTANTS)

.PHONY: crash
crash: deps-check ## kill, fail and cut the relay at thousands of points: 45 minutes; CRASH="--only X --points N"
	$(build) BUILD=build/release all faults bench-programs
	$(PYTHON) tests/faults/crash.py --build build/release $(CRASH)

SOAK_SECONDS = 600
.PHONY: soak
soak: deps-check ## mail for SOAK_SECONDS (600: 10 minutes) while everything dies now and then
	$(build) BUILD=build/release all
	$(PYTHON) tests/faults/soak.py --build build/release --seconds $(SOAK_SECONDS)

.PHONY: real-servers
real-servers: deps-check ## mail through a Postfix, an Exim and an OpenSMTPD of Debian's, unpacked and not installed, as root: 3 minutes
	$(build) SANITIZE=1 BUILD=build/sanitize all unit
	RELAY_BUILD=build/sanitize $(PYTHON) -m pytest -p no:cacheprovider -q -rs -n $(shell nproc) \
	    tests/e2e/servers

.PHONY: tsan memcheck
tsan: deps-instrument ## mail from 64 clients under ThreadSanitizer, no report: 1 minute
	$(build) SANITIZE=thread BUILD=build/tsan all
	$(PYTHON) tests/faults/instrumented.py tsan --build build/tsan
memcheck: deps-instrument ## mail through a core and deliverers under valgrind, no error: 2 minutes
	$(build) BUILD=build/release all
	$(PYTHON) tests/faults/instrumented.py memcheck --build build/release

PROPERTY_EXAMPLES = 5000
PROPERTY_SEED = $(shell od -An -N4 -tu4 /dev/urandom)
.PHONY: properties
properties: deps-check ## try PROPERTY_EXAMPLES (5000) odd payloads a property; PROPERTY_SEED repeats a run
	$(build) SANITIZE=1 BUILD=build/sanitize all unit
	RELAY_BUILD=build/sanitize RELAY_PROPERTY_EXAMPLES=$(PROPERTY_EXAMPLES) $(PYTHON) -m pytest \
	    -p no:cacheprovider -q -n $(shell nproc) --hypothesis-seed=$(strip $(PROPERTY_SEED)) \
	    tests/integration/test_mail_properties.py

.PHONY: docker docker-check systemd-check
docker: ## build the container image courier-relay
	docker build -t courier-relay .
docker-check: deps-docker ## bring compose.yaml's relay up, kill it, find every mail; KRATOS_IMAGE: a real Kratos, too
	$(PYTHON) tests/e2e/docker_check.py
systemd-check: deps-docker ## run the units under a real systemd in a container, under load: 1 minute once it is built
	$(PYTHON) tests/e2e/systemd_check.py

SHARE = $(DESTDIR)$(PREFIX)/share/courier-relay
.PHONY: install
install: all ## install below PREFIX (/usr/local); DESTDIR is for packagers
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/bin/courier-relay
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/libexec/courier-relay \
	    $(BUILD)/libexec/courier-relay/composer $(BUILD)/libexec/courier-relay/deliverer
	install -D -m 644 -t $(SHARE)/templates templates/*.mustache templates/brand.json
	install -D -m 644 -t $(SHARE)/templates/locales templates/locales/*.json
	install -D -m 644 -t $(SHARE)/jsonnet jsonnet/*.jsonnet
	install -D -m 644 -t $(SHARE) docs/alerts.yml
	install -D -m 644 -t $(SHARE)/jsonnet/samples jsonnet/samples/*.json
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 docs/courier-relay.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 docs/courier-relay.conf.5

.PHONY: install-units
install-units: ## install the systemd units, and the user that they name, below PREFIX as well
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system deploy/systemd/courier-relay.service \
	    deploy/systemd/courier-relay.socket deploy/systemd/courier-relay-admin.socket
	sed -i 's|^ExecStart=courier-relay |ExecStart=$(PREFIX)/bin/courier-relay |' \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system/courier-relay.service
	install -D -m 644 deploy/systemd/courier-relay.sysusers \
	    $(DESTDIR)$(PREFIX)/lib/sysusers.d/courier-relay.conf

C_FILES = $(sort $(wildcard $(addsuffix /*.[ch],$(FOLDERS) bench tests/fuzz tests/faults tests/unit \
    $(addprefix tests/unit/,$(FOLDERS)))))
SHELL_FILES = .ci/run $(wildcard tests/*/*.sh deploy/*.sh)

.PHONY: lint
lint: deps-lint ## clang-tidy, cppcheck, shellcheck, and the house rules
	@failed=; \
	$(PYTHON) tests/support/lint.py || failed=1; \
	shellcheck $(SHELL_FILES) || failed=1; \
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr \
	    --library=tests/support/cppcheck.cfg --suppress=missingIncludeSystem \
	    --suppress=syntaxError:relay/serve.c --suppress=syntaxError:relay/queue_log.c \
	    -I. -D_GNU_SOURCE $(FOLDERS) bench || failed=1; \
	printf '%s\n' $(filter %.c,$(C_FILES)) | xargs -P $$(nproc) -I {} clang-tidy --quiet {} -- \
	    $(CPPFLAGS) -DREPOSITORY_ROOT='"."' -DRELAY_VERSION='"$(VERSION)"' -std=gnu17 \
	    $(call system_includes,$(sort $(relay_PKG) $(composer_PKG) $(deliverer_PKG) cmocka)) \
	    || failed=1; \
	test -z "$$failed"

.PHONY: format format-check
format: ## lay the C files out by .clang-format
	clang-format -i $(C_FILES)
format-check: ## fail where a C file is not laid out so
	clang-format --dry-run --Werror $(C_FILES)

.PHONY: clean
clean: ## remove what was built
	rm -rf build

.PHONY: help
help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST) | sort
