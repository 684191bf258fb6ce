/* SPDX-License-Identifier: MIT
 * flip.pml - one service of a fleet: two Redis servers, two controllers, agents; what may fail, fails.
 *
 * A script (switchd/store/NAME.lua) is one atomic step on one server. To look and to commit are two steps: between them
 * the lease may go, the server may change, the reply may be lost. Replication is asynchronous: a failover may lose
 * writes, and in a partition the old primary goes on taking them until it heals, which destroys what it took.
 * One service, two slots, one release in each: "condemned" is a mask of slots.
 *
 * The properties carry the numbers of docs/model.md; a broken one is told by its name (see MUST).
 * How much may happen is bounded by the macros below, so that the search ends; each is a budget, and Env may drop what is
 * left of all of them at any moment, for calm may begin anywhere. */

/* ---- how much happens ---- */
#ifndef NAG
#define NAG 1           /* agents, each with one proxy */
#endif
#ifndef NFO
#define NFO 1           /* failovers: the old primary died, or is cut off and does not know */
#endif
#ifndef NFORWARD
#define NFORWARD 1      /* forward flips */
#endif
#ifndef NAUTO
#define NAUTO 1         /* automatic rollbacks wanted */
#endif
#ifndef NFORCE
#define NFORCE 0        /* flips by force, also to what is condemned */
#endif
#ifndef NHOLD
#define NHOLD 0         /* holds set: a commit that changes the record and not the version */
#endif
#ifndef NPARDON
#define NPARDON 0       /* pardons */
#endif
#ifndef NEXP
#define NEXP 1          /* leases that run out under a living leader */
#endif
#ifndef NCR
#define NCR 1           /* controllers killed */
#endif
#ifndef NFLUSH
#define NFLUSH 0        /* stores emptied by somebody */
#endif
#ifndef NLATE
#define NLATE 0         /* reports that come too late for a reconcile; with it, R is not asked */
#endif
#ifndef NAGAIN
#define NAGAIN 0        /* forward flips asked for again by a person, with the same request id, of whoever leads */
#endif
#ifndef NACR
#define NACR 0          /* agents killed; with it, journal and proxy are two steps of an agent */
#endif

/* ---- rules that can be taken away ----
 * of commit.lua:     NO_LINEAGE NO_RESTAMP_GUARD NO_CAS NO_REV NO_TERM NO_RID NO_HOLD NO_CONDEMNED
 * of newgen/restamp: NO_CLOCK_FLOOR STORE_WINS FLOOR_ONLY NO_CONDEMN_UNION STAMP_CONDEMNED RELIN_BY_COUNT DERIVED_CID
 * of agents:         EPOCH_ONLY NO_CID AGENT_FORGETS AGENT_APPLIES_LOWER AGENT_TRUSTS_JOURNAL AGENT_PROXY_FIRST AGENT_REPORTS_JOURNAL
 * of the record:     PARDON_UNSAID IDS_APART
 * SAME_SECOND is none: forks may declare one generation, as within one second of the clock, and I2 is not asked. */

/* ---- properties ---- */
byte I7_VERSION_FELL, I2_VERSION_TWICE, I4_NOT_CONVERGED, I6_CONDEMNED_ACTIVE, I3_TWICE, I8_TWO_AUTOMATIC, I13_TWO_LEADERS, I14_HELD, R_UNDONE, P_UNPARDONED, E_ENDLESS;
#define MUST(name, what) assert((what) || name)
inline watch_only(one) {        /* -DONLY=NAME: the others may break, so that each rule is seen to keep the one it is for */
	I7_VERSION_FELL = 1; I2_VERSION_TWICE = 1; I4_NOT_CONVERGED = 1; I6_CONDEMNED_ACTIVE = 1; I3_TWICE = 1; I8_TWO_AUTOMATIC = 1;
	I13_TWO_LEADERS = 1; I14_HELD = 1; R_UNDONE = 1; P_UNPARDONED = 1; one = 0
}

#define NOBODY 3
#define BIT(slot) (1 << (slot))
#define HAS(mask, slot) (((mask) & BIT(slot)) != 0)
#define BELOW(g1, e1, g2, e2) ((g1) < (g2) || ((g1) == (g2) && (e1) < (e2)))

