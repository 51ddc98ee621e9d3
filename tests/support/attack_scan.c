#include "tests/support/attack_scan.h"

#include <dirent.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "tests/support/attack_curve.h"
#include "common/base/banned.h"

enum {
    WINDOW = 32,
    PIECE = 128 * 1024, /* windows one thread takes at a time */
    HEAVY = 8,          /* times one value */
    ROLL_GAP = 24,      /* offsets that are cheaper walked than started anew */
    DIGITS = 64,
    STEP = 4096,    /* what is one value throughout is passed over in such steps */
    SEEN_BITS = 26, /* 64 Mi fingerprints: 512 MiB, touched as they are used */
    TELL_SECONDS = 20,
};

__extension__ typedef unsigned __int128 wide;

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the bound ----------------------------------------------------------------------------------------- */

/* The probability that 32 random bytes have fewer than `least` distinct values. */
static double few_distinct(unsigned least)
{
    double p[WINDOW + 2] = { [0] = 1.0 };
    double sum = 0;
    for (int i = 0; i < WINDOW; i++)
        for (int k = WINDOW; k >= 0; k--)
            p[k] = p[k] * k / 256 + (k > 0 ? p[k - 1] * (257 - k) / 256 : 0);
    for (unsigned k = 0; k < least; k++)
        sum += p[k];
    return sum;
}

static void choose_bound(struct scan *s)
{
    double choices = 10518300.0; /* 8 of 32 places */
    double heavy = 256 * choices / 18446744073709551616.0;
    double text = 1 / 4294967296.0;
    s->least = 16;
    while (few_distinct(s->least + 1) + heavy + text < 1e-9)
        s->least++;
    s->bound = few_distinct(s->least) + heavy + text;
}

/* ---- files --------------------------------------------------------------------------------------------- */

int scan_init(struct scan *s, const struct plan *plan, struct error *err)
{
    *s = (struct scan){ .plan = plan, .files = VEC_OF(struct scan_file) };
    (void)pthread_mutex_init(&s->lock, NULL);
    choose_bound(s);
    randombytes_buf(s->salt, sizeof s->salt);
    s->seen = mem_alloc((size_t)1 << SEEN_BITS, sizeof *s->seen, err);
    s->seen_mask = ((size_t)1 << SEEN_BITS) - 1;
    return s->seen != NULL ? 0 : E_NOMEM;
}

int scan_add_bytes(struct scan *s, const char *name, const uint8_t *data, size_t len, struct error *err)
{
    struct scan_file *f = vec_push(&s->files, err);
    if (f == NULL)
        return E_NOMEM;
    *f = (struct scan_file){ .name = str_dup(name, err), .data = data, .len = len };
    s->bytes += len;
    return f->name != NULL ? 0 : E_NOMEM;
}

static int add_file(struct scan *s, const char *path, struct error *err)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    int rc = target_map_file(s->plan->target, path, &data, &len, err);
    return rc < 0 ? rc : scan_add_bytes(s, path, data, len, err);
}

