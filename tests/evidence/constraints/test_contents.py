"""The checks of `contents` are told by what they accept and reject in test_spec; here, that each is among them."""

import inspect

from guerdon.evidence.constraints import CHECKS, contents


def test_every_check_of_the_module_can_be_asked_for_by_name():
    helpers = {"within", "folded", "count", "parsed"}
    own = {
        n
        for n, f in inspect.getmembers(contents, inspect.isfunction)
        if f.__module__ == contents.__name__ and n[0] != "_"
    }
    assert own - helpers and own - helpers <= set(CHECKS)
