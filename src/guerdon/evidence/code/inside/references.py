"""Objects of a program that runs in another process, as the unit tests see them.

Data goes by value. An object of the program is a `Reference`: what it is asked, the program answers, so it is not asked
where its word could make up the result of a test.
"""

import builtins
import collections
import json
import os
import subprocess
import sys
import types
import unittest

from guerdon_values import builtin, made_of, parts_of


class Fault(BaseException):
    """The tests, not the program, cannot be run."""


class Ended(BaseException):
    """The program is gone; no `except Exception` of a test, which waits for an error of it, is to take that for one."""


# Of this process: the pipe to the program, the name of the tests' module, the faults that were seen.
State = types.SimpleNamespace(pipe=None, tests="", faults=[])


class Pipe:
    """The two pipes to the program, and what is known of its objects."""

    def __init__(self):
        there, self.out = os.pipe()
        into, back = os.pipe()
        self.lines = os.fdopen(into, "rb")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "/box/guerdon/candidate.py", str(there), str(back)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(there, back), env={},
        )  # fmt: skip
        os.close(there)
        os.close(back)
        self.refs, self.classes, self.backs, self.numbers = {}, {}, [], {}
        self.inside = 0  # how many functions of the tests are being called by the program
        self.ended = False

    def read(self):
        """One line of the program."""
        line = self.lines.readline()
        if not line.endswith(b"\n"):
            self.ended = True
            raise Ended("the program ended")
        return json.loads(line)

    def write(self, line):
        """One line to the program."""
        rest = json.dumps(line, allow_nan=False).encode() + b"\n"
        try:
            while rest:
                rest = rest[os.write(self.out, rest) :]
        except OSError:
            self.ended = True
            raise Ended("the program ended") from None

    def ask(self, **line):
        """What the program says; meanwhile it may call functions that the tests gave it."""
        self.write(line)
        while True:
            reply = self.read()
            if "back" in reply:
                self.inside += 1
                try:
                    self.write({"answer": encode(called_back(reply))})
                except Exception as error:
                    kind = next(c.__name__ for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c)
                    self.write({"error": kind, "args": [str(error)]})
                finally:
                    self.inside -= 1
            elif "raised" in reply:
                raise rebuilt(reply)
            else:
                return reply


# Objects of the program.


class Reference:
    """An object of the program. What it says of itself is the program's word, so where its word could make up a
    result it is not asked: see `trusted`.

    Of a class, `_named` says whether each name by which the tests got it begins with a capital. Of an object, `_made`
    says that the tests made it, by calling a class, and `_vouched` that the class was so named and that no function
    has returned the object since: the program may call a class `f`, or return a stack where its top is asked for.
    """

    __slots__ = ("_class", "_made", "_named", "_number", "_vouched")

    def __init__(self, number, is_class):
        for name, value in (("_number", number), ("_class", is_class)):
            object.__setattr__(self, name, value)
        for name in ("_made", "_vouched", "_named"):
            object.__setattr__(self, name, None)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__") and name not in ("__name__", "__doc__", "__dict__"):
            raise AttributeError(name)
        value = decode(State.pipe.ask(do="get", of=encode(self), name=name)["ok"])
        if type(value) is Reference and value._class:
            object.__setattr__(value, "_named", value._named is not False and name.lstrip("_")[:1].isupper())
        return value

    def __setattr__(self, name, value):
        State.pipe.ask(do="set", of=encode(self), name=name, value=encode(value))

    def __delattr__(self, name):
        State.pipe.ask(do="del", of=encode(self), name=name)

    def __call__(self, *args, **kwargs):
        sent = [encode(arg) for arg in args]
        reply = State.pipe.ask(do="call", of=encode(self), args=sent, kwargs={k: encode(v) for k, v in kwargs.items()})
        for n, now in reply["after"]:  # what it changed of the lists and mappings that it was given
            changed(args[n], decode(now))
        value = decode(reply["ok"])
        return made(value, self._named) if self._class else value

    def __instancecheck__(self, other):
        return type(other) is Reference and operated("__instance__", other, self) is True

    def __bool__(self):
        return operated("__bool__", self) is True

    def __hash__(self):
        return hash(self._number)

    def __eq__(self, other):
        return self is other or (trusted(self, other) and operated("__eq__", self, other) is True)

    def __ne__(self, other):
        return not self == other

    def __contains__(self, other):
        if not trusted(self, None):
            raise TypeError("what the program returned is asked whether it holds something; return a list or a set")
        return operated("__contains__", self, other) is True

    def __iter__(self):
        found = operated("__iter__", self)
        return found if type(found) is Reference else iter(found)

    def __repr__(self):
        return operated("__repr__", self)

    def __str__(self):
        return operated("__str__", self)

    def __exit__(self, *_):
        return operated("__exit__", self, None, None, None)


