-- Something of everything that a MariaDB database can hold.
SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO';
SET time_zone = '+00:00';

CREATE TABLE customers (
    id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name varchar(100) NOT NULL,
    email varchar(200) CHARACTER SET latin1 DEFAULT NULL,
    upper_name varchar(100) GENERATED ALWAYS AS (upper(name)) VIRTUAL,
    name_length int GENERATED ALWAYS AS (char_length(name)) STORED,
    secret_note varchar(50) INVISIBLE DEFAULT 'unseen',
    since datetime(6) NOT NULL,
    changed timestamp(6) NULL DEFAULT NULL,
    CONSTRAINT name_is_there CHECK (char_length(name) > 0),
    UNIQUE KEY by_email (email),
    KEY by_upper (upper_name)
) AUTO_INCREMENT = 5000 COMMENT='people; who''d buy "things"';
INSERT INTO customers (id, name, email, secret_note, since, changed)
    SELECT seq, concat('Käufer 😀 ', seq), concat('c', seq, '@exämple.org'), if(seq % 7 = 0, NULL, concat('note ', seq)),
        '2020-01-01 00:00:00.000001' + INTERVAL seq MINUTE, '2024-03-31 02:30:00.5' + INTERVAL seq SECOND
    FROM seq_1_to_2000;
INSERT INTO customers (id, name, since) VALUES (0, 'number zero', '2020-02-02');

CREATE TABLE orders (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer int unsigned NOT NULL,
    total decimal(30,10) NOT NULL,
    placed date NOT NULL,
    state enum('new','paid','sent','it''s \\odd') NOT NULL DEFAULT 'new',
    flags set('gift','express','a b') NOT NULL DEFAULT '',
    CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE
);
INSERT INTO orders (customer, total, placed, state, flags)
    SELECT 1 + seq % 2000, seq * 1.0000000001, '2022-01-01' + INTERVAL seq % 700 DAY, 1 + seq % 4, seq % 8
    FROM seq_1_to_6000;

-- Every type, with values at their edges.
CREATE TABLE every_type (
    id int PRIMARY KEY, t tinyint, s smallint unsigned, m mediumint, b bigint unsigned zerofill, d decimal(65,30), f float,
    f2 float(10,3), g double, bi bit(1), bits bit(64), odd bit(11), y year, da date, tm time(6), dt datetime(3), ts timestamp NULL,
    c char(10), vc varchar(50), bin binary(5), vb varbinary(50), tb tinyblob, bl blob, lb longblob, tx text, mt mediumtext,
    j json, u uuid, i6 inet6, i4 inet4, ge geometry, po point, pg polygon, e enum('a','b'), l1 varchar(20) CHARACTER SET latin1,
    u16 varchar(20) CHARACTER SET utf16, sj varchar(20) CHARACTER SET sjis, gb varchar(20) CHARACTER SET gbk,
    u3 varchar(20) CHARACTER SET utf8mb3, compressed_text text COMPRESSED, n varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
);
INSERT INTO every_type (id) VALUES (1);
INSERT INTO every_type VALUES (2, -128, 65535, -8388608, 18446744073709551615,
    12345678901234567890123456789012345.123456789012345678901234567890, 16777217, 1.2345, 0.1 + 0.2e0, 1, ~0, b'10000001010',
    2155, '9999-12-31', '-838:59:59.999999', '9999-12-31 23:59:59.999', '2038-01-19 03:14:07', 'ab  ', 'trail  ', x'0102',
    x'00090A0D5C1A2700FF41', x'5C4E', x'5C', x'00', '\\N', 'tab\tnew\nline\\', '{"a": [1, null, "\\u00e9"]}',
    '123e4567-e89b-12d3-a456-426655440000', '2001:db8::ff00:42:8329', '255.255.255.255',
    ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))', 4326), ST_GeomFromText('POINT(1e-300 -0.5)'),
    ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 10,0 0))', 3857), 'b', _utf8mb4'aé€', _utf8mb4'aé😀', _utf8mb4'表ソ', _utf8mb4'運a',
    _utf8mb4'ä€', repeat('long ', 500), 'A a');
