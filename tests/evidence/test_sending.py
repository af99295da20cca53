"""Graders by name and by value, verdicts as text."""

import functools
import json
import subprocess
import sys
import types

import numpy as np
import pytest

from graders import length
from guerdon import Verdict
from guerdon.errors import GuerdonError
from guerdon.evidence.match import normalise
from guerdon.evidence.sending import graded, pack, read, unpack, why, written

FACTOR = 3


def there_and_back(grade):
    return unpack(pack(grade).blob)


def module_of_a_script(source):
    """What a script or a notebook binds, as if it were `__main__`."""
    script = types.ModuleType("__main__")
    exec(source, vars(script))
    return script


# Graders.


def test_a_function_of_a_module_is_sent_by_name():
    packed = pack(length)
    assert b"graders" in packed.blob and there_and_back(length) is length
    assert pack(length).key == packed.key


def test_modules_of_guerdon_are_named_for_loading():
    assert "guerdon.evidence.match" in pack(normalise).needs
    assert pack(functools.partial(normalise, "x")).needs == ("guerdon.evidence.match",)


def test_closures_defaults_and_nested_functions_are_sent_by_value():
    bonus = 0.5

    def grade(said, *, scale=FACTOR, plus=lambda x: x + bonus):
        def inner():
            return normalise(said)

        return Verdict.score(plus(len(inner())) / scale, high=9)

    assert there_and_back(grade)(" Hello. ").value == pytest.approx(5.5 / 3)


def test_recursion_and_functions_of_a_script():
    script = module_of_a_script(
        "import math\nBASE = [2]\n"
        "def even(n):\n    return True if n == 0 else odd(n - 1)\n"
        "def odd(n):\n    return False if n == 0 else even(n - 1)\n"
        "def grade(n):\n    return math.sqrt(4) + BASE[0] if even(n) else 0\n"
        "huge = (i for i in range(3))\n"
    )
    assert there_and_back(script.grade)(10) == 4.0 and there_and_back(script.grade)(7) == 0


def test_a_class_of_a_script_is_refused_with_the_way_out():
    script = module_of_a_script("class Grader:\n    def __call__(self): pass\n")
    with pytest.raises(GuerdonError, match=r"Grader is defined in a script or notebook.*move the class to a file"):
        pack(script.Grader())


def test_what_cannot_be_sent_is_a_sentence():
    file = open("/dev/null")  # noqa: SIM115
    with pytest.raises(GuerdonError, match="cannot be sent to a worker"):
        pack(lambda: file)
    file.close()


def test_a_module_that_no_path_leads_to_is_read_from_its_file(tmp_path):
    hidden = tmp_path / "deep" / "hidden_grader.py"
    hidden.parent.mkdir()
    hidden.write_text("def grade(x):\n    return x + 1\n")
    code = (
        "import importlib.util, sys, types\nsys.modules['odd'] = types.ModuleType('odd')\n"
        f"spec = importlib.util.spec_from_file_location('odd.hidden_grader', {str(hidden)!r})\n"
        "m = sys.modules['odd.hidden_grader'] = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)\n"
        "from guerdon.evidence.sending import pack\nsys.stdout.buffer.write(pack(m.grade).blob)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    try:
        assert unpack(ran.stdout)(1) == 2
    finally:
        sys.modules.pop("odd.hidden_grader", None)


# Verdicts.


def test_numpy_becomes_plain():
    verdict = Verdict.score(np.float32(0.5), n=np.int64(3), ok=np.bool_(True), row=np.arange(2), nan=float("nan"))
    back = read(json.loads(written(verdict)))
    assert back.value == 0.5 and back.facts["n"] == 3 and back.facts["ok"] is True and back.facts["row"] == [0, 1]
    assert back.facts["nan"] != back.facts["nan"]


@pytest.mark.parametrize("fact", [object(), {1, 2}, b"x", 1j, lambda: 0])
def test_what_has_no_json_form_is_refused(fact):
    with pytest.raises(TypeError):
        written(Verdict.score(1, fact=fact))


@pytest.mark.parametrize("body", [[], [1, 2], [2.0, None, 0, 1, {}, []], [None, None, 0, 1, {}, []], {"value": 1}])
def test_what_is_no_verdict_is_not_read(body):
    with pytest.raises((ValueError, TypeError)):
        read(body)


def test_unscored_text_and_lone_surrogates_pass():
    verdict = Verdict.unscored("bad \ud800 text", items=[{"a": "\udfff"}])
    assert read(json.loads(written(verdict))) == verdict


# Grading.


def test_what_a_grader_may_do():
    assert graded(lambda: Verdict.score(1), ()).scored
    assert graded(lambda: None, ()).cause == "the grader returned NoneType, not a Verdict"
    assert graded(lambda: Verdict.score(7), ()).cause.startswith("Verdict: 7.0 is outside")
    with pytest.raises(MemoryError):
        graded(lambda: (_ for _ in ()).throw(MemoryError()), ())


def test_an_exception_that_cannot_be_printed():
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError

    assert why(Odd()) == "Odd" and why(ValueError("x")) == "ValueError: x" and why(GuerdonError("f: x")) == "f: x"
