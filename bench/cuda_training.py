"""Training steps on a GPU: the train program and PyTorch one after the other, kept on disk from the first figure on."""
import datetime
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import cuda_comparison
import cuda_worker

COLUMNS = ("detrack", "detrack_without_waiting", "eager", "eager_cudnn", "compile", "graph")
HEAD = ("model, batch", "detrack", "waiting for data", "detrack without waiting", "eager", "eager cudnn", "compile", "graph",
        "detrack / best PyTorch", "the same without waiting")


class Comparison:
    """`turn_of_detrack`, `rates_of` and `make_pictures` are compare_training.py's."""

    def __init__(self, a, root, turn_of_detrack, rates_of, make_pictures):
        self.a, self.device, self.rows = a, "cpu" if a.rehearse else "cuda", []
        self.turn_of_detrack, self.rates_of, self.make_pictures = turn_of_detrack, rates_of, make_pictures
        self.until = time.monotonic() + (a.time_limit or 1e8)
        self.worker = cuda_worker.Worker(self.device)
        commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
        self.about = {"date": datetime.date.today().isoformat(), "threads": a.threads,
                      "GPU": "none: a rehearsal" if a.rehearse else cuda_comparison.driver(), "detrack": commit or "unknown"}

    def left(self):
        return self.until - time.monotonic()

    def note(self, row, contestant, rate):
        """`rate`: samples a second, or the reason why there is none."""
        row["rates" if not isinstance(rate, str) else "reasons"][contestant] = rate
        print(f"{row['row']}: {contestant} {rate if isinstance(rate, str) else f'{rate:.1f} samples/s'}", flush=True)
        self.save()

    def detrack(self, row, folder, until):
        left = until - time.monotonic()
        if left < 1:
            self.note(row, "detrack", "time limit")
            return
        try:
            if self.a.metrics:
                rates, wait = self.rates_of(self.a.metrics)
            else:
                # Twelve lines, of which the first four are not counted. It makes its samples besides: it needs the threads.
                more = ["--device", "cuda", "--set", f"loader.threads={self.a.threads}"]
                self.a.model, self.a.batch = row["model"], row["batch"]
                rates, wait = self.turn_of_detrack(self.a, folder / "data", folder / f"run-{row['model']}-{row['batch']}",
                                                   self.a.steps, max(1, self.a.steps // 12), more, min(240, left))
        except subprocess.CalledProcessError as error:
            last = (error.stderr or b"").decode(errors="replace").strip().splitlines()[-1:]
            self.note(row, "detrack", f"train ended with {error.returncode}: {' '.join(last)}".replace("|", "/"))
        except (subprocess.TimeoutExpired, OSError, ValueError) as error:
            self.note(row, "detrack", f"{type(error).__name__}: {error}".replace("|", "/")[:300])
        else:
            row["waiting"] = wait
            self.note(row, "detrack", statistics.median(rates))
            self.note(row, "detrack_without_waiting", statistics.median(rates) / max(1e-9, 1 - wait))

    def pytorch(self, row, variant):
        patience = min(400, self.left())
        if patience < 1:
            return "time limit"
        eager = [row["rates"].get(v, 0) for v in ("eager", "eager_cudnn")]
        cudnn_first = eager[1] > eager[0] if variant in ("compile", "graph") else variant == "eager_cudnn"
        answer = self.worker.ask(patience, "training", row["model"], row["batch"], variant, self.device, cudnn_first)
        return statistics.median(answer["value"]["rates"]) if "value" in answer else answer["failed"]

    def table(self):
        notes, lines = [], [HEAD, ["---"] + ["---:"] * (len(HEAD) - 1)]
        for row in self.rows:
            cell = {}
            for c in COLUMNS:
                if c in row["rates"]:
                    cell[c] = f"{row['rates'][c]:.0f}"
                elif c in row["reasons"]:
                    if row["reasons"][c] not in notes:
                        notes.append(row["reasons"][c])
                    cell[c] = f"[{notes.index(row['reasons'][c]) + 1}]"
            peers = [row["rates"][c] for c in COLUMNS[2:] if c in row["rates"]]
            ratio = lambda c: f"{row['rates'][c] / max(peers):.2f}" if peers and c in row["rates"] else ""
            lines.append([row["row"], cell.get("detrack", ""), f"{100 * row['waiting']:.1f} %" if "waiting" in row else "",
                          *(cell.get(c, "") for c in COLUMNS[1:]), ratio("detrack"), ratio("detrack_without_waiting")])
        text = ["| " + " | ".join(line) + " |" for line in lines] + [""]
        return "\n".join(text + [f"{i}. {note}" for i, note in enumerate(notes, 1)]).rstrip()

    def save(self):
        if self.a.no_save:
            return
        self.a.out.mkdir(parents=True, exist_ok=True)
        gpu = re.sub("[^a-z0-9]+", "-", self.about["GPU"].split(",")[0].lower()).strip("-")
        stem = self.a.out / f"{self.about['date']}-{gpu}-cuda-training"
        stem.with_suffix(".json").write_text(json.dumps({"about": self.about, "rows": self.rows}, indent=1) + "\n")
        text = ["# Training steps of detrack and PyTorch on a GPU", "",
                "Samples a second; a ratio above 1: detrack is faster. How: bench/README.md.", "",
                *(f"- {k}: {v}" for k, v in self.about.items()), "", self.table()]
        stem.with_suffix(".md").write_text("\n".join(text) + "\n")

    def measure(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "data").mkdir()
            self.make_pictures(folder / "data")
            self.rows = [{"row": f"detrack-{model}, {batch}", "model": model, "batch": batch, "rates": {}, "reasons": {}}
                         for model in self.a.models for batch in self.a.batches]
            if not self.a.only_pytorch:
                until = time.monotonic() + self.left() / 2  # under a limit half of the time is PyTorch's
                for row in self.rows:
                    self.detrack(row, folder, until)
            for row in self.rows:
                for variant in self.a.variants:
                    self.note(row, variant, self.pytorch(row, variant))

    def run(self):
        """Exit status."""
        try:
            answer = self.worker.ask(min(180, self.left()), "about", self.device)
            if "failed" in answer:
                print(f"PyTorch cannot use the GPU: {answer['failed']}")
                return 2
            self.about |= answer["value"]
            answer = self.worker.ask(min(120, self.left()), "check_model", self.a.golden, self.device)
            if "failed" in answer:
                print(answer["failed"])
                return 1
            self.about["PyTorch's model"] = f"the golden file's: {answer['value']}"
            self.measure()
        finally:
            self.worker.stop()
            if self.rows:
                print(self.table())
        return 1 if any("detrack" in row["reasons"] for row in self.rows) else 0
