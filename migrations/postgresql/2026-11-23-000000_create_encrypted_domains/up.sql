-- The types of encrypted columns: they refuse what is not a Fernet token.
--
-- Domains and not a CHECK of each table: the error of a table's CHECK shows the whole refused row.
-- NULL passes; a column that must have a value says NOT NULL.

-- A token as text: base64url of 57 + 16 n bytes (n > 0), with `=` up to a multiple of four characters.
CREATE DOMAIN encrypted_text AS text COLLATE "C"
    CONSTRAINT value_is_encrypted CHECK (
        octet_length(VALUE) >= 100
        AND octet_length(VALUE) - octet_length(rtrim(VALUE, '='))
            = CASE octet_length(VALUE) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
        AND VALUE ~ '^gAAAA[A-Za-z0-9_-]*=*$'
    );

-- A token as bytes; or as text, the way other Fernet programs fill a binary column.
CREATE DOMAIN encrypted_binary AS bytea
    CONSTRAINT value_is_encrypted CHECK (
        (
            substring(VALUE FOR 3) = '\x800000'
            AND octet_length(VALUE) >= 73
            AND octet_length(VALUE) % 16 = 9
        )
        OR (
            octet_length(VALUE) >= 100
            -- Not rtrim, which takes no bytea before PostgreSQL 14.
            AND octet_length(VALUE) - octet_length(btrim(VALUE, '='))
                = CASE octet_length(VALUE) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
            AND encode(VALUE, 'escape') ~ '^gAAAA[A-Za-z0-9_-]*=*$'
        )
    );