typedef Node {
	byte mgen, lin, term, own;                      /* meta and lease */
	byte gen, ep, rev, cid;                         /* the record; gen 0 = none */
	bit act, force, fwd, hold;                      /* fwd: the last move was forward and is not undone */
	byte tells;                                     /* the record's word on what its commit condemned */
	byte cond, pard, done;                          /* condemned and pardoned releases; request ids that took effect (q:) */
#if NAGAIN
	byte ids, had                                   /* those that the record carries; had is a ghost: those that its history has */
#endif
};
Node nd[2];
byte prim, real[2], linid = 1, clk = 2, ncid = 1;
bit cut;                /* the other server still believes that it is the primary, and some talk to it */
bit dirty;              /* the primary has what the replica lacks */
byte at[2], agat[NAG];  /* the server that a controller, an agent talks to */

/* An agent's journal, and what it saw condemned. */
byte ag[NAG], ae[NAG], acid[NAG], seen[NAG]; bit as[NAG], af[NAG];
#if NACR
byte xgen[NAG], xep[NAG], known[NAG]; bit xact[NAG];         /* what its proxy shows; what had been seen condemned when it was told */
#endif
#if NAGAIN
byte jids[2], jhad[2], ahad[NAG], ids, had;
#endif
/* A controller's journal: survives it. */
byte jg[2], je[2], jr[2], jcond[2]; bit ja[2], jf[2], jfwd[2], jhold[2];

byte nfo = NFO, nforward = NFORWARD, nauto = NAUTO, nforce = NFORCE, nhold = NHOLD, npardon = NPARDON;
byte nagain = NAGAIN, nexp = NEXP, ncr = NCR, nflush = NFLUSH, nacr = NACR, nlate = NLATE;

/* Ghosts: what a god would remember. */
byte gave[64];          /* version -> the commit that it names, over all forks; 0 = none */
byte effect;            /* requests that took effect, on whichever fork */
byte pardoned;          /* what a person pardoned since it was condemned last */

/* ---- the version of a commit ---- */
#define GAVE(g, e) gave[(g) * 8 + (e)]
#ifdef SAME_SECOND
#define NAMES_ONE(g, e, who) 1
#else
#define NAMES_ONE(g, e, who) (GAVE(g, e) == 0 || GAVE(g, e) == who)
#endif
inline give(v_gen, v_ep, who) {
	MUST(E_ENDLESS, (v_gen) < 8 && (v_ep) < 8);
	MUST(I2_VERSION_TWICE, NAMES_ONE(v_gen, v_ep, who));
	GAVE(v_gen, v_ep) = who
}

/* ---- what a leader knows of agents: those on its side, by their reports ---- */
#define N nd[at[i]]
#define LEADS (lead && N.own == i && N.term == myterm)
#define REACHED(j) (agat[j] == at[i])
#ifdef AGENT_FORGETS
#define SAW(j) 0
#else
#define SAW(j) seen[j]
#endif
#if NACR && !defined(AGENT_REPORTS_JOURNAL)
/* What the proxy shows counts too: it may be ahead of the journal of an agent that was restored or was careless. */
#define OWNG(j) (BELOW(ag[j], ae[j], xgen[j], xep[j]) -> xgen[j] : ag[j])
#define OWNE(j) (BELOW(ag[j], ae[j], xgen[j], xep[j]) -> xep[j] : ae[j])
#define OWNS(j) (BELOW(ag[j], ae[j], xgen[j], xep[j]) -> xact[j] : as[j])
#else
#define OWNG(j) ag[j]
#define OWNE(j) ae[j]
#define OWNS(j) as[j]
#endif
#define AHEAD(j, n) BELOW(n.gen, n.ep, OWNG(j), OWNE(j))
#ifdef NO_CID
#define FORKED(j, n) 0
#else
#define FORKED(j, n) (ag[j] == n.gen && ae[j] == n.ep && acid[j] != n.cid)
#endif
#ifdef EPOCH_ONLY
#define NEWER(j, n) (ae[j] < n.ep)
#elif defined(AGENT_APPLIES_LOWER)
#define NEWER(j, n) (acid[j] != n.cid)
#else
#define NEWER(j, n) BELOW(OWNG(j), OWNE(j), n.gen, n.ep)
#endif
/* Where both releases were seen condemned there is no better one to stay on. */
#define REFUSES(j, n) (NEWER(j, n) && n.act != as[j] && HAS(SAW(j), n.act) && !HAS(SAW(j), 1 - n.act) && !n.force)
#define CALLS(j) (REACHED(j) && N.gen != 0 && (AHEAD(j, N) || FORKED(j, N) || REFUSES(j, N)))
#if NAG == 2
#define SOMEONE_CALLS (CALLS(0) || CALLS(1))
#else
#define SOMEONE_CALLS CALLS(0)
#endif
#if NLATE
#define REPORT(j) if :: came = REACHED(j) :: nlate > 0 && REACHED(j) -> nlate--; came = 0 fi
#else
#define REPORT(j) came = REACHED(j)
#endif