def operator_of(name):
    """The method that asks the program for an operator, where it is to be believed."""

    def apply(self, *others):
        if name in ORDERS and not trusted(self, others[0]):
            raise TypeError("what the program returned is compared with a value; return the value itself")
        value = operated(name, self, *others)
        if name in SUMS and type(value) is Reference:
            return made(value, self._vouched)
        if name in SUMS and not all(type(o) is Reference and o._vouched for o in (self, *others)):
            raise TypeError("what the program returned is reckoned with; return the value itself")
        return value

    return apply


ORDERS = ("__lt__", "__le__", "__gt__", "__ge__")
SUMS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
SUMS = tuple(f"__{name}__" for name in (*SUMS, "neg", "pos", "abs"))
REST = ("__len__", "__next__", "__getitem__", "__setitem__", "__delitem__", "__int__", "__float__", "__enter__")
for _name in (*ORDERS, *SUMS, *REST):
    setattr(Reference, _name, operator_of(_name))
for _name in ("add", "sub", "mul", "truediv", "matmul"):  # 2 * vector
    setattr(Reference, f"__r{_name}__", lambda self, other, _name=_name: turned(f"__{_name}__", other, self))


def turned(name, other, self):
    """An operator whose left side is a value of the tests."""
    value = operated(name, other, self)
    if type(value) is not Reference or not self._vouched:
        raise TypeError("what the program returned is reckoned with; return the value itself")
    return made(value, True)


def made(value, vouched):
    """An object that the tests made, by calling a class or reckoning with others that they made."""
    if type(value) is Reference:
        object.__setattr__(value, "_made", True)
        object.__setattr__(value, "_vouched", vouched)
    return value


def trusted(left, right):
    """Whether the program's own comparison decides.

    Between two of its objects, where the tests made one of them; between one and a value, where they made it by a class
    that they name as one, and no function has returned it. Any other may claim to equal anything.
    """
    if type(left) is type(right) is Reference:
        return left._made or right._made
    return any(type(each) is Reference and each._vouched for each in (left, right))


def operated(name, *args):
    """What the program's operator gives."""
    return decode(State.pipe.ask(do="operator", name=name, args=[encode(arg) for arg in args])["ok"])


def changed(mine, now):
    """Puts what the program made of a list or a mapping into the tests' own."""
    if isinstance(mine, (list, bytearray)):
        mine[:] = now
    else:
        mine.clear()
        mine.update(now)


class Module(types.ModuleType):
    """The program, as the tests import it."""

    def __getattr__(self, name):
        if name == "__all__":
            return State.pipe.ask(do="names")["ok"]
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(State.pipe.refs[0], name)

    def __setattr__(self, name, value):
        if name.startswith("__"):
            return super().__setattr__(name, value)
        return setattr(State.pipe.refs[0], name, value)

    def __delattr__(self, name):
        delattr(State.pipe.refs[0], name)


# Values over the pipe.


