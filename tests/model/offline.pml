/* SPDX-License-Identifier: MIT
 * offline.pml - one host: the embedded store goes away, switchd decides without it, and the store comes back.
 *
 * What flip.pml leaves out: the engine's memory, its journal with the kinds "committed" and "offline", the reconcile of
 * switchd/store/reconcile.c and the replay of switchd/engine/load.c.  One service, two slots, one proxy.  The store keeps what
 * it acknowledged (appendfsync always), but its lineage is another one after each restart.
 *
 * -DNOTHER=1 adds what a single host has not: a store elsewhere, and another controller.  It first starts while this one leads
 * and sees it come, or while this one is not running.  Then it leads whenever this one does not, and commits. */

/* ---- how much happens ---- */
#ifndef NAWAY
#define NAWAY 2         /* times the store dies, or is cut off */
#endif
#ifndef NCR
#define NCR 1           /* times switchd is killed */
#endif
#ifndef NFORWARD
#define NFORWARD 2      /* forward flips, with the store */
#endif
#ifndef NAUTO
#define NAUTO 2         /* automatic rollbacks wanted, with the store or without */
#endif
#ifndef NHUMAN
#define NHUMAN 1        /* rollbacks by a person from the unix socket, forced, while the store is away */
#endif
#ifndef NLOSE
#define NLOSE 0         /* restarts after which the store lacks its last commit (everysec, a power cut) */
#endif
#ifndef NFLUSH
#define NFLUSH 0        /* stores emptied by somebody */
#endif
#ifndef NOTHER
#define NOTHER 0        /* commits of another controller */
#endif

/* ---- rules that can be taken away ----
 * NO_JOURNAL_FIRST ONE_RID_FOR_ALL OFFLINE_TWICE NEW_RID NO_REBASE CONDEMNED_APART FLOOR_ONLY STORE_WINS LOADED_UNJOURNALLED
 * REBASE_LAST: of the moves that wait only the last gets a version at the replay.  ONE_STEP: and a commit raises by one at most.
 * of acting alone ("sole"): NO_TRIED NO_LED NO_KNOWS PERSON_ANYWAY FORGETS_BY_CLOCK
 * UNSEEN is none: it lifts the assumption that a fault does not hide the other controller from one that led and does not know it. */

/* ---- properties ---- */
byte I7_VERSION_FELL, I2_VERSION_TWICE, I4_NOT_CONVERGED, I6_CONDEMNED_ACTIVE, I3_AUDIT, O_TWICE_ON_BASE, O_CONDEMNED_LOST, R_UNDONE, E_ENDLESS;
#define MUST(name, what) assert((what) || name)
inline watch_only(one) {
	I7_VERSION_FELL = 1; I2_VERSION_TWICE = 1; I4_NOT_CONVERGED = 1; I6_CONDEMNED_ACTIVE = 1; I3_AUDIT = 1; O_TWICE_ON_BASE = 1;
	O_CONDEMNED_LOST = 1; R_UNDONE = 1; one = 0
}

#define BIT(n) (1 << (n))
#define HAS(mask, n) (((mask) & BIT(n)) != 0)
#define BELOW(g1, e1, g2, e2) ((g1) < (g2) || ((g1) == (g2) && (e1) < (e2)))
#define SAME(g1, e1, g2, e2) ((g1) == (g2) && (e1) == (e2))

/* cid: of the last commit; vcid: of the one that gave the version, which is what the public record carries.
 * fwd: the last move was forward and is not undone. */
typedef Record { byte gen, ep, rev, cid, vcid; bit act, fwd };
inline set(a, b) { a.gen = b.gen; a.ep = b.ep; a.rev = b.rev; a.cid = b.cid; a.vcid = b.vcid; a.act = b.act; a.fwd = b.fwd }

/* The store.  done: the request ids that it knows.  lin: it is the history that meta names. */
Record s, lost; byte mgen = 1, scond, sdone, lcond, ldone, audit[8]; bit up = 1, lin = 1, linked = 1, may_lose;
/* The engine's memory.  pending: decided without the store, on the base version; events: what has to get into the audit. */
Record m; byte mcond, base_gen, base_ep, events, pcond; bit lead = 1, loaded = 1, pending, top = 1, wants_load, newgen, pauto;
/* Its journal: the last entry, and all that was ever condemned. */
Record j; byte jcond, jbase_gen, jbase_ep, jevents, jpcond; bit joffline;
/* tried: since its start this process asked the store, and was answered or found it away. */
bit tried = 1;
#if NOTHER
/* jled: the last entry is one of its own lead, not of one that it followed.  knows: its state directory names another controller. */
bit other, oleads, jled = 1, knows;
#endif
/* What the proxy shows. */
byte xgen, xep; bit xact;

