"""tests/gcov_sums.py: a line is run if it is in any of the objects that include it."""

import gcov_sums

TEXT = """        -:    0:Source:{source}
        -:    0:Runs:1
function f called 3 returned 100% blocks executed 75%
        -:    1:/* text: more */
{first:>9}:    2:    if (x) return;
branch  0 taken {taken} (fallthrough)
branch  1 never executed
    #####:    3:    y();
"""


def test_objects_of_one_source_are_added_up(tmp_path, capsys):
    for i, (first, taken) in enumerate([("3*", 0), ("#####", 2)]):
        (tmp_path / str(i)).mkdir()
        text = TEXT.format(source="csrc/a.inc", first=first, taken=taken)
        (tmp_path / str(i) / "a.inc.gcov").write_text(text)
    (tmp_path / "b.gcov").write_text(TEXT.format(source="/usr/include/b.h", first="1", taken=1))
    gcov_sums.main(tmp_path)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1:] == [["csrc/a.inc", "2", "1", "2", "1", "50.0%", "3"], ["TOTAL", "2", "1", "2", "1", "50.0%"]]
