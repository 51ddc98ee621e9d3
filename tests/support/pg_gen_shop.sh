# shellcheck shell=bash
# The shop of gen-shop in PostgreSQL, and its nights; source it after lib.sh, shop.sh and postgres.sh.
#
#     pg_gen_shop create DATABASE SIZE [SEED]     the database, filled; SIZE is that of the SQLite file it comes from
#     pg_gen_shop churn DATABASE                  the next night, as UPDATE, DELETE and INSERT, then VACUUM
#
# The rows are made by gen_shop in $GEN_SHOP_DIR (default $TMP/gen-shop), once; a night's changes are noted there by
# triggers and carried over, so PostgreSQL changes what a shop would change, and moves no other row. Tables: customers,
# orders, events; `shop` with a few rows, and `regions` with 2000, of which a night changes ten.

pg_gen_shop() {
    local action=$1 database=$2 dir=${GEN_SHOP_DIR:-$TMP/gen-shop}
    case $action in
    create) pg_gen_shop_create "$database" "$dir" "$3" "${4:-1}" ;;
    churn) pg_gen_shop_churn "$database" "$dir" ;;
    esac
}

pg_gen_shop_create() {
    local database=$1 dir=$2 size=$3 seed=$4 table
    mkdir -p "$dir"
    "$GEN_SHOP" create "$dir/shop.db" --size "$size" --seed "$seed" >/dev/null
    sqlite3 "$dir/shop.db" <<'END'
CREATE TABLE changed(t TEXT, id INTEGER, PRIMARY KEY(t, id)) WITHOUT ROWID;
CREATE TRIGGER changed_1 AFTER INSERT ON customers BEGIN INSERT OR IGNORE INTO changed VALUES('customers', new.id); END;
CREATE TRIGGER changed_2 AFTER UPDATE ON customers BEGIN INSERT OR IGNORE INTO changed VALUES('customers', new.id); END;
CREATE TRIGGER changed_3 AFTER DELETE ON customers BEGIN INSERT OR IGNORE INTO changed VALUES('customers', old.id); END;
CREATE TRIGGER changed_4 AFTER INSERT ON orders BEGIN INSERT OR IGNORE INTO changed VALUES('orders', new.id); END;
CREATE TRIGGER changed_5 AFTER UPDATE ON orders BEGIN INSERT OR IGNORE INTO changed VALUES('orders', new.id); END;
CREATE TRIGGER changed_6 AFTER DELETE ON orders BEGIN INSERT OR IGNORE INTO changed VALUES('orders', old.id); END;
CREATE TRIGGER changed_7 AFTER INSERT ON events BEGIN INSERT OR IGNORE INTO changed VALUES('events', new.id); END;
END
    pg_createdb "$database"
    pg "$database" <<'END'
CREATE TABLE shop(key text PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE regions(id bigint PRIMARY KEY, name text NOT NULL, note text NOT NULL);
CREATE TABLE customers(id bigint, name text NOT NULL, email text NOT NULL, address text NOT NULL, created_at timestamp NOT NULL,
    balance bigint NOT NULL, preferences json NOT NULL);
CREATE TABLE orders(id bigint, customer_id bigint NOT NULL, status text NOT NULL, total bigint NOT NULL, reference text NOT NULL,
    placed_at timestamp NOT NULL, updated_at timestamp NOT NULL, items json NOT NULL, note text NOT NULL);
CREATE TABLE events(id bigint, at timestamp NOT NULL, kind text NOT NULL, customer_id bigint NOT NULL, payload json NOT NULL);
INSERT INTO regions SELECT i, 'region ' || i, md5('a' || i) || md5('b' || i) FROM generate_series(1, 2000) i;
END
    for table in shop customers orders events; do
        sqlite3 -batch -csv "$dir/shop.db" "SELECT * FROM $table ORDER BY 1" | pg "$database" -c "\\copy $table from pstdin with (format csv)"
    done
    pg "$database" <<'END'
ALTER TABLE customers ADD PRIMARY KEY (id);
ALTER TABLE orders ADD PRIMARY KEY (id);
ALTER TABLE events ADD PRIMARY KEY (id);
VACUUM ANALYZE;
END
}

pg_gen_shop_churn() {
    local database=$1 dir=$2 table set
    sqlite3 "$dir/shop.db" "DELETE FROM changed"
    "$GEN_SHOP" churn "$dir/shop.db" >/dev/null
    for table in customers orders events; do
        sqlite3 -batch -csv "$dir/shop.db" "SELECT t.* FROM changed c JOIN $table t USING (id) WHERE c.t = '$table' ORDER BY t.id" >"$dir/$table.csv"
        sqlite3 -batch -csv "$dir/shop.db" "SELECT id FROM changed c WHERE c.t = '$table' AND NOT EXISTS (SELECT 1 FROM $table t WHERE t.id = c.id) ORDER BY id" >"$dir/$table.gone"
    done
    sqlite3 -batch -csv "$dir/shop.db" "SELECT * FROM shop ORDER BY 1" >"$dir/shop.csv"
    for table in customers orders events; do
        set=$(pg "$database" -c "SELECT string_agg(format('%I = f.%I', attname, attname), ', ' ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 1 AND NOT attisdropped")
        pg "$database" <<END
CREATE TEMPORARY TABLE f (LIKE $table);
CREATE TEMPORARY TABLE gone (id bigint);
\\copy f from '$dir/$table.csv' with (format csv)
\\copy gone from '$dir/$table.gone' with (format csv)
ANALYZE f;
BEGIN;
UPDATE $table t SET $set FROM f WHERE t.id = f.id;
DELETE FROM $table WHERE id IN (SELECT id FROM gone);
INSERT INTO $table SELECT f.* FROM f WHERE NOT EXISTS (SELECT FROM $table t WHERE t.id = f.id) ORDER BY f.id;
COMMIT;
END
    done
    pg "$database" <<END
CREATE TEMPORARY TABLE f (LIKE shop);
\\copy f from '$dir/shop.csv' with (format csv)
UPDATE shop SET value = f.value FROM f WHERE f.key = shop.key AND f.value <> shop.value;
UPDATE regions SET note = md5(note) || md5('n' || note) WHERE id % 200 = (SELECT value FROM shop WHERE key = 'night') % 200;
END
    pg "$database" -c VACUUM
}
