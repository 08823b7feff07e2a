"""fastbp/_models/network_exports.py: what `to_...` needs is imported when it is called."""

import subprocess
import sys


def test_the_door_is_opened_when_a_method_is_called(tmp_path):
    program = ("import sys, fastbp as fb; net = fb.mlp(2, 1); before = 'fastbp.convert' in sys.modules; "
               f"net.to_c({str(tmp_path / 'model.h')!r}); print(before, 'fastbp.convert' in sys.modules)")
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("False True", "")