byte naway = NAWAY, ncr = NCR, nforward = NFORWARD, nauto = NAUTO, nhuman = NHUMAN, nlose = NLOSE, nflush = NFLUSH, nother = NOTHER;
byte next_rid = 1;

/* Ghosts. */
byte gave[128];         /* version -> the commit that it names, once it was shown or told */
byte decided;           /* requests decided without the store, and told or shown */
byte condemned;         /* by an automatic rollback; what only a store knew that lost it, nobody can know */
byte auto_on_base;      /* automatic moves since the last word of the store */
byte refusals;          /* of replays, one after the other */

#define GAVE(g, e) gave[(g) * 16 + (e)]
inline give(v_gen, v_ep, who) {
	MUST(E_ENDLESS, (v_gen) < 8 && (v_ep) < 16);
	MUST(I2_VERSION_TWICE, GAVE(v_gen, v_ep) == 0 || GAVE(v_gen, v_ep) == who);
	GAVE(v_gen, v_ep) = who
}

#define STORE_UP (lead && !pending)
#ifdef NO_TRIED
#define TRIED 1
#else
#define TRIED tried
#endif
#if NOTHER
#ifdef NO_LED
#define LED 1
#else
#define LED jled
#endif
#ifdef NO_KNOWS
#define KNOWS_NONE 1
#else
#define KNOWS_NONE (!knows)
#endif
#define SOLE (LED && KNOWS_NONE)
#ifdef UNSEEN
#define MAY_FAIL 1
#else
#define MAY_FAIL (!other || knows || !jled)
#endif
#else
#define SOLE 1                  /* an embedded store has no other leader */
#define MAY_FAIL 1
#endif
#define MAY_OFFLINE (!STORE_UP && loaded && TRIED && SOLE)
#ifdef PERSON_ANYWAY
#define MAY_OFFLINE_BY_HAND (!STORE_UP && loaded)
#else
#define MAY_OFFLINE_BY_HAND MAY_OFFLINE
#endif
#define AWAY (!up || !linked)
#ifdef OFFLINE_TWICE
#define MAY_AUTO (nauto > 0 && !HAS(mcond | pcond, 1 - m.act))
#else
#define MAY_AUTO (nauto > 0 && m.fwd && !HAS(mcond | pcond, 1 - m.act))
#endif

#define MAY_FORWARD (nforward > 0 && !HAS(mcond, 1 - m.act))
#define AS_EXPECTED (SAME(m.gen, m.ep, s.gen, s.ep) && m.rev == s.rev)

inline write_down() {
	set(j, s); joffline = 0; jbase_gen = 0; jbase_ep = 0; jevents = 0; jpcond = 0; jcond = jcond | scond;
#if NOTHER
	jled = 1
#endif
}
inline remember() {
	refusals = 0; set(m, s); mcond = scond; loaded = 1; auto_on_base = 0;
#ifndef LOADED_UNJOURNALLED
	write_down();
#endif
}
inline die() {
	ncr--; set(m, j); mcond = jcond; loaded = 0; lead = 0; top = 0; wants_load = 0; newgen = 0; pauto = 0;
	pending = joffline; base_gen = jbase_gen; base_ep = jbase_ep; events = jevents; pcond = jpcond; tried = 0;
	printf("switchd is killed; its journal says %d.%d slot %d offline=%d\n", j.gen, j.ep, j.act, joffline);
#if NOTHER
	/* It may stay down for long: a second one is started and leads; what named the other is lost, or too old. */
	if
	:: !other && up && linked && lin && s.gen == mgen && !pending -> other = 1; oleads = 1; printf("another controller is started meanwhile, and leads\n")
	:: knows && ((up && linked) || !jled) -> knows = 0; printf("  it does not know any more that there is another\n")
	:: skip
	fi
#endif
}
inline tell(who) {
	MUST(I7_VERSION_FELL, !BELOW(m.gen, m.ep, xgen, xep));
	give(m.gen, m.ep, m.vcid);
	xgen = m.gen; xep = m.ep; xact = m.act;
	printf("the proxy shows %d.%d slot %d\n", xgen, xep, xact)
}
inline enter(mask) {            /* events of a commit into the audit */
	k = 0;
	do
	:: k < 8 && HAS(mask, k) -> audit[k]++; MUST(I3_AUDIT, NLOSE > 0 || NFLUSH > 0 || audit[k] == 1); k++
	:: k < 8 && !HAS(mask, k) -> k++
	:: else -> break
	od;
	k = 0
}
inline keep_for_loss() { set(lost, s); lcond = scond; ldone = sdone; may_lose = 1 }

