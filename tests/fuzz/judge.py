"""What a finding is: any exception but a documented one in the dialect of messages, and what a target says is wrong.

Too slow or too large are findings as well: the runner lets a run have SECONDS of the processor and BYTES of memory.
"""

import re

SECONDS, BYTES = 5, 200 << 20


class Finding(AssertionError):
    """An answer that is wrong, though nothing was raised."""


class TooSlow(Finding):
    """The alarm's."""


def refusal(error, kinds=(ValueError,)):
    """Whether an exception is a documented refusal: exactly of one of these kinds, and in the dialect."""
    text = str(error)
    return type(error) in kinds and bool(re.search(r", expected [^;]*.*; \S", text, re.DOTALL)) and len(text) < 2000


def attempt(function, *arguments, kinds=(ValueError,), **options):
    """(whether it was taken, the result); what is no documented refusal is raised again."""
    try:
        return True, function(*arguments, **options)
    except Exception as error:
        if not refusal(error, kinds):
            raise
        return False, None


def check(holds, text):
    """Finding unless something holds."""
    if not holds:
        raise Finding(text)
