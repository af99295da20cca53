"""Serves the program to the unit tests over a pipe: it runs the program, and holds nothing of the tests.

Read from one descriptor, written to another, one JSON object a line. Data goes by value; objects of the
program stay here and go as numbers; functions of the tests come as numbers and are called over the pipe.
"""

import builtins
import json
import operator
import os
import sys
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guerdon_values import made_of, parts_of

del sys.path[0]
# The program may put others in their place; these are kept so that it does not do so by accident.
WORDS = types.SimpleNamespace(dumps=json.JSONEncoder(allow_nan=False).encode, loads=json.loads, write=os.write)
PLAIN = (list, tuple, set, frozenset, dict, bytes, bytearray, range)
KNOWN = {"builtins", "collections"}  # whose containers go by value; containers of the program's own stay here
OPERATORS = {f"__{name}__": getattr(operator, f"__{name}__") for name in (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift", "lt",
    "le", "gt", "ge", "eq", "ne", "contains", "getitem", "setitem", "delitem", "neg", "pos", "invert", "abs",
)} | {
    "__len__": len, "__bool__": bool, "__iter__": iter, "__next__": next, "__str__": str, "__repr__": repr,
    "__hash__": hash, "__int__": int, "__float__": float, "__instance__": isinstance, "__format__": format,
    "__enter__": lambda it: type(it).__enter__(it), "__exit__": lambda it, *rest: type(it).__exit__(it, *rest),
}  # fmt: skip
HERE = {}  # number -> object of the program
NUMBERS = {}  # id -> number
BACKS = {}  # number -> what stands for an object of the tests
RAISED = {}  # number -> the exception that stands for one that a function of the tests raised


class Back:
    """An object of the tests: it can be called, and gives what its public names stand for."""

    def __init__(self, number):
        object.__setattr__(self, "_number", number)

    def __call__(self, *args, **kwargs):
        return asked_back(self, "call", args, kwargs)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return asked_back(self, "get", (name,), {})

    def __setattr__(self, name, value):
        asked_back(self, "set", (name, value), {})

    def __iter__(self):
        return asked_back(self, "iter", (), {})

    def __next__(self):
        return asked_back(self, "next", (), {})


def asked_back(back, what, args, kwargs):
    """Asks the tests, and does meanwhile what they ask."""
    write(
        {"back": back._number, "what": what, "args": encode(args), "kwargs": {k: encode(v) for k, v in kwargs.items()}}
    )
    line = serve()
    if "error" in line:
        kind = getattr(builtins, str(line["error"]), None)
        fine = isinstance(kind, type) and issubclass(kind, BaseException)
        raise (kind if fine else RuntimeError)(*decode(line["args"]))
    return decode(line["answer"])


def number_of(value):
    """The number of an object of the program."""
    number = NUMBERS.get(id(value))
    if number is None:
        number = NUMBERS[id(value)] = len(HERE) + 1
        HERE[number] = value  # kept, so that its id is not given to another
    return number


def encode(value, seen=()):
    """A value as JSON data; what is no data as a number."""
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
    if type(value) is complex:
        return {"$complex": [encode(value.real), encode(value.imag)]}
    if type(value) is Back:
        return {"$back": value._number}
    parts = parts_of(value)
    if parts:
        return {"$value": parts}
    if isinstance(value, PLAIN) and (type(value).__module__ in KNOWN or fields(value)):
        return contained(value, seen)
    if isinstance(value, type) and getattr(builtins, value.__name__, None) is value:
        return {"$builtin": value.__name__}
    if isinstance(value, type) and issubclass(value, BaseException):
        bases = [encode(base) for base in value.__bases__]
        return {"$exception": number_of(value), "name": value.__name__, "bases": bases}
    return {"$ref": number_of(value), "class": isinstance(value, type)}


def contained(value, seen):
    """A container of Python's own, part by part."""
    if id(value) in seen or len(seen) > 150:
        raise ValueError("it holds itself, or is nested too deeply")
    seen = (*seen, id(value))
    if fields(value):
        return {"$named": [type(value).__name__, list(fields(value)), [encode(v, seen) for v in tuple(value)]]}
    if isinstance(value, list):
        return [encode(v, seen) for v in value]
    if isinstance(value, tuple):
        return {"$tuple": [encode(v, seen) for v in value]}
    if isinstance(value, (set, frozenset)):
        return {"$set": [encode(v, seen) for v in value], "frozen": isinstance(value, frozenset)}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": bytes(value).hex(), "array": isinstance(value, bytearray)}
    if isinstance(value, range):
        return {"$range": [value.start, value.stop, value.step]}
    return {"$dict": [[encode(k, seen), encode(v, seen)] for k, v in value.items()]}


