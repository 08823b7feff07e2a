"""A page that shows code and results, run: its Python blocks in order, in one scope, with every result beside them.

    slope(square, 3)      # 6.0001; nearly 6     the result of an expression; what follows "; " is an explanation

A block that prints is followed by a ```text block with what it prints. Numbers agree if they round to the digits shown;
everything else agrees if it is the same but for spaces, brackets, commas and quotes.
"""

import ast
import contextlib
import io
import re
import tokenize
from decimal import Decimal
from typing import NamedTuple

BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
TOKEN = re.compile(rf"[A-Za-z_]\w*|{NUMBER}|[^\s\w\[\](),'\"]")


class Shown(NamedTuple):
    """A result: where it stands, what the page says and what came out, as text."""

    place: str
    said: str
    found: str


def run(text, scope=None):
    """[Shown] of a page. AssertionError where a result is not shown, or a number is shown that is none."""
    scope = {} if scope is None else scope
    shown, printed = [], None
    for match in BLOCKS.finditer(text):
        language, block = match.groups()
        first = text.count("\n", 0, match.start(2))
        if language == "text":
            assert printed, f"line {first}: a text block, but the Python before it printed nothing"
            shown.append(Shown(f"line {first}", block, printed))
        assert language == "text" or not printed, f"line {first}: what the block before prints is not shown"
        printed = None
        if language == "python":
            results, printed = run_block(block, first, scope)
            shown += results
    assert not printed, "what the last block prints is not shown"
    return shown


def run_block(block, first, scope):
    """([Shown], what was printed) of a block whose first line is number `first` + 1 of its page."""
    comments = {token.start[0]: token.string.lstrip("# ") for token in
                tokenize.generate_tokens(io.StringIO(block).readline) if token.type == tokenize.COMMENT}
    shown = []
    with contextlib.redirect_stdout(io.StringIO()) as output:
        for statement in ast.parse(block).body:
            place = f"line {first + statement.end_lineno}"
            code = ast.unparse(statement)
            if not isinstance(statement, ast.Expr):
                exec(compile(code, place, "exec"), scope)
                continue
            value = eval(compile(code, place, "eval"), scope)
            if value is not None:
                assert statement.end_lineno in comments, f"{place}: the result is not shown, {plain(value)}"
                shown.append(Shown(place, comments.pop(statement.end_lineno).split("; ")[0], str(plain(value))))
    for line, comment in comments.items():
        assert not re.search(r"\d", comment), f"line {first + line}: {comment!r} has a number that is not checked"
    return shown, output.getvalue()


def plain(value):
    """NumPy's numbers and arrays as Python's, in tuples, lists and dicts too."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return type(value)(map(plain, value)) if isinstance(value, (tuple, list)) else value


def agree(said, found):
    """Whether what is shown is what came out."""
    said, found = TOKEN.findall(said), TOKEN.findall(found)
    return len(said) == len(found) and all(map(_agree, said, found))


def _agree(said, found):
    if not re.fullmatch(NUMBER, said) or not re.fullmatch(NUMBER, found):
        return said == found
    half_a_digit = Decimal(10) ** Decimal(said).as_tuple().exponent / 2
    return abs(Decimal(said) - Decimal(found)) <= half_a_digit
