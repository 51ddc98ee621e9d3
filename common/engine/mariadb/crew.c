/* Several connections, a table each, until all are done or one failed. */
#include <pthread.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/engine/mariadb/restore.h"

#include "common/base/banned.h"

enum { HANDS = 4, HANDS_MAX = 16 };

/* Everything of the plan, its streams and its callbacks is for one thread at a time. */
struct crew_private {
    pthread_mutex_t mutex;
    size_t next; /* table */
    int rc;      /* of the first that failed */
    struct error why;
};

void maria_crew_lock(struct maria_crew *crew)
{
    (void)pthread_mutex_lock(&crew->private->mutex);
}

void maria_crew_unlock(struct maria_crew *crew)
{
    (void)pthread_mutex_unlock(&crew->private->mutex);
}

static struct maria_load *next_table(struct maria_crew *crew)
{
    struct crew_private *v = crew->private;
    maria_crew_lock(crew);
    struct maria_load *l =
        v->rc == 0 && v->next < crew->p->loads.len ? vec_at(&crew->p->loads, v->next++) : NULL;
    if (l != NULL)
        maria_plan_phase(crew->p, l->stream);
    maria_crew_unlock(crew);
    return l;
}

static void failed(struct maria_crew *crew, const struct error *why)
{
    maria_crew_lock(crew);
    if (crew->private->rc == 0) {
        crew->private->why = *why;
        if (why->code >= 0)
            (void)error_set(&crew->private->why, E_INTERNAL, "a connection failed for an unknown reason");
        crew->private->rc = crew->private->why.code;
    }
    maria_crew_unlock(crew);
}

static int connect_one(struct maria_crew *crew, struct maria *c, struct error *err)
{
    struct maria_address at = crew->t->goal.at;
    at.database = crew->t->goal.database;
    int rc = maria_open(c, &at, err);
    if (rc == 0)
        rc = maria_session(c, 0, err);
    return rc == 0
               ? maria_exec(c,
                            "SET SESSION foreign_key_checks=0, unique_checks=0, check_constraint_checks=0, "
                            "system_versioning_insert_history=1, max_error_count=1000",
                            err)
               : rc;
}

static void *hand(void *arg)
{
    struct maria_crew *crew = arg;
    struct maria c = { .conn = NULL };
    struct error why = ERROR_INIT;
    struct maria_load *l;
    int rc = connect_one(crew, &c, &why);
    while (rc == 0 && (l = next_table(crew)) != NULL)
        rc = crew->work(crew, &c, l, &why);
    if (rc < 0)
        failed(crew, &why);
    maria_close(&c);
    return NULL;
}

static size_t hands_of(const struct maria_crew *crew)
{
    size_t n = crew->p->target->jobs != 0 ? crew->p->target->jobs : HANDS;
    n = n < HANDS_MAX ? n : HANDS_MAX;
    return n < crew->p->loads.len ? n : crew->p->loads.len;
}

int maria_crew_run(struct maria_crew *crew, struct error *err)
{
    struct crew_private v = { .mutex = PTHREAD_MUTEX_INITIALIZER, .why = ERROR_INIT };
    pthread_t threads[HANDS_MAX];
    size_t wanted = hands_of(crew);
    size_t n = 0;
    crew->private = &v;
    while (n < wanted && pthread_create(&threads[n], NULL, hand, crew) == 0)
        n++;
    if (n == 0 && wanted > 0)
        (void)hand(crew);
    for (size_t i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_mutex_destroy(&v.mutex);
    crew->private = NULL;
    if (v.rc < 0)
        return error_copy(err, &v.why);
    return v.next == crew->p->loads.len
               ? 0
               : error_set(err, E_INTERNAL, "%zu of %zu tables were worked on", v.next, crew->p->loads.len);
}
