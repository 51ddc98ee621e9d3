/* The script of setup.h. Its readers decide with it about other people's backups: plain steps, in order. */
#include "backupd/storage/setup.h"
#include "common/base/str.h"
#include "common/repo/format.h"

#include "common/base/banned.h"

enum { SETUP_SHOWN = 16 };

#define KEYS_DIR "/etc/ssh/backup_keys"

/* Allow-lists: with a deny-list an open that truncates still empties a finished file. */
#define READ_LIST "open,close,read,lstat,stat,fstat,opendir,readdir,realpath,limits"
#define ADD_LIST "open,close,read,write,lstat,stat,fstat,opendir,readdir,realpath,fsync,statvfs,limits"

static const struct role_text {
    const char *who;
    const char *may;
    const char *command;
} role_texts[] = {
    [SETUP_ADMIN] = { "a person, by hand", "add charters and grants, read them", "-u 0222 -p " ADD_LIST },
    [SETUP_RETENTION] = { "the retention host", "read everything, add to its log, remove",
                          "-u 0222 -p " ADD_LIST ",remove" },
    [SETUP_READER] = { "restore stations, auditors", "read everything", "-R -p " READ_LIST },
    [SETUP_WRITER] = { "a backup host", "add files of its own writers, read those", "-u 0227 -p " ADD_LIST },
};

static const char tools[] =
    "set -eu\n"
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
    "LC_ALL=C\n"
    "export PATH LC_ALL\n"
    "umask 022\n"
    "\n"
    "say() { printf 'setup: %s\\n' \"$1\"; }\n"
    "die() {\n"
    "    printf 'setup: %s\\n' \"$1\" >&2\n"
    "    exit 1\n"
    "}\n"
    "[ \"$(id -u)\" -eq 0 ] || die 'run this as root, on the SFTP server'\n"
    "\n"
    "# group NAME\n"
    "group() {\n"
    "    if ! getent group \"$1\" >/dev/null; then\n"
    "        groupadd --system \"$1\"\n"
    "        say \"made the group $1\"\n"
    "    fi\n"
    "}\n"
    "\n"
    "# account NAME: no password, no shell. One that has a shell is somebody else's, and is left alone.\n"
    "account() {\n"
    "    if getent passwd \"$1\" >/dev/null; then\n"
    "        case $(getent passwd \"$1\" | cut -d: -f7) in\n"
    "        */nologin | */false) ;;\n"
    "        *) die \"the account $1 exists and has a shell: choose another --user\" ;;\n"
    "        esac\n"
    "        [ \"$(id -u \"$1\")\" -ne 0 ] || die \"the account $1 is root: choose another --user\"\n"
    "    else\n"
    "        useradd --system --user-group --no-log-init --no-create-home --home-dir / --shell /usr/sbin/nologin \\\n"
    "            --password '*' --comment 'storage of backups' \"$1\"\n"
    "        say \"made the account $1\"\n"
    "    fi\n"
    "}\n"
    "\n"
    "# member ACCOUNT GROUP\n"
    "member() {\n"
    "    id -nG \"$1\" | tr ' ' '\\n' | grep -qx \"$2\" || usermod --append --groups \"$2\" \"$1\"\n"
    "}\n"
    "\n"
    "# directory PATH OWNER GROUP MODE\n"
    "directory() {\n"
    "    [ ! -L \"$1\" ] || die \"$1 is a symbolic link\"\n"
    "    [ -d \"$1\" ] || mkdir \"$1\"\n"
    "    if [ \"$(stat -c '%U:%G %a' \"$1\")\" != \"$2:$3 $4\" ]; then\n"
    "        chown \"$2:$3\" \"$1\"\n"
    "        chmod \"$4\" \"$1\"\n"
    "        say \"$1: $2:$3, $4\"\n"
    "    fi\n"
    "}\n"
    "\n"
    "# files DIRECTORY OWNER GROUP MODE: those that are there already, from a set-up before this one\n"
    "files() {\n"
    "    find \"$1\" -type f ! \\( -user \"$2\" -group \"$3\" -perm \"$4\" \\) \\\n"
    "        -exec chown -h \"$2:$3\" '{}' + -exec chmod \"$4\" '{}' +\n"
    "}\n"
    "\n"
    "# put FILE: what comes in becomes the file, root's and readable, unless it is that already\n"
    "put() {\n"
    "    cat >\"$1.new\"\n"
    "    chown root:root \"$1.new\"\n"
    "    chmod 644 \"$1.new\"\n"
    "    if cmp -s \"$1.new\" \"$1\"; then\n"
    "        rm -f \"$1.new\"\n"
    "    else\n"
    "        mv -f \"$1.new\" \"$1\"\n"
    "        say \"wrote $1\"\n"
    "    fi\n"
    "}\n"
    "\n"
    "# sound DIRECTORY: sshd takes no chroot below one that somebody else than root may write to\n"
    "sound() {\n"
    "    case $(stat -L -c '%u %A' \"$1\") in\n"
    "    '0 d'????[!w]??[!w]?) ;;\n"
    "    *) die \"$1 must be root's, and nobody else may write to it: sshd wants that of a chroot\" ;;\n"
    "    esac\n"
    "}\n";

