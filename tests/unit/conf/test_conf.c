#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/conf/conf.h"
#include "common/conf/example.h"
#include "common/conf/setting.h"

#include "common/base/banned.h"

/* Every test runs in a directory of its own, so that messages name plain files. */
static char directory[64];

static void setup(void)
{
    (void)snprintf(directory, sizeof directory, "%s", "/tmp/test_conf.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(mkdir("conf.d", 0700), 0);
}

static void teardown(void)
{
    static const char *const names[] = { "a.yaml",        "conf.d/10.yaml", "conf.d/20.yaml",
                                         "conf.d/x.conf", "conf.d/.h.yaml", "conf.d" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)remove(names[i]);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

static void write_bytes(const char *name, const void *data, size_t len)
{
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static const char *const sqlite_allowed[] = { "path", "exclude", "busy_timeout", NULL };
static const char *const sqlite_required[] = { "path", NULL };
static const char *const engines[] = { "sqlite", "files", NULL };

static int engine_options(void *arg, const char *engine, const char *const **allowed,
                          const char *const **required, struct error *err)
{
    (void)arg;
    if (strcmp(engine, "sqlite") != 0)
        return error_set(err, E_USAGE, "no engine '%s'", engine);
    *allowed = sqlite_allowed;
    *required = sqlite_required;
    return 0;
}

static int check_option(void *arg, const char *engine, const char *key, const char *value, struct error *err)
{
    (void)arg;
    ck_assert_str_eq(engine, "sqlite");
    if (strcmp(key, "path") == 0 && value[0] != '/')
        return error_set(err, E_USAGE, "'%s' has to be absolute", value);
    return 0;
}

static bool may_nest(void *arg, const char *engine, const char *key)
{
    (void)arg;
    ck_assert_str_eq(engine, "sqlite");
    return strcmp(key, "busy_timeout") == 0;
}

static const struct conf_hooks hooks = { .engine_options = engine_options,
                                         .check_option = check_option,
                                         .may_nest = may_nest,
                                         .engines = engines,
                                         .need_jobs = true };

static struct conf *load_good(const char *text)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    write_file("a.yaml", text);
    struct conf *conf = conf_load("a.yaml", &hooks, &problems, &err);
    ck_assert_int_eq(conf_problems_format(&problems, &out, NULL), 0);
    ck_assert_msg(conf != NULL, "%s\n%.*s", err.text, (int)out.len, (const char *)out.data);
    ck_assert_uint_eq(problems.total, 0);
    conf_problems_free(&problems);
    buf_free(&out);
    return conf;
}

/* What is said about a.yaml (as it is), which must be wrong. */
static char *complaints(struct error *err)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct buf out = BUF_INIT;
    struct conf *conf = conf_load("a.yaml", &hooks, &problems, err);
    ck_assert_ptr_null(conf);
    ck_assert_int_eq(conf_problems_format(&problems, &out, NULL), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    conf_problems_free(&problems);
    return (char *)out.data;
}

static void expect_bytes(const void *data, size_t len, const char *expected)
{
    struct error err = ERROR_INIT;
    write_bytes("a.yaml", data, len);
    char *text = complaints(&err);
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(err.code, E_USAGE);
    free(text);
}

static void expect(const char *yaml, const char *expected)
{
    expect_bytes(yaml, strlen(yaml), expected);
}

#define LOCAL "repositories:\n  r: {storage: {type: local, path: /r}}\n" /* two lines */
#define JOB "jobs:\n  j: {engine: sqlite, path: /x}\n"                   /* two lines */

static const char full[] =
    "state: st\n"
    "repositories:\n"
    "  shop:\n"
    "    storage:\n"
    "      type: sftp\n"
    "      path: backups/shop\n"
    "      host: store.example.net\n"
    "      port: 2222\n"
    "      user: shop\n"
    "      key: id_ed25519\n"
    "      passphrase: {credential: ssh}\n"
    "      host_key: \"ssh-ed25519 AAAA\"\n"
    "      stall: 1m\n"
    "      deadline: 1h30m\n"
    "      connections: 4\n"
    "    keys: /k\n"
    "    kit: kit.key\n"
    "    kit_passphrase: {command: [/usr/bin/pass, show, a b]}\n"
    "  disk:\n"
    "    storage: {type: local, path: /srv/x}\n"
    "jobs:\n"
    "  shop-db:\n"
    "    repository: shop\n"
    "    engine: sqlite\n"
    "    compression: 19\n"
    "    dedup: no\n"
    "    path: /var/lib/shop.db\n"
    "    exclude: [0777, no, \"1e3\"]\n"
    "  other: {repository: disk, engine: sqlite, path: /y}\n"
    "tasks:\n"
    "  look: {do: verify, repository: shop, every: 14d, level: L1, schedule: daily, nice: 0}\n"
    "  try: {do: drill, repository: disk, selector: latest, kit: d.key, arguments: [--sample, 5%], "
    "depends_on: [other, look], schedule: weekly}\n"
    "daemon: {socket: run.sock, read_group: mon, nice: 10, ionice: idle, memory: 1GiB, stall: 1h}\n";

START_TEST(reads_every_setting)
{
    struct conf *c = load_good(full);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/st", directory);
    ck_assert_str_eq(c->state, path);
    ck_assert_str_eq(c->dir, directory);
    ck_assert_uint_eq(c->nrepositories, 2);
    const struct conf_repository *r = conf_find_repository(c, "shop", NULL);
    ck_assert_int_eq(r->storage.type, CONF_STORAGE_SFTP);
    ck_assert_str_eq(r->storage.path, "backups/shop");
    ck_assert_str_eq(r->storage.host, "store.example.net");
    ck_assert_str_eq(r->storage.user, "shop");
    ck_assert_uint_eq(r->storage.port, 2222);
    (void)snprintf(path, sizeof path, "%s/id_ed25519", directory);
    ck_assert_str_eq(r->storage.key, path);
    ck_assert(!r->storage.agent);
    ck_assert_int_eq(r->storage.passphrase.kind, CONF_SECRET_CREDENTIAL);
    ck_assert_str_eq(r->storage.passphrase.text, "ssh");
    ck_assert_str_eq(r->storage.host_key, "ssh-ed25519 AAAA");
    ck_assert_ptr_null(r->storage.known_hosts);
    ck_assert_uint_eq(r->storage.stall_ms, 60000);
    ck_assert_uint_eq(r->storage.deadline_ms, 5400000);
    ck_assert_uint_eq(r->storage.connections, 4);
    ck_assert_str_eq(r->keys, "/k");
    (void)snprintf(path, sizeof path, "%s/kit.key", directory);
    ck_assert_str_eq(r->kit, path);
    ck_assert_int_eq(r->kit_passphrase.kind, CONF_SECRET_COMMAND);
    ck_assert_uint_eq(r->kit_passphrase.argc, 3);
    ck_assert_str_eq(r->kit_passphrase.argv[2], "a b");
    ck_assert_ptr_null(r->kit_passphrase.argv[3]);
    ck_assert_str_eq(r->place.file, "a.yaml");
    ck_assert_uint_eq(r->place.line, 3);
    const struct conf_job *j = conf_find_job(c, "shop-db", NULL);
    ck_assert_str_eq(j->repository, "shop");
    ck_assert_str_eq(j->engine, "sqlite");
    ck_assert_uint_eq(j->compression, 19);
    ck_assert(!j->dedup);
    ck_assert_uint_eq(j->noptions, 4);
    ck_assert_str_eq(conf_job_option(j, "path", 0), "/var/lib/shop.db");
    ck_assert_str_eq(conf_job_option(j, "exclude", 0), "0777");
    ck_assert_str_eq(conf_job_option(j, "exclude", 1), "no");
    ck_assert_str_eq(conf_job_option(j, "exclude", 2), "1e3");
    ck_assert_ptr_null(conf_job_option(j, "exclude", 3));
    ck_assert_uint_eq(j->options[1].place.line, 28);
    conf_free(c);
}
END_TEST

START_TEST(fills_in_defaults)
{
    char path[128];
    struct conf *c = load_good(LOCAL JOB);
    ck_assert_str_eq(c->state, "/var/lib/backupd");
    (void)snprintf(path, sizeof path, "%s/keys/r", directory);
    ck_assert_str_eq(c->repositories[0].keys, path);
    ck_assert_ptr_null(c->repositories[0].kit);
    ck_assert_int_eq(c->repositories[0].kit_passphrase.kind, CONF_SECRET_NONE);
    ck_assert_uint_eq(c->repositories[0].storage.connections, 2);
    ck_assert_uint_eq(c->repositories[0].storage.stall_ms, 30000);
    ck_assert_str_eq(c->jobs[0].repository, "r");
    ck_assert_uint_eq(c->jobs[0].compression, 3);
    ck_assert_uint_eq(c->jobs[0].retries, 2);
    ck_assert_uint_eq(c->jobs[0].retry_pause_ms, 5000);
    ck_assert(c->jobs[0].dedup);
    ck_assert_ptr_eq(conf_find_repository(c, NULL, NULL), &c->repositories[0]);
    ck_assert_ptr_eq(conf_find_job(c, NULL, NULL), &c->jobs[0]);
    conf_free(c);
}
END_TEST

START_TEST(jobs_may_be_optional)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    write_file("a.yaml", LOCAL);
    struct conf *c = conf_load("a.yaml", NULL, &problems, NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(c->njobs, 0);
    conf_free(c);
    conf_problems_free(&problems);
}
END_TEST

START_TEST(lists_of_lists)
{
    static const char *const want[] = { "a b", "c", NULL, "d", NULL, "e", "f" };
    struct conf *c = load_good(LOCAL "jobs:\n  j:\n    engine: sqlite\n    path: /x\n"
                                     "    busy_timeout: [[a b, c], [d], [e, f]]\n");
    const struct conf_job *j = conf_find_job(c, "j", NULL);
    ck_assert_uint_eq(j->noptions, 8);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_str_eq(j->options[i + 1].key, "busy_timeout");
        if (want[i] == NULL)
            ck_assert_ptr_null(j->options[i + 1].value);
        else
            ck_assert_str_eq(j->options[i + 1].value, want[i]);
    }
    conf_free(c);
    expect(
        LOCAL "jobs:\n  j: {engine: sqlite, path: /x, busy_timeout: [[a], b, []]}\n",
        "a.yaml:4:53: jobs.j.busy_timeout: of a list of lists, every item has to be a list [PROGRAM, ARG, ...]\n"
        "a.yaml:4:56: jobs.j.busy_timeout: of a list of lists, every item has to be a list [PROGRAM, ARG, ...]\n");
    expect(LOCAL "jobs:\n  j: {engine: sqlite, path: /x, busy_timeout: [[[a]]]}\n",
           "a.yaml:4:49: jobs.j.busy_timeout: expected a single value, found a list\n");
    expect(LOCAL "jobs:\n  j: {engine: sqlite, path: /x, exclude: [[a]]}\n",
           "a.yaml:4:43: jobs.j.exclude: expected a single value, found a list\n");
}
END_TEST

START_TEST(missing_file_says_what_to_do)
{
    struct error err = ERROR_INIT;
    free(complaints(&err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
    ck_assert_str_eq(err.text, "there is no configuration a.yaml: write one with `backupd init`");
}
END_TEST

START_TEST(too_large_a_file)
{
    size_t len = CONF_FILE_MAX + 1;
    struct error err = ERROR_INIT;
    char *text = mem_alloc(len, 1, NULL);
    ck_assert_ptr_nonnull(text);
    memset(text, '#', len);
    write_bytes("a.yaml", text, len);
    free(text);
    free(complaints(&err));
    ck_assert_str_eq(err.text, "a.yaml is larger than 1048576 bytes");
}
END_TEST

/* One mistake each, with its exact place. */
static const struct {
    const char *yaml;
    const char *expected;
} mistakes[] = {
    { "", "a.yaml: no repositories: say where backups go (repositories: ...)\n" },
    { LOCAL, "a.yaml: no jobs: say what is backed up (jobs: ...)\n" },
    { "- a\n", "a.yaml:1:1: the file: expected settings (name: value), found a list\n" },
    { LOCAL JOB "stat: /x\n", "a.yaml:5:1: unknown setting 'stat', did you mean 'state'?\n" },
    { LOCAL JOB "state:\n", "a.yaml:5:7: state has no value\n" },
    { LOCAL JOB "state: ~/x\n", "a.yaml:5:8: state: '~' is not expanded: write the whole path\n" },
    { LOCAL JOB "state: [/x]\n", "a.yaml:5:8: state: expected a single value, found a list\n" },
    { LOCAL JOB "state: ''\n", "a.yaml:5:8: state is empty\n" },
    { LOCAL JOB "state: /a\nstate: /b\n", "a.yaml:6:1: 'state' is given twice, first at line 5\n" },
    { LOCAL "jobs: [a]\n", "a.yaml:3:7: jobs: expected names with settings below them, found a list\n" },
    { LOCAL "jobs:\n", "a.yaml:3:6: jobs: expected names with settings below them, found nothing\n" },
    { LOCAL JOB "  k:\n", "a.yaml:5:5: jobs.k has no settings\n" },
    { LOCAL JOB "  K: {engine: sqlite, path: /x}\n",
      "a.yaml:5:3: 'K' is no good name of a job: use 1 to 64 of a-z 0-9 . _ -, a letter or digit first\n" },
    { "repositories:\n  ..: {storage: {type: local, path: /r}}\n" JOB,
      "a.yaml:2:3: '..' is no good name of a repository: use 1 to 64 of a-z 0-9 . _ -, "
      "a letter or digit first\n" },
    { "repositories:\n  r: {kit: x}\n" JOB, "a.yaml:2:6: repositories.r: 'storage' is missing\n" },
    { "repositories:\n  r: {storage: {type: lokal, path: /r}}\n" JOB,
      "a.yaml:2:23: repositories.r.storage.type: 'lokal' is none of: local, sftp, did you mean 'local'?\n" },
    { "repositories:\n  r: {storage: {type: local}}\n" JOB,
      "a.yaml:2:16: repositories.r.storage: 'path' is missing\n" },
    { "repositories:\n  r: {storage: {type: local, path: r}}\n" JOB,
      "a.yaml:2:36: repositories.r.storage.path: 'r' has to be absolute (start with '/')\n" },
    { "repositories:\n  r: {storage: {type: local, path: /r, host: h}}\n" JOB,
      "a.yaml:2:40: repositories.r.storage: 'host' has no meaning with type local\n" },
    { "repositories:\n  r: {storage: {type: sftp, path: r, agent: true}}\n" JOB,
      "a.yaml:2:16: repositories.r.storage: 'host' is missing\n"
      "a.yaml:2:16: repositories.r.storage: 'user' is missing\n" },
};

START_TEST(one_mistake)
{
    expect(mistakes[_i].yaml, mistakes[_i].expected);
}
END_TEST

/* Line 2 is `r: {storage: {type: sftp, path: p, host: h, user: u, ` and what follows. */
#define SFTP(more) "repositories:\n r: {storage: {type: sftp, path: p, host: h, user: u,\n  " more "}}\n" JOB
static const struct {
    const char *yaml;
    const char *expected;
} sftp_mistakes[] = {
    { SFTP("port: 22"),
      "a.yaml:2:15: repositories.r.storage: 'key' is missing (a private key file; or 'agent: true')\n" },
    { SFTP("key: k, agent: true"),
      "a.yaml:3:11: repositories.r.storage: either 'key' or 'agent: true', not both\n" },
    { SFTP("agent: false"),
      "a.yaml:3:3: repositories.r.storage: with 'agent: false' a private key file 'key' is needed\n" },
    { SFTP("agent: maybe"),
      "a.yaml:3:10: repositories.r.storage.agent: 'maybe' is neither true nor false\n" },
    { SFTP("key: k, port: 0"),
      "a.yaml:3:17: repositories.r.storage.port: '0' is out of bounds (whole number, 1 to 65535)\n" },
    { SFTP("key: k, port: 0777"),
      "a.yaml:3:17: repositories.r.storage.port: '0777' is not a whole number (no leading zeros)\n" },
    { SFTP("key: k, port: 1e3"), "a.yaml:3:17: repositories.r.storage.port: '1e3' is not a whole number\n" },
    { SFTP("key: k, stall: 12:30"),
      "a.yaml:3:18: repositories.r.storage.stall: '12:30' is not a duration (like 90s, "
      "15m, 6h, 7d, 4w or 1y)\n" },
    { SFTP("key: k, stall: 2h"),
      "a.yaml:3:18: repositories.r.storage.stall: '2h' is out of bounds (duration, 1s to 1h)\n" },
    { SFTP("key: k, stall: 1m, deadline: 10s"),
      "a.yaml:3:32: repositories.r.storage.deadline is shorter than stall\n" },
    { SFTP("key: k, connections: 9"),
      "a.yaml:3:24: repositories.r.storage.connections: '9' is out of bounds (whole number, 1 to 8)\n" },
    { SFTP("key: k, conections: 2"),
      "a.yaml:3:11: unknown setting 'conections' in repositories.r.storage, did you mean 'connections'?\n" },
    { SFTP("key: k, host_key: AAAA"),
      "a.yaml:3:21: repositories.r.storage.host_key: expected \"TYPE KEY\" like \"ssh-ed25519 AAAA...\"\n" },
    { SFTP("agent: yes, passphrase: {file: x}"),
      "a.yaml:3:15: repositories.r.storage: 'passphrase' has no meaning without 'key'\n" },
    { SFTP("key: k, passphrase: {fiel: x}"),
      "a.yaml:3:24: repositories.r.storage.passphrase: 'fiel' is no form of a secret: a secret is never "
      "written here, only where it is: {file: PATH}, {credential: NAME} or {command: [PROGRAM, "
      "ARG, ...]}\n" },
    { SFTP("key: k, passphrase: geheim"), "a.yaml:3:23: repositories.r.storage.passphrase: a secret is never "
                                          "written here, only where it is: {file: PATH}, "
                                          "{credential: NAME} or {command: [PROGRAM, ARG, ...]}\n" },
    { SFTP("key: k, passphrase: {credential: ../x}"),
      "a.yaml:3:36: repositories.r.storage.passphrase: a credential is a plain name without '/'\n" },
    { SFTP("key: k, passphrase: {command: cat x}"),
      "a.yaml:3:33: repositories.r.storage.passphrase: command has to be a list [PROGRAM, ARG, "
      "...]; it is run without a shell\n" },
    { SFTP("key: k, passphrase: {command: [cat, x]}"),
      "a.yaml:3:34: repositories.r.storage.passphrase: the program of "
      "command needs its whole path, like /usr/bin/cat\n" },
};

START_TEST(sftp_mistake)
{
    expect(sftp_mistakes[_i].yaml, sftp_mistakes[_i].expected);
}
END_TEST

#define TWO \
    "repositories:\n  shop: {storage: {type: local, path: /r}}\n  disk: {storage: {type: local, path: /d}}\n"
static const struct {
    const char *yaml;
    const char *expected;
} job_mistakes[] = {
    { LOCAL "jobs:\n  j: {path: /x}\n", "a.yaml:4:6: jobs.j: 'engine' is missing\n" },
    { LOCAL "jobs:\n  j: {engine: sqlit}\n",
      "a.yaml:4:15: jobs.j.engine: no engine 'sqlit', did you mean 'sqlite'?\n" },
    { LOCAL "jobs:\n  j: {engine: sqlite}\n", "a.yaml:4:6: jobs.j: engine sqlite needs 'path'\n" },
    { LOCAL "jobs:\n  j: {engine: sqlite, path: x}\n", "a.yaml:4:29: jobs.j.path: 'x' has to be absolute\n" },
    { LOCAL "jobs:\n  j: {engine: sqlite, path: {a: b}}\n",
      "a.yaml:4:29: jobs.j.path: expected a single value, found a mapping\n" },
    { LOCAL "jobs:\n  j: {engine: sqlite, path: /x, exclude: [a, [b]]}\n",
      "a.yaml:4:46: jobs.j.exclude: expected a single value, found a list\n" },
    { LOCAL "jobs:\n  j: {engine: sqlite, path: /x, exclud: a}\n",
      "a.yaml:4:33: engine sqlite has no option 'exclud', did you mean 'exclude'?\n" },
    { LOCAL "jobs:\n  j: {engine: sqlite, path: /x, compresion: 3}\n",
      "a.yaml:4:33: engine sqlite has no option 'compresion', did you mean 'compression'?\n" },
    { LOCAL "jobs:\n  j: {engine: sqlite, path: /x, zzzzzzzz: 3}\n",
      "a.yaml:4:33: engine sqlite has no option 'zzzzzzzz'; it has path, exclude, busy_timeout\n" },
    { LOCAL "jobs:\n  j: {engine: sqlite, path: /x, compression: 20}\n",
      "a.yaml:4:46: jobs.j.compression: '20' is out of bounds (whole number, 1 to 19)\n" },
    { TWO "jobs:\n  j: {engine: sqlite, path: /x}\n",
      "a.yaml:5:3: jobs.j: 'repository' is missing, and there is more than one to choose from\n" },
    { TWO "jobs:\n  j: {engine: sqlite, path: /x, repository: shpo}\n",
      "a.yaml:5:45: jobs.j.repository: there is no repository 'shpo', did you mean 'shop'?\n" },
    { TWO "jobs:\n  j: {engine: sqlite, path: /x, repository: [shop]}\n",
      "a.yaml:5:45: jobs.j.repository: expected a single value, found a list\n" },
};

START_TEST(job_mistake)
{
    expect(job_mistakes[_i].yaml, job_mistakes[_i].expected);
}
END_TEST

static const struct {
    const char *yaml;
    const char *expected;
} traps[] = {
    { LOCAL JOB "state: &x /a\n",
      "a.yaml:5:8: anchors (&x) are not supported: write the value where it is needed\n" },
    { LOCAL JOB "state: *x\n", "a.yaml:5:8: aliases (*x) are not supported: write the value out\n" },
    { LOCAL JOB "state: !!str /a\n",
      "a.yaml:5:8: tags (tag:yaml.org,2002:str) are not supported: leave it out\n" },
    { LOCAL JOB "state: !x /a\n", "a.yaml:5:8: tags (!x) are not supported: leave it out\n" },
    { LOCAL JOB "<<: {state: /a}\n",
      "a.yaml:5:1: merge keys (<<) are not supported: write the settings out\n" },
    { LOCAL JOB "? [a]\n: b\n", "a.yaml:5:3: a key has to be a word, found a list\n" },
    { LOCAL JOB "---\nstate: /a\n", "a.yaml:5:1: a second document (---) is not supported\n" },
    { LOCAL JOB "state: \"/a\\0b\"\n", "a.yaml:5:8: a NUL character (\\\\0) is not allowed\n" },
    { LOCAL JOB "state: [\n",
      "a.yaml:6:1: not valid YAML: did not find expected node content (while parsing a flow "
      "node at line 6)\n" },
    { LOCAL JOB "state: [[[[[[[[[a]]]]]]]]]\n", "a.yaml:5:15: nested more than 8 levels deep\n" },
    { LOCAL JOB "state: \"\xc3\xa4\xff\"\n",
      "a.yaml:5:10: byte 0xff is not UTF-8: save the file as UTF-8\n" },
    { LOCAL JOB "state: \x1b[2J\n", "a.yaml:5:8: control character 0x1b is not allowed\n" },
    { "\xff\xfe", "a.yaml:1:1: byte 0xff is not UTF-8: save the file as UTF-8\n" },
};

START_TEST(trap)
{
    const char *expected = traps[_i].expected;
    /* the text holds one backslash; written with two above so that it looks like the message */
    char text[512];
    size_t n = 0;
    for (const char *p = expected; *p != '\0' && n + 1 < sizeof text; p++)
        if (!(p[0] == '\\' && p[1] == '\\'))
            text[n++] = *p;
    text[n] = '\0';
    expect(traps[_i].yaml, text);
}
END_TEST

START_TEST(nul_bytes)
{
    expect_bytes("state: /a\0b\n", 12, "a.yaml:1:10: control character 0x00 is not allowed\n");
}
END_TEST

START_TEST(too_many_entries)
{
    struct buf b = BUF_INIT;
    char expected[64];
    for (int i = 0; i < CONF_ENTRIES_MAX + 1; i++)
        ck_assert_int_eq(buf_printf(&b, NULL, "k%d: v\n", i), 0);
    (void)snprintf(expected, sizeof expected, "a.yaml:%d:1: more than %d entries\n", CONF_ENTRIES_MAX + 1,
                   CONF_ENTRIES_MAX);
    expect_bytes(b.data, b.len, expected);
    buf_free(&b);
}
END_TEST

START_TEST(all_in_one_run)
{
    struct error err = ERROR_INIT;
    write_file("a.yaml", "stat: /x\n"
                         "repositories:\n"
                         "  r: {storage: {type: local, path: r, prot: 1}}\n"
                         "jobs:\n"
                         "  a: {engine: sqlit}\n"
                         "  b: {engine: sqlite, path: /b, repository: q}\n");
    char *text = complaints(&err);
    ck_assert_str_eq(text,
                     "a.yaml:1:1: unknown setting 'stat', did you mean 'state'?\n"
                     "a.yaml:3:36: repositories.r.storage.path: 'r' has to be absolute (start with '/')\n"
                     "a.yaml:3:39: unknown setting 'prot' in repositories.r.storage, did you mean 'port'?\n"
                     "a.yaml:5:15: jobs.a.engine: no engine 'sqlit', did you mean 'sqlite'?\n"
                     "a.yaml:6:45: jobs.b.repository: there is no repository 'q'\n");
    ck_assert_str_eq(err.text, "5 problems in a.yaml");
    free(text);
}
END_TEST

START_TEST(problems_are_capped)
{
    struct buf b = BUF_INIT;
    struct error err = ERROR_INIT;
    for (int i = 0; i < CONF_PROBLEMS_MAX + 7; i++)
        ck_assert_int_eq(buf_printf(&b, NULL, "k%d: v\n", i), 0);
    write_bytes("a.yaml", b.data, b.len);
    buf_free(&b);
    char *text = complaints(&err);
    ck_assert(str_ends(text, "(and 7 more)\n"));
    ck_assert_str_eq(err.text, "107 problems in a.yaml");
    free(text);
}
END_TEST

START_TEST(drop_ins_are_merged)
{
    write_file("conf.d/20.yaml", "jobs:\n  second: {engine: sqlite, path: /2}\n");
    write_file("conf.d/10.yaml", "state: rel\njobs:\n  first: {engine: sqlite, path: /1}\n");
    write_file("conf.d/x.conf", "not: read\n");
    write_file("conf.d/.h.yaml", "not: read\n");
    struct conf *c = load_good(LOCAL JOB);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/rel", directory); /* not below conf.d */
    ck_assert_str_eq(c->state, path);
    ck_assert_uint_eq(c->njobs, 3);
    ck_assert_str_eq(c->jobs[0].name, "j");
    ck_assert_str_eq(c->jobs[1].name, "first");
    ck_assert_str_eq(c->jobs[2].name, "second");
    ck_assert_str_eq(c->jobs[2].place.file, "conf.d/20.yaml");
    conf_free(c);
}
END_TEST

START_TEST(a_drop_in_may_hold_everything)
{
    write_file("conf.d/10.yaml", LOCAL JOB);
    write_file("conf.d/20.yaml", "# nothing\n");
    struct conf *c = load_good("# see conf.d\n");
    ck_assert_uint_eq(c->njobs, 1);
    conf_free(c);
}
END_TEST

START_TEST(names_twice_in_two_files)
{
    write_file("conf.d/10.yaml", "state: /b\n" LOCAL JOB);
    ck_assert_int_eq(symlink("nowhere", "conf.d/20.yaml"), 0);
    expect("state: /a\n" LOCAL JOB, "conf.d/10.yaml:1:1: 'state' is also at a.yaml:1\n"
                                    "conf.d/10.yaml:3:3: repository 'r' is also at a.yaml:3\n"
                                    "conf.d/10.yaml:5:3: job 'j' is also at a.yaml:5\n"
                                    "conf.d/20.yaml: open conf.d/20.yaml: No such file or directory\n");
}
END_TEST

START_TEST(finds_by_name)
{
    struct error err = ERROR_INIT;
    char expected[256];
    struct conf *c = load_good(full);
    ck_assert_ptr_null(conf_find_job(c, "shopdb", &err));
    (void)snprintf(expected, sizeof expected,
                   "there is no job 'shopdb' in %s/a.yaml, did you mean 'shop-db'?", directory);
    ck_assert_str_eq(err.text, expected);
    ck_assert_int_eq(err.code, E_USAGE);
    ck_assert_ptr_null(conf_find_repository(c, "zzzzz", &err));
    (void)snprintf(expected, sizeof expected, "there is no repository 'zzzzz' in %s/a.yaml", directory);
    ck_assert_str_eq(err.text, expected);
    ck_assert_ptr_null(conf_find_repository(c, NULL, &err));
    ck_assert_int_eq(err.code, E_USAGE);
    conf_free(c);
}
END_TEST

START_TEST(example_can_be_loaded)
{
    static const char *const argv[] = { "/usr/bin/pass", "a \"b\"", NULL };
    static const struct conf_option options[] = {
        { .key = "path", .value = "/var/lib/a b.db" },
        { .key = "exclude", .value = "no" },
        { .key = "exclude", .value = "#x: *y\n" },
    };
    static const struct conf_example_job job = {
        .name = "j", .engine = "sqlite", .options = options, .noptions = 3
    };
    struct conf_example e = { .repository = "shop", .jobs = &job, .njobs = 1, .state = "/s", .kit = "k" };
    e.storage =
        (struct conf_storage){ .type = CONF_STORAGE_SFTP,
                               .path = "p",
                               .host = "h",
                               .user = "u",
                               .key = "k",
                               .host_key = "ssh-ed25519 AAAA",
                               .stall_ms = 5000,
                               .port = 222,
                               .passphrase = { .kind = CONF_SECRET_COMMAND, .argv = argv, .argc = 2 } };
    struct buf out = BUF_INIT;
    ck_assert_int_eq(conf_write_example(&e, &out, NULL), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    struct conf *c = load_good((const char *)out.data);
    ck_assert_str_eq(conf_job_option(&c->jobs[0], "exclude", 1), "#x: *y\n");
    ck_assert_str_eq(c->repositories[0].storage.passphrase.argv[1], "a \"b\"");
    ck_assert_uint_eq(c->repositories[0].storage.stall_ms, 5000);
    ck_assert_uint_eq(c->repositories[0].storage.port, 222);
    conf_free(c);
    e.repository = "Shop";
    ck_assert_int_eq(conf_write_example(&e, &out, NULL), E_USAGE);
    buf_free(&out);
}
END_TEST

static int see_setting(const struct conf_setting *s, void *arg)
{
    struct buf type = BUF_INIT;
    char item[128];
    ck_assert_ptr_nonnull(s->help);
    ck_assert_int_eq(conf_type_format(s, &type, NULL), 0);
    ck_assert_uint_gt(type.len, 0);
    (void)snprintf(item, sizeof item, ".It Ic %s :", s->name);
    ck_assert_msg(strstr(arg, item) != NULL, "%s is not in the manual", s->name);
    buf_free(&type);
    return 0;
}

START_TEST(manual_holds_every_setting)
{
    struct buf out = BUF_INIT;
    ck_assert_int_eq(conf_man("November 24, 2026", &out, NULL), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    ck_assert_int_eq(conf_describe(see_setting, out.data), 0);
    buf_free(&out);
}
END_TEST

START_TEST(tasks_and_limits)
{
    struct conf *c = load_good(full);
    char path[128];
    ck_assert_uint_eq(c->njobs, 2);
    ck_assert_uint_eq(c->ntasks, 2);
    const struct conf_job *look = &c->jobs[c->njobs];
    const struct conf_job *drill = &c->jobs[c->njobs + 1];
    ck_assert_str_eq(look->name, "look");
    ck_assert_int_eq(look->task, CONF_TASK_VERIFY);
    ck_assert_uint_eq(look->every_ms, UINT64_C(14) * 86400 * 1000);
    ck_assert_uint_eq(look->level, CONF_LEVEL_L1);
    ck_assert_int_eq(drill->task, CONF_TASK_DRILL);
    ck_assert_str_eq(drill->selector, "latest");
    ck_assert_str_eq(drill->arguments.names[1], "5%");
    (void)snprintf(path, sizeof path, "%s/d.key", directory);
    ck_assert_str_eq(drill->kit, path);
    (void)snprintf(path, sizeof path, "%s/run.sock", directory);
    ck_assert_str_eq(c->daemon.socket, path);
    /* A job's own limits, and where it has none the daemon's. */
    ck_assert_uint_eq(look->limits.nice, 0);
    ck_assert_uint_eq(drill->limits.nice, 10);
    ck_assert_uint_eq(look->limits.ionice, CONF_IONICE_IDLE);
    ck_assert_uint_eq(c->jobs[0].limits.memory, UINT64_C(1) << 30);
    ck_assert_uint_eq(c->jobs[0].limits.stall_ms, 3600 * 1000);
    ck_assert_uint_eq(c->jobs[0].limits.open_files, 0);
    ck_assert_ptr_eq(conf_find_scheduled(c, "try", NULL), drill);
    ck_assert_uint_gt(drill->schedule.when_at.column, drill->schedule.place.column);
    ck_assert_str_eq(drill->schedule.when_at.file, "a.yaml");
    ck_assert_ptr_null(conf_find_job(c, "try", NULL));
    conf_free(c);
    /* Tasks are enough. */
    c = load_good(LOCAL "tasks: {t: {do: expire}}\n");
    ck_assert_str_eq(c->jobs[0].repository, "r");
    ck_assert_uint_eq(c->jobs[0].limits.stall_ms, 30 * 60 * 1000);
    conf_free(c);
}
END_TEST

static const struct {
    const char *yaml;
    const char *expected;
} task_mistakes[] = {
    { LOCAL JOB "tasks: {t: {schedule: daily}}\n", "a.yaml:5:12: tasks.t: 'do' is missing\n" },
    { LOCAL JOB "tasks: {t: {do: backup}}\n",
      "a.yaml:5:17: tasks.t.do: 'backup' is none of: expire, verify, drill\n" },
    { LOCAL JOB "tasks: {j: {do: expire}}\n", "a.yaml:5:9: task 'j' is also at a.yaml:4\n" },
    { LOCAL JOB "tasks: {t: {do: expire, kit: k}}\n",
      "a.yaml:5:25: tasks.t: 'kit' has no meaning with do: expire\n" },
    { LOCAL JOB "tasks: {t: {do: verify, level: L1, kit: k}}\n",
      "a.yaml:5:12: tasks.t: L1 needs no kit: leave one of them out\n" },
    { LOCAL JOB "tasks: {t: {do: verify, repository: q}}\n",
      "a.yaml:5:37: tasks.t.repository: there is no repository 'q'\n" },
    { LOCAL JOB "tasks: {t: {do: verify, window: 1h}}\n",
      "a.yaml:5:25: tasks.t.window has no effect without a schedule\n" },
    { LOCAL JOB "tasks: {t: {do: expire, schedule: 0 0 30 2 *}}\n",
      "a.yaml:5:35: tasks.t: schedule '0 0 30 2 *': this never comes: February has no day 30\n" },
    { LOCAL JOB "tasks: {t: {do: verify, path: x}}\n", "a.yaml:5:25: unknown setting 'path' in tasks.t\n" },
    { LOCAL JOB "daemon: {memory: 1MiB}\n",
      "a.yaml:5:18: daemon.memory: '1MiB' is out of bounds (size, 64.0 MiB to 16.0 TiB)\n" },
    { LOCAL JOB "daemon: {read_group: mon}\n",
      "a.yaml:5:10: daemon.read_group: others do not reach the socket in the state directory: set daemon.socket, for example "
      "to /run/backupd/control.sock\n" },
};

START_TEST(task_mistake)
{
    expect(task_mistakes[_i].yaml, task_mistakes[_i].expected);
}
END_TEST

/* Whichever allocation fails: no crash, no leak, and an error instead of half a configuration. */
START_TEST(survives_without_memory)
{
    bool done = false;
    write_file("a.yaml", full);
    for (unsigned long n = 1; !done; n++) {
        struct conf_problems problems = CONF_PROBLEMS_INIT;
        struct error err = ERROR_INIT;
        ck_assert_uint_lt(n, 5000);
        mem_fail_after(n);
        struct conf *c = conf_load("a.yaml", &hooks, &problems, &err);
        mem_fail_after(0);
        done = c != NULL;
        if (!done)
            ck_assert_int_lt(err.code, 0);
        conf_free(c);
        conf_problems_free(&problems);
    }
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

int main(void)
{
    Suite *suite = suite_create("conf");
    TCase *tc = tcase_create("conf");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, reads_every_setting);
    tcase_add_test(tc, fills_in_defaults);
    tcase_add_test(tc, jobs_may_be_optional);
    tcase_add_test(tc, lists_of_lists);
    tcase_add_test(tc, missing_file_says_what_to_do);
    tcase_add_test(tc, too_large_a_file);
    tcase_add_loop_test(tc, one_mistake, 0, COUNT(mistakes));
    tcase_add_loop_test(tc, sftp_mistake, 0, COUNT(sftp_mistakes));
    tcase_add_loop_test(tc, job_mistake, 0, COUNT(job_mistakes));
    tcase_add_loop_test(tc, trap, 0, COUNT(traps));
    tcase_add_test(tc, nul_bytes);
    tcase_add_test(tc, too_many_entries);
    tcase_add_test(tc, all_in_one_run);
    tcase_add_test(tc, problems_are_capped);
    tcase_add_test(tc, drop_ins_are_merged);
    tcase_add_test(tc, a_drop_in_may_hold_everything);
    tcase_add_test(tc, names_twice_in_two_files);
    tcase_add_test(tc, finds_by_name);
    tcase_add_test(tc, example_can_be_loaded);
    tcase_add_test(tc, manual_holds_every_setting);
    tcase_add_test(tc, tasks_and_limits);
    tcase_add_loop_test(tc, task_mistake, 0, COUNT(task_mistakes));
    tcase_add_test(tc, survives_without_memory);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
