#include "restore/swap.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/cli/json.h"

#include "common/base/banned.h"

enum { WORD_MAX = 4096 };

int beside_possible(const struct engine *engine, struct error *err)
{
    if ((engine->abilities & ENGINE_BESIDE) != 0)
        return 0;
    return error_set(
        err, E_UNSUPPORTED,
        "--beside is for databases that can change names, and those of the engine %s cannot: restore into a "
        "new, empty one%s",
        engine->name,
        engine->swap != NULL
            ? "; `restore swap` then prints the steps that put it into the place of the live "
              "one"
            : "");
}

/* ---- the steps ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word; /* for people */
    const char *name; /* for programs */
    enum out_style style;
} kinds[] = {
    [PLAN_CREATE] = { "goes live", "create", OUT_BOLD },
    [PLAN_OVERWRITE] = { "changed", "overwrite", OUT_WARN },
    [PLAN_DROP] = { "kept", "drop", OUT_BOLD },
    [PLAN_FITS] = { "fits", "fits", OUT_PLAIN },
    [PLAN_HANDLED] = { "handled", "handled", OUT_PLAIN },
    [PLAN_NOTE] = { "note", "note", OUT_PLAIN },
    [PLAN_MISSING] = { "in the way", "missing", OUT_BAD },
    [PLAN_CONNECTION] = { "connected", "connection", OUT_WARN },
};

static void on_step(enum engine_plan_kind kind, const char *what, const char *cure, void *arg)
{
    const struct cli_context *cli = arg;
    if (cli->json) {
        struct jsonout *o = jsonout_new("plan");
        jsonout_str(o, "kind", kinds[kind].name);
        jsonout_str(o, "what", what);
        jsonout_str(o, "cure", cure);
        (void)jsonout_emit(o, NULL); /* what was lost is told at the end */
    } else if (!cli->quiet || kind == PLAN_MISSING || kind == PLAN_CONNECTION) {
        out_line(&cli->out, kinds[kind].style, "%-11s %s%s%s", kinds[kind].word, what,
                 cure != NULL ? ": " : "", cure != NULL ? cure : "");
    }
}

/* ---- the way back ---------------------------------------------------------------------------------------------- */

static int add_word(struct buf *out, const char *option, const char *value, struct error *err)
{
    char word[WORD_MAX];
    return buf_printf(out, err, " --%s %s", option, str_shell_word(word, sizeof word, value));
}

char *swap_command(const struct cli_context *cli, const struct engine *engine, const char *made, bool undo,
                   struct error *err)
{
    struct buf out = BUF_INIT;
    int rc = buf_printf(&out, err, "restore swap");
    if (rc == 0)
        rc = add_word(&out, "to", cli_text(cli, "to"), err);
    if (rc == 0)
        rc = add_word(&out, "from", made, err);
    if (rc == 0 && cli_given(cli, "via"))
        rc = add_word(&out, "via", cli_text(cli, "via"), err);
    if (rc == 0)
        rc = add_word(&out, "engine", engine->name, err);
    if (rc == 0 && undo)
        rc = buf_printf(&out, err, " --undo");
    if (rc == 0)
        rc = buf_append(&out, "", 1, err);
    if (rc == 0)
        return (char *)out.data;
    buf_free(&out);
    return NULL;
}

static int report(const struct cli_context *cli, const struct engine *engine, const struct engine_swap *swap,
                  struct error *err)
{
    const char *kept = swap->kept->len > 0 ? (const char *)swap->kept->data : NULL;
    const char *drop = swap->drop->len > 0 ? (const char *)swap->drop->data : NULL;
    char *back = kept != NULL ? swap_command(cli, engine, kept, !swap->undo, err) : NULL;
    if (kept != NULL && back == NULL)
        return E_NOMEM;
    if (cli->json) {
        struct jsonout *o = jsonout_new("swap");
        jsonout_str(o, "engine", engine->name);
        jsonout_str(o, "live", swap->live);
        jsonout_bool(o, "swapped", !swap->look_only);
        jsonout_str(o, "kept", kept);
        jsonout_str(o, "undo", back);
        jsonout_str(o, "drop", drop);
        free(back);
        return jsonout_emit(o, err);
    }
    if (!cli->quiet && swap->look_only)
        out_line(&cli->out, OUT_PLAIN, "Nothing was changed.");
    if (!cli->quiet && !swap->look_only) {
        out_line(&cli->out, OUT_GOOD, "Swapped.%s%s", kept != NULL ? " What was live is kept as " : "",
                 kept != NULL ? kept : "");
        if (back != NULL)
            out_line(&cli->out, OUT_PLAIN, "To undo it:            %s", back);
        if (drop != NULL)
            out_line(&cli->out, OUT_PLAIN, "When it may be gone:   %s", drop);
    }
    free(back);
    return 0;
}

int swap_run(struct cli_context *cli, const struct engine *engine, const char *fresh, bool undo,
             bool look_only, struct error *err)
{
    struct buf kept = BUF_INIT;
    struct buf drop = BUF_INIT;
    struct engine_swap swap = { .live = cli_text(cli, "to"),
                                .fresh = fresh,
                                .via = cli_text(cli, "via"),
                                .undo = undo,
                                .terminate = cli_flag(cli, "terminate"),
                                .look_only = look_only,
                                .kept = &kept,
                                .drop = &drop };
    struct error why = ERROR_INIT;
    int rc = engine->swap != NULL
                 ? engine->swap(&swap, on_step, cli, &why)
                 : error_set(&why, E_UNSUPPORTED, "databases of the engine %s have no names to exchange",
                             engine->name);
    if (rc < 0 && why.name != NULL && strcmp(why.name, ENGINE_IN_USE) == 0)
        cli->exit_code = CLI_EXIT_IN_USE;
    if (rc == 0)
        rc = report(cli, engine, &swap, &why);
    buf_free(&kept);
    buf_free(&drop);
    return rc < 0 ? error_copy(err, &why) : 0;
}
