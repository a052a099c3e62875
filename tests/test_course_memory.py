import sys

import pytest

PAGE_FAULTS = """
import resource
from lessons.course.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        blocks = [b"x" * 2**24 for _ in range(4)]  # 64 MB, touched and freed
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
keep_freed_memory()
faults()  # finds the memory that is kept from now on
print(first, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc's malloc is told to keep memory")
def test_freed_memory_is_kept(run_script):
    done = run_script("-c", PAGE_FAULTS)
    before, after = map(int, done.stdout.split())
    assert before > 10 * 64e6 / 4096 / 2  # nearly each page of each round
    assert after < before / 100
