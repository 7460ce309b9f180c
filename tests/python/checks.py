"""Runs the checks of a client script. Each is a function whose documentation names the feature; a line
of JSON says how it went."""

import json
import sys
import traceback

REGISTERED = []


def check(function):
    REGISTERED.append(function)
    return function


def run(*arguments):
    failed = False
    for function in REGISTERED:
        error = None
        try:
            function(*arguments)
        except Exception:
            error = traceback.format_exc()
            failed = True
        print(json.dumps({"feature": function.__doc__, "error": error}), flush=True)
    sys.exit(1 if failed else 0)
