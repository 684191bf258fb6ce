/* SPDX-License-Identifier: MIT
 * offline.pml - one host: the embedded store goes away, switchd decides without it, and the store comes back.
 *
 * What flip.pml leaves out: the engine's memory, its journal with the kinds "committed" and "offline", the reconcile of
 * switchd/store/reconcile.c and the replay of switchd/engine/load.c.  One service, two slots, one proxy.  The store keeps what
 * it acknowledged (appendfsync always), but its lineage is another one after each restart.  -DNOTHER=1 adds what a single host
 * has not: another controller, which reaches the store while this one does not. */

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
 * NO_JOURNAL_FIRST ONE_RID_FOR_ALL OFFLINE_TWICE NEW_RID NO_REBASE NO_SOLE CONDEMNED_APART FLOOR_ONLY STORE_WINS */

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

typedef Record { byte gen, ep, rev, cid; bit act, fwd };        /* fwd: the last move was forward and is not undone */
inline set(a, b) { a.gen = b.gen; a.ep = b.ep; a.rev = b.rev; a.cid = b.cid; a.act = b.act; a.fwd = b.fwd }

/* The store.  done: the request ids that it knows.  lin: it is the history that meta names. */
Record s, lost; byte mgen = 1, scond, sdone, lcond, ldone, audit[8]; bit up = 1, lin = 1, linked = 1, may_lose;
/* The engine's memory.  pending: decided without the store, on the base version; events: what has to get into the audit. */
Record m; byte mcond, base_gen, base_ep, events, pcond; bit lead = 1, loaded = 1, pending, top = 1, wants_load, newgen, pauto;
/* Its journal: the last entry, and all that was ever condemned. */
Record j; byte jcond, jbase_gen, jbase_ep, jevents, jpcond; bit joffline;
/* What the proxy shows. */
byte xgen, xep; bit xact;

byte naway = NAWAY, ncr = NCR, nforward = NFORWARD, nauto = NAUTO, nhuman = NHUMAN, nlose = NLOSE, nflush = NFLUSH, nother = NOTHER;
byte next_rid = 1;

/* Ghosts. */
byte gave[64];          /* version -> the commit that it names */
byte decided;           /* requests decided without the store, and told or shown */
byte condemned;         /* by an automatic rollback that took effect somewhere */
byte auto_on_base;      /* automatic moves since the last word of the store */

#define GAVE(g, e) gave[(g) * 8 + (e)]
inline give(v_gen, v_ep, who) {
	MUST(E_ENDLESS, (v_gen) < 8 && (v_ep) < 8);
	MUST(I2_VERSION_TWICE, GAVE(v_gen, v_ep) == 0 || GAVE(v_gen, v_ep) == who);
	GAVE(v_gen, v_ep) = who
}

#define STORE_UP (lead && !pending)
#if NOTHER && !defined(NO_SOLE)
#define MAY_OFFLINE 0           /* offline: static */
#else
#define MAY_OFFLINE (!STORE_UP && loaded)
#endif
#ifdef OFFLINE_TWICE
#define MAY_AUTO (nauto > 0 && !HAS(mcond | pcond, 1 - m.act))
#else
#define MAY_AUTO (nauto > 0 && m.fwd && !HAS(mcond | pcond, 1 - m.act))
#endif

#define MAY_FORWARD (nforward > 0 && !HAS(mcond, 1 - m.act))
#define AS_EXPECTED (SAME(m.gen, m.ep, s.gen, s.ep) && m.rev == s.rev)