static const char parents[] = "mkdir -p \"${base%/*}/\"\n"
                              "above=$base\n"
                              "while above=${above%/*} && [ -n \"$above\" ]; do\n"
                              "    sound \"$above\"\n"
                              "done\n"
                              "sound /\n"
                              "\n"
                              "directory \"$base\" root root 750\n"
                              "directory \"$base/sftp\" root root 755\n"
                              "directory \"$repo\" root root 755\n"
                              "directory \"$repo/w\" root root 755\n";

static const char match_lines[] = "    AuthorizedKeysFile " KEYS_DIR "/%u\n"
                                  "    AuthorizedKeysCommand none\n"
                                  "    AuthorizedPrincipalsFile none\n"
                                  "    TrustedUserCAKeys none\n"
                                  "    AuthenticationMethods publickey\n"
                                  "    PasswordAuthentication no\n"
                                  "    KbdInteractiveAuthentication no\n"
                                  "    AllowTcpForwarding no\n"
                                  "    AllowStreamLocalForwarding no\n"
                                  "    AllowAgentForwarding no\n"
                                  "    X11Forwarding no\n"
                                  "    PermitTunnel no\n"
                                  "    PermitTTY no\n"
                                  "    PermitUserRC no\n";

static const char try_it[] =
    "if ! sshd -t; then\n"
    "    rm -f \"$conf\"\n"
    "    [ ! -e \"$conf.old\" ] || mv -f \"$conf.old\" \"$conf\"\n"
    "    die 'sshd does not accept its configuration (above); its own file is as it was before'\n"
    "fi\n"
    "rm -f \"$conf.old\"\n"
    "for account in $accounts; do\n"
    "    said=$(sshd -T -C \"user=$account,host=localhost,addr=127.0.0.1\")\n"
    "    for line in \"chrootdirectory $base/sftp\" \"authorizedkeysfile " KEYS_DIR "/%u\"; do\n"
    "        printf '%s\\n' \"$said\" | grep -qixF \"$line\" ||\n"
    "            die \"for $account sshd does not use '$line': is there 'Include /etc/ssh/sshd_config.d/*.conf' at \\\n"
    "the top of /etc/ssh/sshd_config, and no other Match block that says otherwise?\"\n"
    "    done\n"
    "    printf '%s\\n' \"$said\" | grep -q '^subsystem sftp' || die \"sshd_config has no 'Subsystem sftp' line\"\n"
    "    if printf '%s\\n' \"$said\" | grep -Eq '^(allow|deny)(users|groups) '; then\n"
    "        say \"look: sshd_config has AllowUsers, AllowGroups or the like; see that $account is let in\"\n"
    "    fi\n"
    "done\n"
    "say 'done. Next: systemctl reload ssh'\n";

