#!/usr/bin/env python3
"""Answers every HTTP/2 request with "307 Temporary Redirect" to another host, and listens there.

redirect.py HOST:PORT ELSEWHERE PKI LOG: TLS with PKI/server.pem; LOG says what was answered and whether
anyone followed.
"""
import socket
import ssl
import struct
import sys
import threading

HERE, ELSEWHERE, PKI, LOG = sys.argv[1:5]


def listen(address):
    host, port = address.rsplit(":", 1)
    listener = socket.create_server((host, int(port)))
    return listener


def say(text):
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(text + "\n")


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):  # RFC 7541 section 6.2.2, without Huffman coding
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def serve(connection):
    try:
        read_exactly(connection, 24)  # the connection preface
        connection.sendall(frame(4, 0, 0, b""))  # SETTINGS
        while True:
            head = read_exactly(connection, 9)
            kind, flags = head[3], head[4]
            stream = struct.unpack(">I", head[5:9])[0] & 0x7FFFFFFF
            read_exactly(connection, int.from_bytes(head[:3], "big"))
            if kind == 4 and not flags & 1:
                connection.sendall(frame(4, 1, 0, b""))
            elif kind == 6 and not flags & 1:
                connection.sendall(frame(6, 1, 0, b"\x00" * 8))
            elif kind == 1:  # HEADERS: a request
                where = ("https://" + ELSEWHERE + "/tutti.v1.Coordinator/Attach").encode()
                block = literal(b":status", b"307") + literal(b"location", where)
                connection.sendall(frame(1, 0x5, stream, block))  # END_STREAM, END_HEADERS
                say("answered 307")
    except (OSError, ConnectionError):
        pass


def accept_elsewhere(listener):
    while True:
        listener.accept()
        say("followed")


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(PKI + "/server.pem", PKI + "/server.key")
context.set_alpn_protocols(["h2"])
threading.Thread(target=accept_elsewhere, args=(listen(ELSEWHERE),), daemon=True).start()
main = listen(HERE)
while True:
    plain, _ = main.accept()
    try:
        threading.Thread(target=serve, args=(context.wrap_socket(plain, server_side=True),), daemon=True).start()
    except (OSError, ssl.SSLError):
        pass