inline remember() { set(m, s); mcond = scond; loaded = 1; auto_on_base = 0 }
inline write_down() { set(j, s); joffline = 0; jbase_gen = 0; jbase_ep = 0; jevents = 0; jpcond = 0; jcond = jcond | scond }
inline die() {
	ncr--; set(m, j); mcond = jcond; loaded = 0; lead = 0; top = 0; wants_load = 0; newgen = 0; pauto = 0;
	pending = joffline; base_gen = jbase_gen; base_ep = jbase_ep; events = jevents; pcond = jpcond;
	printf("switchd is killed; its journal says %d.%d slot %d offline=%d\n", j.gen, j.ep, j.act, joffline)
}
inline tell(who) {
	MUST(I7_VERSION_FELL, !BELOW(m.gen, m.ep, xgen, xep));
	xgen = m.gen; xep = m.ep; xact = m.act;
	printf("the proxy shows %d.%d slot %d\n", xgen, xep, xact)
}
inline enter(mask) {            /* events of a commit into the audit */
	k = 0;
	do
	:: k < 8 && HAS(mask, k) -> audit[k]++; MUST(I3_AUDIT, audit[k] == 1); k++
	:: k < 8 && !HAS(mask, k) -> k++
	:: else -> break
	od;
	k = 0
}
inline keep_for_loss() { set(lost, s); lcond = scond; ldone = sdone; may_lose = 1 }

/* The reply of a commit: there; or the store died with it; or switchd died before its journal had it. */
inline reply() {
	if
	:: set(m, s); mcond = scond; loaded = 1; auto_on_base = 0; pending = 0; events = 0; pcond = 0; base_gen = 0; base_ep = 0; pauto = 0; write_down()
	:: naway > 0 -> naway--; up = 0; lin = 0; lead = 0; top = 0; printf("  the store dies with the reply\n");
		if :: pending -> skip :: else -> loaded = 0 fi
	:: ncr > 0 -> die()
	fi
}

