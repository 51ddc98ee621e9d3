#include "common/engine/mariadb/share.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/alloc.h"

#include "common/base/banned.h"

static const size_t no_table = SIZE_MAX;

struct share { /* of a table: its parts */
    size_t parts;
    size_t taken;
    size_t begun;
};

struct maria_shares {
    struct maria *readers;
    struct share *tables;
    size_t held[MARIA_READERS_MAX]; /* table of each lane */
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool ended;
};

struct maria_shares *maria_shares_new(struct maria *readers, size_t tables, struct error *err)
{
    struct maria_shares *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    s->readers = readers;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->news, NULL);
    for (size_t i = 0; i < MARIA_READERS_MAX; i++)
        s->held[i] = no_table;
    s->tables = mem_alloc(tables + 1, sizeof *s->tables, err);
    if (s->tables != NULL)
        return s;
    maria_shares_free(s);
    return NULL;
}

void maria_shares_add(struct maria_shares *s, size_t table)
{
    s->tables[table].parts++;
}

size_t maria_shares_parts(const struct maria_shares *s, size_t table)
{
    return s->tables[table].parts;
}

static int let_go(struct maria_shares *s, unsigned lane, struct error *err)
{
    if (s->held[lane] == no_table)
        return 0;
    const struct share *t = &s->tables[s->held[lane]];
    (void)pthread_mutex_lock(&s->lock);
    while (!s->ended && t->begun < t->parts)
        (void)pthread_cond_wait(&s->news, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    s->held[lane] = no_table;
    int rc = maria_exec(&s->readers[lane], "ROLLBACK TO SAVEPOINT backupd", err);
    return rc < 0 ? error_wrap(err, "the transaction that reads the tables") : 0;
}

int maria_shares_hold(struct maria_shares *s, unsigned lane, size_t table, struct error *err)
{
    (void)pthread_mutex_lock(&s->lock);
    s->tables[table].taken++;
    (void)pthread_mutex_unlock(&s->lock);
    if (s->held[lane] == table)
        return 0;
    int rc = let_go(s, lane, err);
    if (rc == 0)
        rc = maria_exec(&s->readers[lane], "SAVEPOINT backupd", err);
    if (rc == 0)
        s->held[lane] = table;
    return rc;
}

void maria_shares_begun(struct maria_shares *s, size_t table)
{
    (void)pthread_mutex_lock(&s->lock);
    s->tables[table].begun++;
    (void)pthread_cond_broadcast(&s->news);
    (void)pthread_mutex_unlock(&s->lock);
}

/* While parts are left, the next one of this lane may be of the same table; else it may be long in coming. */
int maria_shares_leave(struct maria_shares *s, unsigned lane, size_t table, struct error *err)
{
    (void)pthread_mutex_lock(&s->lock);
    bool more = s->tables[table].taken < s->tables[table].parts;
    (void)pthread_mutex_unlock(&s->lock);
    return more ? 0 : let_go(s, lane, err);
}

void maria_shares_end(struct maria_shares *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->ended = true;
    (void)pthread_cond_broadcast(&s->news);
    (void)pthread_mutex_unlock(&s->lock);
}

bool maria_shares_ended(struct maria_shares *s)
{
    (void)pthread_mutex_lock(&s->lock);
    bool ended = s->ended;
    (void)pthread_mutex_unlock(&s->lock);
    return ended;
}

void maria_shares_free(struct maria_shares *s)
{
    if (s == NULL)
        return;
    (void)pthread_cond_destroy(&s->news);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->tables);
    free(s);
}