/* ---- the checks of commit.lua, in its order ---- */
#ifdef NO_LINEAGE
#define C_LINEAGE 1
#else
#define C_LINEAGE (N.lin == real[at[i]])
#endif
#ifdef NO_RESTAMP_GUARD
#define C_RESTAMP 1
#else
#define C_RESTAMP (N.gen == N.mgen)
#endif
#ifdef NO_TERM
#define C_LEADS 1
#else
#define C_LEADS (N.own == i && N.term == myterm)
#endif
#ifdef NO_CAS
#define C_EXPECTED 1
#elif defined(NO_REV)
#define C_EXPECTED (N.gen == g0 && N.ep == e0)
#else
#define C_EXPECTED (N.gen == g0 && N.ep == e0 && N.rev == r0)
#endif
#ifdef NO_HOLD
#define C_HELD 1
#else
#define C_HELD (!(op == AUTO || op == FORWARD) || !N.hold)
#endif
#ifdef NO_CONDEMNED
#define C_CONDEMNED 1
#else
#define C_CONDEMNED (op == FORCE || op == HOLD || op == PARDON || !HAS(N.cond, 1 - N.act))
#endif

#define USABLE (!N.hold && !HAS(N.cond, 1 - N.act))
#define MAY_FORWARD (nforward > 0 && USABLE)
#define MAY_AUTO (nauto > 0 && N.fwd && USABLE)
#define MAY_FORCE (nforce > 0 && !N.hold)
#define MAY_HOLD (nhold > 0 && !N.hold)
#define MAY_PARDON (npardon > 0 && N.cond != 0)
#if !NAGAIN
#define MAY_AGAIN 0
#elif defined(IDS_APART)
#define MAY_AGAIN (nagain > 0 && USABLE && HAS(effect, 1))
#else
#define MAY_AGAIN (nagain > 0 && USABLE && HAS(effect, 1) && !HAS(N.ids, 1))
#endif
#if NAGAIN
/* What nobody knows of any more may be done anew: of what stands, it is asked. */
#define DID(n, rid) HAS(n.had, rid)
#else
#define DID(n, rid) HAS(effect, rid)
#endif

mtype = { NONE, FORWARD, AUTO, FORCE, HOLD, PARDON };

inline journal() {
	jg[i] = N.gen; je[i] = N.ep; jr[i] = N.rev; ja[i] = N.act; jf[i] = N.force; jfwd[i] = N.fwd; jhold[i] = N.hold; jcond[i] = jcond[i] | N.cond;
	if :: op == PARDON -> jcond[i] = N.cond :: else fi;
#if NAGAIN
	jids[i] = N.ids; jhad[i] = N.had
#else
	skip
#endif
}

