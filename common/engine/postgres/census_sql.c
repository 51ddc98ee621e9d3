/*
 * What a database holds, as rows of text: "kind, what the object is, how it is written".
 *
 * The second column has only what is the same in every restore of the same definitions: names, kinds, flags, types.
 * It has no OIDs, no positions of columns (heirs get theirs in another order), and no expressions: the server writes
 * some of those differently after it has read them once, for example CHECK (v IN ('a', 'b')) on a varchar. These are
 * in the third column, which is for two moments of one database. What an extension brought is left out, and so is
 * what pg_dump leaves out: invalid indexes, copies of keys and triggers in partitions.
 *
 * The search_path of the session is empty: unqualified names are of pg_catalog.
 */
#include "common/engine/postgres/census.h"

#include "common/base/banned.h"

/* clang-format off */

#define OWN(class, oid)                                                                                         \
    " AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '" class "'::regclass AND x.objid = " oid       \
    " AND x.deptype = 'e')"
#define USERS " n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
#define COLUMN_OF                                              \
    " FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid" \
    " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)"
#define COLLATION_OF                                                                                        \
    "CASE WHEN a.attcollation <> y.typcollation THEN (SELECT json_build_array(q.nspname, o.collname) FROM " \
    "pg_collation o JOIN pg_namespace q ON q.oid = o.collnamespace WHERE o.oid = a.attcollation) END"
#define RELATION(oid)                                                                                       \
    "(SELECT json_build_array(rn.nspname, rc.relname) FROM pg_class rc JOIN pg_namespace rn ON rn.oid = "   \
    "rc.relnamespace WHERE rc.oid = " oid ")"
#define FUNCTION(oid)                                                                                      \
    "(SELECT json_build_array(fn.nspname, f.proname, oidvectortypes(f.proargtypes)) FROM pg_proc f JOIN " \
    "pg_namespace fn ON fn.oid = f.pronamespace WHERE f.oid = " oid ")"
/* Names of the columns that an array of numbers means; 0 is an expression. */
#define COLUMNS(numbers, relation, order)                                                                       \
    "(SELECT json_agg(coalesce(a.attname::text, '()') ORDER BY " order ") FROM unnest(" numbers                 \
    ") WITH ORDINALITY z(num, ord) LEFT JOIN pg_attribute a ON a.attrelid = " relation " AND a.attnum = z.num " \
    "AND z.num <> 0)"

static const char relations[] =
    "SELECT CASE c.relkind WHEN 'r' THEN 'tables' WHEN 'p' THEN 'partitioned_tables' WHEN 'v' THEN 'views' "
    "WHEN 'f' THEN 'foreign_tables' ELSE CASE WHEN c.relispopulated THEN 'materialized_views' ELSE "
    "'materialized_views_empty' END END, json_build_array(n.nspname, c.relname, c.relpersistence, "
    "c.relrowsecurity, c.relforcerowsecurity, c.relreplident, CASE WHEN c.relkind IN ('r', 'p', 'f') THEN "
    "(SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
    "a.attidentity, a.attgenerated, a.atthasdef, " COLLATION_OF ") ORDER BY a.attname)" COLUMN_OF
    " ELSE (SELECT json_agg(a.attname ORDER BY a.attname)" COLUMN_OF " END, "
    "(SELECT json_agg(" RELATION("h.inhparent") "::text ORDER BY " RELATION("h.inhparent") "::text) "
    "FROM pg_inherits h WHERE h.inhrelid = c.oid), (SELECT t.partstrat FROM pg_partitioned_table t WHERE "
    "t.partrelid = c.oid), (SELECT s.srvname FROM pg_foreign_table ft JOIN pg_foreign_server s ON s.oid = "
    "ft.ftserver WHERE ft.ftrelid = c.oid)), json_build_array(n.nspname, c.relname, "
    "CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, c.reloptions, "
    "(SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attstorage, "
    "a.attcompression, a.attoptions, a.attfdwoptions, (SELECT pg_get_expr(e.adbin, e.adrelid) FROM pg_attrdef e "
    "WHERE e.adrelid = c.oid AND e.adnum = a.attnum)) ORDER BY a.attnum)" COLUMN_OF ", "
    "pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, "
    "(SELECT m.amname FROM pg_am m WHERE m.oid = c.relam), (SELECT s.spcname FROM pg_tablespace s WHERE s.oid = "
    "c.reltablespace), (SELECT ft.ftoptions FROM pg_foreign_table ft WHERE ft.ftrelid = c.oid)) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND" USERS OWN("pg_class", "c.oid");

