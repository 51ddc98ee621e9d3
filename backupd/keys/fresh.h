/*
 * fresh.h - what a new key file is protected with, as options say.
 *
 *     const struct cli_option o[] = { ..., FRESH_OPTIONS, CLI_OPTIONS_END };
 *     struct fresh f;
 *     rc = fresh_read(cli, "New passphrase for anna.key: ", &f, err);      // asks at most once, twice over
 *     rc = fresh_save(path, KEYFILE_MEMBER, block, &f, err);               // E_EXISTS: never overwrites
 *     fresh_free(&f);
 */
#ifndef BACKUPD_KEYS_FRESH_H
#define BACKUPD_KEYS_FRESH_H

#include "common/cli/cli.h"
#include "common/crypto/keyfile.h"
#include "common/repo/format.h"

#define FRESH_OPTIONS                                                                                  \
    { .name = "new-passphrase-file",                                                                   \
      .kind = CLI_FILE,                                                                                \
      .help = "Passphrase of the new file: the first line of this one. Default: it is asked for." },   \
        { .name = "no-new-passphrase",                                                                 \
          .kind = CLI_FLAG,                                                                            \
          .help = "Leave the new file without one: whoever has it can use it." },                      \
    {                                                                                                  \
        .name = "passphrase-memory", .kind = CLI_SIZE, .fallback = "1G", .min = 64 * (uint64_t)MIB,    \
        .max = 4096 * (uint64_t)MIB,                                                                   \
        .help = "Memory that trying one passphrase takes: at each use, and for each guess of a thief." \
    }

struct fresh {
    struct secret *passphrase; /* NULL: none */
    struct keyfile_kdf kdf;
};

/* E_USAGE: options that exclude each other, or nobody to ask. */
int fresh_read(const struct cli_context *cli, const char *question, struct fresh *out, struct error *err);
int fresh_save(const char *path, enum keyfile_role role, const struct secret *block, const struct fresh *f,
               struct error *err);
void fresh_free(struct fresh *f);

#endif