def fields(value):
    """The names of a named tuple."""
    return isinstance(value, tuple) and getattr(type(value), "_fields", ())


def decode(data):
    """What JSON data from the tests stands for."""
    if isinstance(data, list):
        return [decode(v) for v in data]
    if not isinstance(data, dict):
        return data
    tag = next(iter(data))
    inner = data[tag]
    if tag == "$ref" or tag == "$exception":
        return HERE[inner]
    if tag == "$back":
        if inner not in BACKS:
            BACKS[inner] = Back(inner)
        return BACKS[inner]
    if tag == "$builtin":
        return getattr(builtins, inner)
    if tag == "$tuple":
        return tuple(decode(v) for v in inner)
    if tag == "$set":
        return (frozenset if data["frozen"] else set)(decode(v) for v in inner)
    if tag == "$bytes":
        return (bytearray if data["array"] else bytes).fromhex(inner)
    if tag == "$range":
        return range(*inner)
    if tag == "$dict":
        return {decode(k): decode(v) for k, v in inner}
    if tag == "$float":
        return float(inner)
    if tag == "$int":
        return int(inner, 16)
    if tag == "$complex":
        return complex(*decode(inner))
    if tag == "$value":
        return made_of(inner)
    raise ValueError(tag)


def write(line):
    """One line to the tests."""
    rest = WORDS.dumps(line).encode() + b"\n"
    while rest:
        rest = rest[WORDS.write(PIPES[1], rest) :]


def done(line):
    """Does one thing that the tests ask, and says what came of it."""
    what = line["do"]
    if what == "names":
        return {"ok": [name for name in vars(MODULE) if not name.startswith("_")]}
    if what == "get":
        return {"ok": encode(getattr(decode(line["of"]), line["name"]))}
    if what == "set":
        setattr(decode(line["of"]), line["name"], decode(line["value"]))
        return {"ok": None}
    if what == "del":
        delattr(decode(line["of"]), line["name"])
        return {"ok": None}
    if what == "operator":
        return {"ok": encode(OPERATORS[line["name"]](*decode(line["args"])))}
    args, kwargs = decode(line["args"]), {k: decode(v) for k, v in line["kwargs"].items()}
    value = decode(line["of"])(*args, **kwargs)
    after = [[n, encode(v)] for n, v in enumerate(args) if type(v) in (list, dict, set, bytearray)]
    return {"ok": encode(value), "after": [[n, now] for n, now in after if now != line["args"][n]]}


def serve():
    """Does what the tests ask until they answer."""
    while True:
        line = LINES.readline()
        if not line:
            os._exit(0)
        line = WORDS.loads(line)
        if "answer" in line or "error" in line:
            return line
        try:
            reply = done(line)
        except BaseException as error:
            reply = described(error)
        write(reply)


def described(error):
    """An exception as the tests are told of it."""
    try:
        args = [encode(arg) for arg in error.args]
    except BaseException:
        args = [str(error)]
    try:
        held = {k: encode(v) for k, v in vars(error).items() if isinstance(k, str) and not k.startswith("_")}
    except BaseException:
        held = {}
    try:
        text = str(error)[:2000]
    except BaseException:
        text = ""
    return {"raised": encode(type(error)), "args": args, "held": held, "text": text}


def main():
    """Loads the program, says so, and serves it."""
    sys.modules["solution"] = MODULE
    MODULE.__file__ = "/box/solution.py"
    HERE[0] = MODULE
    NUMBERS[id(MODULE)] = 0
    builtins.exit = builtins.quit = sys.exit
    try:
        with open("/box/solution.py", "rb") as file:
            code = compile(file.read(), "solution.py", "exec")
        exec(code, MODULE.__dict__)
    except BaseException as error:
        write({"load": f"{type(error).__name__}: {error}"[:500], "memory": isinstance(error, MemoryError)})
        os._exit(1)
    write({"loaded": True})
    serve()


MODULE = types.ModuleType("solution")
if __name__ == "__main__":
    PIPES = [int(number) for number in sys.argv[1:]]
    LINES = os.fdopen(PIPES[0], "rb")
    sys.argv = ["solution.py"]
    main()
