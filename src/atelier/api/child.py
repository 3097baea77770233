"""Run as a script: a command that saves and ends, as by SIGTERM, when the process that started it has ended.

A notebook's kernel that is restarted is killed, and would leave its training behind. The command knows from standard
input, a pipe whose other end the kernel holds.
"""

import os
import runpy
import signal
import sys
import threading
from pathlib import Path


def end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.argv.pop(0)
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
