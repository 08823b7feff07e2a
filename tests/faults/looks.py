"""Faults in what users see: names, summaries, pictures, the page on losses."""

from tests.faults import Fault

FACE, NAMES = "fastbp/__init__.py", "tests/test_public_names.py"

FAULTS = [
    Fault(
        what="the modules that are imported late are forgotten by dir()",
        file=FACE,
        old="sorted([*__all__, *_MODULES,",
        new="sorted([*__all__,",
        red=(f"{NAMES}::test_dir_is_what_is_public_and_nothing_else",),
    ),
    Fault(
        what="a star imports scikit-learn too",
        file=FACE,
        old='__all__ = [\n',
        new='__all__ = [\n    "sklearn",\n',
        red=(f"{NAMES}::test_a_star_takes_the_names_alone",),
    ),
    Fault(
        what="a name mistyped gets no suggestion where its capitals differ",
        file=FACE,
        old="{known.lower(): known for known",
        new="{known: known for known",
        red=(f"{NAMES}::test_a_name_mistyped_is_refused_with_the_one_meant",),
    ),
]
