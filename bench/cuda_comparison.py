"""The comparison on a GPU: all figures of detrack, then those of PyTorch, kept on disk from the first on."""
import concurrent.futures
import datetime
import json
import re
import subprocess
import time

import cuda_detrack
import cuda_rows
import cuda_worker

PATIENCE = {"compile": 300, "autotune": 500}  # seconds for a figure; 120 for the others


def chosen(a):
    """The rows, and each one's variants."""
    for row in cuda_rows.rows():
        wanted = re.search(a.rows, row.name) if a.rows else a.quick or not row.cold
        if not wanted or (a.quick and not re.search(cuda_rows.QUICK, row.name)):
            continue
        quick = lambda v: v not in cuda_rows.COMPILED or (v == "compile" and row.name in cuda_rows.QUICK_COMPILED)
        yield row, [v for v in row.variants if v in a.variants and (not a.quick or quick(v))]


def driver():
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"]
        said = subprocess.run(query, check=True, capture_output=True, text=True).stdout.strip()
        return said.replace(", ", ", driver ", 1)
    except (OSError, subprocess.CalledProcessError):
        return "unknown: no nvidia-smi"


class Results:
    """What is known so far: figures in seconds, reasons where there is none."""

    def __init__(self, folder, rows, about):
        self.about, self.folder = about, folder
        self.rows = {row.name: {"row": row.name, "figures": {}, "reasons": {}} for row, _ in rows}
        gpu = re.sub("[^a-z0-9]+", "-", about["GPU"].split(",")[0].lower()).strip("-")
        self.stem = f"{about['date']}-{gpu}-cuda"

    def note(self, row, contestant, found):
        """`found`: figures, or the reason why there are none."""
        result = self.rows[row]
        if isinstance(found, str):
            result["reasons"][contestant] = found
        else:
            result["figures"][contestant] = found
        figures = {k: v["median_s"] for k, v in result["figures"].items()}
        peers = {k: v for k, v in figures.items() if k != "detrack"}
        if peers:
            result["best_peer"] = min(peers, key=peers.get)
            if "detrack" in figures:
                result["ratio"] = min(peers.values()) / figures["detrack"]
        says = found if isinstance(found, str) else f"{1e6 * found['median_s']:.2f} us"
        print(f"{row}: {contestant} {says}", flush=True)
        self.save()

    def table(self):
        columns = [c for c in ("detrack", *cuda_rows.VARIANTS)
                   if any(c in r["figures"] or c in r["reasons"] for r in self.rows.values())]
        head = ["row", *(c.replace("_", " ") + " us" for c in columns), "best PyTorch / detrack"]
        lines, notes = [head, ["---"] + ["---:"] * (len(head) - 1)], []
        for result in self.rows.values():
            if not result["figures"] and not result["reasons"]:
                continue
            cells = [result["row"]]
            for c in columns:
                figure = result["figures"].get(c)
                cell = f"{1e6 * figure['median_s']:.2f}" + figure.get("mark", "") if figure else ""
                if c in result["reasons"] and not figure:
                    if result["reasons"][c] not in notes:
                        notes.append(result["reasons"][c])
                    cell = f"[{notes.index(result['reasons'][c]) + 1}]"
                cells.append(cell)
            lines.append([*cells, f"{result['ratio']:.2f}" if "ratio" in result else ""])
        text = ["| " + " | ".join(line) + " |" for line in lines]
        marked = any(f.get("mark") for r in self.rows.values() for f in r["figures"].values())
        text += [""] + (["\\*: without a CUDA graph, which could not be captured.", ""] if marked else [])
        return "\n".join(text + [f"{i}. {note}" for i, note in enumerate(notes, 1)])

    def save(self):
        if not self.folder:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [r for r in self.rows.values() if r["figures"] or r["reasons"]]
        (self.folder / f"{self.stem}.json").write_text(json.dumps({"about": self.about, "rows": rows}, indent=1) + "\n")
        text = ["# detrack against PyTorch on a GPU", "",
                "Medians in microseconds; a ratio above 1: detrack is faster. How: bench/README.md.", "",
                *(f"- {k}: {v}" for k, v in self.about.items()), "", self.table().rstrip()]
        (self.folder / f"{self.stem}.md").write_text("\n".join(text) + "\n")