INSERT INTO every_type (id, f, g, da, dt, ts, y, e, vc, vb, j, tm, u, bits, odd) VALUES
    (3, 3.1415927, 5e-324, '0000-00-00', '2001-00-00 00:00:00', '0000-00-00 00:00:00', 0, 99, '', '', 'null', '00:00:00', 
     '00000000-0000-0000-0000-000000000000', 0, 0),
    (4, 1.17549435e-38, 1.7976931348623157e308, '2020-02-31', '0000-00-00 00:00:00', NULL, 1901, 'a', 'N', x'0A', '[]', '838:59:59', NULL, 10, 9);
-- Every byte value, alone and in a row.
CREATE TABLE bytes (id int PRIMARY KEY, one varbinary(1), many blob);
INSERT INTO bytes SELECT seq, unhex(lpad(hex(seq), 2, '0')), repeat(unhex(lpad(hex(seq), 2, '0')), 300) FROM seq_0_to_255;
-- The empty text as a value, and an invalid one, which reads as it; others that look like numbers of values.
CREATE TABLE enums (id int PRIMARY KEY, e enum('a','','it''s,','2'), e2 enum('3','2','1') CHARACTER SET latin1);
INSERT INTO enums VALUES (1, 'a', '1'), (2, '', '2'), (3, 3, 3), (4, '2', '3'), (5, NULL, NULL);
INSERT IGNORE INTO enums VALUES (6, 0, 0), (7, 'none', 'none');
CREATE TABLE from_zero (u uuid, id int AUTO_INCREMENT PRIMARY KEY, e enum('a',''));
INSERT INTO from_zero VALUES ('123e4567-e89b-12d3-a456-426655440000', 0, 'a'), (NULL, 1, ''), (NULL, -5, NULL);
CREATE TABLE one_column (v varchar(10));
INSERT INTO one_column VALUES (''), ('a'), (''), (NULL), ('\\'), ('\t'), ('\n'), (''), ('');
CREATE TABLE only_generated (a int AS (1) VIRTUAL, b int AS (3) STORED);
INSERT INTO only_generated VALUES (), (), ();
CREATE TABLE empty_one (id int PRIMARY KEY, v text);
CREATE TABLE no_key (v int, w int, KEY (v, w));
INSERT INTO no_key SELECT seq % 10, seq FROM seq_1_to_500;

CREATE TABLE parts (id int NOT NULL, region varchar(10) NOT NULL, v text, PRIMARY KEY (id, region))
    PARTITION BY LIST COLUMNS (region) (PARTITION north VALUES IN ('n', 'ne'), PARTITION rest DEFAULT);
INSERT INTO parts SELECT seq, elt(1 + seq % 3, 'n', 'ne', 'w'), repeat('x', seq) FROM seq_1_to_200;
CREATE TABLE hashed (id int PRIMARY KEY, v int) PARTITION BY HASH (id) PARTITIONS 4;
INSERT INTO hashed SELECT seq, seq * 2 FROM seq_1_to_200;

