"""What a progress bar tells on a terminal, and that it is silent elsewhere."""

import os
import pty
import re
import subprocess
import sys

SCRIPT = """
import time
from rass_bench.cli.progress import progress_bar
with progress_bar("RASS mini", 12000) as advance:
    advance(6000, note="loss 9.999")
    for step in range(5):
        time.sleep(0.1)
        advance(note=f"loss [b]0.12{step}")
    advance()
    time.sleep(0.3)
"""


def on_a_terminal(script, columns):
    """What a script writes to a stderr that is a terminal of so many columns, by line."""
    reader, writer = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", script], stderr=writer, env=environment)
    os.close(writer)
    written = b""
    try:
        while block := os.read(reader, 4096):
            written += block
    except OSError:  # Linux ends a terminal's stream so when its writer is gone.
        pass
    assert process.wait() == 0
    os.close(reader)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_steps_time_left_and_a_note_fit_a_usual_terminal():
    last = on_a_terminal(SCRIPT, columns=80)[-1]
    shown = re.fullmatch(
        r"RASS mini \S+ +6006/12000 0:0\d:\d\d left (\d):(\d\d):(\d\d) loss \[b\]0\.124", last
    )
    assert shown, last
    hours, minutes, seconds = map(int, shown.groups())
    # 5994 steps, six of which took 0.5 s or, on a busy machine, more; the 6000 that were found
    # done took no time and must not count.
    assert hours * 3600 + minutes * 60 + seconds > 5994 * 0.5 / 6 - 1


def test_nothing_is_drawn_where_stderr_is_no_terminal():
    environment = {key: value for key, value in os.environ.items() if key != "FORCE_COLOR"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, check=True, env=environment
    )
    assert done.stdout == done.stderr == b""