proctype Controller(byte i) {
	byte myterm, rid, g0, e0, r0, k, best; bit lead, to, came, f, w, h; mtype op = NONE;
end:	do
	/* lease.lua: free, or ours from before; always a new term */
	:: atomic { !lead && (N.own == NOBODY || N.own == i) -> N.term++; N.own = i; myterm = N.term; lead = 1; dirty = 1;
		printf("controller %d leads on server %d, term %d\n", i, at[i], myterm) }
	:: atomic { lead && !LEADS -> lead = 0; myterm = 0 }
	/* killed: what it had decided is gone, its journal is not */
	:: atomic { ncr > 0 && (lead || op != NONE) -> ncr--; lead = 0; myterm = 0; op = NONE; rid = 0; g0 = 0; e0 = 0; r0 = 0; printf("controller %d is killed\n", i) }

	/* newgen.lua: the lineage is not the one that this history was written under, or an agent knows what the store does not */
	:: atomic { LEADS && N.mgen < 8 && (N.lin != real[at[i]] || (N.gen == N.mgen && SOMEONE_CALLS)) ->
#ifdef RELIN_BY_COUNT
		/* "no replica is connected, and its last commit is the last that I know": adopt the lineage, keep the generation */
		if
		:: cut && N.gen == N.mgen && jg[i] == N.gen && je[i] == N.ep && jr[i] == N.rev && N.lin != real[at[i]] -> N.lin = real[at[i]]; dirty = 1;
			printf("controller %d adopts the lineage of server %d\n", i, at[i]); goto end
		:: else
		fi;
#endif
		best = N.mgen;
		if :: jg[i] > best -> best = jg[i] :: else fi;
		k = 0;
		do
		:: k < NAG -> if :: REACHED(k) && OWNG(k) > best -> best = OWNG(k) :: else fi; k++
		:: else -> break
		od;
		best++;
#if !defined(NO_CLOCK_FLOOR) && !defined(SAME_SECOND)
		/* The clock: what is declared later is higher, on whichever fork. */
		if :: clk > best -> best = clk :: else fi;
		clk = best + 1;
#endif
		MUST(E_ENDLESS, best < 8);
		N.mgen = best; N.lin = real[at[i]]; dirty = 1; printf("controller %d declares generation %d on server %d\n", i, best, at[i]); k = 0; best = 0 }

	/* reconcile.c, restamp.lua: the highest version that store, own journal or an agent knows says which slot */
	:: atomic { LEADS && N.ep < 8 && N.mgen < 8 && N.lin == real[at[i]] && N.gen != N.mgen ->
		g0 = N.gen; e0 = N.ep; best = N.ep; to = N.act; f = N.force; w = N.fwd; h = N.hold;
#if NAGAIN
		ids = N.ids; had = N.had;
#endif
#ifndef STORE_WINS
		if :: je[i] > best -> best = je[i] :: else fi;
		if
		:: BELOW(g0, e0, jg[i], je[i]) || (g0 == jg[i] && e0 == je[i] && N.rev < jr[i]) ->
#if NAGAIN
			ids = jids[i]; had = jhad[i];
#endif
			g0 = jg[i]; e0 = je[i]; to = ja[i]; f = jf[i]; w = jfwd[i]; h = jhold[i]
		:: else
		fi;
#endif
#ifndef NO_CONDEMN_UNION
		N.cond = N.cond | jcond[i];
#endif
		k = 0;
		do
		:: k < NAG ->
			REPORT(k);
			if
			:: came ->
#ifndef STORE_WINS
				if :: OWNE(k) > best -> best = OWNE(k) :: else fi;
#ifndef FLOOR_ONLY
				if
				:: BELOW(g0, e0, OWNG(k), OWNE(k)) ->
#if NAGAIN
					if :: acid[k] < 8 -> ids = ids | BIT(acid[k]) :: else fi; had = had | ahad[k];
#endif
					g0 = OWNG(k); e0 = OWNE(k); to = OWNS(k); f = af[k]; w = 0
				:: else
				fi;
#endif
#endif
#ifndef NO_CONDEMN_UNION
				N.cond = N.cond | SAW(k);
#endif
				skip
			:: else
			fi;
			k++
		:: else -> break
		od;
		N.pard = N.pard & (3 - N.cond);
#ifndef STAMP_CONDEMNED
		/* A failover may lose a pardon; nothing else takes it back. */
		MUST(P_UNPARDONED, NFO > 0 || !HAS(pardoned, to) || !HAS(N.cond, to) || f);
		/* Two forks that disagree: what one of them condemned does not become active again by itself. */
		if :: HAS(N.cond, to) && !HAS(N.cond, 1 - to) && !f -> to = 1 - to; w = 0 :: else fi;
#endif
		MUST(I6_CONDEMNED_ACTIVE, !HAS(N.cond, to) || f || HAS(N.cond, 1 - to));
#if !NLATE
		/* What somebody in reach was told last is not taken back silently. */
		k = 0;
		do
		:: k < NAG ->
			MUST(R_UNDONE, !REACHED(k) || OWNS(k) == to || BELOW(OWNG(k), OWNE(k), N.gen, N.ep) || BELOW(OWNG(k), OWNE(k), jg[i], je[i]) ||
			     HAS(N.cond, OWNS(k)) || (g0 == OWNG(k) && e0 == OWNE(k)) || BELOW(OWNG(k), OWNE(k), g0, e0));
			k++
		:: else -> break
		od;
#endif
		best++;
		if :: jr[i] > N.rev -> N.rev = jr[i] :: else fi;
#if NAGAIN
		N.ids = ids; N.had = had; ids = 0; had = 0;
#endif
		N.gen = N.mgen; N.ep = best; N.rev++; N.act = to; N.force = f; N.fwd = w; N.hold = h; N.tells = 0;
#ifdef DERIVED_CID
		N.cid = 100 + best;             /* "restamp-GEN-EPOCH": nothing of who made it */
#else
		ncid++; N.cid = 32 + ncid;
#endif
		give(N.gen, N.ep, N.cid);
		printf("controller %d restamps server %d to %d.%d, slot %d\n", i, at[i], N.gen, N.ep, to);
		journal(); dirty = 1; k = 0; best = 0; g0 = 0; e0 = 0; to = 0; f = 0; w = 0; h = 0; came = 0 }

	/* decide(): looks at the record, wants something of it; the guards are decide's own */
	:: atomic { LEADS && op == NONE && N.lin == real[at[i]] && N.gen == N.mgen && N.gen != 0 && (MAY_FORWARD || MAY_AUTO || MAY_FORCE || MAY_HOLD || MAY_PARDON || MAY_AGAIN) ->
		if
		:: MAY_FORWARD -> rid = nforward; nforward--; op = FORWARD
		:: MAY_AUTO -> rid = 2 + nauto; nauto--; op = AUTO
		:: MAY_FORCE -> rid = 4 + nforce; nforce--; op = FORCE
		:: MAY_HOLD -> rid = 6; nhold--; op = HOLD
		:: MAY_PARDON -> rid = 7; npardon--; op = PARDON
		:: MAY_AGAIN -> rid = 1; nagain--; op = FORWARD
		fi;
		g0 = N.gen; e0 = N.ep; r0 = N.rev;
		printf("controller %d decides %e as request %d on %d.%d of server %d\n", i, op, rid, g0, e0, at[i]) }

	/* commit.lua; asked again with the same request id and today's term until there is an answer */
	:: atomic { lead && op != NONE ->
		if
#ifndef NO_RID
		:: HAS(N.done, rid) -> journal(); goto answered                                 /* DUP */
#endif
		:: else ->
			if
			:: C_LINEAGE && C_RESTAMP && C_LEADS && C_EXPECTED && C_HELD && C_CONDEMNED && N.gen != 0 ->
				/* Once more on another fork, but as the same commit of the same version, is once. */
				MUST(I3_TWICE, !DID(N, rid) || GAVE(N.gen, N.ep + 1) == rid);
				effect = effect | BIT(rid);
#if NAGAIN
				if :: op != AUTO -> N.ids = N.ids | BIT(rid) :: else fi; N.had = N.had | BIT(rid);
#endif
				N.rev++; N.done = N.done | BIT(rid); dirty = 1;
				if
				:: op == HOLD -> N.hold = 1
				:: op == PARDON -> pardoned = N.cond; N.pard = N.pard | N.cond; N.cond = 0
				:: else ->
					MUST(I6_CONDEMNED_ACTIVE, op == FORCE || !HAS(N.cond, 1 - N.act));
					MUST(I14_HELD, op == FORCE || !N.hold);
					MUST(I13_TWO_LEADERS, LEADS || (N.gen == g0 && N.ep == e0 && N.rev == r0 + 1));
					MUST(I8_TWO_AUTOMATIC, op != AUTO || N.fwd);
					give(N.gen, N.ep + 1, rid);
					N.ep++; N.cid = rid; N.tells = 0;
					/* In one script with the move: condemned and left are both kept or both lost (D11). */
					if
					:: op == AUTO -> N.cond = N.cond | BIT(N.act); pardoned = pardoned & (3 - N.cond); N.pard = N.pard & N.cond; N.tells = BIT(N.act)
					:: else
					fi;
					N.act = 1 - N.act; N.fwd = (op != AUTO);
#ifdef PARDON_UNSAID
					N.force = (op == FORCE)
#else
					N.force = (op == FORCE || HAS(N.pard, N.act))
#endif
				fi;
				printf("controller %d: %e takes effect on server %d: %d.%d slot %d, condemned %d\n", i, op, at[i], N.gen, N.ep, N.act, N.cond);
				if
				:: journal(); goto answered
				:: printf("  its reply is lost\n")
				:: ncr > 0 -> ncr--; lead = 0; myterm = 0; printf("  it is killed before its journal had that\n"); goto answered
				fi
			:: else -> goto answered                                                /* refused: dropped, looked at anew */
			fi
		fi;
		goto end;
answered:	op = NONE; rid = 0; g0 = 0; e0 = 0; r0 = 0 }
	od
}

