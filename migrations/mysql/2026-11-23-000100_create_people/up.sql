-- The CHECKs refuse every value that is not a Fernet token. They need MySQL 8.0.16 or MariaDB 10.2. NULL passes.
--
-- A VARCHAR is one character longer than its longest token. No token has that length. Without a strict `sql_mode`,
-- a server truncates longer values to it, so the CHECKs refuse them too. No token is as long as a TEXT or BLOB either.
CREATE TABLE people (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    -- up to 255 bytes
    email VARCHAR(421) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- up to 31 bytes
    phone VARCHAR(121) CHARACTER SET ascii COLLATE ascii_bin,
    photo MEDIUMBLOB,
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,

    -- A token as text: base64url of 57 + 16 n bytes (n > 0), padded with `=` to a multiple of four characters.
    CONSTRAINT people_email_is_encrypted CHECK (
        LENGTH(email) >= 100
        AND LENGTH(email) - LENGTH(TRIM(TRAILING '=' FROM email))
            = CASE LENGTH(email) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
        AND email LIKE 'gAAAA%'
        AND TRIM(TRAILING '=' FROM email) NOT REGEXP '[^A-Za-z0-9_-]'
    ),
    CONSTRAINT people_phone_is_encrypted CHECK (
        LENGTH(phone) >= 100
        AND LENGTH(phone) - LENGTH(TRIM(TRAILING '=' FROM phone))
            = CASE LENGTH(phone) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
        AND phone LIKE 'gAAAA%'
        AND TRIM(TRAILING '=' FROM phone) NOT REGEXP '[^A-Za-z0-9_-]'
    ),
    -- A token as bytes, or as text: other Fernet programs write text to a binary column.
    CONSTRAINT people_photo_is_encrypted CHECK (
        (
            LEFT(photo, 3) = X'800000'
            AND LENGTH(photo) >= 73
            AND LENGTH(photo) % 16 = 9
        )
        OR (
            LENGTH(photo) >= 100
            AND LENGTH(photo) - LENGTH(TRIM(TRAILING '=' FROM photo))
                = CASE LENGTH(photo) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
            AND photo LIKE 'gAAAA%'
            -- MySQL takes no bytes for REGEXP; every byte is a character of latin1.
            AND CONVERT(TRIM(TRAILING '=' FROM photo) USING latin1) NOT REGEXP '[^A-Za-z0-9_-]'
        )
    )
);
