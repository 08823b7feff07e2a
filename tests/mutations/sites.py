"""Where a file of C, Cython or Python can be changed, and into what: text alone, no parser.

Comments, strings and what only the preprocessor, the importer or a reader of types sees are left as they are. Binary
operators are told from unary ones and pointers by the spaces around them, as the sources are written.
"""

import re
from dataclasses import dataclass

# {kind: [(pattern, what it becomes)]}; a pattern matches code from which comments and strings were blanked out.
OPERATORS = {
    "arithmetic": [
        (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " / "), (r" / ", " * "), (r" // ", " * "), (r" % ", " / "),
        (r" \+= ", " -= "), (r" -= ", " += "), (r" \*= ", " /= "), (r" << ", " >> "), (r" >> ", " << "),
        (r"\bvmin\(", "vmax("), (r"\bvmax\(", "vmin("), (r"\bmin\(", "max("), (r"\bmax\(", "min("),
    ],
    "comparison": [
        (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" == ", " != "), (r" != ", " == "),
        (r" is not ", " is "), (r" is (?!not\b)", " is not "), (r"(?<=\w) not in ", " in "),
    ],
    "logic": [
        (r" && ", " || "), (r" \|\| ", " && "), (r" and ", " or "), (r" or ", " and "), (r"\bTrue\b", "False"),
        (r"\bFalse\b", "True"), (r" & ", " | "), (r" \|= ", " &= "),
    ],
}  # fmt: skip
NUMBER = re.compile(r"(?<![\w.\"'])(?:\d+\.\d+|\d+)(?![\w.\"'])")
CONDITION = {
    "c": re.compile(r"\bif \(((?:[^()\n]|\((?:[^()\n]|\([^()\n]*\))*\))*)\)"),
    "py": re.compile(r"^( *(?:if|elif)) (.+):$", re.MULTILINE),
}
TARGET = r"\*?[\w.]+(?:(?:->|\.)\w+|\[[^\n;]*?\])*"
STATEMENT = {
    "c": re.compile(rf"^( +)({TARGET} [-+*/|&^]?= [^\n;]*|\w+\([^\n;]*\));$", re.MULTILINE),
    "py": re.compile(rf"^( +)({TARGET} [-+*/|&]?= [^\n]*|[\w.]+\([^\n]*\))$", re.MULTILINE),
}
RAISE = re.compile(r"\braise (?=[\w.]+\()")
SPELLING = {
    "c": re.compile(r'\\.|/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL),
    "py": re.compile(
        r'[rbfRBF]{0,2}(?:"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|#[^\n]*', re.DOTALL
    ),
}
NO_CODE = {
    "c": re.compile(
        r"^ *# *(?:if|ifdef|ifndef|elif|else|endif|include|undef|pragma|error)\b[^\n]*|"
        r"^ *# *define \w+(?:\([^)\n]*\))?",
        re.MULTILINE,
    ),
    "py": re.compile(
        r"^ *(?:from|import|cimport|@|ctypedef|cdef extern|__all__|if TYPE_CHECKING)[^\n]*|"
        r"(?:->[^\n]*| except [^\n]*):$",
        re.MULTILINE,
    ),
}


@dataclass(frozen=True)
class Mutation:
    """In `file` the text `old`, which begins at character `at`, becomes `new`."""

    file: str
    kind: str
    at: int
    old: str
    new: str

    def apply(self, text):
        assert text.startswith(self.old, self.at), self
        return text[: self.at] + self.new + text[self.at + len(self.old) :]

    def line(self, text):
        return text.count("\n", 0, self.at) + 1

    def shown(self, text):
        """The line as it becomes, or which statement is left out."""
        if self.kind == "statement":
            return f"without {self.old}"
        start = text.rfind("\n", 0, self.at) + 1
        end = text.find("\n", self.at + len(self.old))
        after = text[start : self.at] + self.new + text[self.at + len(self.old) : end]
        return re.sub(r"\s+", " ", after).strip()


def blanked(text, language):
    """The text with a space for every character that is no code; lines stay lines."""

    def blank(match):
        return match[0] if match[0].startswith("\\") else re.sub(r"[^\n]", " ", match[0])

    return NO_CODE[language].sub(blank, SPELLING[language].sub(blank, text))


def balanced(text):
    """Whether all brackets of a statement are closed in it."""
    return all(text.count(a) == text.count(b) for a, b in ("()", "[]", "{}"))


def next_number(text):
    """0 and 1 are exchanged; others become one more."""
    if text in ("0", "1"):
        return "10"[int(text)]
    return str(int(text) + 1) if text.isdigit() else repr(float(text) + 1)


def sites(file, text):
    """All mutations of a file, in its order."""
    language = "py" if file.endswith((".py", ".pyx")) else "c"
    code = blanked(text, language)
    found = []
    for kind, rules in OPERATORS.items():
        for pattern, new in rules:
            for m in re.finditer(pattern, code):
                found.append(Mutation(file, kind, m.start(), text[m.start() : m.end()], new))
    found += [Mutation(file, "constant", m.start(), m[0], next_number(m[0])) for m in NUMBER.finditer(code)]
    for m in CONDITION[language].finditer(code):
        group = 1 if language == "c" else 2
        old = text[m.start(group) : m.end(group)]
        new = f"!({old})" if language == "c" else f"not ({old})"
        found.append(Mutation(file, "condition", m.start(group), old, new))
    for m in STATEMENT[language].finditer(code):
        old = text[m.start(2) : m.end(2)]
        before = code[: m.start()].rstrip()
        if balanced(m[2]) and (language == "py" or before.endswith((";", "{", "}", ")"))):
            found.append(Mutation(file, "statement", m.start(2), old, "pass" if language == "py" else "(void)0"))
    if language == "py":
        found += [Mutation(file, "raise", m.start(), m[0], "") for m in RAISE.finditer(code)]
    return sorted(found, key=lambda each: (each.at, each.kind, each.new))
