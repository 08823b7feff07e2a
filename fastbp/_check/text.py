"""Text from outside as it may be printed."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` with every character that is not printable as its escape, such as \\x1b: a terminal obeys none of it.

    Control characters, line breaks, marks that change the direction of writing, lone halves of surrogate pairs and
    spaces other than the plain one are not printable.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode("ascii")
                   for each in text)