proctype Engine() {
	byte k, rid, to_gen, to_ep; bit moves, takes; Record t;
end:	do
	:: atomic { ncr > 0 -> die() }
	/* ---- the lease, and whether this is the history that we know (reconcile.c) ---- */
	:: atomic { !lead && up && linked && (s.gen == mgen || mgen == 0 || newgen || !lin) ->
		set(t, j);
		if :: loaded && !BELOW(m.gen, m.ep, j.gen, j.ep) -> set(t, m) :: else fi;
#ifdef STORE_WINS
		set(t, s);
#endif
		if
		:: mgen != 0 && !newgen && lin && t.gen <= mgen && xgen <= mgen -> skip
		:: mgen != 0 && !newgen && !lin && t.gen <= mgen && xgen <= mgen &&
		   (top || (t.gen == s.gen && (t.rev < s.rev || (t.rev == s.rev && t.cid == s.cid))) || t.gen < s.gen) -> lin = 1; printf("relin\n")
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
		:: s.gen == mgen -> lead = 1; wants_load = 1; top = 1
		:: else
		fi;
		t.gen = 0; t.ep = 0; t.rev = 0; t.cid = 0; t.act = 0; t.fwd = 0 }
	/* ---- restamp.lua ---- */
	:: atomic { !lead && up && linked && lin && !newgen && mgen != 0 && s.gen != mgen ->
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
		s.gen = mgen; s.ep = to_ep + 1; s.rev++; s.cid = 64 + s.gen;
		give(s.gen, s.ep, s.cid);
		scond = scond | mcond;
		if :: pending -> scond = scond | pcond :: else fi;
		printf("restamped to %d.%d slot %d, condemned %d\n", s.gen, s.ep, s.act, scond);
		to_ep = 0; takes = 0; t.gen = 0; t.ep = 0; t.rev = 0; t.cid = 0; t.act = 0; t.fwd = 0;
		may_lose = 0; lead = 1; wants_load = 1; top = 1 }
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
			if :: !SAME(s.gen, s.ep, base_gen, base_ep) -> to_gen = s.gen; to_ep = s.ep + moves :: else fi;
#endif
			if
			/* More than the next commit can say: first a generation above it. */
			:: to_gen > mgen || (to_gen == mgen && to_ep > s.ep + 1) -> newgen = 1; lead = 0
			:: else ->
				if
				:: lin && s.gen == mgen && to_ep == s.ep + moves && (!moves || !pauto || !HAS(scond, m.act)) ->
					keep_for_loss();
					s.gen = mgen; s.ep = to_ep; s.rev++; s.cid = m.cid; s.act = m.act; s.fwd = m.fwd;
					scond = scond | pcond;
					if :: moves -> give(s.gen, s.ep, s.cid) :: else fi;
#ifdef ONE_RID_FOR_ALL
					/* As if the last request's id stood for all: what an unanswered replay brought is brought again. */
					enter(events); sdone = sdone | BIT(m.cid);
#else
					enter(events & (255 - sdone)); sdone = sdone | events;
#endif
					printf("replayed as %d.%d slot %d, request %d\n", s.gen, s.ep, s.act, s.cid);
					reply()
				:: else -> lead = 0                                                     /* refused: from the lease on */
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
			s.ep++; s.rev++; s.cid = rid; s.act = 1 - s.act; s.fwd = 1; sdone = sdone | BIT(rid); give(s.gen, s.ep, rid);
			printf("FORWARD is committed as %d.%d slot %d\n", s.gen, s.ep, s.act);
			reply()
		:: lin && s.gen == mgen && AS_EXPECTED && MAY_AUTO ->
			nauto--; next_rid++; keep_for_loss();
			scond = scond | BIT(s.act); condemned = condemned | BIT(s.act);
			s.ep++; s.rev++; s.cid = rid; s.act = 1 - s.act; s.fwd = 0; sdone = sdone | BIT(rid); give(s.gen, s.ep, rid);
			MUST(I6_CONDEMNED_ACTIVE, !HAS(condemned, s.act));
			printf("AUTO is committed as %d.%d slot %d\n", s.gen, s.ep, s.act);
			reply()
		fi;
		rid = 0 }

	/* ---- decisions without it (commit.c): only back ---- */
	:: atomic { MAY_OFFLINE && (MAY_AUTO || nhuman > 0) ->
		rid = next_rid; next_rid++; MUST(E_ENDLESS, rid < 8);
		if :: pending -> skip :: else -> base_gen = m.gen; base_ep = m.ep fi;
		if
		:: MAY_AUTO -> nauto--; pauto = 1; auto_on_base++;
			MUST(O_TWICE_ON_BASE, auto_on_base == 1);
			MUST(I6_CONDEMNED_ACTIVE, !HAS(condemned, 1 - m.act));
			pcond = pcond | BIT(m.act)
		:: nhuman > 0 -> nhuman--; pauto = 0
		fi;
		m.ep++; m.rev++; m.cid = rid; m.act = 1 - m.act; m.fwd = 0; pending = 1; events = events | BIT(rid);
		printf("decided offline, auto=%d, as request %d: %d.%d slot %d\n", pauto, rid, m.gen, m.ep, m.act);
		give(m.gen, m.ep, rid);
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
		decided = decided | BIT(rid);
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
	:: atomic { naway > 0 && up -> naway--; up = 0; lin = 0; lead = 0; printf("the store dies\n") }
	:: atomic { !up -> up = 1; printf("the store is back\n") }
#if NLOSE
	:: atomic { nlose > 0 && !up && may_lose -> nlose--; may_lose = 0; set(s, lost); scond = lcond; sdone = ldone; top = 0; printf("  without its last commit\n") }
#endif
#if NFLUSH
	:: atomic { nflush > 0 && up && s.gen != 0 -> nflush--; mgen = 0; s.gen = 0; s.ep = 0; s.rev = 0; s.cid = 0; s.act = 0; s.fwd = 0; scond = 0; sdone = 0;
		may_lose = 0; lead = 0; top = 0; printf("the store is emptied\n") }
#endif
#if NOTHER
	/* Cut off is not dead: the other controller leads, and commits. */
	:: atomic { naway > 0 && up && linked -> naway--; linked = 0; lead = 0; printf("cut off from the store\n") }
	:: atomic { !linked -> linked = 1; printf("connected again\n") }
	:: atomic { nother > 0 && up && !linked && lin && s.gen == mgen -> nother--; s.ep++; s.rev++; s.cid = 40 + nother; s.act = 1 - s.act; s.fwd = 1;
		give(s.gen, s.ep, s.cid); printf("another controller commits %d.%d slot %d\n", s.gen, s.ep, s.act) }
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
	s.gen = 1; s.ep = 1; s.rev = 1; s.cid = 32; GAVE(1, 1) = 32; set(m, s); set(j, s); xgen = 1; xep = 1;
	run Engine(); run World(); run Rest() } }