class Comparison:
    def __init__(self, a, root):
        self.a, self.device = a, "cpu" if a.rehearse else "cuda"
        self.until = time.monotonic() + (a.time_limit or 1e8)
        self.worker = cuda_worker.Worker(self.device)
        self.rows = list(chosen(a))
        commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
        self.about = {"date": datetime.date.today().isoformat(), "GPU": "none: a rehearsal" if a.rehearse else driver(),
                      "detrack": commit or "unknown"}
        self.model_is_wrong = None

    def left(self):
        return self.until - time.monotonic()

    def begin(self):
        """Asks PyTorch what it is, and proves its model. Returns an error or None."""
        answer = self.worker.ask(min(180, self.left()), "about", self.device)
        if "failed" in answer:
            return f"PyTorch cannot use the GPU: {answer['failed']}"
        self.about |= answer["value"]
        if any(row.kind == "forward" and variants for row, variants in self.rows):
            answer = self.worker.ask(min(120, self.left()), "check_model", self.a.golden, self.device)
            self.model_is_wrong = answer.get("failed")
            verdict = self.model_is_wrong or f"the golden file's: {answer['value']}"
            self.about["PyTorch's model"] = verdict
            print(f"PyTorch's model: {verdict}", flush=True)
        return None

    def detrack(self):
        if self.a.only_pytorch:
            return
        names = [row.name for row, _ in self.rows]
        note = lambda row, found: self.results.note(row, "detrack", found)
        if self.a.detrack:
            says = cuda_detrack.from_file(self.a.detrack, names, note)
        else:
            # Under a limit half of the time is PyTorch's.
            until = time.monotonic() + self.left() / 2
            says = cuda_detrack.measure(self.a.bench_dir / "bench_cuda", names, until, self.a.check, note)
        self.about["detrack"] += f"; {says}"

    def cudnn_first(self, row, variant):
        """Compiled models get the attention that eager ones are faster with."""
        figures = self.results.rows[row.name]["figures"]
        if variant in cuda_rows.COMPILED:
            eager = [figures[v]["median_s"] if v in figures else float("inf") for v in ("eager", "eager_cudnn")]
            return eager[1] < eager[0]
        return variant == "eager_cudnn"

    def figure(self, row, variant):
        if row.kind == "forward" and self.model_is_wrong:
            return self.model_is_wrong
        mark = {}
        for graph in (True, False):
            patience = min(PATIENCE.get(variant, 120), self.left())
            if patience < 1:
                return "time limit"
            answer = self.worker.ask(patience, "figure", row, variant, self.device, graph, self.cudnn_first(row, variant), False)
            if "value" in answer:
                return answer["value"] | mark
            if not answer["capture"]:
                break
            mark = {"mark": "*", "why": answer["failed"]}
        return answer["failed"] if self.left() > 0 else "time limit"

    def compile_ahead(self, cells):
        """Fills the compiler's cache on disk from several processes at once; whatever fails here is told when it is timed."""
        jobs = min(self.a.compile_jobs, len(cells))
        if jobs < 2 or self.model_is_wrong or self.left() < 30:
            return

        print(f"compiling {len(cells)} models, {jobs} at once", flush=True)
        workers = [cuda_worker.Worker(self.device, threads=3) for _ in cells]

        def one(cell, worker):
            try:
                worker.ask(min(300, self.left() / 2), "figure", *cell, self.device, True, self.cudnn_first(*cell), True)
            finally:
                worker.stop()

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            try:
                list(pool.map(one, cells, workers))
            except BaseException:  # interrupted: the threads end when their processes do
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in workers:
                    worker.stop()
                raise

    def run(self):
        """Exit status."""
        if error := self.begin():
            self.worker.stop()
            print(error, flush=True)
            return 2
        self.results = Results(None if self.a.no_save else self.a.out, self.rows, self.about)
        try:
            self.detrack()
            cells = [(row, variant) for row, variants in self.rows for variant in variants]
            compiled = [c for c in cells if c[1] == "compile"]
            for cell in (c for c in cells if c[1] not in cuda_rows.COMPILED):
                self.results.note(cell[0].name, cell[1], self.figure(*cell))
            self.compile_ahead(compiled)
            for cell in compiled + [c for c in cells if c[1] == "autotune"]:
                self.results.note(cell[0].name, cell[1], self.figure(*cell))
        finally:
            self.worker.stop()
            self.results.save()
            print(self.results.table())
            if not self.a.no_save:
                print(f"wrote {self.results.stem}.json and {self.results.stem}.md")
        return 1 if self.model_is_wrong or any("detrack" in r["reasons"] for r in self.results.rows.values()) else 0
