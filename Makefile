# switchd: build, check, demo.
#
#   make              build switchd and switchctl (build/release)
#   make check        unit tests, tables, simulator, scenarios (no sanitizers)
#   make asan         the same under AddressSanitizer and UBSan (build/asan)
#   make unit         unit tests and tables only
#   make scenario     scenarios only, real redis-server and haproxy
#   make sim          seeded simulator of the pure core (SEED=, STEPS=)
#   make chaos        a whole fleet under faults drawn from a seed, and its judge (SEED=, MINUTES=, TOPOLOGY=)
#   make model        the checked models of the store's protocol and of acting without it (tests/model/run, needs spin)
#   make hostile      every kind of probe against hostile targets (release build), and docs/hostile.md
#   make fuzz         short runs of every fuzz target (SECONDS=, needs clang); check replays their seeds
#   make bench        write docs/benchmarks.md (ratios in one run)
#   make demo         scripts/demo: the three acts, live
#   make docs         write the generated parts of docs/ and README.md
#   make lint         style, bans, ceilings, include arrows, docs up to date
#   make install      DESTDIR= PREFIX=/usr/local
#   make help         this text
#
# BUILD=release|debug|asan chooses the objects; CC=clang works too.

BUILD ?= release
OUT := build/$(BUILD)
PREFIX ?= /usr/local
DESTDIR ?=

PKGS := libcurl hiredis libmicrohttpd jansson yaml-0.1 libpcre2-8 libxml-2.0 smartcols libssl libcrypto
PKG_CONFIG ?= pkg-config
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wformat=2 -Werror
CPPFLAGS += -D_GNU_SOURCE -I. $(shell $(PKG_CONFIG) --cflags $(PKGS))
LDLIBS += $(shell $(PKG_CONFIG) --libs $(PKGS)) -lev -lm -lpthread

ifeq ($(BUILD),asan)
CFLAGS_BUILD := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DSWITCHD_FAILPOINTS
LDFLAGS_BUILD := -fsanitize=address,undefined
else ifeq ($(BUILD),debug)
CFLAGS_BUILD := -O1 -g -DSWITCHD_FAILPOINTS
LDFLAGS_BUILD :=
else
CFLAGS_BUILD := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDFLAGS_BUILD := -pie -Wl,-z,relro,-z,now
endif
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS_BUILD) $(CFLAGS)
ALL_LDFLAGS = $(LDFLAGS_BUILD) $(LDFLAGS)

ROOMS := base core io store proxy agent engine api cli
# A room may have inner rooms of one level: switchd/core/decide, probes/kinds.
LIB_SRC := $(foreach r,$(ROOMS),$(wildcard switchd/$(r)/*.c switchd/$(r)/*/*.c)) $(wildcard probes/*.c probes/*/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(OUT)/%.o)
LIB := $(OUT)/libswitchd.a
PROGRAMS := $(OUT)/bin/switchd $(OUT)/bin/switchctl

# Each tests/unit/*.c, tests/sim/*.c is one program; so is each tests/fakes/*.c (real little
# servers and clients that scenarios, the demo and the bench use).
UNIT := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/*.c))
SIM := $(patsubst tests/sim/%.c,$(OUT)/tests/sim/%,$(wildcard tests/sim/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(OUT)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
FAKES := $(patsubst tests/fakes/%.c,$(OUT)/tests/fakes/%,$(wildcard tests/fakes/*.c))
CHAOS := $(patsubst tests/chaos/%.c,$(OUT)/chaos/%,$(wildcard tests/chaos/*.c))

.PHONY: all
all: $(PROGRAMS)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

# Lua scripts and other embedded files are included by .incbin in the C that sits beside them.
$(OUT)/switchd/store/scripts.o: $(wildcard switchd/store/*.lua)

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(OUT)/bin/%: $(OUT)/switchd/%.o $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(LIB)
	@echo "  LD $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LDLIBS) -lcmocka

# A fuzz target without libFuzzer: it is fed its seeds (make check), not what clang thinks of.
$(OUT)/tests/fuzz/%: $(OUT)/tests/fuzz/%.o $(OUT)/tests/fuzz/support/replay.o $(LIB)
	@echo "  LD $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS)

$(OUT)/tests/sim/%: $(OUT)/tests/sim/%.o $(LIB)
	@echo "  LD $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

# Fakes stand alone: libev and libc only, so that a fault in switchd's own code cannot hide in them.
$(OUT)/tests/fakes/%: $(OUT)/tests/fakes/%.o
	@echo "  LD $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lev -lm -lpthread

# The rig of the chaos run knows nothing of switchd either; a program NAME.c may have parts in NAME/.
$(OUT)/chaos/driver: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/chaos/driver/*.c))
$(OUT)/chaos/check: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/chaos/check/*.c))
$(OUT)/chaos/%: $(OUT)/tests/chaos/%.o
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -ljansson -lev -lm -lpthread

.PHONY: programs fakes chaos-programs unit-programs fuzz-programs
programs: $(PROGRAMS)
fakes: $(FAKES)
chaos-programs: $(CHAOS)
unit-programs: $(UNIT) $(SIM)
fuzz-programs: $(FUZZ)

.PHONY: check asan unit scenario sim model chaos hostile fuzz bench demo docs lint install clean help
check:
	@scripts/run-tests BUILD=debug all
asan:
	@scripts/run-tests BUILD=asan all
unit:
	@scripts/run-tests BUILD=$(BUILD) unit
scenario:
	@scripts/run-tests BUILD=debug scenarios
sim:
	@scripts/run-tests BUILD=$(BUILD) sim
model:
	@tests/model/run
chaos:
	@tests/chaos/run --seed $(or $(SEED),1) --minutes $(or $(MINUTES),10) --topology $(or $(TOPOLOGY),fleet) BUILD=$(if $(filter command line,$(origin BUILD)),$(BUILD),asan)
hostile:
	@scripts/hostile
fuzz:
	@scripts/fuzz
bench: programs fakes
	@scripts/bench/run
demo:
	@scripts/demo
docs: programs
	@scripts/docs
lint:
	@scripts/lint
	@scripts/layers

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/doc/switchd/redis
	install -m 755 $(OUT)/bin/switchctl $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(OUT)/bin/switchd $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 README.md LICENSE $(wildcard docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/switchd/
	install -m 644 $(wildcard docs/redis/*) $(DESTDIR)$(PREFIX)/share/doc/switchd/redis/

clean:
	rm -rf build

help:
	@sed -n '/^$$/q;s/^# \{0,1\}//p' Makefile

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
