-- The types of encrypted columns. They refuse every value that is not a Fernet token.
--
-- These are domains because the error of a CHECK on a table shows the whole refused row.
-- NULL passes. Declare a column NOT NULL if it must have a value.
-- Every name has its schema, so that operators which others create change nothing.

-- A token as text: base64url of 57 + 16 n bytes (n > 0), padded with `=` to a multiple of four characters.
CREATE DOMAIN encrypted_text AS pg_catalog.text COLLATE pg_catalog."C"
    CONSTRAINT value_is_encrypted CHECK (
        pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 100
        AND pg_catalog.octet_length(VALUE)
            OPERATOR(pg_catalog.-) pg_catalog.octet_length(pg_catalog.rtrim(VALUE, '='))
            OPERATOR(pg_catalog.=) CASE
                WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 36 THEN 2
                WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 56 THEN 1
                WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 12 THEN 0
                ELSE -1
            END
        AND VALUE OPERATOR(pg_catalog.~) '^gAAAA[A-Za-z0-9_-]*=*$'
    );

-- A token as bytes, or as text: other Fernet programs write text to a binary column.
CREATE DOMAIN encrypted_binary AS pg_catalog.bytea
    CONSTRAINT value_is_encrypted CHECK (
        (
            pg_catalog.substr(VALUE, 1, 3) OPERATOR(pg_catalog.=) '\x800000'
            AND pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 73
            AND pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 16 OPERATOR(pg_catalog.=) 9
        )
        OR (
            pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 100
            -- Not rtrim, which takes no bytea before PostgreSQL 14.
            AND pg_catalog.octet_length(VALUE)
                OPERATOR(pg_catalog.-) pg_catalog.octet_length(pg_catalog.btrim(VALUE, '='))
                OPERATOR(pg_catalog.=) CASE
                    WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 36 THEN 2
                    WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 56 THEN 1
                    WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 12 THEN 0
                    ELSE -1
                END
            AND pg_catalog.encode(VALUE, 'escape') OPERATOR(pg_catalog.~) '^gAAAA[A-Za-z0-9_-]*=*$'
        )
    );