/* The reply of a commit: there; or the store died with it; or switchd died before its journal had it. */
inline reply() {
	if
	:: give(s.gen, s.ep, s.vcid); refusals = 0; set(m, s); mcond = scond; loaded = 1; auto_on_base = 0; pending = 0; events = 0; pcond = 0; base_gen = 0; base_ep = 0; pauto = 0; write_down()
	:: naway > 0 && MAY_FAIL -> naway--; up = 0; lin = 0; lead = 0; top = 0; printf("  the store dies with the reply\n");
		if :: pending -> skip :: else -> loaded = 0 fi
	:: ncr > 0 -> die()
	fi
}

#if NOTHER
#define NOBODY_LEADS (!oleads)
#define PROVES (t.gen == s.gen && t.rev == s.rev && t.cid == s.cid)
inline answered() { tried = 1; if :: other -> knows = 1 :: else fi }
#else
#define NOBODY_LEADS 1
#define PROVES ((t.gen == s.gen && (t.rev < s.rev || (t.rev == s.rev && t.cid == s.cid))) || t.gen < s.gen)      /* nobody else can have taken the last step */
inline answered() { tried = 1 }
#endif

/* By how much one commit may raise the version: by one for each event that it tells. */
#ifdef ONE_STEP
#define TOLD 1
#else
#define TOLD (m.ep - base_ep)
#endif