def encode(value):
    """A value of the tests as JSON data; what is no data as a number that the program may call."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if type(value) is Reference:
        return {"$ref": value._number}
    if isinstance(value, type):
        return typed(value)
    if isinstance(value, int):
        return {"$int": hex(value)} if value.bit_length() > 13000 else int(value)
    if isinstance(value, float):
        return float(value) if value - value == 0 else {"$float": repr(float(value))}
    if isinstance(value, complex):
        return {"$complex": [encode(value.real), encode(value.imag)]}
    if isinstance(value, list):
        return [encode(v) for v in value]
    if isinstance(value, tuple):
        return {"$tuple": [encode(v) for v in value]}
    if isinstance(value, (set, frozenset)):
        return {"$set": [encode(v) for v in value], "frozen": isinstance(value, frozenset)}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": bytes(value).hex(), "array": isinstance(value, bytearray)}
    if isinstance(value, range):
        return {"$range": [value.start, value.stop, value.step]}
    if isinstance(value, dict):
        return {"$dict": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, types.BuiltinFunctionType) and getattr(builtins, value.__name__, None) is value:
        return {"$builtin": value.__name__}
    if parts := parts_of(value):
        return {"$value": parts}
    if sort_of(value):
        if id(value) not in State.pipe.numbers:
            State.pipe.numbers[id(value)] = len(State.pipe.backs)
            State.pipe.backs.append(value)
        return {"$back": State.pipe.numbers[id(value)]}
    if isinstance(value, BaseException):  # the program may have chosen to raise it
        raise TypeError("an exception cannot be sent")
    raise unsent(f"it gives the program a {type(value).__name__}, which cannot be sent")


def typed(value):
    """A type, by its name or number."""
    if getattr(builtins, value.__name__, None) is value:
        return {"$builtin": value.__name__}
    for number, local in State.pipe.classes.items():
        if local is value:
            return {"$exception": number}
    raise unsent(f"it gives the program the class {value.__name__}, which cannot be sent")


def unsent(why):
    """The error for what cannot be sent: the fault of the tests, unless the program asked for it."""
    if State.pipe.inside:
        return TypeError(why)
    State.faults.append(why)  # noted, since a TestCase catches whatever is raised
    return Fault(why)


def sort_of(value):
    """What the program may do with an object of the tests; never reach what it is made of."""
    if isinstance(value, (types.FunctionType, types.MethodType, types.BuiltinFunctionType)):
        return ("call",)
    if type(value).__module__ == "unittest.mock":
        return ("call",)
    if type(value).__module__ == State.tests and not isinstance(value, unittest.TestCase):
        return ("call", "get", "set", "iter", "next")
    if getattr(type(value), "__next__", None):
        return ("iter", "next")
    return ()


def called_back(reply):
    """Does what the program asks of an object of the tests, where that is allowed."""
    value = State.pipe.backs[reply["back"]]
    what, args = reply["what"], decode(reply["args"])
    if what not in sort_of(value):
        raise TypeError(f"an object of the tests is asked to {what}")
    if what == "call":
        return value(*args, **{k: decode(v) for k, v in reply["kwargs"].items()})
    if what == "iter":
        return iter(value)
    if what == "next":
        return next(value)
    if args[0].startswith("_"):
        raise AttributeError(args[0])
    return getattr(value, args[0]) if what == "get" else setattr(value, args[0], args[1])


def decode(data):
    """What JSON data of the program stands for."""
    if isinstance(data, list):
        return [decode(v) for v in data]
    if not isinstance(data, dict):
        return data
    tag = next(iter(data))
    inner = data[tag]
    if tag == "$ref":
        if inner not in State.pipe.refs:
            State.pipe.refs[inner] = Reference(inner, data["class"] is True)
        object.__setattr__(State.pipe.refs[inner], "_vouched", False)
        return State.pipe.refs[inner]
    if tag == "$exception":
        return exception(data)
    if tag == "$named":
        return collections.namedtuple(inner[0], inner[1])(*decode(inner[2]))
    return PLAIN[tag](inner, data)


PLAIN = {
    "$tuple": lambda inner, data: tuple(decode(v) for v in inner),
    "$set": lambda inner, data: (frozenset if data["frozen"] else set)(decode(v) for v in inner),
    "$bytes": lambda inner, data: (bytearray if data["array"] else bytes).fromhex(inner),
    "$range": lambda inner, data: range(*inner),
    "$dict": lambda inner, data: {decode(k): decode(v) for k, v in inner},
    "$float": lambda inner, data: float(inner),
    "$int": lambda inner, data: int(inner, 16),
    "$complex": lambda inner, data: complex(*decode(inner)),
    "$value": lambda inner, data: made_of(inner),
    "$builtin": lambda inner, data: builtin(inner),
    "$back": lambda inner, data: State.pipe.backs[inner],
}


def exception(data):
    """A class of exceptions of the program, as one of ours of the same name and bases."""
    number = data["$exception"]
    if number not in State.pipe.classes:
        bases = tuple(decode(base) for base in data.get("bases", ()))
        bases = tuple(b for b in bases if isinstance(b, type) and issubclass(b, BaseException)) or (Exception,)
        State.pipe.classes[number] = type(data["name"], bases, {"__str__": lambda self: self.__dict__.get("_text", "")})
    return State.pipe.classes[number]


def rebuilt(reply):
    """An exception of the program as one of ours."""
    kind = decode(reply["raised"])
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return RuntimeError("the program raised what is no exception")
    try:
        error = kind(*decode(reply["args"]))
    except Exception:
        error = kind.__new__(kind)
    error.__dict__["_text"] = str(reply.get("text", ""))
    for name, value in reply.get("held", {}).items():
        if not name.startswith("_"):
            error.__dict__[name] = decode(value)
    return error