static void head(const struct setup *s, struct buf *b, struct error *err)
{
    (void)buf_printf(
        b, err,
        "#!/bin/sh\n"
        "# Accounts and directories of the backup repository \"%s\" on an SFTP server with stock OpenSSH.\n"
        "# Printed by `backupd storage setup-script`, which ran nothing of it. Read it; then, as root on the server:\n"
        "#\n"
        "#     sh THIS-FILE\n"
        "#\n"
        "# It can be run again: what is right stays as it is, and nothing is removed. When writers or keys were added,\n"
        "# run a newer one.\n"
        "#\n",
        s->prefix);
    for (size_t i = 0; i < s->accounts.len; i++) {
        const struct setup_account *a = vec_at(&s->accounts, i);
        const struct role_text *t = &role_texts[a->role];
        (void)buf_printf(b, err, "#   %-*s  %-26s  may %s%s\n", SETUP_SHOWN, a->name, t->who, t->may,
                         a->keys.len == 0 ? " (no key given: nobody logs in)" : "");
    }
    (void)buf_printf(
        b, err,
        "#\n"
        "# Each is a uid of its own, shut into %s/sftp and to the SFTP requests on its line in\n"
        "# " KEYS_DIR
        ". Files are born read-only (-u), and no request that changes a file is on the lists (-p):\n"
        "# what is written once stays as it is. Only %s-ret can remove.\n",
        s->directory, s->prefix);
    for (size_t i = 0; i < s->accounts.len; i++) {
        const struct setup_account *a = vec_at(&s->accounts, i);
        if (a->role == SETUP_WRITER && a->ids.len == 0)
            (void)buf_printf(
                b, err,
                "#\n"
                "# The writers of %s are not known yet: `backupd init` makes them. Print this again then.\n",
                a->name);
    }
    (void)buf_printf(b, err, "%s", tools);
}

static void accounts(const struct setup *s, struct buf *b, struct error *err)
{
    (void)buf_printf(
        b, err,
        "\n# ---- accounts ---------------------------------------------------------------------------------\n"
        "\n"
        "# Members of %s-repo read what writers store; members of %s-sftp are what sshd_config is about.\n"
        "group %s-repo\n"
        "group %s-sftp\n",
        s->prefix, s->prefix, s->prefix, s->prefix);
    for (size_t i = 0; i < s->accounts.len; i++) {
        const struct setup_account *a = vec_at(&s->accounts, i);
        (void)buf_printf(b, err, "account %s\nmember %s %s-sftp\n", a->name, a->name, s->prefix);
        if (a->role == SETUP_RETENTION || a->role == SETUP_READER)
            (void)buf_printf(b, err, "member %s %s-repo\n", a->name, s->prefix);
    }
}

