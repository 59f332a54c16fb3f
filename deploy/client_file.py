#!/usr/bin/env python3
"""A client's file made from a template: the keys given are put in, relative paths are made absolute.

    deploy/client_file.py TEMPLATE.toml KEY=VALUE ... >client-1.toml      e.g. data.slice.index=3 role=evaluator

An empty VALUE removes the key or the whole section. Used by deploy/demo.sh.
"""
import os
import sys
import tomllib

PATHS = {"state_directory", "policy_file", "data.file", "data.images", "data.labels", "trainer.program"}


def value_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    return repr(value)


def is_table(value):
    return isinstance(value, dict) or (isinstance(value, list) and value and all(isinstance(v, dict) for v in value))


def write(table, name, out):
    for key, value in table.items():
        if not is_table(value):
            out.append(f"{key} = {value_text(value)}")
    for key, value in table.items():
        if is_table(value):
            inner = f"{name}.{key}" if name else key
            for item in [value] if isinstance(value, dict) else value:
                out.append("\n" + (f"[{inner}]" if isinstance(value, dict) else f"[[{inner}]]"))
                write(item, inner, out)


def number_or_text(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def main(arguments):
    if not arguments or arguments[0].startswith("-"):
        sys.exit(__doc__)
    with open(arguments[0], "rb") as file:
        client = tomllib.load(file)
    folder = os.path.dirname(os.path.abspath(arguments[0]))
    for path in PATHS:
        table = client
        *sections, key = path.split(".")
        for section in sections:
            table = table.get(section, {})
        if table.get(key):
            table[key] = os.path.normpath(os.path.join(folder, table[key]))
    for setting in arguments[1:]:
        path, _, text = setting.partition("=")
        table = client
        *sections, key = path.split(".")
        for section in sections:
            table = table.setdefault(section, {})
        if text:
            table[key] = number_or_text(text)
        else:
            table.pop(key, None)
    out = []
    write(client, "", out)
    print("\n".join(out))


main(sys.argv[1:])
