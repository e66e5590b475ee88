-- The CHECKs refuse every value that is not a Fernet token. NULL passes if the column is nullable.
CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT,
    photo BLOB,
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,

    -- A token as text: base64url of 57 + 16 n bytes (n > 0), padded with `=` to a multiple of four characters.
    -- `length` and GLOB stop at a NUL character, so `instr` looks for one.
    CONSTRAINT people_email_is_encrypted CHECK (
        typeof(email) = 'text'
        AND length(email) >= 100
        AND length(email) - length(rtrim(email, '='))
            = CASE length(email) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
        AND email GLOB 'gAAAA*'
        AND rtrim(email, '=') NOT GLOB '*[^A-Za-z0-9_-]*'
        AND instr(email, char(0)) = 0
    ),
    CONSTRAINT people_phone_is_encrypted CHECK (
        typeof(phone) IN ('text', 'null')
        AND length(phone) >= 100
        AND length(phone) - length(rtrim(phone, '='))
            = CASE length(phone) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
        AND phone GLOB 'gAAAA*'
        AND rtrim(phone, '=') NOT GLOB '*[^A-Za-z0-9_-]*'
        AND instr(phone, char(0)) = 0
    ),
    -- A token as bytes, or as text: other Fernet programs write text to a binary column.
    CONSTRAINT people_photo_is_encrypted CHECK (
        typeof(photo) IN ('blob', 'null')
        AND (
            (
                substr(photo, 1, 3) = x'800000'
                AND length(photo) >= 73
                AND length(photo) % 16 = 9
            )
            OR (
                length(photo) >= 100
                AND length(photo) - length(rtrim(photo, '='))
                    = CASE length(photo) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
                AND photo GLOB 'gAAAA*'
                AND rtrim(photo, '=') NOT GLOB '*[^A-Za-z0-9_-]*'
                AND instr(photo, x'00') = 0
            )
        )
    )
);
