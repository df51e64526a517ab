"""Runs a command; prints its seconds on the wall, its peak memory in MB, and how it ended.

A process of its own, and a small one: Linux counts the memory of the process that starts a program
towards that program's peak.
"""
import json
import os
import sys
import time

start = time.perf_counter()
pid = os.fork()
if pid == 0:
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - start
peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 2**20)
print(json.dumps({"seconds": seconds, "peak_mb": peak, "code": os.waitstatus_to_exitcode(status)}))