/* ---- agents ---- */
#define M nd[agat[j]]

inline note_down() {
	ag[j] = M.gen; ae[j] = M.ep; as[j] = M.act; af[j] = M.force; acid[j] = M.cid; seen[j] = seen[j] | M.tells;
#if NAGAIN
	ahad[j] = M.had;
#endif
	printf("agent %d takes %d.%d slot %d from server %d\n", j, ag[j], ae[j], as[j], agat[j]);
	/* A person's word: what was obeyed is not held against it again. */
	if :: M.force -> seen[j] = seen[j] & (3 - BIT(M.act)) :: else fi
}

#if NACR
inline tell_proxy(v_gen, v_ep, slot, forced) {
	MUST(I7_VERSION_FELL, !BELOW(v_gen, v_ep, xgen[j], xep[j]));
	MUST(I6_CONDEMNED_ACTIVE, slot == xact[j] || !HAS(known[j], slot) || HAS(known[j], 1 - slot) || forced);
	printf("proxy %d shows %d.%d slot %d\n", j, v_gen, v_ep, slot);
	xgen[j] = v_gen; xep[j] = v_ep; xact[j] = slot
}
#endif

proctype Agent(byte j) {
	byte k;
end:	do
#if !NACR
	:: atomic { M.gen != 0 && NEWER(j, M) && !REFUSES(j, M) ->
		MUST(I7_VERSION_FELL, !BELOW(M.gen, M.ep, ag[j], ae[j]));
		MUST(I6_CONDEMNED_ACTIVE, M.act == as[j] || !HAS(seen[j], M.act) || HAS(seen[j], 1 - M.act) || M.force);
		note_down() }
#elif defined(AGENT_PROXY_FIRST)
	:: atomic { M.gen != 0 && NEWER(j, M) && !REFUSES(j, M) ->
		tell_proxy(M.gen, M.ep, M.act, M.force); known[j] = known[j] | M.tells;
		if :: M.force -> known[j] = known[j] & (3 - BIT(M.act)) :: else fi;
		if :: note_down() :: nacr > 0 -> nacr--; printf("  agent %d is killed before its journal had that\n", j) fi }
#else
	/* The journal, then the proxy; killed between the two, it comes back with the journal and asks its proxy. */
	:: atomic { M.gen != 0 && NEWER(j, M) && !REFUSES(j, M) ->
		note_down();
		if
		:: tell_proxy(ag[j], ae[j], as[j], af[j]); known[j] = seen[j]
		:: nacr > 0 -> nacr--; printf("  it is killed before its proxy had that\n")
		fi }
#ifndef AGENT_TRUSTS_JOURNAL
	/* The store confirms what the journal holds, and the proxy shows less: told again. */
	:: atomic { M.gen == ag[j] && M.ep == ae[j] && M.cid == acid[j] && BELOW(xgen[j], xep[j], ag[j], ae[j]) ->
		tell_proxy(ag[j], ae[j], as[j], af[j]); known[j] = seen[j] }
#endif
#endif
	od
}