static const char indexes[] =
    "SELECT 'indexes', json_build_array(n.nspname, c.relname, t.relname, m.amname, i.indisunique, i.indisprimary, "
    "i.indisexclusion, i.indisclustered, i.indisreplident, i.indnkeyatts, i.indpred IS NOT NULL, " COLUMNS(
        "i.indkey::int2[]", "i.indrelid", "z.ord") "), json_build_array(pg_get_indexdef(i.indexrelid), "
    "c.reloptions, i.indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = "
    "i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_am m ON m.oid = c.relam "
    "WHERE t.relkind IN ('r', 'p', 'm') AND i.indisready AND (i.indisvalid OR t.relkind = 'p') AND" USERS OWN(
        "pg_class", "t.oid");

/* Copies of foreign keys in partitions get other names in a restore. */
static const char constraints[] =
    "SELECT CASE k.contype WHEN 'c' THEN 'checks' WHEN 'f' THEN 'foreign_keys' WHEN 'p' THEN 'primary_keys' WHEN "
    "'u' THEN 'unique_constraints' ELSE 'exclusion_constraints' END, json_build_array(n.nspname, "
    "coalesce(c.relname, y.typname), k.conname, k.condeferrable, k.condeferred, k.convalidated, k.confupdtype, "
    "k.confdeltype, k.confmatchtype, CASE WHEN k.contype = 'c' THEN " COLUMNS(
        "k.conkey", "k.conrelid", "a.attname") " ELSE " COLUMNS("k.conkey", "k.conrelid", "z.ord") " END, "
    "CASE WHEN k.confrelid <> 0 THEN json_build_array(" RELATION("k.confrelid") ", " COLUMNS(
        "k.confkey", "k.confrelid",
        "z.ord") ") END), json_build_array(n.nspname, coalesce(c.relname, y.typname), k.conname, "
                 "pg_get_constraintdef(k.oid)) FROM pg_constraint k LEFT JOIN pg_class c ON c.oid = k.conrelid "
                 "LEFT JOIN pg_type y ON y.oid = k.contypid JOIN pg_namespace n ON n.oid = "
                 "coalesce(c.relnamespace, y.typnamespace) WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') "
                 "AND NOT (k.contype = 'f' AND k.conparentid <> 0) AND" USERS OWN("pg_class", "k.conrelid")
                     OWN("pg_type", "k.contypid");

static const char triggers[] =
    "SELECT 'triggers', json_build_array(n.nspname, c.relname, t.tgname, t.tgtype, t.tgenabled, t.tgdeferrable, "
    "t.tginitdeferred, t.tgnargs, t.tgqual IS NOT NULL, " FUNCTION("t.tgfoid") ", " COLUMNS(
        "t.tgattr::int2[]", "t.tgrelid", "a.attname") "), json_build_array(pg_get_triggerdef(t.oid), t.tgenabled) "
    "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND" USERS OWN("pg_class", "c.oid");

/* Functions that belong to a range type come and go with it. */
#define FREE_FUNCTION                                                                                     \
    " AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid " \
    "AND x.deptype IN ('e', 'i'))"

