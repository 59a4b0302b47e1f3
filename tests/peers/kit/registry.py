"""The list of tests. A suite registers its functions here; `run` executes each one in a process of its own."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Test:
    name: str
    seconds: int
    body: typing.Callable


TESTS: typing.Dict[str, Test] = {}


def peer_test(name, seconds=60, args=()):
    """Registers a test under `name`; its watchdog ends it after `seconds`. The body gets a `Bench` and `args`."""

    def register(body):
        if name in TESTS:
            raise ValueError(f"two tests are called {name}")
        TESTS[name] = Test(name, seconds, lambda bench: body(bench, *args))
        return body

    return register


class Failed(AssertionError):
    """The thing under test did not do what it should; the message says what was seen."""


def expect(condition, message):
    if not condition:
        raise Failed(message)


def expect_equal(seen, wanted, what):
    if seen != wanted:
        raise Failed(f"{what}: wanted {shorten(wanted)}, saw {shorten(seen)}")


def shorten(value, limit=300):
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
