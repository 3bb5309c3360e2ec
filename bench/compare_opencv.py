#!/usr/bin/env python3
"""Scores and times detrack beside OpenCV's trackers, in turns, on the same frames and threads.

The dataset has the plain layout: NAME/img/*.jpg and NAME/groundtruth.txt. Every round runs each tracker over all sequences, one
at a time; results and times are files as got-10k/toolkit writes them, which `evaluate` scores. Times are those of updates:
reading pictures does not count.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAKERS = {"csrt": "TrackerCSRT_create", "kcf": "TrackerKCF_create", "mil": "TrackerMIL_create"}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dataset", type=pathlib.Path, required=True, help="folder of the sequences")
    p.add_argument("--sequences", help="these alone, with commas between (default: all)")
    p.add_argument("--trackers", default="csrt", help=f"OpenCV's, some of {','.join(MAKERS)} (default csrt)")
    p.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    p.add_argument("--threads", type=int, default=2, help="of both (default 2)")
    p.add_argument("--weights", type=pathlib.Path, default=ROOT / "examples/weights/detrack-t256.safetensors")
    p.add_argument("--device", default="cpu", help="where detrack's network runs, cpu or cuda (default cpu)")
    p.add_argument("--precisions", default="f32", help="of detrack, some of f32,bf16,int8 (default f32)")
    p.add_argument("--evaluate", type=pathlib.Path, default=ROOT / "build/release/examples/evaluate", help="the program")
    p.add_argument("--out", type=pathlib.Path, required=True, help="folder for the result files; must not be there yet")
    a = p.parse_args()
    a.trackers = a.trackers.split(",")
    if unknown := set(a.trackers) - set(MAKERS):
        p.error(f"--trackers: expected some of {','.join(MAKERS)}, got {','.join(unknown)}")
    a.precisions = a.precisions.split(",")
    if unknown := set(a.precisions) - {"f32", "bf16", "int8"}:
        p.error(f"--precisions: expected some of f32,bf16,int8, got {','.join(unknown)}")
    if not a.evaluate.exists():
        sys.exit(f"{a.evaluate} is missing: cmake --preset release && cmake --build --preset release")
    try:
        import cv2
    except ImportError:
        sys.exit("Python has no cv2; on Debian: apt-get install python3-opencv")
    cv2.setNumThreads(a.threads)
    every = sorted(d.name for d in a.dataset.iterdir() if (d / "groundtruth.txt").exists())
    a.names = a.sequences.split(",") if a.sequences else every
    if not a.names:
        sys.exit(f"{a.dataset}: expected folders with a groundtruth.txt, got none")
    if missing := set(a.names) - set(every):
        sys.exit(f"{a.dataset}: expected folders with a groundtruth.txt, got none for {','.join(sorted(missing))}")
    if a.out.exists():
        sys.exit(f"--out: {a.out} is there already; choose another folder")
    a.out.mkdir(parents=True)
    return a, cv2


def first_box(folder):
    return [float(x) for x in re.split(r"[\s,]+", (folder / "groundtruth.txt").read_text().splitlines()[0].strip())]


def run_opencv(cv2, maker, a, out):
    """Writes boxes and times of every sequence; a tracker that finds nothing leaves its box where it was."""
    seconds = []
    (out / "times").mkdir(parents=True)
    for name in a.names:
        box = first_box(a.dataset / name)
        boxes, times = [box], [0.0]
        tracker = None
        for picture in sorted((a.dataset / name / "img").iterdir()):
            image = cv2.imread(str(picture))
            if tracker is None:
                tracker = getattr(cv2, maker)()
                tracker.init(image, [round(x) for x in box])
                continue
            begin = time.perf_counter()
            found, new = tracker.update(image)
            times.append(time.perf_counter() - begin)
            box = list(new) if found else box
            boxes.append(box)
        seconds += times[1:]
        (out / f"{name}.txt").write_text("".join(",".join(f"{x:.3f}" for x in b) + "\n" for b in boxes))
        (out / "times" / f"{name}_time.txt").write_text("".join(f"{t:.8f}\n" for t in times))
    return seconds


def run_detrack(a, precision, out):
    command = [a.evaluate, "--weights", a.weights, "--dataset", a.dataset, "--sequences", ",".join(a.names), "--protocol", "otb",
               "--device", a.device, "--precision", precision, "--threads", a.threads, "--jobs", 1, "--save", out, "--quiet"]
    subprocess.run([str(x) for x in command], check=True, stdout=subprocess.DEVNULL)
    files = sorted((out / "times").glob("*_time.txt"))
    return [float(t) for f in files for t in f.read_text().split()[1:]]


def score(a, folder):
    """AUC and precision of result files, by `evaluate --protocol otb`."""
    command = [a.evaluate, "--results", folder, "--dataset", a.dataset, "--sequences", ",".join(a.names), "--protocol", "otb",
               "--report", folder / "report", "--film-strips", 0, "--quiet"]
    subprocess.run([str(x) for x in command], check=True, stdout=subprocess.DEVNULL)
    overall = json.loads((folder / "report/summary.json").read_text())["overall"]
    return overall["auc"], overall["precision"]


def main():
    a, cv2 = arguments()
    precisions = {f"{a.weights.stem}-{precision}": precision for precision in a.precisions}
    rounds = {name: [] for name in [*a.trackers, *precisions]}
    for turn in range(1, a.rounds + 1):
        for name, times in rounds.items():
            out = a.out / f"{name}-{turn}"
            seconds = run_opencv(cv2, MAKERS[name], a, out) if name in MAKERS else run_detrack(a, precisions[name], out)
            times.append(len(seconds) / sum(seconds))
            print(f"round {turn}: {name}: {times[-1]:.2f} frames/s, median update {1e3 * statistics.median(seconds):.1f} ms",
                  flush=True)
    print(f"\n| {len(a.names)} sequences, {a.threads} threads, OpenCV {cv2.__version__} | AUC | precision | frames/s, each round |\n"
          "|---|---:|---:|---:|")
    for name, times in rounds.items():
        auc, precision = score(a, a.out / f"{name}-1")
        print(f"| {name} | {auc:.3f} | {precision:.3f} | {', '.join(f'{t:.2f}' for t in times)} |")


if __name__ == "__main__":
    main()
