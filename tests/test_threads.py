"""The number of BLAS threads is what it was before, however verbs overlap."""

import os
import subprocess
import sys

import pytest
from threadpoolctl import ThreadpoolController

PREPARED = """
import os, threading
import numpy as np
import scipy.linalg
from threadpoolctl import ThreadpoolController
from implicitbias._threads import SINGLE_THREAD, threads_for

libraries = ThreadpoolController().select(user_api="blas")

def now():
    return {each["num_threads"] for each in libraries.info()}

assert now() == {2}, now()
"""
OVERLAPPING = """
barrier = threading.Barrier(8)

def work(k):
    barrier.wait()
    for _ in range(200):
        with threads_for(1), threads_for(1):
            now()

threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
assert now() == {2}, now()
"""
FIRST_IN_FIRST_OUT = """
first, second = threads_for(1), threads_for(1)
inside, leave = threading.Event(), threading.Event()

def other():
    with second:
        inside.set()
        leave.wait()

thread = threading.Thread(target=other, daemon=True)
with first:
    thread.start()
    inside.wait()
assert now() == {2}  # the other thread relied on this one
with threads_for(1):
    assert now() == {1}
leave.set()
thread.join()
assert now() == {2}
"""
NESTED = """
with threads_for(1):
    with threads_for(1):
        assert now() == {1}
    with threads_for(SINGLE_THREAD + 1):
        pass
    assert now() == {1}
assert now() == {2}
with threads_for(SINGLE_THREAD + 1):
    assert now() == {2}
    with threads_for(SINGLE_THREAD):
        assert now() == {1}
    assert now() == {2}
"""
RAISING = """
try:
    with threads_for(1), threads_for(1):
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
assert now() == {2}
"""
FORKED = """
def child(check):
    pid = os.fork()
    if pid:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        return
    try:
        check()
    except BaseException:
        os._exit(1)
    os._exit(0)

def fresh():
    assert now() == {2}
    with threads_for(1):
        assert now() == {1}
    assert now() == {2}

inside, leave = threading.Event(), threading.Event()

def other():
    with threads_for(1):
        inside.set()
        leave.wait()

thread = threading.Thread(target=other, daemon=True)
thread.start()
inside.wait()
child(fresh)  # there is no other thread in the child
leave.set()
thread.join()
assert now() == {2}

def limited():
    assert now() == {1}

with threads_for(1):
    child(limited)
assert now() == {2}
"""
SCENES = {
    "overlapping": OVERLAPPING,
    "first in, first out": FIRST_IN_FIRST_OUT,
    "nested": NESTED,
    "raising": RAISING,
    "forked": FORKED,
}


@pytest.mark.parametrize("scene", SCENES)
def test_threads_are_restored(scene):
    if scene == "forked" and not hasattr(os, "fork"):
        pytest.skip("no fork")
    done = subprocess.run(
        [sys.executable, "-c", PREPARED + SCENES[scene]],
        env=os.environ | {f"{name}_NUM_THREADS": "2" for name in ("OPENBLAS", "MKL", "OMP")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_libraries_of_numpy_and_scipy_are_found():
    """Older threadpoolctl overlooks them, and nothing is limited."""
    import scipy.linalg  # noqa: F401  (its own BLAS must be among them)

    assert ThreadpoolController().select(user_api="blas").info()
