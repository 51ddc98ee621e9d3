/* prune.pml - a model of condemn, acknowledge, fence, delete (docs/format.md 19), for the checker Spin.
 *
 * One writer with its own log and dedup domain, one retention host, a crash possible at every step, no clocks: the
 * retention host may cut off the writer (raise the fence) whenever it likes, expire anything, revive what is not deleted,
 * hold and release. The storage is honest: create, list and remove happen one after the other.
 *
 *   make check-model          this model at NS=2 NR=3 NP=2 NC=3, and its mutants
 *   NS records of the writer, NR records of retention, NP packs, NC sessions (crashed ones included)
 *
 * Invariants, checked after every step:
 *   I1  a valid record that is not expired has all its packs
 *   I2  a record that its writer took for confirmed is never void
 *   I3  a held record has all its packs, also when it is expired
 *
 * Mutants that must fail, each the protocol with one rule left out:
 *   MUT=1 delete up to the fence announced in the SAME record     MUT=2 the writer does not look again after publishing
 *   MUT=3 the ack is read when publishing, not at the start        MUT=5 delete before the record is published
 *   MUT=6 a fence takes effect in its own record                   MUT=7 a record that stands still covers nothing new
 *   MUT=8 revive what a record has listed as deleted               MUT=9 a hold does not stop deleting
 * A mutant that must pass: MUT=4 condemn packs of the session that still runs (wasteful, but the ack rule protects them)
 *
 * The function behind each step is in brackets; docs/design.md has the same list. */
#ifndef MUT
#define MUT 0
#endif
#ifndef OPS
#define OPS 0
#endif
#ifndef NS
#define NS 2
#endif
#ifndef NR
#define NR 3
#endif
#ifndef NP
#define NP 2
#endif
#ifndef NC
#define NC 3
#endif

/* ---- the storage ---- */
byte wlen; byte wack[NS+1]; byte wref[NS+1]; byte wintro[NS+1]; byte wses[NS+1];   /* the writer's log */
byte rlen; byte rhead[NR+1]; byte rfence[NR+1]; byte rcond[NR+1];                  /* the retention log */
byte rexp; byte rheld; byte rdel;       /* what its records have expired, held, listed as deleted, up to now */
byte present; byte pses[NP]; byte np;   /* packs, and the session each was uploaded by */
byte believed;                          /* records the writer took for confirmed */
byte i, j, k2, v;                       /* scratch, only inside d_step */

/* v = 1 iff record n is void under the records so far                            [is_void, repo_judge.c] */
inline isvoid(n) {
  v = 0; i = 1;
  do :: i <= rlen ->
        j = i + (MUT==6 -> 0 : 1);
        do :: j <= rlen -> if :: (n > rhead[j] && wack[n] < rfence[i]) -> v = 1 :: else fi; j++
           :: else -> break od;
        i++
     :: else -> break od; i = 0; j = 0 }

inline check() {
  k2 = 1;
  do :: k2 <= wlen ->
        isvoid(k2);
        assert(!(((believed>>k2)&1) && v));                                   /* I2 */
        assert(v || ((rexp>>k2)&1) || ((wref[k2] & ~present) == 0));          /* I1 */
        assert(v || !((rheld>>k2)&1) || ((wref[k2] & ~present) == 0));        /* I3 */
        k2++
     :: else -> break od; k2 = 0; v = 0 }

active proctype Writer() {
  byte ack, ses, known, cond, nw, refs, c, x, ok, intro;
  do
  :: ses < NC && wlen < NS ->
again:
     if :: ses >= NC || wlen >= NS -> break :: else fi;
     /* W1 read the logs, W2 forget what is condemned            [session_begin; check_cached_packs, session_start.c] */
     d_step { ses++; ack = rlen; cond = 0; x = 1;
       do :: x <= rlen -> cond = cond | rcond[x]; x++ :: else -> break od; x = 0; nw = 0 }
     /* W4 upload                                                                       [pipeline; cache_pack_confirm] */
     if :: np < NP -> d_step { nw = 1<<np; present = present | nw; pses[np] = ses; np++; known = known | nw }
        :: skip fi;
     if :: goto again /* crash: the session's key is lost, the pack stays in the local journal */ :: skip fi;
     atomic { refs = 0; c = 0;                                            /* dedup decisions [cache_lookup] */
     do :: c < NP -> if :: ((known & ~cond)>>c)&1 -> refs = refs | (1<<c) :: skip fi; c++
        :: else -> break od; c = 0 };
     /* W5 publish                                                      [session_commit: fill_record, publish] */
     d_step {
       if :: MUT==3 -> ack = rlen :: else fi;
       intro = 0; x = 1;
       do :: x <= wlen -> intro = intro | wintro[x]; x++ :: else -> break od; x = 0;
       wlen++; wack[wlen] = ack; wref[wlen] = refs; wses[wlen] = ses;
       wintro[wlen] = refs & ~intro;
       known = known & (intro | refs);    /* a pack that a published session left behind is never adopted */
       check() }
     if :: goto again /* crash before looking again: the record stays unconfirmed */ :: skip fi;
     /* W6 look again                                                   [session_commit: publish, repo_fence] */
     d_step {
       ok = 1; x = 1;
       do :: x <= rlen -> if :: rfence[x] > ack -> ok = 0 :: else fi; x++ :: else -> break od; x = 0;
       if :: ok || MUT==2 -> believed = believed | (1<<wlen) :: else fi;
       check(); nw = 0; refs = 0; ack = 0; cond = 0; intro = 0; ok = 0 }
  :: else -> break
  od }

