#include "common/conf/tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/conf/problem.h"

#include "common/base/banned.h"

struct parse {
    yaml_parser_t yaml;
    yaml_event_t event;
    bool have_event;
    const char *file;
    struct conf_problems *problems;
    struct error *err;
};

/* What read_node and its helpers return besides 0 and negative codes: reported, stop reading this file. */
enum { STOP = 1 };

static struct conf_place place_of(const struct parse *p, yaml_mark_t mark)
{
    return (struct conf_place){ .file = p->file,
                                .line = (unsigned)mark.line + 1,
                                .column = (unsigned)mark.column + 1 };
}

static int syntax_problem(struct parse *p)
{
    const yaml_parser_t *y = &p->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        return error_set(p->err, E_NOMEM, "out of memory while reading %s", p->file);
    const char *what = y->problem != NULL ? y->problem : "cannot be read";
    if (y->context != NULL)
        conf_problem_add(p->problems, place_of(p, y->problem_mark), "not valid YAML: %s (%s at line %zu)",
                         what, y->context, y->context_mark.line + 1);
    else
        conf_problem_add(p->problems, place_of(p, y->problem_mark), "not valid YAML: %s", what);
    return STOP;
}

static int next_event(struct parse *p)
{
    if (p->have_event)
        yaml_event_delete(&p->event);
    p->have_event = yaml_parser_parse(&p->yaml, &p->event) == 1;
    return p->have_event ? 0 : syntax_problem(p);
}

static struct conf_node *node_new(struct parse *p, enum node_kind kind)
{
    struct conf_node *node = mem_alloc(1, sizeof *node, p->err);
    if (node == NULL)
        return NULL;
    node->kind = kind;
    node->place = place_of(p, p->event.start_mark);
    node->items = (struct vec)VEC_OF(struct conf_node *);
    return node;
}

void conf_tree_free(struct conf_node *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->items.len; i++)
        conf_tree_free(*(struct conf_node **)vec_at(&node->items, i));
    vec_free(&node->items);
    free(node->text);
    free(node);
}

/* A type comes from the table of settings, and a value is written where it is used. */
static void refuse_marks(struct parse *p, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct conf_place place = place_of(p, p->event.start_mark);
    if (anchor != NULL)
        conf_problem_add(p->problems, place,
                         "anchors (&%s) are not supported: write the value where it is needed",
                         (const char *)anchor);
    if (tag != NULL)
        conf_problem_add(p->problems, place, "tags (%s) are not supported: leave it out", (const char *)tag);
}

static int read_node(struct parse *p, unsigned depth, struct conf_node **out);

static int read_scalar(struct parse *p, struct conf_node **out)
{
    const char *text = (const char *)p->event.data.scalar.value;
    size_t len = p->event.data.scalar.length;
    refuse_marks(p, p->event.data.scalar.anchor, p->event.data.scalar.tag);
    struct conf_node *node = node_new(p, NODE_SCALAR);
    if (node == NULL)
        return E_NOMEM;
    *out = node;
    if (strlen(text) != len) {
        conf_problem_add(p->problems, node->place, "a NUL character (\\0) is not allowed");
        node->kind = NODE_BAD;
        return 0;
    }
    node->plain = p->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = str_dup_len(text, len, p->err);
    return node->text == NULL ? E_NOMEM : 0;
}

/* Reports a key that cannot stay; false then. */
static bool key_is_good(struct parse *p, const struct conf_node *map, const struct conf_node *key)
{
    if (key->kind == NODE_BAD)
        return false;
    if (key->kind != NODE_SCALAR) {
        conf_problem_add(p->problems, key->place, "a key has to be a word, found %s", conf_node_kind(key));
        return false;
    }
    if (key->plain && strcmp(key->text, "<<") == 0) {
        conf_problem_add(p->problems, key->place,
                         "merge keys (<<) are not supported: write the settings out");
        return false;
    }
    for (size_t i = 0; i < map->items.len; i += 2) {
        const struct conf_node *other = conf_node_at(map, i);
        if (strcmp(other->text, key->text) == 0) {
            conf_problem_add(p->problems, key->place, "'%s' is given twice, first at line %u", key->text,
                             other->place.line);
            return false;
        }
    }
    return true;
}

static int keep_item(struct parse *p, struct conf_node *parent, struct conf_node *item)
{
    struct conf_node **slot = vec_push(&parent->items, p->err);
    if (slot == NULL) {
        conf_tree_free(item);
        return E_NOMEM;
    }
    *slot = item;
    return 0;
}

