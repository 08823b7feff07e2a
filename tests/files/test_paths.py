"""Whatever names a path - str, bytes, PathLike - is one, for all that reads and writes files."""

import gzip
import io
import os
from pathlib import Path

import pytest
from model_files import Dribble, example, plan, same, saved

import fastbp as fb
from fastbp import graph as g


class Readable(os.PathLike):
    """A path that reads and writes as well, as py.path.local does."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)

    def write(self, data):
        raise AssertionError

    read = write


@pytest.mark.parametrize("form", [str, os.fsencode, Path, Readable])
def test_str_bytes_and_path_likes_are_paths(tmp_path, form):
    path = form(tmp_path / "file")
    example().save(path)
    same(fb.load(path))
    one, other = plan(), plan(seed=1)
    one.save(path)
    assert other.load(path).params.tobytes() == one.params.tobytes()
    (tmp_path / "idx").write_bytes(b"\0\0\x08\x01\0\0\0\x02ab")
    assert fb.datasets.read_idx(form(tmp_path / "idx")).tobytes() == b"ab"
    with pytest.raises(FileNotFoundError, match="lacks train-images"):
        fb.datasets.load_mnist(form(tmp_path))
    assert os.listdir(tmp_path).count("file") == 1


@pytest.mark.parametrize("form", [str, os.fsencode, Path, Readable, None])
def test_pictures_go_where_networks_go(tmp_path, form):
    pytest.importorskip("matplotlib")
    history = {"loss": [1.0, 0.5]}
    place = io.BytesIO() if form is None else form(tmp_path / "file.png")
    fb.plot.history(history, place)
    assert (place.getvalue() if form is None else (tmp_path / "file.png").read_bytes())[:4] == b"\x89PNG"
    with pytest.raises(TypeError, match=r"path is 3 \(int\), expected the path of a file; .*, or an open binary file"):
        fb.plot.history(history, 3)
    with pytest.raises(TypeError, match="is a file of text, expected a binary one"):
        fb.plot.history(history, io.StringIO())


def test_a_drawing_of_a_graph_goes_to_a_path(tmp_path):
    with pytest.raises(ValueError, match=r"path is '.*file.txt', expected an ending"):
        g.draw(plan(), os.fsencode(tmp_path / "file.txt"))
    with pytest.raises(TypeError, match=r"path is <.*BytesIO.* expected the path of a file"):
        g.draw(plan(), io.BytesIO())


@pytest.mark.parametrize("data", [b"\0\0\x08\x01\0\0\0\x02ab", gzip.compress(b"\0\0\x08\x01\0\0\0\x02ab", mtime=0)])
def test_idx_files_that_are_open(data):
    assert fb.datasets.read_idx(io.BytesIO(data)).tobytes() == b"ab"
    assert fb.datasets.read_idx(Dribble(data, most=3)).tobytes() == b"ab"
    with pytest.raises(ValueError, match=r"path <.*BytesIO.*truncated"):
        fb.datasets.read_idx(io.BytesIO(data[:-1]))
    with pytest.raises(ValueError, match=r"not an IDX file, expected one that begins"):
        fb.datasets.read_idx(io.BytesIO(b"\x89PNG\r\n\x1a\n"))


@pytest.mark.parametrize("read", [fb.load, fb.datasets.read_idx, lambda file: fb.datasets.load_csv(file, "y")])
def test_a_file_at_its_end_is_not_said_to_be_empty(read):
    file = io.BytesIO()
    with pytest.raises(ValueError, match=r"path is <_io\.BytesIO .*, which is an empty file, expected bytes in it; "
                                         r"write into it first"):
        read(file)
    size = file.write(saved())
    with pytest.raises(ValueError, match=rf"which stands at its end \(byte {size}\), .* such as with f\.seek\(0\)"):
        read(file)

    class Pipe:
        def read(self, size):
            return b""

    with pytest.raises(ValueError, match=r"Pipe.*, which stands at its end, expected something left to read"):
        read(Pipe())