static const char functions[] =
    "SELECT CASE p.prokind WHEN 'f' THEN 'functions' WHEN 'p' THEN 'procedures' WHEN 'a' THEN 'aggregates' ELSE "
    "'window_functions' END, json_build_array(n.nspname, p.proname, oidvectortypes(p.proargtypes), "
    "format_type(p.prorettype, NULL), p.proretset, l.lanname, p.provolatile, p.proisstrict, p.prosecdef, "
    "p.proleakproof, p.proparallel, md5(p.prosrc)), json_build_array(n.nspname, p.proname, "
    "oidvectortypes(p.proargtypes), CASE WHEN p.prokind = 'a' THEN (SELECT json_build_array(g.aggtransfn::text, "
    "g.aggfinalfn::text, g.aggcombinefn::text, g.aggkind, format_type(g.aggtranstype, NULL), g.agginitval)::text "
    "FROM pg_aggregate g WHERE g.aggfnoid = p.oid) ELSE md5(pg_get_functiondef(p.oid)) END) FROM pg_proc p "
    "JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang WHERE" USERS FREE_FUNCTION;

/* Not the types of arrays, of multiranges and of the rows of tables. */
#define FREE_TYPE                                                                                                   \
    " AND t.typtype <> 'm' AND (t.typrelid = 0 OR (SELECT r.relkind FROM pg_class r WHERE r.oid = t.typrelid) = 'c') " \
    "AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)"

static const char types[] =
    "SELECT CASE t.typtype WHEN 'd' THEN 'domains' ELSE 'types' END, json_build_array(n.nspname, t.typname, "
    "t.typtype, t.typisdefined, t.typnotnull, format_type(nullif(t.typbasetype, 0), t.typtypmod), t.typdefault IS "
    "NOT NULL, (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), "
    "(SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid), "
    "(SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum) FROM "
    "pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)), "
    "json_build_array(n.nspname, t.typname, t.typdefault) FROM pg_type t JOIN pg_namespace n ON n.oid = "
    "t.typnamespace WHERE" USERS OWN("pg_type", "t.oid") FREE_TYPE;

static const char sequences[] =
    "SELECT 'sequences', json_build_array(n.nspname, c.relname, format_type(s.seqtypid, NULL), s.seqstart, "
    "s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle, c.relpersistence, (SELECT "
    "json_build_array(" RELATION("d.refobjid") ", a.attname, d.deptype) FROM pg_depend d JOIN pg_attribute a ON "
    "a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass AND d.objid = "
    "c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))), NULL FROM pg_sequence s JOIN "
    "pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE" USERS OWN("pg_class",
                                                                                                "c.oid");

static const char policies[] =
    "SELECT 'policies', json_build_array(n.nspname, c.relname, p.polname, p.polcmd, p.polpermissive, p.polqual IS "
    "NOT NULL, p.polwithcheck IS NOT NULL, (SELECT json_agg(CASE r.oid WHEN 0 THEN '' ELSE "
    "pg_get_userbyid(r.oid)::text END ORDER BY CASE r.oid WHEN 0 THEN '' ELSE pg_get_userbyid(r.oid)::text END "
    "COLLATE \"C\") FROM unnest(p.polroles) r(oid))), json_build_array(n.nspname, c.relname, p.polname, "
    "pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy p JOIN pg_class c "
    "ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE" USERS OWN("pg_class", "c.oid");

static const char rules[] =
    "SELECT 'rules', json_build_array(n.nspname, c.relname, r.rulename, r.ev_type, r.ev_enabled, r.is_instead), "
    "json_build_array(pg_get_ruledef(r.oid)) FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN "
    "pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND" USERS OWN("pg_class", "c.oid");

/* `public` is in every new database, also when the source has none. */
static const char schemas[] =
    "SELECT 'schemas', json_build_array(n.nspname), NULL FROM pg_namespace n WHERE n.nspname <> 'public' AND" USERS OWN(
        "pg_namespace", "n.oid");

static const char extensions[] =
    "SELECT 'extensions', json_build_array(e.extname, n.nspname), json_build_array(e.extname, e.extversion) "
    "FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace";

static const char publications[] =
    "SELECT 'publications', json_build_array(p.pubname, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, "
    "p.pubtruncate, p.pubviaroot, (SELECT json_agg(" RELATION("r.prrelid") "::text ORDER BY " RELATION(
        "r.prrelid") "::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid), (SELECT json_agg(n.nspname "
    "ORDER BY n.nspname) FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid WHERE s.pnpubid = "
    "p.oid)), json_build_array(p.pubname, (SELECT json_agg(pg_get_expr(r.prqual, r.prrelid) ORDER BY " RELATION(
        "r.prrelid") "::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid)) FROM pg_publication p";