active proctype Retention() {
  byte h, hs, lst, ref, intro, c, cm, f, ex, rv, ho, re, dl, still, x, y, q;
  do
  :: rlen < NR ->
     /* R1 read the logs, then list                                  [repo_open; prune_list_files, prune_store.c] */
     d_step { h = wlen; hs = wses[h] }
     lst = present;
     atomic {
     /* A clock that is not trusted: decisions only, and nothing new is covered, except what would become void
      * otherwise                                                     [prune_add_heads: must_cover, prune_plan.c] */
     ex = 0; rv = 0; ho = 0; re = 0; still = 0;
     if :: OPS && rlen > 0 -> still = 1; c = rhead[rlen] + 1;
           if :: c <= h && (wack[c] < rfence[rlen]) && MUT != 7 -> skip
              :: else -> h = rhead[rlen] fi; c = 0
        :: skip fi;
     /* R2 decide: one thing to hold, release or revive; expire anything that is not held       [prune_decide] */
     if :: skip
        :: OPS && h > 0 -> c = 1;
           do :: c < h -> c++ :: break od; skip;
           d_step { isvoid(c); y = v; v = 0 };
           if :: !y && !((rheld>>c)&1) && ((wref[c] & rdel) == 0) -> ho = 1<<c
              :: (rheld>>c)&1 -> re = 1<<c
              :: (rexp>>c)&1 && (((wref[c] & rdel) == 0) || MUT==8) -> rv = 1<<c
              :: else fi; c = 0; y = 0
     fi;
     c = 1;
     do :: c <= h && !still -> if :: !(((rexp|rheld|ho|re)>>c)&1) -> ex = ex | (1<<c) :: skip fi; c++
        :: else -> break od; c = 0;
     d_step { ref = 0; intro = 0; x = 1;
       do :: x <= h -> isvoid(x); intro = intro | wintro[x];
             if :: !v && !((((rexp&~rv)|ex)>>x)&1) -> ref = ref | wref[x] :: else fi;
             if :: !v && ((((rheld&~re)|ho)>>x)&1) && MUT != 9 -> q = q | wref[x] :: else fi; x++
          :: else -> break od; x = 0; v = 0; hs = wses[h];
       cm = 0; y = 0; f = q; q = 1;                                            /* f: packs of held ones, for a moment */
       do :: q <= rlen -> y = y | rcond[q]; q++ :: else -> break od; q = 0 }
     /* R5 what may be deleted: condemned up to the fence of the record BEFORE    [delete_all, must_wait, prune_plan.c] */
     d_step { dl = 0; q = 1;
       do :: q <= (MUT==1 -> rlen : rfence[rlen]) && !still -> dl = dl | rcond[q]; q++ :: else -> break od; q = 0;
       dl = dl & ~ref & ~f & lst };
     /* R3 condemn what no live record needs                             [condemn_all, prune_plan.c] */
     c = 0;
     do :: c < NP && !still ->
           if :: ((lst & ~ref & ~y)>>c)&1 && (((intro>>c)&1) || pses[c] <= hs || MUT==4) -> cm = cm | (1<<c)
              :: skip fi; c++
        :: else -> break od; c = 0; y = 0;
     /* R4 the fence: it never falls, and is at most the record before                 [fence_of, prune_plan.c] */
     f = rfence[rlen];
     do :: f < rlen && !still -> f++ :: break od; skip;
     if :: MUT==1 -> d_step { dl = 0; q = 1;
             do :: q <= f && !still -> dl = dl | rcond[q]; q++ :: else -> break od; q = 0; dl = dl & ~ref & lst }
        :: else fi };
     if :: MUT==5 -> d_step { present = present & ~dl; check() } :: else fi;
     /* R6 publish                                                           [prune_publish, prune_publish.c] */
     d_step { rlen++; rhead[rlen] = h; rfence[rlen] = f; rcond[rlen] = cm;
              rexp = (rexp & ~rv) | ex; rheld = (rheld & ~re) | ho; rdel = rdel | dl; check() }
     /* R7 remove, a crash anywhere: the next run removes what is left          [prune_remove, prune_remove.c] */
     c = 0;
     do :: c < NP -> if :: (rdel & present)>>c & 1 -> d_step { present = present & ~(1<<c); check() }
                        :: true -> break
                        :: else fi; c++
        :: else -> break od; c = 0;
     ex=0; rv=0; ho=0; re=0; cm=0; dl=0; ref=0; intro=0; lst=0; h=0; hs=0; f=0; still=0
  :: else -> break
  od }