static void directories(const struct setup *s, struct buf *b, struct error *err)
{
    (void)buf_printf(
        b, err,
        "\n# ---- directories ------------------------------------------------------------------------------\n"
        "\n"
        "# Best a file system of its own, mounted with nosuid,noexec,nodev and with quotas: a stolen key can still\n"
        "# fill the disk. For example in /etc/fstab, and then a limit for each writer's account (2 TiB here):\n"
        "#     /dev/DISK  %s  ext4  nosuid,noexec,nodev,usrquota  0  2\n",
        s->directory);
    for (size_t i = 0; i < s->accounts.len; i++) {
        const struct setup_account *a = vec_at(&s->accounts, i);
        if (a->role == SETUP_WRITER)
            (void)buf_printf(b, err, "#     setquota -u %s 0 2147483648 0 0 %s\n", a->name, s->directory);
    }
    (void)buf_printf(b, err, "base=%s\nrepo=$base/sftp/repo\n%s", s->directory, parents);
    (void)buf_printf(b, err,
                     "directory \"$repo/charter\" %s-adm %s-adm 755\n"
                     "directory \"$repo/grant\" %s-adm %s-adm 755\n"
                     "directory \"$repo/ret\" %s-ret %s-ret 755\n"
                     "files \"$repo/charter\" %s-adm %s-adm 444\n"
                     "files \"$repo/grant\" %s-adm %s-adm 444\n"
                     "files \"$repo/ret\" %s-ret %s-ret 444\n",
                     s->prefix, s->prefix, s->prefix, s->prefix, s->prefix, s->prefix, s->prefix, s->prefix,
                     s->prefix, s->prefix, s->prefix, s->prefix);
    for (size_t i = 0; i < s->accounts.len; i++) {
        const struct setup_account *a = vec_at(&s->accounts, i);
        if (a->ids.len == 0)
            continue;
        (void)buf_printf(b, err,
                         "\n# The writers of %s. What is born in these directories gets the group %s-repo.\n",
                         a->name, s->prefix);
        (void)buf_printf(b, err, "for id in");
        for (size_t k = 0; k < a->ids.len; k++) {
            char hex[2 * WRITER_ID_LEN + 1];
            hex_encode(hex, vec_at(&a->ids, k), WRITER_ID_LEN);
            (void)buf_printf(b, err, " %s", hex);
        }
        (void)buf_printf(b, err,
                         "; do\n"
                         "    for part in '' /log /snap /pack; do\n"
                         "        directory \"$repo/w/$id$part\" %s %s-repo 2770\n"
                         "    done\n"
                         "    files \"$repo/w/$id\" %s %s-repo 440\n"
                         "done\n",
                         a->name, s->prefix, a->name, s->prefix);
    }
}

static void keys(const struct setup *s, struct buf *b, struct error *err)
{
    (void)buf_printf(
        b, err,
        "\n# ---- keys: root's, outside the chroot, so that no account can give itself more ---------------------\n"
        "\n"
        "directory " KEYS_DIR " root root 755\n");
    for (size_t i = 0; i < s->accounts.len; i++) {
        const struct setup_account *a = vec_at(&s->accounts, i);
        if (a->keys.len == 0)
            continue;
        (void)buf_printf(b, err, "put " KEYS_DIR "/%s <<'END'\n", a->name);
        for (size_t k = 0; k < a->keys.len; k++)
            (void)buf_printf(b, err, "restrict,command=\"internal-sftp %s\" %s\n",
                             role_texts[a->role].command, *(char **)vec_at(&a->keys, k));
        (void)buf_printf(b, err, "END\n");
    }
}

static void sshd(const struct setup *s, struct buf *b, struct error *err)
{
    (void)buf_printf(
        b, err,
        "\n# ---- sshd -------------------------------------------------------------------------------------\n"
        "\n"
        "conf=/etc/ssh/sshd_config.d/60-backup-%s.conf\n"
        "mkdir -p \"${conf%%/*}\"\n"
        "[ ! -e \"$conf\" ] || cp -p \"$conf\" \"$conf.old\"\n"
        "put \"$conf\" <<'END'\n"
        "# Written by a script of `backupd storage setup-script`.\n"
        "Match Group %s-sftp\n"
        "    ChrootDirectory %s/sftp\n"
        "%s"
        "END\n"
        "accounts='",
        s->prefix, s->prefix, s->directory, match_lines);
    for (size_t i = 0; i < s->accounts.len; i++)
        (void)buf_printf(b, err, "%s%s", i > 0 ? " " : "",
                         ((struct setup_account *)vec_at(&s->accounts, i))->name);
    (void)buf_printf(b, err, "'\n%s", try_it);
}

/* A failed append leaves its reason in `why`, and the end is then missing: never a script that only looks whole. */
int setup_script(const struct setup *s, struct buf *out, struct error *err)
{
    struct error why = ERROR_INIT;
    head(s, out, &why);
    accounts(s, out, &why);
    directories(s, out, &why);
    keys(s, out, &why);
    sshd(s, out, &why);
    return why.code < 0 ? error_copy(err, &why) : 0;
}
