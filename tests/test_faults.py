"""tests/faults: every fault can still be planted, and names tests that there are."""

import importlib
import pkgutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LISTS = sorted(module.name for module in pkgutil.iter_modules([str(ROOT / "tests" / "faults")]))
LISTS.remove("__main__")


@pytest.mark.parametrize("name", LISTS)
def test_every_fault_can_be_planted(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    for fault in importlib.import_module(f"tests.faults.{name}").FAULTS:
        assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.old) == 1, fault.what
        assert fault.new != fault.old, fault.what
        for test in fault.red:
            file, _, function = test.partition("::")
            text = (ROOT / file).read_text(encoding="utf-8")
            assert f"def {function.partition('[')[0]}(" in text, (fault.what, test)