/* ---- the world ---- */
inline copy(from, to_) {
	nd[to_].mgen = nd[from].mgen; nd[to_].lin = nd[from].lin; nd[to_].term = nd[from].term; nd[to_].own = nd[from].own;
	nd[to_].gen = nd[from].gen; nd[to_].ep = nd[from].ep; nd[to_].rev = nd[from].rev; nd[to_].cid = nd[from].cid;
	nd[to_].act = nd[from].act; nd[to_].force = nd[from].force; nd[to_].fwd = nd[from].fwd; nd[to_].hold = nd[from].hold;
#if NAGAIN
	nd[to_].ids = nd[from].ids; nd[to_].had = nd[from].had;
#endif
	nd[to_].tells = nd[from].tells; nd[to_].cond = nd[from].cond; nd[to_].pard = nd[from].pard; nd[to_].done = nd[from].done
}

proctype Env() {
	byte k;
end:	do
	:: atomic { !cut && dirty -> copy(prim, 1 - prim); dirty = 0; printf("the replica has caught up\n") }
	:: atomic { nexp > 0 && nd[prim].own != NOBODY -> nexp--; nd[prim].own = NOBODY; dirty = 1; printf("the lease on server %d runs out\n", prim) }
	:: atomic { nexp > 0 && cut && nd[1 - prim].own != NOBODY -> nexp--; nd[1 - prim].own = NOBODY; printf("the lease on server %d runs out\n", 1 - prim) }
	:: atomic { nfo > 0 && !cut -> nfo--; prim = 1 - prim; linid++; real[prim] = linid; dirty = 1;
		printf("failover: server %d is the primary\n", prim);
		if
		:: at[0] = prim; at[1] = prim; k = 0; do :: k < NAG -> agat[k] = prim; k++ :: else -> break od          /* it died */
		:: cut = 1; k = 0;                                                      /* it is alive, and each is on one side */
			do :: k < NAG -> if :: agat[k] = prim :: skip fi; k++ :: else -> break od;
			if :: at[0] = prim :: skip fi;
			if :: at[1] = prim :: skip fi;
			printf("  cut off, not dead: controllers are at %d %d, agent 0 at %d\n", at[0], at[1], agat[0])
		fi;
		k = 0 }
	:: atomic { cut -> cut = 0; copy(prim, 1 - prim); dirty = 0; at[0] = prim; at[1] = prim;
		k = 0; do :: k < NAG -> agat[k] = prim; k++ :: else -> break od; k = 0; printf("the partition heals\n") }
#if NFLUSH
	/* FLUSHALL keeps the lineage: only the missing generation tells. */
	:: atomic { nflush > 0 && nd[prim].gen != 0 -> nflush--; dirty = 1; nd[prim].mgen = 0; nd[prim].lin = 0; nd[prim].term = 0; nd[prim].own = NOBODY;
		nd[prim].gen = 0; nd[prim].ep = 0; nd[prim].rev = 0; nd[prim].cid = 0; nd[prim].act = 0; nd[prim].force = 0; nd[prim].fwd = 0;
		nd[prim].hold = 0; nd[prim].tells = 0; nd[prim].cond = 0; nd[prim].pard = 0; nd[prim].done = 0;
#if NAGAIN
		nd[prim].ids = 0; nd[prim].had = 0;
#endif
		printf("the store is emptied\n") }
#endif
	/* From now on nothing fails and nobody wants anything. */
	:: atomic { nfo + nforward + nauto + nforce + nhold + npardon + nagain + nexp + ncr + nflush + nacr + nlate > 0 ->
		nfo = 0; nforward = 0; nauto = 0; nforce = 0; nhold = 0; npardon = 0; nagain = 0; nexp = 0; ncr = 0; nflush = 0; nacr = 0; nlate = 0; printf("calm\n") }
	od
}

