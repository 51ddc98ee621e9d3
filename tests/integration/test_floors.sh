#!/bin/bash
# The check of the floors accepts this tree and catches every kind of violation in a small tree of its own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

floors=$REPO_ROOT/scripts/check-floors

# A tree that keeps to the rules.
fresh_tree() {
    rm -rf tree
    mkdir -p tree/common/{base,sys,stream,conf,cli,state,crypto,archive,backend,chunk,repo,engine/sqlite} \
        tree/backupd tree/restore/drill
    echo '#include <stdint.h>' >tree/common/base/error.h
    printf '#include <sodium.h>\n#include "common/base/error.h"\n#include "common/sys/fdio.h"\n' >tree/common/crypto/seal.c
    echo '#include <sqlite3.h>' >tree/common/engine/sqlite/pages.c
    echo '#include <sqlite3.h>' >tree/common/state/db.c
    echo '#include "common/repo/pack.h"' >tree/common/repo/pack.c
    printf '#include "common/repo/pack.h"\n#include "version.h"\n' >tree/backupd/main.c
    echo '#include "restore/drill/drill.h"' >tree/restore/drill/drill.c
}

# caught NAME FILE LINE FRAGMENT: adding the line to the file is reported with file:line and this part of the rule.
caught() {
    local name=$1 file=$2 line=$3 fragment=$4 status=0 out
    fresh_tree
    printf '/* first line */\n%s\n' "$line" >"tree/$file"
    out=$("$floors" tree 2>&1) || status=$?
    if [[ $status -eq 1 && $out == *"$file:2: "*"$fragment"* ]]; then
        pass "$name"
    else
        fail "$name" "status $status, output: $out"
    fi
}

check "this tree keeps to the floors" "$floors" "$REPO_ROOT"
fresh_tree
check "a tree that keeps to the rules passes" "$floors" tree

caught "base includes nothing above it" common/base/vec.c '#include "common/sys/fdio.h"' "only rooms on lower floors"
caught "rooms on the same floor stay apart" common/conf/load.c '#include "common/stream/stream.h"' "conf (floor 1)"
caught "an arrow upward" common/crypto/hash.c '#include "common/chunk/blob.h"' "crypto (floor 2) includes chunk (floor 3)"
caught "repo does not know engines" common/repo/session.c '#include "common/engine/engine.h"' "only rooms on lower floors"
caught "engines do not know the repository" common/engine/sqlite/pages.c '#include "common/repo/pack.h"' "lower floors"
caught "backupd does not include restore" backupd/cmd.c '#include "restore/drill/drill.h"' "backupd (floor 6)"
caught "restore does not include backupd" restore/main.c '#include "backupd/job.h"' "restore (floor 6)"
caught "the library does not include a program" common/cli/verbs.c '#include "backupd/job.h"' "only rooms"
caught "spaces do not hide an include" common/base/vec.c '  #  include  "common/sys/fdio.h"' "only rooms"
caught "paths start at the root" common/repo/log.c '#include "pack.h"' "no path from the root"
caught "paths do not climb" common/repo/log.c '#include "../base/error.h"' "no path from the root"
caught "headers of the project are quoted" common/repo/log.c '#include <common/base/error.h>' "with quotes"
caught "an unknown room is not floorless" backupd/cmd.c '#include "common/attic/box.h"' "stands on no floor"

caught "yaml.h" common/cli/verbs.c '#include <yaml.h>' "common/conf/"
caught "jansson.h" common/conf/load.c '#include <jansson.h>' "common/cli/"
caught "sodium.h" common/chunk/blob.c '#include <sodium.h>' "common/crypto/"
caught "one header of sodium" common/chunk/blob.c '#include <sodium/core.h>' "common/crypto/"
caught "archive_entry.h" common/repo/node.c '#include <archive_entry.h>' "common/archive/"
caught "libssh2_sftp.h" common/repo/node.c '#include <libssh2_sftp.h>' "common/backend/"
caught "zstd.h" common/repo/node.c '#include <zstd.h>' "common/chunk/"
caught "sqlite3.h" common/engine/files.c '#include <sqlite3.h>' "common/state/"
caught "xxhash.h" common/chunk/chunker.c '#include <xxhash.h>' "common/crypto/"
caught "libpq-fe.h" common/engine/dump.c '#include <libpq-fe.h>' "common/engine/postgres/"
caught "quotes do not hide a library" common/repo/node.c '#include "zstd.h"' "common/chunk/"

fresh_tree
mkdir tree/common/attic
echo 'int x;' >tree/common/attic/box.c
check_fails 1 "a room that is not listed is refused" "$floors" tree
finish
