-- Something of everything a database can hold, small. Run by the superuser in an empty database.
CREATE ROLE shop_owner;
CREATE ROLE "Shop Reader" LOGIN PASSWORD 'secret; -- not a "comment"';
CREATE ROLE shop_group;
GRANT shop_group TO "Shop Reader" WITH ADMIN OPTION;
COMMENT ON ROLE shop_owner IS 'owns; the ''shop''';
ALTER ROLE shop_owner SET work_mem = '8MB';
SET ROLE shop_owner;
RESET ROLE;
CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA "Other Schema";
GRANT USAGE ON SCHEMA shop TO "Shop Reader";
CREATE TYPE shop.state AS ENUM ('new', 'paid', 'sent, maybe', 'it''s back');
CREATE DOMAIN shop.price AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE TYPE shop.place AS (street text, zip varchar(10), spot point);

CREATE TABLE shop.customers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gone text,
    name text NOT NULL COLLATE "C",
    home shop.place,
    tags text[] DEFAULT '{}',
    since timestamptz NOT NULL,
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    extra jsonb
);
ALTER TABLE shop.customers DROP COLUMN gone;
INSERT INTO shop.customers (name, home, tags, since, extra)
SELECT 'Customer ' || i || CASE i % 7 WHEN 0 THEN E'\ttab\\back\nline' WHEN 1 THEN 'Ünïcødé 漢字' ELSE '' END,
       ROW('Street ' || i, i::text, point(i, -i))::shop.place, ARRAY['a' || i, NULL, 'x,"y'],
       '2020-01-01 12:00:00.123456+02'::timestamptz + i * interval '1 hour',
       CASE WHEN i % 3 = 0 THEN jsonb_build_object('n', i, 'list', ARRAY[i, i + 1]) END
FROM generate_series(1, 2000) i;
ALTER TABLE shop.customers OWNER TO shop_owner;
GRANT SELECT (id, name) ON shop.customers TO "Shop Reader";

CREATE TABLE shop.orders (
    id bigserial,
    customer integer NOT NULL REFERENCES shop.customers,
    placed date NOT NULL,
    state shop.state DEFAULT 'new',
    total shop.price,
    during tstzrange,
    PRIMARY KEY (id, placed)
) PARTITION BY RANGE (placed);
CREATE TABLE shop.orders_2024 PARTITION OF shop.orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.orders_2025 PARTITION OF shop.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
    PARTITION BY HASH (id);
CREATE TABLE shop.orders_2025_a PARTITION OF shop.orders_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shop.orders_2025_b PARTITION OF shop.orders_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE shop.orders_rest PARTITION OF shop.orders DEFAULT;
INSERT INTO shop.orders (customer, placed, state, total, during)
SELECT 1 + i % 2000, '2023-06-01'::date + i % 900, (enum_range(NULL::shop.state))[1 + i % 4], i / 7.0,
       CASE WHEN i % 2 = 0 THEN tstzrange('2024-01-01'::timestamptz, '2024-01-01'::timestamptz + i * interval '1 min') END
FROM generate_series(1, 8000) i;
CREATE INDEX ON shop.orders (customer);

CREATE TABLE shop.blobs (id int PRIMARY KEY, body bytea, note text);
INSERT INTO shop.blobs
SELECT i, decode(repeat(md5(i::text), 4000 * i), 'hex'), repeat('long text ' || i, 30000)
FROM generate_series(1, 6) i;
ALTER TABLE shop.blobs ALTER body SET STORAGE EXTERNAL;
INSERT INTO shop.blobs
SELECT 10 + i, string_agg(decode(md5(i || '-' || j), 'hex'), ''), NULL
FROM generate_series(1, 3) i, generate_series(1, CASE i WHEN 1 THEN 150000 ELSE 20000 END) j GROUP BY i;

