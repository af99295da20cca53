"""Runs a program as the main one, with the `exit` and `quit` that it has where the site module is loaded."""

import builtins
import sys

if __name__ == "__main__":  # all of it at the level of the module, whose names become the program's
    builtins.exit = builtins.quit = sys.exit
    with open("/box/solution.py", "rb") as file:
        __code = compile(file.read(), "solution.py", "exec", dont_inherit=True)
    sys.argv = ["solution.py"]
    __file__ = "/box/solution.py"
    __doc__ = None
    del builtins, sys, file
    exec(__code)
