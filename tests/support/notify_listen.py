#!/usr/bin/env python3
"""Listens as a service manager does: notify_listen.py ADDRESS OUT. Each datagram becomes a line of OUT, its lines joined by '|'.
ADDRESS is a path, or '@' and an abstract name."""
import socket
import sys

address, out = sys.argv[1:]
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.bind("\0" + address[1:] if address.startswith("@") else address)
with open(out, "w", buffering=1) as f:
    f.write("listens\n")
    while True:
        f.write(sock.recv(65536).decode().replace("\n", "|") + "\n")
