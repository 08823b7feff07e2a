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
    Fault(
        what="the first style for the first run, whatever it is",
        file="fastbp/colours.py",
        old="        given.append(RUNS[name])",
        new="        given.append(list(RUNS.values())[i % len(RUNS)])",
        red=("tests/test_curve_plot.py::test_a_run_looks_the_same_in_every_picture",
             "tests/test_colours.py::test_a_way_keeps_its_style_in_any_company_and_order"),
    ),
    Fault(
        what="the legend lies in the axes, where there may be a line",
        file="fastbp/plot.py",
        old='loc="outside lower center"',
        new='loc="lower left"',
        red=("tests/test_curve_plot.py::test_texts_neither_overlap_nor_cover_data",
             "tests/test_plot.py::test_texts_of_curves_neither_overlap_nor_cover_data",
             "tests/test_curve_plot.py::test_the_animation_has_room_for_its_texts"),
    ),
    Fault(
        what="names of a user's file are formulas between two dollars",
        file="fastbp/plot.py",
        old="""return str(text).replace("$", r"\\$")""",
        new="return str(text)",
        red=("tests/test_curve_plot.py::test_texts_neither_overlap_nor_cover_data",),
    ),
    Fault(
        what="long names above the images run into each other",
        file="fastbp/plot.py",
        old="    if _wide(line, 9) > 1.25:",
        new="    if False:",
        red=("tests/test_plot.py::test_texts_of_mistakes_do_not_overlap",),
    ),
    Fault(
        what="the minimum is hidden by the ways that have come there",
        file="fastbp/colours.py",
        old='"markeredgewidth": 1.8, "zorder": 7}',
        new='"markeredgewidth": 1.8, "zorder": 5}',
        red=("tests/test_curve_plot.py::test_animation_ends_with_the_whole_way",),
    ),
    Fault(
        what="rows of a summary do not look how wide the screen is",
        file="fastbp/cli_parts.py",
        old="text.filled(text_, columns(sys.stdout), first=",
        new="text.filled(text_, None, first=",
        red=("tests/test_cli_parts.py::test_no_line_is_longer_than_the_screen_and_no_word_is_broken",),
    ),
    Fault(
        what="rows in a pipe are broken as on a screen of 80 columns",
        file="fastbp/cli_parts.py",
        old="    return max(wide - 1, NARROWEST) if wide > 0 else None",
        new="    return max(wide - 1, NARROWEST) if wide > 0 else 79",
        red=("tests/test_cli_parts.py::test_in_a_pipe_a_row_is_one_line",),
    ),
    Fault(
        what="examples of a help text are broken without a backslash",
        file="fastbp/cli_parts.py",
        old=""".replace("\\n", " \\\\\\n"))""",
        new=")",
        red=("tests/test_cli_parts.py::test_help_fits_the_screen_and_its_examples_can_be_copied",),
    ),
    Fault(
        what="a long line of a graph's text is left as it is",
        file="fastbp/looks.py",
        old="        if len(together) <= WIDTH:",
        new="        if True:",
        red=("tests/test_looks.py::test_long_lines_are_broken_between_words",),
    ),
    Fault(
        what="the repr of a network ends its lines one character too late",
        file="fastbp/text.py",
        old="len(lines[-1]) + 1 + len(piece) > room",
        new="len(lines[-1]) + len(piece) > room",
        red=("tests/test_text.py::test_a_line_is_full_and_not_longer",),
    ),
    Fault(
        what="the C that Cython writes is installed",
        file="pyproject.toml",
        old="include-package-data = false",
        new="include-package-data = true",
        red=("tests/test_readme.py::test_it_is_as_large_as_it_says",),
    ),
]
