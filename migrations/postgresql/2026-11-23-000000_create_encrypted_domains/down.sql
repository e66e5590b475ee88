DROP DOMAIN encrypted_binary;
DROP DOMAIN encrypted_text;
