"""Encrypt and decrypt Fernet tokens with Python's `cryptography`, for the tests.

Read one request as JSON from standard input, and write one answer as JSON to standard output. Bytes are in base64.

    {"seal": [[key, seconds, plaintext], ...]}   ->  [token, ...]
    {"open": [cell, ...], "key": key}            ->  [[plaintext, seconds] or null, ...]

A cell is the content of a column: a token as text or as raw bytes. Keys are in the request, and never in arguments.
"""

import base64
import json
import sys

from cryptography.fernet import Fernet, InvalidToken


def seal(key, seconds, plaintext):
    return Fernet(key).encrypt_at_time(base64.b64decode(plaintext), seconds).decode()


def open_cell(fernet, cell):
    cell = base64.b64decode(cell)
    token = base64.urlsafe_b64encode(cell) if cell[:1] == b"\x80" else cell
    try:
        plaintext = fernet.decrypt(token)
    except InvalidToken:
        return None
    return [base64.b64encode(plaintext).decode(), fernet.extract_timestamp(token)]


def answer(request):
    if "seal" in request:
        return [seal(*value) for value in request["seal"]]
    fernet = Fernet(request["key"])
    return [open_cell(fernet, cell) for cell in request["open"]]


json.dump(answer(json.load(sys.stdin)), sys.stdout)
