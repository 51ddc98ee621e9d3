/*
 * run.h - a run of this engine; not for others.
 */
#ifndef COMMON_ENGINE_POSTGRES_RUN_H
#define COMMON_ENGINE_POSTGRES_RUN_H

#include "common/engine/postgres/internal.h"

/* The streams of a run, in this order: first what takes locks of its own, last the values of the sequences. */
/* From STEP_SCHEMA on those of one database, and again for the next. */
enum step { STEP_GLOBALS, STEP_SCHEMA, STEP_OBJECTS, STEP_TABLES, STEP_SCRIPT, STEP_END };

struct engine_run {
    struct pgsql_settings set;
    struct vec databases; /* char * */
    size_t database;      /* the one whose streams come now */
    struct pgsql_origin origin;
    /* of the server, for facts */
    struct buf about;
    struct buf oids;
    char *identity;
    bool passwords; /* are in globals.sql */
    bool untested;
    struct pgsql_tool dump;
    struct pgsql_tool dumpall;
    struct source *source; /* of the current stream */
    struct buf name;       /* of the current stream, NUL-terminated */
    struct buf script;
    enum step step; /* of the current stream */
    size_t table;   /* the next one */
    struct pgsql_gather *gather;
    struct pgsql_table *current;
    bool begun;
    bool ended; /* the current stream was read to its end */
    bool finished;
};

/* streams.c: sets run->name and run->source by run->step. */
int pgsql_start_stream(struct engine_run *run, struct error *err);

#endif