proctype Engine() {
	byte k, rid, to_gen, to_ep; bit moves, takes; Record t;
end:	do
	:: atomic { ncr > 0 -> die() }
	/* ---- the lease, and whether this is the history that we know (reconcile.c) ---- */
	:: atomic { !lead && up && linked && NOBODY_LEADS && (s.gen == mgen || mgen == 0 || newgen || !lin) ->
		set(t, j);
		if :: loaded && !BELOW(m.gen, m.ep, j.gen, j.ep) -> set(t, m) :: else fi;
#ifdef STORE_WINS
		set(t, s);
#endif
		if
		:: mgen != 0 && !newgen && lin && t.gen <= mgen && xgen <= mgen -> skip
		:: mgen != 0 && !newgen && !lin && t.gen <= mgen && xgen <= mgen &&
		   (top || PROVES) -> lin = 1; printf("relin\n")
		:: else ->
			to_gen = mgen;
			if :: t.gen > to_gen -> to_gen = t.gen :: else fi;
			if :: xgen > to_gen -> to_gen = xgen :: else fi;
			mgen = to_gen + 1; lin = 1;
			MUST(E_ENDLESS, mgen < 8);
			printf("generation %d\n", mgen)
		fi;
		newgen = 0; to_gen = 0;
		if
		:: s.gen == mgen -> lead = 1; wants_load = 1; top = 1; answered()
		:: else
		fi;
		t.gen = 0; t.ep = 0; t.rev = 0; t.cid = 0; t.vcid = 0; t.act = 0; t.fwd = 0 }
	/* ---- restamp.lua ---- */
	:: atomic { !lead && up && linked && NOBODY_LEADS && lin && !newgen && mgen != 0 && s.gen != mgen ->
		set(t, j);
		if :: loaded && !BELOW(m.gen, m.ep, j.gen, j.ep) -> set(t, m) :: else fi;
		to_ep = s.ep;
		if :: t.ep > to_ep -> to_ep = t.ep :: else fi;
		if :: xep > to_ep -> to_ep = xep :: else fi;
#ifdef STORE_WINS
		set(t, s);
#endif
#ifndef FLOOR_ONLY
		/* What the proxy shows at a higher version than either was decided here, and the journal does not have it. */
		if
		:: BELOW(s.gen, s.ep, xgen, xep) && BELOW(t.gen, t.ep, xgen, xep) && xact != t.act -> t.gen = xgen; t.ep = xep; t.act = xact; t.fwd = 0
		:: else
		fi;
#endif
		takes = BELOW(s.gen, s.ep, t.gen, t.ep) || (SAME(s.gen, s.ep, t.gen, t.ep) && s.rev < t.rev);
		if :: t.rev > s.rev -> s.rev = t.rev :: else fi;
		if :: takes -> s.act = t.act; s.fwd = t.fwd :: else fi;
		MUST(R_UNDONE, BELOW(xgen, xep, s.gen, s.ep) || xact == s.act || !BELOW(t.gen, t.ep, xgen, xep));
		s.gen = mgen; s.ep = to_ep + 1; s.rev++; s.cid = 64 + s.gen; s.vcid = s.cid;
		scond = scond | mcond;
		if :: pending -> scond = scond | pcond :: else fi;
		printf("restamped to %d.%d slot %d, condemned %d\n", s.gen, s.ep, s.act, scond);
		to_ep = 0; takes = 0; t.gen = 0; t.ep = 0; t.rev = 0; t.cid = 0; t.vcid = 0; t.act = 0; t.fwd = 0;
		may_lose = 0; lead = 1; wants_load = 1; top = 1; answered() }
	/* ---- a start without the store (engine.c): the journal's record stands ---- */
	:: atomic { !tried && AWAY -> tried = 1; printf("the store is tried, and is away\n") }
	:: atomic { !loaded && !lead && j.gen != 0 && !wants_load && !newgen && TRIED && (AWAY || !tried) -> loaded = 1; printf("the journal's record stands\n") }
#if NOTHER
	/* ---- another leads (standby.c, followed() of load.c): its record is remembered, nothing is done about it ---- */
	:: atomic { !lead && up && linked && oleads && !pending && (!tried || !knows || jled || !SAME(m.gen, m.ep, s.gen, s.ep) || m.rev != s.rev) ->
		answered(); newgen = 0; top = 0; remember(); jled = 0; printf("follows %d.%d slot %d\n", m.gen, m.ep, m.act) }
#endif
	/* ---- load.c ---- */
	:: atomic { lead && up && linked && wants_load && !pending -> wants_load = 0; remember(); printf("loaded %d.%d slot %d\n", m.gen, m.ep, m.act) }
	/* The replay: the same request id, at the version that was shown if nobody was here, above either else. */
	:: atomic { lead && up && linked && pending ->
		wants_load = 0;
#ifdef NEW_RID
		rid = next_rid; next_rid++; m.cid = rid; MUST(E_ENDLESS, next_rid < 8);
#endif
		if
		:: s.cid == m.cid -> pending = 0; events = 0; pcond = 0; base_gen = 0; base_ep = 0; pauto = 0; remember(); write_down()
		:: HAS(sdone, m.cid) && s.cid != m.cid -> printf("replayed before\n"); pending = 0; events = 0; pcond = 0; base_gen = 0; base_ep = 0; pauto = 0; remember(); write_down()
		:: else ->
			moves = s.act != m.act;
			to_gen = m.gen; to_ep = m.ep;
#ifndef NO_REBASE
			if
			:: !SAME(s.gen, s.ep, base_gen, base_ep) ->
				to_gen = s.gen;
#ifdef REBASE_LAST
				to_ep = s.ep + moves
#else
				/* Each move has a version of its own.  They go to and fro since the base: the first one moves nothing where its
				 * slot is active already. */
				to_ep = s.ep + m.ep - base_ep - ((s.act != m.act) != ((m.ep - base_ep) & 1))
#endif
			:: else
			fi;
#endif
			if
			/* More than the next commit can say: first a generation above it. */
			:: to_gen > mgen || (to_gen == mgen && to_ep > s.ep + TOLD) -> newgen = 1; lead = 0
			:: else ->
				if
				:: lin && s.gen == mgen && to_ep >= s.ep + moves && ((to_ep <= s.ep + TOLD && !pauto) || to_ep == s.ep + moves) && (!moves || !pauto || !HAS(scond, m.act)) ->
					keep_for_loss();
					/* It may be that nothing grows: a commit of ours, whose answer was lost, had moved it already, to the same slot
					 * by a version that was told here.  Then that version is the one that was told; nobody was told the other. */
					if
					:: to_ep != s.ep -> s.vcid = m.cid
					:: to_ep == s.ep && s.vcid < 32 && to_gen == m.gen && to_ep <= m.ep && ((m.ep - to_ep) & 1) == 0 && GAVE(to_gen, to_ep) != 0 -> s.vcid = GAVE(to_gen, to_ep)
					:: else
					fi;
					s.gen = mgen; s.ep = to_ep; s.rev++; s.cid = m.cid; s.act = m.act;
					s.fwd = m.fwd;
					scond = scond | pcond;
#ifdef ONE_RID_FOR_ALL
					/* As if the last request's id stood for all: what an unanswered replay brought is brought again. */
					enter(events); sdone = sdone | BIT(m.cid);
#else
					enter(events & (255 - sdone)); sdone = sdone | events;
#endif
					printf("replayed as %d.%d slot %d, request %d\n", s.gen, s.ep, s.act, s.cid);
					reply()
				:: else -> lead = 0; refusals++; MUST(E_ENDLESS, refusals < 4)           /* from the lease on */
				fi
			fi
		fi;
		moves = 0; to_gen = 0; to_ep = 0; rid = 0 }

	/* ---- decisions with the store: one commit, its reply ---- */
	:: atomic { STORE_UP && up && linked && loaded && !wants_load && (MAY_FORWARD || MAY_AUTO) ->
		rid = next_rid; MUST(E_ENDLESS, rid < 8);
		if
		:: !(lin && s.gen == mgen) -> lead = 0                                                          /* NEWSTORE */
		:: lin && s.gen == mgen && !AS_EXPECTED -> loaded = 0; wants_load = 1     /* STALE */
		:: lin && s.gen == mgen && AS_EXPECTED && MAY_FORWARD ->
			nforward--; next_rid++; keep_for_loss();
			s.ep++; s.rev++; s.cid = rid; s.vcid = rid; s.act = 1 - s.act; s.fwd = 1; sdone = sdone | BIT(rid);
			printf("FORWARD is committed as %d.%d slot %d\n", s.gen, s.ep, s.act);
			reply()
		:: lin && s.gen == mgen && AS_EXPECTED && MAY_AUTO ->
			nauto--; next_rid++; keep_for_loss();
			scond = scond | BIT(s.act); condemned = condemned | BIT(s.act);
			s.ep++; s.rev++; s.cid = rid; s.vcid = rid; s.act = 1 - s.act; s.fwd = 0; sdone = sdone | BIT(rid);
			MUST(I6_CONDEMNED_ACTIVE, !HAS(condemned, s.act));
			printf("AUTO is committed as %d.%d slot %d\n", s.gen, s.ep, s.act);
			reply()
		fi;
		rid = 0 }

	/* ---- decisions without it (commit.c): only back ---- */
	:: atomic { (MAY_OFFLINE && MAY_AUTO) || (MAY_OFFLINE_BY_HAND && nhuman > 0) ->
		rid = next_rid; next_rid++; MUST(E_ENDLESS, rid < 8);
		if :: pending -> skip :: else -> base_gen = m.gen; base_ep = m.ep fi;
		if
		:: MAY_OFFLINE && MAY_AUTO -> nauto--; pauto = 1; auto_on_base++;
			MUST(O_TWICE_ON_BASE, auto_on_base == 1);
			MUST(I6_CONDEMNED_ACTIVE, !HAS(condemned, 1 - m.act));
			pcond = pcond | BIT(m.act)
		:: MAY_OFFLINE_BY_HAND && nhuman > 0 -> nhuman--; pauto = 0
		fi;
		m.ep++; m.rev++; m.cid = rid; m.vcid = rid; m.act = 1 - m.act; m.fwd = 0; pending = 1; events = events | BIT(rid);
		printf("decided offline, auto=%d, as request %d: %d.%d slot %d\n", pauto, rid, m.gen, m.ep, m.act);
#ifdef NO_JOURNAL_FIRST
		tell(m); decided = decided | BIT(rid);
		if :: pauto -> condemned = condemned | pcond :: else fi;
		if
		:: set(j, m); joffline = 1; jbase_gen = base_gen; jbase_ep = base_ep; jevents = events; jpcond = pcond; jcond = jcond | pcond
		:: ncr > 0 -> die()
		fi;
#else
		set(j, m); joffline = 1; jbase_gen = base_gen; jbase_ep = base_ep; jevents = events;
#ifndef CONDEMNED_APART
		jpcond = pcond; jcond = jcond | pcond;
#endif
		give(m.gen, m.ep, rid); decided = decided | BIT(rid);
		if :: pauto -> condemned = condemned | pcond :: else fi;
#endif
		rid = 0 }

	/* ---- the proxy ---- */
	:: atomic { loaded && BELOW(xgen, xep, m.gen, m.ep) -> tell(m) }
	/* It shows more than the record: the record goes above it. */
	:: atomic { STORE_UP && up && linked && loaded && !wants_load && BELOW(m.gen, m.ep, xgen, xep) -> newgen = 1; lead = 0; loaded = 0;
		printf("the proxy shows a higher version than the record\n") }
	od
}

