/* storage setup-script: what the owner of an SFTP server runs; here it is only printed. */
#include <stdio.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/storage/setup.h"
#include "backupd/verbs.h"
#include "common/base/log.h"

#include "common/base/banned.h"

/* A configuration helps, since it knows where this host's writers are; a server's owner has none. */
static int repository(struct cli_context *cli, struct conf **conf, const struct conf_repository **out,
                      struct error *err)
{
    if (!cli->config_given && cli->nargs == 0 && access(cli->config, F_OK) < 0)
        return 0;
    *conf = host_configuration(cli, false, err);
    if (*conf == NULL)
        return err->code;
    *out = conf_find_repository(*conf, cli->nargs > 0 ? cli->args[0] : NULL, err);
    return *out != NULL ? 0 : E_USAGE;
}

int cmd_storage_setup(struct cli_context *cli, struct error *err)
{
    struct conf *conf = NULL;
    const struct conf_repository *r = NULL;
    struct setup setup = { .prefix = NULL, .accounts = VEC_OF(struct setup_account) };
    struct buf text = BUF_INIT;
    int rc = repository(cli, &conf, &r, err);
    if (rc == 0)
        rc = setup_read(cli, r, &setup, err);
    if (rc == 0)
        rc = setup_script(&setup, &text, err);
    if (rc == 0 && fwrite(text.data, 1, text.len, cli->out.file) != text.len)
        rc = error_sys(err, "print the script");
    if (rc == 0 && setup.waiting > 0)
        log_event(LOG_WARN,
                  "no writers are known here yet: their directories are missing in this script. Print it "
                  "again after `backupd init`, with its configuration");
    buf_free(&text);
    setup_free(&setup);
    conf_free(conf);
    return rc;
}
