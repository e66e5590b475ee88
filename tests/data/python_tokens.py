"""Print tokens that Python's `cryptography` makes: the source of python-tokens.json.

    python3 tests/data/python_tokens.py > tests/data/python-tokens.json

Initialisation vectors are random, so each run prints different tokens of the same plaintexts.
"""

import base64
import json

from cryptography.fernet import Fernet

KEYS = [base64.urlsafe_b64encode(bytes([start + i for i in range(32)])).decode() for start in (1, 100, 220)]

# Seconds since 1970: the first, the one in the specification, a billion, beyond 31 and 32 bits, the last of the year
# 9999, and the last that a token can hold.
DATES = [0, 499162800, 1_000_000_000, 2**31, 2**32, 253402300799, 2**64 - 1]

PLAINTEXTS = [bytes((7 * i + length) % 256 for i in range(length)) for length in range(65)] + [
    bytes(range(256)) * 4,
    "ada@example.org".encode(),
    "Žluťoučký kůň, 東京, naïve, 🔑".encode(),
    "line one\nline two\r\n\ttabbed\0nul".encode(),
    json.dumps({"name": "Ada", "tags": ["a", "ä", None], "n": -1.5e300}).encode(),
    json.dumps("a string", ensure_ascii=False).encode(),
]


def token(index, plaintext):
    key, date = KEYS[index % len(KEYS)], DATES[index // len(KEYS) % len(DATES)]
    return {
        "key": key,
        "date": date,
        "plaintext": base64.b64encode(plaintext).decode(),
        "token": Fernet(key).encrypt_at_time(plaintext, date).decode(),
    }


lines = [json.dumps(token(index, plaintext)) for index, plaintext in enumerate(PLAINTEXTS)]
print("[\n  " + ",\n  ".join(lines) + "\n]")