CREATE TABLE history (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
INSERT INTO history SELECT seq, seq FROM seq_1_to_50;
UPDATE history SET v = v + 1000 WHERE id % 2 = 0;
DELETE FROM history WHERE id % 5 = 0;
CREATE TABLE named_history (
    id int PRIMARY KEY, v int,
    valid_from timestamp(6) GENERATED ALWAYS AS ROW START, valid_to timestamp(6) GENERATED ALWAYS AS ROW END,
    PERIOD FOR SYSTEM_TIME (valid_from, valid_to)
) WITH SYSTEM VERSIONING;
INSERT INTO named_history (id, v) VALUES (1, 1), (2, 2);
UPDATE named_history SET v = 9 WHERE id = 1;
CREATE TABLE booked (id int, a date, b date, PERIOD FOR stay (a, b), UNIQUE (id, stay WITHOUT OVERLAPS));
INSERT INTO booked VALUES (1, '2020-01-01', '2020-01-05'), (1, '2020-01-05', '2020-01-09');

CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 5 CACHE 10;
SELECT nextval(numbers);
CREATE SEQUENCE down START WITH 10 MINVALUE 1 MAXVALUE 10 INCREMENT BY -1 CYCLE NOCACHE;
SELECT nextval(down), nextval(down);
CREATE SEQUENCE unused;
CREATE TABLE with_sequence (id bigint DEFAULT nextval(numbers) PRIMARY KEY, v int);
INSERT INTO with_sequence (v) VALUES (1), (2);

-- Names that nobody should use.
CREATE TABLE `a.b/c "d" 'e' \f``g%_` (`x y` int PRIMARY KEY, `q"'``;` text, `SELECT` int, `-- x` int);
INSERT INTO `a.b/c "d" 'e' \f``g%_` VALUES (1, 'it''s', 2, 3);
CREATE TABLE `MixedCase` (`Id` int PRIMARY KEY);
CREATE TABLE mixedcase (`Id` int PRIMARY KEY);
INSERT INTO `MixedCase` VALUES (1);
CREATE TABLE `-dash` (a int);
CREATE TABLE `tüv €` (`ä` int);
INSERT INTO `tüv €` VALUES (7);

-- Code.
CREATE TABLE log (id int AUTO_INCREMENT PRIMARY KEY, what varchar(200));
DELIMITER //
CREATE TRIGGER customer_added AFTER INSERT ON customers FOR EACH ROW
BEGIN
    INSERT INTO log (what) VALUES (concat('added; ', NEW.name));
END//
CREATE TRIGGER customer_gone BEFORE DELETE ON customers FOR EACH ROW INSERT INTO log (what) VALUES ('gone')//
CREATE TRIGGER customer_added_2 AFTER INSERT ON customers FOR EACH ROW FOLLOWS customer_added SET @last = NEW.id//
CREATE FUNCTION doubled(n int) RETURNS int DETERMINISTIC COMMENT 'twice' RETURN n * 2//
CREATE AGGREGATE FUNCTION longest(s varchar(200)) RETURNS int DETERMINISTIC
BEGIN
    DECLARE n int DEFAULT 0;
    DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN n;
    LOOP
        FETCH GROUP NEXT ROW;
        SET n = greatest(n, char_length(s));
    END LOOP;
END//
CREATE PROCEDURE odd_text(IN a varchar(10), OUT b int)
    SQL SECURITY INVOKER
BEGIN
    /* a comment; with '; and // no end */
    SELECT ';', "it's", `id` FROM log; -- ; '
    SET b = doubled(char_length(a));
END//
SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'//
CREATE PROCEDURE ansi() SELECT "id", '\' FROM "log"//
SET sql_mode = 'ORACLE'//
CREATE PACKAGE tools AS
    FUNCTION one RETURN int DETERMINISTIC;
END//
CREATE PACKAGE BODY tools AS
    FUNCTION one RETURN int DETERMINISTIC AS BEGIN RETURN 1; END;
END//
SET sql_mode = 'ALLOW_INVALID_DATES'//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01 03:00:00' COMMENT 'at night' DO DELETE FROM log WHERE id < 0//
CREATE EVENT asleep ON SCHEDULE EVERY 1 HOUR DISABLE DO BEGIN DELETE FROM log WHERE id < 0; SELECT 1; END//
DELIMITER ;
CREATE VIEW zz_base AS SELECT id, name, doubled(id) AS twice FROM customers WHERE id < 100;
CREATE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW aa_on_view AS SELECT * FROM zz_base WHERE id > 10 WITH CHECK OPTION;
CREATE VIEW `view "q"` AS SELECT `q"'``;` AS `q"` FROM `a.b/c "d" 'e' \f``g%_`;
CREATE VIEW counted AS SELECT state, count(*) AS n, sum(total) AS total FROM orders GROUP BY state;
