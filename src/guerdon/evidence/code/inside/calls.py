"""Loads a program, makes the calls asked for on stdin, one JSON object a line, and answers on descriptor 3.

It runs in the candidate's own process and is trusted with nothing: an answer is whatever the candidate
says it is. No expected value is here, an answer that does not come is a failed test, and how the process
ends does not matter.
"""

import builtins
import json
import os
import sys
import types

WORDS = types.SimpleNamespace(dumps=json.JSONEncoder(ensure_ascii=True, allow_nan=False).encode, write=os.write)


def encode(value, seen=()):
    """A value as JSON data with tags; raises where it is no data."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        value = int.__index__(value)
        return {"$int": hex(value)} if value.bit_length() > 13000 else value
    if isinstance(value, float):
        value = float.__float__(value)
        return value if value - value == 0 else {"$float": float.__repr__(value)}
    if isinstance(value, complex):
        return {"$complex": [encode(value.real), encode(value.imag)]}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": bytes(value).hex()}
    if id(value) in seen:
        raise ValueError("it holds itself")
    seen = (*seen, id(value))
    if isinstance(value, (list, tuple)):
        return [encode(v, seen) for v in value]
    if isinstance(value, (set, frozenset)):
        return {"$set": [encode(v, seen) for v in value]}
    if isinstance(value, dict):
        if all(type(k) is str and not k.startswith("$") for k in value):
            return {k: encode(v, seen) for k, v in value.items()}
        return {"$dict": [[encode(k, seen), encode(v, seen)] for k, v in value.items()]}
    raise TypeError(f"{type(value).__name__} is no data")


def decode(data):
    """The value that JSON data with tags stands for."""
    if isinstance(data, list):
        return [decode(v) for v in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        ((tag, inner),) = data.items()
        if tag == "$set":
            return {tuple(v) if isinstance(v, list) else v for v in decode(inner)}
        if tag == "$bytes":
            return bytes.fromhex(inner)
        if tag == "$dict":
            return {tuple(k) if isinstance(k, list) else k: v for k, v in decode(inner)}
        if tag == "$float":
            return float(inner)
        if tag == "$int":
            return int(inner, 16)
        if tag == "$complex":
            return complex(*decode(inner))
    return {k: decode(v) for k, v in data.items()}


def say(line):
    """One line on descriptor 3."""
    rest = WORDS.dumps(line).encode() + b"\n"
    while rest:
        rest = rest[WORDS.write(3, rest) :]


def named(space, path):
    """What a dotted name of the program stands for; the method of a class is that of an instance made for it."""
    first, *others = path.split(".")
    if first not in space and not others and isinstance(space.get("Solution"), type):
        first, others = "Solution", [first]
    if first not in space:
        raise NameError(f"the program defines no {first}")
    found = space[first]
    for name in others:
        if isinstance(found, type) and isinstance(found.__dict__.get(name), types.FunctionType):
            found = found()
        found = getattr(found, name)
    return found


def main():
    """Loads the program and makes the calls."""
    asked = [json.loads(line) for line in sys.stdin.buffer]
    module = types.ModuleType("solution")
    module.__file__ = "/box/solution.py"
    sys.modules["solution"] = module
    builtins.exit = builtins.quit = sys.exit
    try:
        with open("/box/solution.py", "rb") as file:
            code = compile(file.read(), "solution.py", "exec")
        exec(code, module.__dict__)
    except BaseException as error:
        say({"load": f"{type(error).__name__}: {error}"[:500], "memory": isinstance(error, MemoryError)})
        os._exit(1)
    say({"loaded": True})
    for line in asked:
        try:
            value = named(module.__dict__, line["call"])(*decode(line["args"]), **decode(line["kwargs"]))
        except BaseException as error:
            try:
                why = f"{type(error).__name__}: {error}"[:500]
            except BaseException:
                why = "an exception that cannot be written"
            say({"i": line["i"], "raised": why, "memory": isinstance(error, MemoryError)})
            continue
        try:
            answer = {"i": line["i"], "ok": encode(value)}
        except BaseException as error:
            answer = {"i": line["i"], "strange": f"{type(value).__name__}: {type(error).__name__}"[:500]}
        del value
        say(answer)
    os._exit(0)


if __name__ == "__main__":
    main()