static const char event_triggers[] =
    "SELECT 'event_triggers', json_build_array(t.evtname, t.evtevent, t.evtenabled, t.evttags, " FUNCTION(
        "t.evtfoid") "), NULL FROM pg_event_trigger t WHERE true" OWN("pg_event_trigger", "t.oid");

static const char statistics[] =
    "SELECT 'statistics', json_build_array(n.nspname, s.stxname, " RELATION("s.stxrelid") ", s.stxkind), "
    "json_build_array(pg_get_statisticsobjdef(s.oid)) FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = "
    "s.stxnamespace WHERE" USERS OWN("pg_statistic_ext", "s.oid");

static const char foreign_servers[] =
    "SELECT 'foreign_servers', json_build_array(s.srvname, w.fdwname), json_build_array(s.srvname, s.srvoptions, "
    "s.srvversion) FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw WHERE true" OWN(
        "pg_foreign_server", "s.oid");

/* Only a superuser sees and restores all of these: counted, and compared between two moments. */
static const char subscriptions[] =
    "SELECT 'subscriptions', json_build_array(s.subname), NULL FROM pg_subscription s WHERE s.subdbid = "
    "(SELECT d.oid FROM pg_database d WHERE d.datname = current_database())";

#define IDENTIFIED(class)                                                                                 \
    "SELECT i.type, i.identity FROM " class " o, pg_identify_object('" class "'::regclass, o.oid, 0) i " \
    "WHERE o.oid >= 16384" OWN(class, "o.oid")
#define AND_OF(class) " UNION ALL " IDENTIFIED(class)

#define OTHERS(objects) \
    "SELECT 'other_objects', json_build_array(o.type, o.identity), NULL FROM (" objects ") o WHERE o.identity !~ '^pg_'"

static const char operators[] = OTHERS(
    IDENTIFIED("pg_operator") AND_OF("pg_opclass") AND_OF("pg_opfamily") AND_OF("pg_collation")
    AND_OF("pg_conversion") AND_OF("pg_cast") AND_OF("pg_language"));

static const char others[] = OTHERS(
    IDENTIFIED("pg_transform") AND_OF("pg_ts_config") AND_OF("pg_ts_dict") AND_OF("pg_ts_parser")
    AND_OF("pg_ts_template") AND_OF("pg_am") AND_OF("pg_foreign_data_wrapper"));

const char *const pgsql_census_objects[] = {
    relations, indexes,    constraints,  triggers,       functions,  types,           sequences,     policies, rules,
    schemas,   extensions, publications, event_triggers, statistics, foreign_servers, subscriptions, operators, others,   NULL,
};

/* ---- rights ---------------------------------------------------------------------------------------------- */

/* A new database has `public`; a session that looks at one whose source has none says so. */
#define PUBLIC_TOO "(n.nspname <> 'public' OR coalesce(current_setting('backupd.public', true), '') <> 'no')"

/* What was granted beyond what an owner has by itself, and what was taken from that. A grantor may differ. */
#define ENTRIES(acl, sign, other)                                                                                \
    "(SELECT '" sign "'::text AS sign, a.grantee, a.privilege_type, a.is_grantable FROM aclexplode(o." acl ") a " \
    "EXCEPT SELECT '" sign "', a.grantee, a.privilege_type, a.is_grantable FROM aclexplode(o." other ") a)"

#define GRANTS_OF(objects) \
    "SELECT o.kind, json_build_array(o.kind, o.id, e.sign, CASE e.grantee WHEN 0 THEN NULL ELSE " \
    "pg_get_userbyid(e.grantee) END, e.privilege_type, e.is_grantable), NULL FROM (" \
    objects \
    ") o, LATERAL (" ENTRIES("acl", "+", "initial") " UNION ALL " ENTRIES("initial", "-", "acl") ") e"

