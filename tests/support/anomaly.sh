# shellcheck shell=bash
# Four sources that live, for the proofs of what is unusual: a shop in PostgreSQL, one in MariaDB, one in SQLite and a tree of
# files, and what a usual night does to them. Source it after lib.sh, shop.sh, postgres.sh, mariadb.sh and pg_gen_shop.sh.
#
#     life_start                  the servers: $PGSOCK, $DBSOCK
#     life_config FILE [LINE...]  jobs pg, my, lite and tree, a local repository; LINEs stand at the top
#     life_begin SIZE SEED        databases and tree; SIZE is that of the shops of gen-shop, about
#     life_night N                night N (0 is a Monday): growth, noise, Saturdays with less, Sundays with a batch
#     summary_of JOB FILE         the summary of one job in the JSON lines of a run

LITE=$TMP/lite
TREE=$TMP/tree

life_start() {
    "$REPO_ROOT/tests/fixture/postgres.sh" start "$PG" --set fsync=off --set autovacuum=off
    at_end "$REPO_ROOT/tests/fixture/postgres.sh" stop "$PG"
    PGSOCK=$(readlink "$PG/socket")
    "$REPO_ROOT/tests/fixture/mariadb.sh" start "$DB" --set innodb-flush-log-at-trx-commit=0 --set innodb-doublewrite=0
    at_end "$REPO_ROOT/tests/fixture/mariadb.sh" stop "$DB"
    DBSOCK=$(readlink "$DB/socket")/s
}

