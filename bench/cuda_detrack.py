"""detrack's side of the comparison on a GPU: bench_cuda, whose table is read while it is written."""
import json
import queue
import re
import subprocess
import threading
import time

SILENCE = 120  # seconds without a line after which bench_cuda is taken to hang; a large model takes long to initialise


def lines_of(process, until, silence):
    """Yields lines until there are no more. Errors: TimeoutError."""
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        patience = min(silence, until - time.monotonic())
        try:
            line = lines.get(timeout=max(0, patience))
        except queue.Empty:
            raise TimeoutError(f"no line in {silence} s" if patience == silence else "time limit") from None
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


def none_of(names, why, note):
    for name in names:
        note(name, why)
    return why


def measure(program, names, until, check, note):
    """Runs bench_cuda for the rows `names`, in its own order; calls note(row, figures or reason) for each. A row that it dies at
    is noted, and it is started again for those behind. Returns what it says of itself."""
    left, about, fruitless = list(names), "", 0
    while left:
        before, begun = len(left), False
        command = [str(program), "--rows", pattern_of(left), *([] if check else ["--no-check"])]
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        except OSError as error:
            return none_of(left, f"bench_cuda cannot be started: {error}", note)
        errors = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True)
        reader.start()
        try:
            for line in lines_of(process, until, 600 if check else SILENCE):
                if line.startswith("# "):
                    about, begun = line[2:].strip(), True
                found = parsed(line)
                if found and found[0] in left:
                    left.remove(found[0])
                    note(*found)
                if not left:  # it would go on to what trackers need
                    return about
            process.wait()
            why = f"bench_cuda ended with {process.returncode}: {' '.join(errors[-1:]).strip()}".replace("|", "/")
        except TimeoutError as error:
            why = f"bench_cuda: {error}"
        finally:
            process.kill()
            process.wait()
        reader.join(1)
        fruitless = fruitless + 1 if len(left) == before else 0
        # A GPU that is not there or not well again would fail at every row.
        if time.monotonic() >= until or fruitless == 3 or (process.returncode == 2 and not begun):
            none_of(left, why, note)
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