static int read_entry(struct parse *p, struct conf_node *map, unsigned depth)
{
    struct conf_node *key = NULL;
    struct conf_node *value = NULL;
    int rc = read_node(p, depth, &key);
    if (rc == 0)
        rc = next_event(p);
    if (rc == 0)
        rc = read_node(p, depth, &value);
    if (rc != 0 || !key_is_good(p, map, key))
        goto out;
    rc = keep_item(p, map, key);
    key = NULL;
    if (rc == 0) {
        rc = keep_item(p, map, value);
        value = NULL;
    }
out:
    conf_tree_free(key);
    conf_tree_free(value);
    return rc;
}

static int read_collection(struct parse *p, unsigned depth, struct conf_node **out)
{
    bool map = p->event.type == YAML_MAPPING_START_EVENT;
    if (map)
        refuse_marks(p, p->event.data.mapping_start.anchor, p->event.data.mapping_start.tag);
    else
        refuse_marks(p, p->event.data.sequence_start.anchor, p->event.data.sequence_start.tag);
    struct conf_node *node = node_new(p, map ? NODE_MAP : NODE_LIST);
    if (node == NULL)
        return E_NOMEM;
    *out = node;
    if (depth >= CONF_DEPTH_MAX) {
        conf_problem_add(p->problems, node->place, "nested more than %d levels deep", CONF_DEPTH_MAX);
        return STOP;
    }
    int rc = next_event(p);
    for (size_t n = 0; rc == 0; n++) {
        if (p->event.type == YAML_MAPPING_END_EVENT || p->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        if (n >= CONF_ENTRIES_MAX) {
            conf_problem_add(p->problems, place_of(p, p->event.start_mark), "more than %d entries",
                             CONF_ENTRIES_MAX);
            return STOP;
        }
        if (map) {
            rc = read_entry(p, node, depth + 1);
        } else {
            struct conf_node *item = NULL;
            rc = read_node(p, depth + 1, &item);
            if (item != NULL && keep_item(p, node, item) < 0)
                rc = E_NOMEM;
        }
        if (rc == 0)
            rc = next_event(p);
    }
    return rc;
}

/* The node that the current event begins. *out may be set even on failure; it is the caller's. */
static int read_node(struct parse *p, unsigned depth, struct conf_node **out)
{
    switch (p->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(p, out);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return read_collection(p, depth, out);
    case YAML_ALIAS_EVENT:
        conf_problem_add(p->problems, place_of(p, p->event.start_mark),
                         "aliases (*%s) are not supported: write the value out",
                         (const char *)p->event.data.alias.anchor);
        *out = node_new(p, NODE_BAD);
        return *out == NULL ? E_NOMEM : 0;
    default:
        return error_set(p->err, E_INTERNAL, "unexpected YAML event %d", (int)p->event.type);
    }
}

static int read_document(struct parse *p, struct conf_node **out)
{
    int rc = next_event(p); /* the stream */
    if (rc == 0)
        rc = next_event(p);
    if (rc != 0 || p->event.type == YAML_STREAM_END_EVENT)
        return rc;
    rc = next_event(p);
    if (rc == 0)
        rc = read_node(p, 0, out);
    if (rc == 0)
        rc = next_event(p); /* the document's end */
    if (rc == 0)
        rc = next_event(p);
    if (rc == 0 && p->event.type != YAML_STREAM_END_EVENT) {
        conf_problem_add(p->problems, place_of(p, p->event.start_mark),
                         "a second document (---) is not supported");
        rc = STOP;
    }
    return rc;
}

int conf_tree_parse(const char *text, size_t len, const char *file, struct conf_problems *problems,
                    struct conf_node **out, struct error *err)
{
    struct parse p = { .file = file, .problems = problems, .err = err };
    *out = NULL;
    if (!conf_bytes_check(text, len, file, problems))
        return 0;
    if (yaml_parser_initialize(&p.yaml) != 1)
        return error_set(err, E_NOMEM, "out of memory while reading %s", file);
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)text, len);
    int rc = read_document(&p, out);
    if (p.have_event)
        yaml_event_delete(&p.event);
    yaml_parser_delete(&p.yaml);
    if (rc != 0) {
        conf_tree_free(*out);
        *out = NULL;
    }
    return rc < 0 ? rc : 0;
}

const char *conf_node_kind(const struct conf_node *node)
{
    switch (node->kind) {
    case NODE_MAP:
        return "a mapping";
    case NODE_LIST:
        return "a list";
    case NODE_SCALAR:
        return "a single value";
    case NODE_BAD:
        break;
    }
    return "nothing";
}
