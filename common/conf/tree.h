/*
 * tree.h - one YAML file as a tree with places (inside this room).
 *
 * Built from libyaml's events and not by its loader, which resolves aliases and
 * forgets which tags were written. What this project's files may not hold
 * (see conf.h) is reported here; such a value becomes NODE_BAD, about which
 * nobody complains again.
 */
#ifndef COMMON_CONF_TREE_H
#define COMMON_CONF_TREE_H

#include "common/base/vec.h"
#include "common/conf/conf.h"

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST, NODE_BAD };

struct conf_node {
    enum node_kind kind;
    bool plain; /* a scalar without quotes */
    struct conf_place place;
    char *text; /* scalar; never NULL then, holds no NUL inside */
    struct vec
        items; /* of struct conf_node *; a map: key, value, key, value; keys are scalars without repetition */
};

/* UTF-8 without control characters; otherwise a problem with the place of the first bad byte, and false. */
bool conf_bytes_check(const char *text, size_t len, const char *file, struct conf_problems *problems);

/* 0 with *out NULL when the file is empty or could not be read as YAML (then a problem was added). A negative
 * return is a failure of this program. `file` must outlive the tree. */
int conf_tree_parse(const char *text, size_t len, const char *file, struct conf_problems *problems,
                    struct conf_node **out, struct error *err);
void conf_tree_free(struct conf_node *node);

static inline const struct conf_node *conf_node_at(const struct conf_node *node, size_t i)
{
    return *(struct conf_node *const *)vec_at(&node->items, i);
}

/* "a list", "a mapping", ... for messages. */
const char *conf_node_kind(const struct conf_node *node);

#endif