int scan_add_path(struct scan *s, const char *path, struct error *err)
{
    struct stat st;
    struct dirent **entries = NULL;
    if (lstat(path, &st) < 0)
        return error_sys(err, "look at %s", path);
    if (!S_ISDIR(st.st_mode))
        return S_ISREG(st.st_mode) ? add_file(s, path, err) : 0;
    int n = scandir(path, &entries, NULL, alphasort);
    int rc = n < 0 ? error_sys(err, "list %s", path) : 0;
    for (int i = 0; i < n; i++) {
        char *below = str_printf(err, "%s/%s", path, entries[i]->d_name);
        bool dots = strcmp(entries[i]->d_name, ".") == 0 || strcmp(entries[i]->d_name, "..") == 0;
        if (rc == 0 && !dots)
            rc = below != NULL ? scan_add_path(s, below, err) : E_NOMEM;
        free(below);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

void scan_free(struct scan *s)
{
    for (size_t i = 0; i < s->files.len; i++)
        free(((struct scan_file *)vec_at(&s->files, i))->name);
    vec_free(&s->files);
    free(s->seen);
    (void)pthread_mutex_destroy(&s->lock);
}

void scan_place(char out[256], const char *file, size_t offset)
{
    char path[PATH_MAX], line[PATH_MAX + 128];
    (void)snprintf(out, 256, "%.140s, offset %zu", file, offset);
    (void)snprintf(path, sizeof path, "%s.maps", file);
    FILE *maps = fopen(path, "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from = 0, len = 0, address = 0;
        char name[64] = "";
        if (sscanf(line, "%llu %llu %llx %*s %63s", &from, &len, &address, name) < 3)
            continue;
        if (offset < from || offset - from >= len)
            continue;
        size_t used = strlen(out);
        (void)snprintf(out + used, 256 - used, " (address %llx, %s)", address + (offset - from),
                       name[0] != '\0' ? name : "anonymous");
    }
    if (maps != NULL)
        (void)fclose(maps);
}

/* ---- windows ------------------------------------------------------------------------------------------- */

/* Keys that do not lie in the file as they are. */
struct disguise {
    uint8_t key[LANE_KEY];
    size_t at;
    const char *how;
};

struct worker {
    struct scan *scan;
    const struct scan_file *file;
    struct scan_counts counts;
    uint32_t *places; /* offsets from `start` of windows to try */
    size_t nplaces;
    size_t start;
    /* what find names: lanes of the running eight */
    size_t lane_at[LANES];
    const char *lane_how[LANES];
    struct vec disguises; /* struct disguise */
    struct curve_batch batch;
    uint32_t batch_at[CURVE_BATCH];
    uint8_t pks[CURVE_BATCH * BOX_PK_LEN];
};

static void place_of(void *arg, size_t lane, char out[256])
{
    const struct worker *w = arg;
    scan_place(out, w->file->name, w->lane_at[lane]);
    if (w->lane_how[lane] != NULL) {
        size_t used = strlen(out);
        (void)snprintf(out + used, 256 - used, " as %s", w->lane_how[lane]);
    }
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide p = (wide)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* True the first time (or again, when it was forgotten). Two threads may race for a slot: a window is tried
 * twice. */
static bool is_new(struct scan *s, const uint8_t *p)
{
    uint64_t v[4];
    memcpy(v, p, sizeof v);
    uint64_t h = mix(v[0] ^ s->salt[0], v[1] ^ s->salt[1]);
    h = mix(h ^ v[2], mix(v[2] ^ s->salt[2], v[3] ^ s->salt[3]) ^ s->salt[0]) ^ h;
    h += h == 0;
    uint64_t *slot = &s->seen[h & s->seen_mask];
    if (__atomic_load_n(slot, __ATOMIC_RELAXED) == h)
        return false;
    __atomic_store_n(slot, h, __ATOMIC_RELAXED);
    return true;
}

/* What is known about the 32 bytes in view, kept up as they move. */
struct view {
    uint8_t count[256];
    unsigned distinct, heavy, high;
};

static void view_in(struct view *v, uint8_t b)
{
    v->distinct += v->count[b]++ == 0;
    v->heavy += v->count[b] == HEAVY;
    v->high += b >> 7;
}

static void view_out(struct view *v, uint8_t b)
{
    v->heavy -= v->count[b] == HEAVY;
    v->distinct -= --v->count[b] == 0;
    v->high -= b >> 7;
}

static bool view_wanted(const struct scan *s, const struct view *v, struct scan_counts *c)
{
    if (v->distinct < s->least)
        c->few++;
    else if (v->heavy != 0)
        c->heavy++;
    else if (v->high == 0)
        c->text++;
    else
        return true;
    return false;
}

static bool uniform(const uint8_t *p, size_t len)
{
    return memcmp(p, p + 1, len - 1) == 0;
}

static void choose_step(struct worker *w, size_t from, size_t end)
{
    const uint8_t *p = w->file->data;
    struct view v = { .distinct = 0 };
    for (size_t i = 0; i < WINDOW - 1; i++)
        view_in(&v, p[from + i]);
    for (size_t at = from; at < end; at++) {
        view_in(&v, p[at + WINDOW - 1]);
        if (view_wanted(w->scan, &v, &w->counts)) {
            if (is_new(w->scan, p + at))
                w->places[w->nplaces++] = (uint32_t)(at - w->start);
            else
                w->counts.duplicate++;
        }
        view_out(&v, p[at]);
    }
}

static void choose_windows(struct worker *w, size_t end)
{
    w->nplaces = 0;
    w->counts.windows += end - w->start;
    for (size_t at = w->start; at < end; at += STEP) {
        size_t stop = end - at < STEP ? end : at + STEP;
        if (uniform(w->file->data + at, stop - at + WINDOW - 1))
            w->counts.few += stop - at;
        else
            choose_step(w, at, stop);
    }
    w->counts.tried += w->nplaces;
}

/* ---- disguises ----------------------------------------------------------------------------------------- */

static void add_disguise(struct worker *w, const uint8_t key[LANE_KEY], size_t at, const char *how)
{
    struct view v = { .distinct = 0 };
    struct scan_counts ignored = { 0 };
    for (size_t i = 0; i < LANE_KEY; i++)
        view_in(&v, key[i]);
    if (!view_wanted(w->scan, &v, &ignored) || !is_new(w->scan, key))
        return;
    struct disguise *d = vec_push(&w->disguises, NULL);
    if (d == NULL)
        abort(); /* nothing may be left out */
    memcpy(d->key, key, LANE_KEY);
    d->at = at;
    d->how = how;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void from_hex(struct worker *w, size_t at)
{
    const uint8_t *p = w->file->data + at;
    uint8_t key[LANE_KEY];
    for (size_t i = 0; i < LANE_KEY; i++)
        key[i] = (uint8_t)(hex_value(p[2 * i]) << 4 | hex_value(p[2 * i + 1]));
    add_disguise(w, key, at, "hex digits");
}

/* 64 digits from -8 to 8, of base 16, least first. Eight zeros in the middle: not random (2e-10), mostly
 * empty. */
static void from_digits(struct worker *w, size_t at)
{
    static const uint8_t zero[8];
    const uint8_t *p = w->file->data + at;
    uint8_t key[LANE_KEY];
    int carry = 0;
    if (memcmp(p + 28, zero, sizeof zero) == 0)
        return;
    for (size_t i = 0; i < LANE_KEY; i++) {
        int sum = (int8_t)p[2 * i] + 16 * (int8_t)p[2 * i + 1] + carry;
        key[i] = (uint8_t)(sum & 0xff);
        carry = (sum - (sum & 0xff)) / 256;
    }
    add_disguise(w, key, at, "signed digits");
}

static void find_disguises(struct worker *w, size_t end)
{
    const uint8_t *p = w->file->data;
    size_t hex = 0, digits = 0;
    size_t limit = end + WINDOW - 1 + DIGITS < w->file->len ? end + WINDOW - 1 + DIGITS : w->file->len;
    for (size_t at = w->start; at < limit; at++) {
        size_t step = at - DIGITS; /* what began before it is behind us, what begins in it is one value */
        if ((at - w->start) % STEP == DIGITS && at + STEP < limit && uniform(p + step, STEP + DIGITS)) {
            at = step + STEP - 1;
            hex = digits = 0;
            continue;
        }
        hex = hex_value(p[at]) >= 0 ? hex + 1 : 0;
        digits = (uint8_t)(p[at] + 8) <= 16 ? digits + 1 : 0;
        if (hex >= DIGITS)
            from_hex(w, at + 1 - DIGITS);
        if (digits >= DIGITS)
            from_digits(w, at + 1 - DIGITS);
        if (at + 64 <= w->file->len && memcmp(p + at, p + at + 16, 16) == 0 &&
            memcmp(p + at + 32, p + at + 48, 16) == 0) {
            uint8_t key[LANE_KEY];
            memcpy(key, p + at, 16);
            memcpy(key + 16, p + at + 32, 16);
            add_disguise(w, key, at, "doubled halves");
        }
    }
}

static void try_disguises(struct worker *w)
{
    const struct find f = { .where = place_of, .arg = w };
    uint8_t keys[LANES * LANE_KEY];
    w->counts.disguised += w->disguises.len;
    for (size_t i = 0; i < w->disguises.len; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            size_t k = i + l < w->disguises.len ? i + l : i;
            const struct disguise *d = vec_at(&w->disguises, k);
            memcpy(keys + l * LANE_KEY, d->key, LANE_KEY);
            w->lane_at[l] = d->at;
            w->lane_how[l] = d->how;
        }
        try_eight(w->scan->plan, keys, &f);
        for (size_t l = 0; l < LANES && i + l < w->disguises.len; l++) {
            uint8_t pk[BOX_PK_LEN];
            if (crypto_scalarmult_base(pk, keys + l * LANE_KEY) == 0)
                try_public(w->scan->plan, pk, keys + l * LANE_KEY, l, &f);
        }
    }
    vec_clear(&w->disguises);
}

/* ---- trying -------------------------------------------------------------------------------------------- */

static void try_symmetric(struct worker *w)
{
    const struct find f = { .where = place_of, .arg = w };
    uint8_t keys[LANES * LANE_KEY];
    for (size_t i = 0; i < w->nplaces; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            size_t at = w->start + w->places[i + l < w->nplaces ? i + l : i];
            memcpy(keys + l * LANE_KEY, w->file->data + at, LANE_KEY);
            w->lane_at[l] = at;
            w->lane_how[l] = NULL;
        }
        try_eight(w->scan->plan, keys, &f);
    }
}

static void finish_batch(struct worker *w)
{
    const struct find f = { .where = place_of, .arg = w };
    size_t n = w->batch.n;
    curve_finish(&w->batch, w->pks);
    for (size_t i = 0; i < n; i++) {
        w->lane_at[0] = w->start + w->batch_at[i];
        w->lane_how[0] = NULL;
        try_public(w->scan->plan, w->pks + i * BOX_PK_LEN, w->file->data + w->lane_at[0], 0, &f);
    }
}

/* From the last window to the first: each public key follows from the one after it. */
static void try_curve(struct worker *w)
{
    const uint8_t *p = w->file->data + w->start;
    struct roller r;
    size_t stands = SIZE_MAX;
    for (size_t i = w->nplaces; i-- > 0;) {
        size_t at = w->places[i];
        if (stands == SIZE_MAX || stands - at > ROLL_GAP) {
            roller_start(&r, p + at);
            stands = at;
        }
        while (stands > at)
            roller_back(&r, p + --stands);
        w->batch_at[w->batch.n] = (uint32_t)at;
        roller_emit(&r, p + at, &w->batch);
        if (w->batch.n == CURVE_BATCH)
            finish_batch(w);
    }
    finish_batch(w);
}

static void tell(struct scan *s)
{
    double now = seconds();
    if (now - s->told < TELL_SECONDS)
        return;
    s->told = now;
    (void)printf("  %3.0f %% after %.0f s: %.1f of %.1f MB, %.2f million windows tried\n",
                 100 * (double)s->done / (double)s->bytes, now - s->started, (double)s->done / 1e6,
                 (double)s->bytes / 1e6, (double)s->counts.tried / 1e6);
    (void)fflush(stdout);
}

/* The next piece; its end, or 0 when there is none. Counts what was done before. */
static size_t take(struct worker *w)
{
    struct scan *s = w->scan;
    size_t end = 0;
    (void)pthread_mutex_lock(&s->lock);
    s->counts.windows += w->counts.windows;
    s->counts.few += w->counts.few;
    s->counts.heavy += w->counts.heavy;
    s->counts.text += w->counts.text;
    s->counts.duplicate += w->counts.duplicate;
    s->counts.tried += w->counts.tried;
    s->counts.disguised += w->counts.disguised;
    w->counts = (struct scan_counts){ 0 };
    for (; end == 0 && s->file < s->files.len; s->file += end == 0 ? 1 : 0, s->at = end) {
        w->file = vec_at(&s->files, s->file);
        size_t last = w->file->len >= WINDOW ? w->file->len - WINDOW + 1 : 0; /* one past the last window */
        if (s->at >= last)
            continue;
        w->start = s->at;
        end = last - s->at > PIECE ? s->at + PIECE : last;
        s->done += end - s->at;
    }
    tell(s);
    (void)pthread_mutex_unlock(&s->lock);
    return end;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (size_t end = take(w); end != 0; end = take(w)) {
        choose_windows(w, end);
        find_disguises(w, end);
        try_symmetric(w);
        try_disguises(w);
        try_curve(w);
    }
    return NULL;
}

int scan_run(struct scan *s, unsigned threads, struct error *err)
{
    enum { THREADS_MAX = 16 };
    pthread_t id[THREADS_MAX];
    struct worker *workers[THREADS_MAX] = { NULL };
    unsigned started = 0;
    int rc = 0;
    s->started = s->told = seconds();
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    for (unsigned i = 0; rc == 0 && i < threads; i++) {
        struct worker *w = workers[i] = mem_alloc(1, sizeof *w, err);
        if (w == NULL || (w->places = mem_alloc(PIECE, sizeof *w->places, err)) == NULL) {
            rc = E_NOMEM;
            break;
        }
        w->scan = s;
        w->disguises = (struct vec)VEC_OF(struct disguise);
        if (pthread_create(&id[i], NULL, work, w) != 0)
            rc = error_set(err, E_NOMEM, "no thread");
        else
            started++;
    }
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(id[i], NULL);
    for (unsigned i = 0; i < threads; i++) {
        if (workers[i] != NULL) {
            free(workers[i]->places);
            vec_free(&workers[i]->disguises);
        }
        free(workers[i]);
    }
    return rc;
}

void scan_report(const struct scan *s)
{
    const struct scan_counts *c = &s->counts;
    (void)printf(
        "windows: %llu in %zu files (%.1f MB): %llu tried, %llu seen before, left out %llu with fewer "
        "than %u distinct bytes, %llu with one value %d times or more, %llu without a byte above 127; disguised "
        "keys tried: %llu\n",
        (unsigned long long)c->windows, s->files.len, (double)s->bytes / 1e6, (unsigned long long)c->tried,
        (unsigned long long)c->duplicate, (unsigned long long)c->few, s->least, (unsigned long long)c->heavy,
        HEAVY, (unsigned long long)c->text, (unsigned long long)c->disguised);
    (void)printf("a random key is among those left out with a probability of %.1e; time %.1f s\n", s->bound,
                 seconds() - s->started);
}