static const char grants_first[] = GRANTS_OF(
    "SELECT CASE c.relkind WHEN 'S' THEN 'sequences' ELSE 'tables' END AS kind, json_build_array(n.nspname, "
    "c.relname) AS id, c.relacl AS acl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", "
    "c.relowner) AS initial FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', "
    "'p', 'v', 'm', 'f', 'S') AND c.relacl IS NOT NULL AND" USERS OWN("pg_class", "c.oid")
    " UNION ALL SELECT 'columns', json_build_array(n.nspname, c.relname, a.attname), a.attacl, NULL FROM "
    "pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
    "a.attacl IS NOT NULL AND NOT a.attisdropped AND" USERS OWN("pg_class", "c.oid")
    " UNION ALL SELECT 'schemas', json_build_array(n.nspname), n.nspacl, acldefault('n', n.nspowner) FROM "
    "pg_namespace n WHERE n.nspacl IS NOT NULL AND " PUBLIC_TOO " AND" USERS OWN("pg_namespace", "n.oid")
    " UNION ALL SELECT 'functions', json_build_array(n.nspname, p.proname, oidvectortypes(p.proargtypes)), p.proacl, "
    "acldefault('f', p.proowner) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proacl IS NOT "
    "NULL AND" USERS FREE_FUNCTION);

static const char grants_second[] = GRANTS_OF(
    "SELECT 'types' AS kind, json_build_array(n.nspname, t.typname) AS id, t.typacl AS acl, acldefault('T', "
    "t.typowner) AS initial FROM "
    "pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typacl IS NOT NULL AND" USERS OWN("pg_type",
                                                                                                    "t.oid") FREE_TYPE
    " UNION ALL SELECT 'languages', json_build_array(l.lanname), l.lanacl, acldefault('l', l.lanowner) FROM "
    "pg_language l WHERE l.lanacl IS NOT NULL AND l.oid >= 16384" OWN("pg_language", "l.oid")
    " UNION ALL SELECT 'foreign', json_build_array(w.fdwname), w.fdwacl, acldefault('F', w.fdwowner) FROM "
    "pg_foreign_data_wrapper w WHERE w.fdwacl IS NOT NULL" OWN("pg_foreign_data_wrapper", "w.oid")
    " UNION ALL SELECT 'foreign', json_build_array('', s.srvname), s.srvacl, acldefault('S', s.srvowner) FROM "
    "pg_foreign_server s WHERE s.srvacl IS NOT NULL" OWN("pg_foreign_server", "s.oid")
    " UNION ALL SELECT 'large_objects', json_build_array(m.oid), m.lomacl, acldefault('L', m.lomowner) FROM "
    "pg_largeobject_metadata m WHERE m.lomacl IS NOT NULL"
    " UNION ALL SELECT 'defaults', json_build_array(pg_get_userbyid(d.defaclrole), n.nspname, d.defaclobjtype), "
    "d.defaclacl, NULL FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace");

const char *const pgsql_census_grants[] = { grants_first, grants_second, NULL };

static const char owners[] =
    "SELECT 'owners', json_build_array(o.kind, o.id, pg_get_userbyid(o.owner)), NULL FROM ("
    "SELECT 'relation' AS kind, json_build_array(n.nspname, c.relname) AS id, c.relowner AS owner FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND" USERS OWN(
        "pg_class", "c.oid")
    " UNION ALL SELECT 'schema', json_build_array(n.nspname), n.nspowner FROM pg_namespace n WHERE " PUBLIC_TOO " AND" USERS OWN("pg_namespace", "n.oid")
    " UNION ALL SELECT 'function', json_build_array(n.nspname, p.proname, oidvectortypes(p.proargtypes)), p.proowner "
    "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE" USERS FREE_FUNCTION
    " UNION ALL SELECT 'type', json_build_array(n.nspname, t.typname), t.typowner FROM pg_type t JOIN pg_namespace n "
    "ON n.oid = t.typnamespace WHERE" USERS OWN("pg_type", "t.oid") FREE_TYPE ") o";

const char *const pgsql_census_owners[] = { owners, NULL };
