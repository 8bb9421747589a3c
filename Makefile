# courier-relay. `make help` lists the targets.

# ---- packages: the one list; README, Dockerfile and CI take them from here ------------------
PACKAGES_BUILD = gcc libc6-dev make pkg-config libmicrohttpd-dev libcurl4-openssl-dev \
    libjsonnet-dev libesmtp-dev libjansson-dev libsqlite3-dev libsodium-dev libgmime-3.0-dev \
    libicu-dev libssl-dev
PACKAGES_RUN = libmicrohttpd12 libcurl4 libjsonnet0 libesmtp6 libjansson4 libsqlite3-0 \
    libsodium23 libgmime-3.0-0 libicu72 libssl3 ca-certificates
PACKAGES_CHECK = libcmocka-dev libasan8 libubsan1 python3 python3-pytest python3-pytest-xdist \
    python3-aiosmtpd strace procps postfix openssl
PACKAGES_BENCH = python3 postfix procps
PACKAGES_LINT = clang-format clang-tidy cppcheck shellcheck

PREFIX ?= /usr/local
DESTDIR ?=
CC = gcc

# SANITIZE=1 builds with ASan and UBSan into a folder of its own.
ifeq ($(SANITIZE),1)
BUILD ?= build/sanitize
INSTRUMENT = -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else
BUILD ?= build/release
INSTRUMENT = -O2 -D_FORTIFY_SOURCE=3 -fzero-call-used-regs=used-gpr -ftrivial-auto-var-init=zero
endif
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
FOLDERS = relay relay/base relay/composer relay/deliverer queue templates jsonnet
PROGRAMS = $(BUILD)/bin/courier-relay $(BUILD)/libexec/courier-relay/composer \
    $(BUILD)/libexec/courier-relay/deliverer

relay_LIBS     = relay queue relay/base
composer_LIBS  = relay/composer templates jsonnet relay/base
deliverer_LIBS = relay/deliverer relay/base

pc = $(shell pkg-config $(1) $(2) 2>/dev/null)
relay_PKG     = libmicrohttpd libcurl jansson sqlite3 libsodium
composer_PKG  = jansson gmime-3.0 icu-i18n icu-uc
deliverer_PKG = libcurl jansson openssl
composer_EXTRA  = -ljsonnet
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
$(BUILD)/obj/relay/deliverer/%.o: PKG = $(deliverer_PKG)
$(BUILD)/obj/%.o: PKG = $(relay_PKG)
# System headers are not ours to be warned about.
system_includes = $(patsubst -I%,-isystem %,$(call pc,--cflags,$(1)))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(call system_includes,$(PKG)) -c -o $@ $<

define folder_archive
$(call archive,$(1)): $(call objects,$(call sources,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach folder,$(FOLDERS),$(eval $(call folder_archive,$(folder))))

link = $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) \
    -Wl,--end-group $(call pc,--libs,$($(1)_PKG)) $($(1)_EXTRA)

$(BUILD)/bin/courier-relay: $(BUILD)/obj/relay/main.o $(call archives,$(relay_LIBS))
	@mkdir -p $(@D)
	$(call link,relay)
$(BUILD)/libexec/courier-relay/composer: $(BUILD)/obj/relay/composer/main.o \
    $(call archives,$(composer_LIBS))
	@mkdir -p $(@D)
	$(call link,composer)
# -rdynamic: libesmtp must find our connect(), see smtp_esmtp.c.
$(BUILD)/libexec/courier-relay/deliverer: $(BUILD)/obj/relay/deliverer/main.o \
    $(call archives,$(deliverer_LIBS))
	@mkdir -p $(@D)
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
	$$(call link,$(call test_side,$(1))) -lcmocka $$(TEST_WRAP)
$(BUILD)/obj/tests/unit/$(1).o: PKG = $($(call test_side,$(1))_PKG) cmocka
endef
$(foreach test,$(TEST_SOURCES:tests/unit/%.c=%),$(eval $(call unit_test,$(test))))

.PHONY: unit
unit: $(UNIT_TESTS) # build the unit tests

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: clean
clean: ## remove what was built
	rm -rf build
