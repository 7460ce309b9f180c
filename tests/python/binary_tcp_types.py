"""The methods that both scripts and the tests know: (types of the parameters, type of the result)."""

EVERY = {
    "nothing": "nil",
    "yes": "bool",
    "number": "int",
    "real": "float",
    "name": "text",
    "blob": "bytes",
    "at": "time",
    "tags": ["text"],
    "parts": [{"id": "int", "weights": ["float"]}],
}

METHODS = {
    "nothing": ([], "nil"),
    "second": (["int", "text"], "text"),
    "echo": ([EVERY], EVERY),
    "fails": ([], "nil"),
    "feed": ([], "text"),
    "pause": (["int"], "int"),
}