proctype World() {
	byte k;
end:	do
	:: atomic { naway > 0 && up && MAY_FAIL -> naway--; up = 0; lin = 0; lead = 0;
#if NOTHER
		oleads = 0;
#endif
		printf("the store dies\n") }
	:: atomic { !up -> up = 1; printf("the store is back\n") }
#if NLOSE
	:: atomic { nlose > 0 && !up && may_lose -> nlose--; may_lose = 0; set(s, lost); scond = lcond; sdone = ldone; top = 0; condemned = condemned & (scond | jcond); printf("  without its last commit\n") }
#endif
#if NFLUSH
	:: atomic { nflush > 0 && up && s.gen != 0 -> nflush--; mgen = 0; s.gen = 0; s.ep = 0; s.rev = 0; s.cid = 0; s.vcid = 0; s.act = 0; s.fwd = 0; scond = 0; sdone = 0;
		may_lose = 0; lead = 0; top = 0; condemned = condemned & (jcond | mcond); printf("the store is emptied\n") }
#endif
#if NOTHER
	/* Cut off is not dead: the other controller leads, and commits. */
	:: atomic { naway > 0 && up && linked && MAY_FAIL -> naway--; linked = 0; lead = 0; printf("cut off from the store\n") }
	:: atomic { !linked -> linked = 1; printf("connected again\n") }
	:: atomic { nother > 0 && !other && up && linked && STORE_UP -> other = 1; knows = 1; printf("another controller is started, and seen\n") }
	:: atomic { nother > 0 && other && !oleads && !lead && up && lin && s.gen == mgen -> oleads = 1; printf("another controller leads\n") }
	:: atomic { oleads -> oleads = 0; printf("the other controller gives the lease back\n") }
	:: atomic { nother > 0 && oleads && !BELOW(s.gen, s.ep, xgen, xep) -> nother--; top = 0; s.ep++; s.rev++; s.cid = 40 + nother; s.vcid = s.cid; s.act = 1 - s.act; s.fwd = 1;
		give(s.gen, s.ep, s.cid); printf("another controller commits %d.%d slot %d\n", s.gen, s.ep, s.act) }
	:: atomic { oleads && BELOW(xgen, xep, s.gen, s.ep) -> give(s.gen, s.ep, s.vcid); xgen = s.gen; xep = s.ep; xact = s.act;
		printf("another controller tells the proxy %d.%d slot %d\n", xgen, xep, xact) }
#ifdef FORGETS_BY_CLOCK
	:: atomic { knows -> knows = 0; printf("a day has passed\n") }
#else
	/* A day in which this one leads, and reads nothing of another: only who reaches the store sees that the other is gone. */
	:: atomic { other && knows && !oleads && STORE_UP && !wants_load && up && linked -> other = 0; knows = 0; printf("the other controller is gone for good\n") }
#endif
#endif
	:: atomic { naway + ncr + nforward + nauto + nhuman + nlose + nflush + nother > 0 ->
		naway = 0; ncr = 0; nforward = 0; nauto = 0; nhuman = 0; nlose = 0; nflush = 0; nother = 0; printf("calm\n") }
	od
}

/* When nothing is left to do: record and proxy agree, and the record knows all that was decided without it, once. */
proctype Rest() {
	byte k;
	timeout -> d_step {
		MUST(I4_NOT_CONVERGED, up && lead && loaded && !pending && SAME(s.gen, s.ep, xgen, xep) && s.act == xact);
		MUST(O_CONDEMNED_LOST, NLOSE > 0 || NFLUSH > 0 || (condemned & (3 - scond)) == 0);
		k = 0;
		do
		:: k < 8 -> MUST(I3_AUDIT, NLOSE > 0 || NFLUSH > 0 || !HAS(decided, k) || audit[k] == 1); k++
		:: else -> break
		od }
}

init { atomic {
#ifdef ONLY
	watch_only(ONLY);
#endif
	s.gen = 1; s.ep = 1; s.rev = 1; s.cid = 32; s.vcid = 32; GAVE(1, 1) = 32; set(m, s); set(j, s); xgen = 1; xep = 1;
	run Engine(); run World(); run Rest() } }