life_config() {
    local file=$1
    shift
    mkdir -p "$HOST" "$STORAGE"
    {
        printf 'state: %s/state\nrepositories:\n  main:\n    storage: { type: local, path: %s }\n' "$HOST" "$STORAGE"
        printf '    keys: %s/keys\n    kit: %s/restore-kit.key\n' "$HOST" "$SAFE"
        [[ $# -eq 0 ]] || printf '%s\n' "$@"
        printf 'jobs:\n'
        printf '  pg: { engine: postgres, repository: main, host: %s, user: postgres, database: shop }\n' "$PGSOCK"
        printf '  my: { engine: mariadb, repository: main, socket: %s, user: root, database: shop }\n' "$DBSOCK"
        printf '  lite: { engine: sqlite, repository: main, path: %s/shop.db }\n' "$LITE"
        printf '  tree: { engine: files, repository: main, path: %s }\n' "$TREE"
    } >"$file"
}

life_rand() { printf '%s\n' $(($1 + RANDOM % ($2 - $1 + 1))); } # LOW HIGH
lite() { sqlite3 "$LITE/shop.db" "$@"; }
life_tree() { /usr/bin/python3 "$REPO_ROOT/tests/support/anomaly_tree.py" "$TREE" "$@"; }

life_begin() {
    local size=$1 seed=$2
    RANDOM=$seed
    mkdir -p "$LITE"
    pg_gen_shop create shop "$size" "$seed"
    pg shop <<'SQL'
CREATE TABLE settings (key text PRIMARY KEY, value text);
INSERT INTO settings SELECT 'setting ' || i, 'value ' || i FROM generate_series(1, 25) i;
CREATE TABLE sessions (id int, customer int, data text);
CREATE TABLE queue (id int, job text);
CREATE TABLE prices (id int, article text, cents int);
SQL
    shop_database "$LITE/shop.db" "$size" "$((seed + 1))" >/dev/null
    lite "CREATE TABLE prices (id INTEGER PRIMARY KEY, article TEXT, cents INTEGER);
        CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25)
        INSERT INTO settings SELECT 'setting ' || i, 'value ' || i FROM n;"
    db_client -e 'CREATE DATABASE shop CHARACTER SET utf8mb4'
    db shop -e "SET rand_seed1 = $seed, rand_seed2 = $seed * 7;
        CREATE TABLE customers (id int PRIMARY KEY AUTO_INCREMENT, name varchar(80), address varchar(120), note text);
        INSERT INTO customers SELECT seq, concat('customer ', seq), concat(seq * 7 % 200, ' Long Road, town ', seq % 97),
            concat('likes ', elt(1 + floor(rand() * 4), 'chairs', 'tables', 'lamps', 'carpets'), ' and pays by ', elt(1 + seq % 3, 'card', 'invoice', 'cash'))
            FROM seq_1_to_12000;
        CREATE TABLE orders (id int PRIMARY KEY AUTO_INCREMENT, customer int, placed datetime, total decimal(12,2), state varchar(20), items text);
        INSERT INTO orders SELECT seq, 1 + floor(rand() * 12000), '2025-01-01' + INTERVAL seq MINUTE, rand() * 1000, 'sent',
            concat(1 + floor(rand() * 9), ' of article ', floor(rand() * 5000), ', packed in paper, delivered to the back door by ', elt(1 + seq % 4, 'Anna', 'Bela', 'Cem', 'Dora'))
            FROM seq_1_to_60000;
        CREATE TABLE events (id bigint PRIMARY KEY AUTO_INCREMENT, at datetime, what varchar(200));
        INSERT INTO events SELECT seq, '2025-12-01' + INTERVAL seq SECOND, concat('page ', floor(rand() * 900), ' was seen by visitor ', floor(rand() * 100000)) FROM seq_1_to_40000;
        CREATE TABLE settings (k varchar(40) PRIMARY KEY, v varchar(80));
        INSERT INTO settings SELECT concat('setting ', seq), concat('value ', seq) FROM seq_1_to_25;
        CREATE TABLE sessions (id int PRIMARY KEY, customer int, data varchar(200));
        CREATE TABLE queue (id int PRIMARY KEY, job varchar(80));
        CREATE TABLE prices (id int PRIMARY KEY, article varchar(80), cents int);"
    life_tree begin "$seed"
}

# The day that is too old.
old_visits() { (($1 <= 10)) || printf 'DROP TABLE visits_%s;' $(($1 - 10)); }

# Sessions come and go, the queue is full or not, a setting changes now and then, each day has a table of its own.
life_pg() { # NIGHT SUNDAY
    local d=$1
    pg_gen_shop churn shop
    pg shop >/dev/null <<SQL
TRUNCATE sessions, queue, prices;
INSERT INTO sessions SELECT i, i * 7 % 9999, 'basket ' || md5($d || 'x' || i) || ' since ' || i % 24 || ' o clock' FROM generate_series(1, $(life_rand 2500 6500)) i;
INSERT INTO queue SELECT i, 'send the mail of order ' || i * $d FROM generate_series(1, $(life_rand 0 300)) i;
UPDATE settings SET value = 'changed in night $d' WHERE key = 'setting ' || $(life_rand 1 100);
CREATE TABLE visits_$d AS SELECT i AS id, 'page ' || i * 31 % 700 || ' by ' || i * 17 % 5000 AS what FROM generate_series(1, $(life_rand 4000 9000)) i;
$(old_visits "$d")
$([[ $2 == 0 ]] || printf '%s' "INSERT INTO prices SELECT i, 'article ' || i || ' of the list of night $d', i * 37 % 10000 + $d FROM generate_series(1, 40000) i;")
SQL
}

life_my() { # NIGHT SUNDAY SATURDAY
    local d=$1 n
    n=$(life_rand 400 900)
    [[ $3 == 0 ]] || n=$((n / 4))
    db shop -e "SET rand_seed1 = $d * 13 + 1, rand_seed2 = $d * 7 + 5;
        INSERT INTO orders (customer, placed, total, state, items) SELECT 1 + floor(rand() * 12000), '2026-01-05' + INTERVAL $d DAY, rand() * 1000, 'new',
            concat(1 + floor(rand() * 9), ' of article ', floor(rand() * 5000), ', to be sent') FROM seq_1_to_$n;
        UPDATE orders SET state = 'paid' WHERE id % 97 = $d % 97;
        UPDATE customers SET note = concat('was called in night ', $d) WHERE id % 150 = $d % 150;
        INSERT INTO events (at, what) SELECT '2026-01-05' + INTERVAL $d DAY, concat('page ', floor(rand() * 900), ' was seen by visitor ', floor(rand() * 100000)) FROM seq_1_to_$((n * 3));
        DELETE FROM events ORDER BY id LIMIT $((n * 2));
        TRUNCATE sessions; TRUNCATE queue; TRUNCATE prices;
        INSERT INTO sessions SELECT seq, seq * 7 % 9999, concat('basket of ', seq * $((d + 1)) % 1000, ' things since ', seq % 24) FROM seq_1_to_$(life_rand 2500 6500);
        INSERT INTO queue SELECT seq, concat('send the mail of order ', seq) FROM seq_1_to_$(life_rand 1 300);
        UPDATE settings SET v = 'changed in night $d' WHERE k = 'setting $(life_rand 1 100)';
        CREATE TABLE visits_$d SELECT seq AS id, concat('page ', seq * 31 % 700, ' by ', seq * 17 % 5000) AS what FROM seq_1_to_$(life_rand 4000 9000);
        $(old_visits "$d")
        $([[ $2 == 0 ]] || printf '%s' "INSERT INTO prices SELECT seq, concat('article ', seq, ' of the list of night $d'), seq * 37 % 10000 + $d FROM seq_1_to_40000")" 2>/dev/null
}

life_lite() { # NIGHT SUNDAY
    "$GEN_SHOP" churn "$LITE/shop.db" >/dev/null
    lite "DELETE FROM prices;
        UPDATE settings SET value = 'changed in night $1' WHERE key = 'setting $(life_rand 1 100)';"
    [[ $2 == 0 ]] || lite "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
        INSERT INTO prices SELECT i, 'article ' || i || ' of the list of night $1', i * 37 % 10000 + $1 FROM n;"
}

life_night() {
    local saturday=$(($1 % 7 == 5)) sunday=$(($1 % 7 == 6))
    life_pg "$1" "$sunday"
    life_my "$1" "$sunday" "$saturday"
    life_lite "$1" "$sunday"
    life_tree night "$1"
}

summary_of() { jq -c --arg job "$1" 'select(.message_type == "summary" and .job == $job)' "$2"; }