CREATE TABLE shop.types (
    b boolean, s smallint, r real, d double precision, n numeric, c char(5), v varchar(20), u uuid, i inet, m money,
    iv interval, t time, tz timetz, bits bit varying, x xml, j json, ts tsvector, box box, r4 int4range[], o oid, k "char"
);
INSERT INTO shop.types VALUES
    (true, -1, 'NaN', 'Infinity', 'NaN', 'ab', E'\r\n\\N', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.0/8', 12.34,
     '1 year -3 days 04:05:06.789', '23:59:60', '10:00:00.5-07', B'10101', '<a b="c">d</a>', '{"a":  [1, 2]}',
     'a fat cat', '((1,2),(3,4))', ARRAY['[1,5)'::int4range, 'empty'], 42, 'z'),
    (NULL, NULL, 1.1, 0.1, 1e100, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (false, 32767, 1e-30, 123456789.123456789, 0.000, '', '\.', NULL, '::1', -1, '-1 mon', NULL, NULL, B'', NULL, 'null',
     '', NULL, '{}', 4294967295, '');

CREATE TABLE shop.by_state (s shop.state, v int) PARTITION BY HASH (s); -- hashes of an enum differ after a restore
CREATE TABLE shop.by_state_a PARTITION OF shop.by_state FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shop.by_state_b PARTITION OF shop.by_state FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO shop.by_state SELECT (enum_range(NULL::shop.state))[1 + i % 4], i FROM generate_series(1, 40) i;

CREATE UNLOGGED TABLE shop.cache (k text PRIMARY KEY, v text);
INSERT INTO shop.cache SELECT 'k' || i, md5(i::text) FROM generate_series(1, 500) i;
CREATE TABLE shop.parent (id int, what text);
CREATE TABLE shop.child (more text) INHERITS (shop.parent);
ALTER TABLE shop.parent ADD COLUMN late int DEFAULT 7;
INSERT INTO shop.parent VALUES (1, 'parent');
INSERT INTO shop.child VALUES (2, 'child', 'more');
CREATE TABLE shop.empty (id int);
CREATE TABLE shop.nothing ();
INSERT INTO shop.nothing DEFAULT VALUES;
INSERT INTO shop.nothing DEFAULT VALUES;
CREATE TABLE "Other Schema".t (t int, "select" text, "We Ird" int);
INSERT INTO "Other Schema".t SELECT i, 'v' || i, -i FROM generate_series(1, 10) i;
CREATE TEMPORARY TABLE passing (id int);

CREATE TABLE shop.secrets (id int, owner name, what text);
INSERT INTO shop.secrets SELECT i, CASE WHEN i % 2 = 0 THEN 'Shop Reader' ELSE 'other' END, 's' || i FROM generate_series(1, 50) i;
ALTER TABLE shop.secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON shop.secrets FOR SELECT TO "Shop Reader" USING (owner = current_user);
GRANT SELECT ON shop.secrets TO "Shop Reader";

CREATE SEQUENCE shop.never_used START 100 INCREMENT 5;
CREATE SEQUENCE shop.was_set;
SELECT setval('shop.was_set', 4711, false);
CREATE SEQUENCE shop.downward INCREMENT -3 MINVALUE -1000 MAXVALUE -1 CYCLE;
SELECT nextval('shop.downward'), nextval('shop.downward');

CREATE FUNCTION shop.audit() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO shop.log (what) VALUES (TG_OP || '; "quoted" -- not a comment');
    RETURN NEW;
END $body$;
CREATE TABLE shop.log (id serial PRIMARY KEY, what text);
CREATE TRIGGER audit AFTER INSERT ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.audit();
INSERT INTO shop.customers (name, since) VALUES ('with trigger', '2024-02-29 00:00:00Z');
CREATE VIEW shop.totals AS SELECT c.id, c.name, sum(o.total) AS total FROM shop.customers c
    JOIN shop.orders o ON o.customer = c.id GROUP BY c.id, c.name;
CREATE MATERIALIZED VIEW shop.best AS SELECT * FROM shop.totals ORDER BY total DESC LIMIT 10;
CREATE MATERIALIZED VIEW shop.unfilled AS SELECT * FROM shop.totals WITH NO DATA;
CREATE RULE no_delete AS ON DELETE TO shop.log DO INSTEAD NOTHING;
CREATE STATISTICS shop.st ON customer, placed FROM shop.orders;
COMMENT ON TABLE shop.orders IS 'orders; "all" of them';
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT SELECT ON TABLES TO "Shop Reader";

SELECT lo_from_bytea(7001, decode(repeat('00ff10', 100000), 'hex'));
SELECT lo_from_bytea(7002, 'small');
SELECT lo_create(7003);
GRANT SELECT ON LARGE OBJECT 7002 TO "Shop Reader";
ALTER LARGE OBJECT 7002 OWNER TO shop_owner;
COMMENT ON LARGE OBJECT 7001 IS 'large';

-- Further kinds of objects.
CREATE TYPE shop.span AS RANGE (subtype = float8, multirange_type_name = shop.spans);
CREATE COLLATION shop.plain FROM "C";
CREATE TABLE shop.kinds (
    id int GENERATED BY DEFAULT AS IDENTITY (START 1000 INCREMENT 10),
    boss int,
    during shop.span,
    breaks shop.spans,
    label text COLLATE shop.plain,
    twice int GENERATED ALWAYS AS (boss * 2) STORED,
    PRIMARY KEY (id),
    CONSTRAINT boss_is_one FOREIGN KEY (boss) REFERENCES shop.kinds (id) DEFERRABLE INITIALLY DEFERRED,
    EXCLUDE USING gist (during WITH &&) WHERE (during IS NOT NULL)
);
INSERT INTO shop.kinds (id, boss, during, breaks, label) VALUES
    (2, 2, '[1,2)', '{[1,1.5), [3,4)}', 'mentions itself'), (1, 3, NULL, '{}', 'mentions a later one'), (3, NULL, 'empty', NULL, NULL);
CREATE TABLE shop.only_generated (a int GENERATED ALWAYS AS (7) STORED);
INSERT INTO shop.only_generated DEFAULT VALUES;
CREATE FUNCTION shop.same_state(shop.state, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN $1::text = $2;
CREATE OPERATOR shop.=== (FUNCTION = shop.same_state, LEFTARG = shop.state, RIGHTARG = text);
CREATE FUNCTION shop.to_place(text) RETURNS shop.place LANGUAGE sql IMMUTABLE AS $$SELECT ROW($1, '', NULL)::shop.place$$;
CREATE CAST (text AS shop.place) WITH FUNCTION shop.to_place(text);
CREATE AGGREGATE shop.total(numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = '0');
CREATE PROCEDURE shop.nothing_much() LANGUAGE plpgsql AS 'BEGIN END';
CREATE TEXT SEARCH CONFIGURATION shop.search (COPY = simple);
CREATE PUBLICATION "All Orders" FOR TABLE shop.orders, shop.log WHERE (id > 0);
CREATE SUBSCRIPTION elsewhere CONNECTION 'host=/nonexistent dbname=x' PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false);
CREATE FOREIGN DATA WRAPPER none;
CREATE SERVER far FOREIGN DATA WRAPPER none OPTIONS (place 'else''where');
CREATE USER MAPPING FOR "Shop Reader" SERVER far OPTIONS (name 'x');
CREATE FOREIGN TABLE shop.far_away (id int, t text) SERVER far;
CREATE FUNCTION shop.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER quiet ON ddl_command_start EXECUTE FUNCTION shop.on_ddl();
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE VIEW shop.checked WITH (security_barrier) AS SELECT * FROM shop.secrets WHERE id > 0 WITH CASCADED CHECK OPTION;
CREATE INDEX "odd ""index" ON shop.kinds ((lower(label))) INCLUDE (boss) WHERE boss IS NOT NULL;
CREATE TABLE shop."new
line ""and"" .dots, 'quotes'" ("co
lumn" int, "x'; DROP TABLE y; --" text);
INSERT INTO shop."new
line ""and"" .dots, 'quotes'" VALUES (1, 'kept');