/* When nobody has anything left to do, every proxy shows what the record says. */
proctype Rest() {
	byte k;
	timeout -> d_step { k = 0;
		do
		:: k < NAG ->
#if NACR
			MUST(I4_NOT_CONVERGED, xact[k] == nd[prim].act && xgen[k] == nd[prim].gen && xep[k] == nd[prim].ep);
#else
			MUST(I4_NOT_CONVERGED, as[k] == nd[prim].act && ag[k] == nd[prim].gen && ae[k] == nd[prim].ep);
#endif
			k++
		:: else -> break
		od }
}

init {
	byte k;
	atomic {
#ifdef ONLY
		watch_only(ONLY);
#endif
		real[0] = 1; nd[0].mgen = 1; nd[0].lin = 1; nd[0].own = NOBODY; nd[0].gen = 1; nd[0].ep = 1; nd[0].rev = 1; nd[0].cid = 32; GAVE(1, 1) = 32;
		jg[0] = 1; je[0] = 1; jr[0] = 1;                /* it was controller 0 who wrote that */
		copy(0, 1);
		do
		:: k < NAG -> ag[k] = 1; ae[k] = 1; acid[k] = 32;
#if NACR
			xgen[k] = 1; xep[k] = 1;
#endif
			k++
		:: else -> break
		od;
		k = 0;
		run Controller(0); run Controller(1); run Agent(0);
#if NAG == 2
		run Agent(1);
#endif
		run Env(); run Rest() }
}
