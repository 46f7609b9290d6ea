"""How the node words its refusals: broadcast codes and the `Error` answers of its HTTP API."""

from __future__ import annotations


class ApiError(Exception):
    """An HTTP 200 answer `{"Error": "class <java class> : <words>"}`."""

    def __init__(self, java_class: str, words: str) -> None:
        """Keep the Java class and the words."""
        super().__init__(words)
        self.java_class = java_class
        self.words = words

    def text(self) -> str:
        """Return the value of `Error`; without a class only the words."""
        return f"class {self.java_class} : {self.words}" if self.java_class else self.words


class Refused(Exception):
    """A transaction or call that the node refuses, with its code and plain words."""

    def __init__(self, code: str, words: str) -> None:
        """Keep code and words."""
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words


def invalid(words: str) -> Refused:
    """Return the refusal of a transaction by its contract's own rules."""
    return Refused("CONTRACT_VALIDATE_ERROR", words)
