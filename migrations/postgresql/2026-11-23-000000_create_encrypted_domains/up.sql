-- The types of encrypted columns. They refuse every value that is not a Fernet token.
--
-- These are domains because the error of a CHECK on a table shows the whole refused row.
-- NULL passes. Declare a column NOT NULL if it must have a value.

-- A token as text: base64url of 57 + 16 n bytes (n > 0), padded with `=` to a multiple of four characters.
CREATE DOMAIN encrypted_text AS text COLLATE "C"
    CONSTRAINT value_is_encrypted CHECK (
        octet_length(VALUE) >= 100
        AND octet_length(VALUE) - octet_length(rtrim(VALUE, '='))
            = CASE octet_length(VALUE) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
        AND VALUE ~ '^gAAAA[A-Za-z0-9_-]*=*$'
    );

-- A token as bytes, or as text: other Fernet programs write text to a binary column.
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
