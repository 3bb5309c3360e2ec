"""detrack's side of the comparison on a GPU: bench_cuda, whose table is read while it is written."""
import json
import queue
import re
import subprocess
import threading
import time

SILENCE = 120  # seconds without a line after which bench_cuda is taken to hang; a large model takes long to initialise


def lines_of(process, until):
    """Yields lines, and None at the end; errors: TimeoutError."""
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        patience = min(SILENCE, until - time.monotonic())
        try:
            line = lines.get(timeout=max(0, patience))
        except queue.Empty:
            raise TimeoutError("no line in %d s" % SILENCE if patience == SILENCE else "time limit") from None
        if line is None:
            return
        yield line


def parsed(line):
    """(row, {"median_s", "p95_s"} or a reason), or None for other lines."""
    cells = [c.strip() for c in line.strip().strip("|").split("|")]
    if not line.startswith("| ") or len(cells) < 3 or cells[0] == "row":
        return None
    if cells[1].startswith("wrong"):
        return cells[0], cells[1]
    return cells[0], {"median_s": 1e-6 * float(cells[1]), "p95_s": 1e-6 * float(cells[2])}


def pattern_of(names):
    return "^(" + "|".join(re.sub(r"([.(){}\[\]^$*+?\\|])", r"\\\1", name) for name in names) + ")$"


def measure(program, names, until, check, note):
    """Runs bench_cuda for the rows `names`, in its own order; calls note(row, figures or reason) for each. A row that it dies at
    is noted, and it is started again for those behind. Returns what it says of itself."""
    left, about = list(names), ""
    while left:
        begun = False
        command = [str(program), "--rows", pattern_of(left), *([] if check else ["--no-check"])]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        errors = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True)
        reader.start()
        try:
            for line in lines_of(process, until):
                if line.startswith("# "):
                    about, begun = line[2:].strip(), True
                found = parsed(line)
                if found and found[0] in left:
                    left.remove(found[0])
                    note(*found)
            process.wait()
            why = f"bench_cuda ended with {process.returncode}: {' '.join(errors[-1:]).strip()}".replace("|", "/")
        except TimeoutError as error:
            why = f"bench_cuda: {error}"
        finally:
            process.kill()
            process.wait()
        reader.join(1)
        if left and (time.monotonic() >= until or not begun):  # without its first line it would fail at every row
            for name in left:
                note(name, why)
            return about
        if left:
            note(left.pop(0), why)
    return about


def from_file(path, names, note):
    """The same from a file that `bench_cuda --json` wrote."""
    given = json.loads(path.read_text())
    figures = {row["row"]: {"median_s": row["median_s"], "p95_s": row["p95_s"]} for row in given["rows"]}
    for name in names:
        note(name, figures.get(name, f"not in {path.name}"))
    return given["device"]
