"""Messages of 100 MB: the node's memory does not grow with them, and not a byte is altered."""
import pathlib
import subprocess
import sys

import pytest

from lab.cluster import build_folder

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench" / "large.py"


@pytest.mark.parametrize("how", [[], ["--cut-through"], ["--redis", "--redis-memory", "160mb", "--slow", "0.5"], ["--sign"]],
                         ids=lambda how: how[0][2:] if how else "alone")
def test_three_large_messages_arrive_whole_in_little_memory(skeind, how):
    done = subprocess.run([sys.executable, str(BENCH), "--messages", "3", "--sessions", "3", "--bound", "64", *how],
                          capture_output=True, text=True, timeout=300, check=False, env={"SKEIN_BUILD": str(build_folder()),
                                                                                         "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert "acknowledged 3, refused 0, lost 0, altered 0, twice 0" in done.stdout
