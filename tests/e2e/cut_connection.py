#!/usr/bin/env python3
"""Passes TCP connections on and cuts the first one that sent too much.

cut_connection.py HOST:PORT TO_HOST:TO_PORT BYTES LOG: the first connection that sent more than BYTES upstream is
closed on both sides, with what it still had under way; LOG gets a line. All others pass untouched.
"""
import socket
import sys
import threading

HERE, THERE, LIMIT, LOG = sys.argv[1:3] + [int(sys.argv[3]), sys.argv[4]]
lock = threading.Lock()
cut = False


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def due(sent):
    global cut
    with lock:
        if cut or sent <= LIMIT:
            return False
        cut = True
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"cut after {sent} bytes\n")
        return True


def close(*connections):
    for connection in connections:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def copy(source, target, counted):
    sent = 0
    try:
        while data := source.recv(65536):
            target.sendall(data)
            sent += len(data)
            if counted and due(sent):
                break
    except OSError:
        pass
    close(source, target)


listener = socket.create_server(address(HERE))
while True:
    down, _ = listener.accept()
    up = socket.create_connection(address(THERE))
    threading.Thread(target=copy, args=(down, up, True), daemon=True).start()
    threading.Thread(target=copy, args=(up, down, False), daemon=True).start()
