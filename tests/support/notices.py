#!/usr/bin/env python3
"""Reads what tests/fixture/notices.py has received, with nothing of ours.

    notices.py hmac FILE KEYFILE        whether the signature of an HTTP request is right, as docs/daemon.md says it is checked
    notices.py json FILE NAME...        a member of the body ("run.verdict", "anomalies.0.seen"); strings as they are
    notices.py path FILE | header FILE NAME | body FILE
    notices.py mail FILE                the headers, decoded, one line each, an empty line, the text, decoded
"""
import email
import email.policy
import hashlib
import hmac
import json
import sys


def main():
    what, name, *rest = sys.argv[1:]
    if what == "mail":
        with open(name, "rb") as file:
            raw = file.read()
        assert b"\n" not in raw.replace(b"\r\n", b""), "a line that does not end with CRLF"
        assert max(len(line) for line in raw.split(b"\r\n")) <= 998
        assert all(byte < 128 for byte in raw), "not seven bits"
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert not message.defects, message.defects
        for key, value in message.items():
            print(f"{key}: {value}")
        print()
        print(message.get_content(), end="")
        return 0
    with open(name, encoding="utf-8") as file:
        request = json.load(file)
    headers = {key.lower(): value for key, value in request["headers"]}
    if what == "hmac":
        with open(rest[0], "rb") as file:
            key = file.read().split(b"\n")[0]
        signed = headers["x-backupd-timestamp"].encode() + b"." + request["body"].encode()
        expected = "sha256=" + hmac.new(key, signed, hashlib.sha256).hexdigest()
        return 0 if hmac.compare_digest(expected, headers["x-backupd-signature"]) else 1
    if what == "json":
        value = json.loads(request["body"])
        for part in rest[0].split("."):
            value = value[int(part) if part.isdigit() else part]
        print(value if isinstance(value, str) else json.dumps(value))
        return 0
    print(request[what] if what != "header" else headers[rest[0].lower()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
