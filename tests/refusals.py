"""What a call that is refused says, for tests of the checks."""

import pytest


def refused(kind, parts, function, *arguments, **settings):
    """The call raises exactly this kind of exception, and its message holds every part."""
    with pytest.raises((ValueError, TypeError)) as caught:
        function(*arguments, **settings)
    message = str(caught.value)
    assert type(caught.value) is kind, message
    for part in parts:
        assert part in message, f"{part!r} is not in: {message}"
