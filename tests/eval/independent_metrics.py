#!/usr/bin/env python3
"""Makes the fixtures in tests/data/eval: synthetic sequences, results with every kind of damage, and the scores expected.

The scores are computed here frame by frame from the definitions of each benchmark, in Fractions (every number of a file is a
decimal fraction), and rounded once, when they are compared with a threshold: 3 * 0.05 and not 3/20, as in the toolkits.
Rerun

    python3 tests/eval/independent_metrics.py

after a change; it needs nothing but Python, and what it writes depends on nothing but this file.
"""
import json
import math
import random
import shutil
from fractions import Fraction as F
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "data" / "eval"
WIDTH, HEIGHT = 160, 120
NAN = None  # a box that is not finite
DAMAGES = ["whole", "nan", "short", "long", "zero", "negative", "outside", "pixels"]

# ---------------------------------------------------------------------------------------------- synthetic data


def walk(random_, length):
    """Boxes that move about, as strings of three decimals, some partly outside the frame."""
    x, y, w, h = 60.0, 40.0, 24.0, 18.0
    boxes = []
    for _ in range(length):
        boxes.append([f"{v:.3f}" for v in (x, y, w, h)])
        x += random_.uniform(-9, 9)
        y += random_.uniform(-7, 7)
        w = min(60.0, max(3.0, w * random_.uniform(0.85, 1.18)))
        h = min(50.0, max(3.0, h * random_.uniform(0.85, 1.18)))
        x, y = min(max(x, -10.0), 150.0), min(max(y, -8.0), 110.0)
    return boxes


def near(random_, box):
    """A box that overlaps `box` well, badly or not at all."""
    x, y, w, h = map(float, box)
    reach = random_.choice([0.05, 0.3, 1.0])
    return [f"{v:.3f}" for v in (x + random_.uniform(-reach, reach) * w, y + random_.uniform(-reach, reach) * h,
                                 w * random_.uniform(1 - reach / 2, 1 + reach / 2), h * random_.uniform(1 - reach / 2, 1 + reach / 2))]


# Overlaps of exactly 1/2, 1/4, 3/4 and 1, centre errors of exactly 5, 20 and 50 pixels, of 1/2 and 1/4 of a side: a
# threshold that is met exactly tells "above" from "at least". Whole numbers, so that every arithmetic agrees about them.
TIES = [
    ("16,16,32,16", "16,16,16,16"), ("16,16,32,32", "16,16,16,16"), ("16,16,32,16", "16,16,24,16"),
    ("16,16,32,16", "16,16,32,16"), ("16,16,32,16", "19,20,32,16"), ("16,16,32,16", "28,32,32,16"),
    ("16,16,32,16", "46,56,32,16"), ("16,16,32,16", "32,16,32,16"), ("16,16,32,16", "24,16,32,16"),
    ("16,16,32,16", "48,16,32,16"), ("16,16,32,16", "100,90,32,16"), ("2,2,0,0", "2,2,4,4"),
]


class Sequence:
    def __init__(self, name, truth, run, random_):
        n = len(truth)
        self.name, self.truth, self.run = name, truth, run
        self.cover = [8] + [random_.choice([0, 1, 3, 8, 8, 8, 8]) for _ in range(n - 1)]
        self.full_occlusion = [0] + [int(random_.random() < 0.1) for _ in range(n - 1)]
        self.out_of_view = [0] + [int(random_.random() < 0.1) for _ in range(n - 1)]
        self.seconds = [f"{random_.uniform(0.01, 0.05):.8f}" for _ in range(n)]


def make_sequences():
    random_ = random.Random(20)
    sequences = []
    for name, length in (("walk-1", 45), ("walk-2", 30)):
        truth = walk(random_, length)
        run = [truth[0]] + [near(random_, box) for box in truth[1:]]
        for i in (7, 8, 20):
            truth[i] = ["nan"] * 4  # absent
        truth[11][0] = truth[12][1] = "0.000"  # on the frame's edge: not valid for pytracking
        truth[13] = ["0.000"] * 4
        sequences.append(Sequence(name, truth, run, random_))
    truth = [["16", "16", "32", "16"]] + [a.split(",") for a, _ in TIES]
    run = [["1", "2", "3", "4"]] + [b.split(",") for _, b in TIES]  # frame 0 is wrong: protocols must not use it
    sequences.append(Sequence("ties", truth, run, random_))
    return sequences


def damaged(run, kind, random_):
    run = [list(box) for box in run]
    some = [i for i in range(1, len(run)) if random_.random() < 0.15] or [1]
    if kind == "nan":
        for i in some:
            run[i] = ["nan"] * 4
    elif kind == "short":
        run = run[:len(run) - 4]
    elif kind == "long":
        run += run[1:4]
    elif kind == "zero":
        for i in some:
            run[i][random_.choice([2, 3])] = "0"
    elif kind == "negative":
        for i in some:
            run[i][2] = "-" + run[i][2]
    elif kind == "outside":
        for i in some:
            run[i][0] = f"{-0.6 * float(run[i][2]):.3f}"
            run[i][1] = f"{HEIGHT - 0.4 * float(run[i][3]):.3f}"
    elif kind == "pixels":
        run = [[str(int(float(v))) for v in box] for box in run]
    return run


# ---------------------------------------------------------------------------------------------- geometry, exact


def exact(box):
    return NAN if "nan" in box else [F(v) for v in box]


def overlap(a, b):
    """Fraction, or None for a miss that no threshold admits (a box that is not finite, two boxes without area)."""
    if a is NAN:
        return None
    w = max(min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]), 0)
    h = max(min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]), 0)
    union = a[2] * a[3] + b[2] * b[3] - w * h
    return w * h / union if union != 0 else None


def squared_error(a, b, sides=(1, 1)):
    if a is NAN:
        return None
    dx, dy = (a[i] + (a[i + 2] - 1) / 2 - b[i] - (b[i + 2] - 1) / 2 for i in (0, 1))
    if 0 in sides:  # divided by zero: 0/0 and x/0 are misses both
        return None
    return (dx / sides[0]) ** 2 + (dy / sides[1]) ** 2


def bounded(box):
    if box is NAN:
        return NAN
    clip = lambda v, high: min(max(v, F(0)), F(high))
    x, y = clip(box[0], WIDTH), clip(box[1], HEIGHT)
    return [x, y, clip(box[2], WIDTH - x), clip(box[3], HEIGHT - y)]


def whole(box):
    """Python rounds halves to even, as numpy does."""
    return NAN if box is NAN else [F(round(v)) for v in box]


# ---------------------------------------------------------------------------------------------- protocols
# Each returns, for one run, frames of (overlap, squared centre error, squared normalised error, enters ao and sr?).
# None is a miss, "hit" counts at every threshold.


def toolkit(sequence, run):
    frames = []
    for i, (t, p) in enumerate(zip(sequence.truth, run)):  # zip: the longer one is cut
        t, p = exact(t), exact(p)
        if t is NAN:
            continue
        p = t if i == 0 else p
        frames.append((overlap(p, t) or F(0) if p is not NAN else None, squared_error(p, t),
                       squared_error(p, t, (max(t[2], 1), max(t[3], 1))), i > 0))
    return frames


def got10k(sequence, run):
    frames = []
    for i, t in enumerate(sequence.truth):
        t = exact(t)
        if i == 0 or t is NAN or sequence.cover[i] == 0:
            continue
        p = exact(run[i]) if i < len(run) else NAN
        common = overlap(bounded(p), bounded(t))
        frames.append((common or F(0) if p is not NAN else None, squared_error(p, t),
                       squared_error(p, t, (max(t[2], 1), max(t[3], 1))), True))
    return frames


def pytracking(sequence, run, lasot, ostrack):
    truth = [exact(t) for t in sequence.truth]
    boxes = [exact(p) for p in run][:len(truth)]
    for i in range(1, len(boxes)):
        if boxes[i] is not NAN and 0 in boxes[i][2:] and truth[i] is not NAN:
            boxes[i] = boxes[i - 1]
    boxes += [[F(0)] * 4] * (len(truth) - len(boxes))
    boxes[0] = truth[0]
    frames = []
    for i, (t, p) in enumerate(zip(truth, boxes)):
        hidden = lasot and (sequence.full_occlusion[i] or sequence.out_of_view[i])
        valid = t is not NAN and all(v > 0 for v in (t[2:] if ostrack else t)) and not hidden
        if p is not NAN and (p[2] < 0 or p[3] < 0):
            p = NAN
        if valid:
            frames.append((overlap(p, t), squared_error(p, t), squared_error(p, t, t[2:]), i > 0))
        else:
            frames.append((None, None, None if hidden or (lasot and t is NAN) else "hit", False))
    return frames


def trackingnet(sequence, run):
    frames = []
    for i, t in enumerate(sequence.truth):
        t = whole(exact(t)) if "nan" not in t else NAN
        if t is NAN:
            continue
        p = t if i == 0 else whole(exact(run[i])) if i < len(run) else NAN
        frames.append((overlap(p, t), squared_error(p, t), squared_error(p, t, t[2:]), i > 0))
    return frames


def curve(values, thresholds, counts):
    return [F(sum(v == "hit" or (v is not None and counts(v, t)) for v in values), len(values)) for t in thresholds]


def mean(values):
    return sum(values) / len(values)


def area(values):
    return sum(values[:-1]) / (len(values) - 1) / 2 + sum(values[1:]) / (len(values) - 1) / 2


def grid(last, count):
    """As numpy.linspace(0, last, count) rounds."""
    return [i * (last / (count - 1)) for i in range(count)]


def curves(frames, protocol, convention):
    devkit = convention == "toolkit" and protocol == "trackingnet"
    points = 101 if convention == "toolkit" and protocol == "got10k" else 21
    above = (lambda v, t: float(v) >= t) if devkit else (lambda v, t: float(v) > t)
    within = lambda v, t: math.sqrt(v) <= t
    sides = grid(0.5, 21 if devkit else 51) if convention == "toolkit" else [i / 100 for i in range(51)]
    return [curve([f[0] for f in frames], grid(1, points), above),
            curve([f[1] for f in frames], grid(50, 21 if devkit else 51), within),
            curve([f[2] for f in frames], sides, within)]


def read_off(curves_, protocol, convention):
    success, precision, norm = curves_
    if convention == "toolkit" and protocol == "trackingnet":
        return {"auc": area(success), "precision": area(precision), "norm_precision": area(norm)}
    return {"auc": mean(success), "precision": precision[20],
            "norm_precision": mean(norm) if convention == "toolkit" else norm[20]}


def overlaps_of(frames):
    inside = [max(f[0] or F(0), F(0)) for f in frames if f[3]]
    return {"ao": mean(inside), "sr50": F(sum(v > F(1, 2) for v in inside), len(inside)),
            "sr75": F(sum(v > F(3, 4) for v in inside), len(inside))}


def speed(sequences):
    times = [F(t) for s in sequences for t in s.seconds[1:]]
    return len(times) / sum(times)


def score(protocol, convention, sequences, runs):
    """runs: for each sequence a list of repetitions."""
    measure = {
        "toolkit": {"otb": toolkit, "lasot": toolkit, "got10k": got10k, "trackingnet": trackingnet}.get(protocol),
        "pytracking": lambda s, r: pytracking(s, r, protocol == "lasot", False),
        "ostrack": lambda s, r: pytracking(s, r, protocol == "lasot", True),
    }[convention]
    result, all_frames, all_curves = {"sequences": {}}, [], []
    for sequence, repetitions in zip(sequences, runs):
        frames = [frame for run in repetitions for frame in measure(sequence, run)]
        all_frames += frames
        all_curves.append(curves(frames, protocol, convention))
        result["sequences"][sequence.name] = {**read_off(all_curves[-1], protocol, convention), **overlaps_of(frames),
                                              "fps": speed([sequence])}
    each = result["sequences"].values()
    if protocol == "got10k" and convention == "toolkit":
        overall = read_off(curves(all_frames, protocol, convention), protocol, convention)
    else:
        overall = read_off([[mean(p) for p in zip(*c)] for c in zip(*all_curves)], protocol, convention)
    if protocol == "got10k":
        overall.update(overlaps_of(all_frames))
    else:
        overall.update({key: mean([s[key] for s in each]) for key in ("ao", "sr50", "sr75")})
    overall["fps"] = speed(sequences)
    result["overall"] = overall
    return result


# ---------------------------------------------------------------------------------------------- files


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def lines(boxes, separator=","):
    return "".join(separator.join(box) + "\n" for box in boxes)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    sequences = make_sequences()
    for s in sequences:
        write(OUT / "otb" / s.name / "groundtruth_rect.txt", lines(s.truth, "\t"))
        folder = OUT / "got10k" / s.name
        write(folder / "groundtruth.txt", lines(s.truth))
        write(folder / "cover.label", "".join(f"{v}\n" for v in s.cover))
        write(folder / "absence.label", "".join(f"{int(v == 0)}\n" for v in s.cover))
        write(folder / "meta_info.ini", f"[METAINFO]\nresolution: ({WIDTH}, {HEIGHT})\n")
        folder = OUT / "lasot" / s.name
        write(folder / "groundtruth.txt", lines(s.truth))
        write(folder / "full_occlusion.txt", ",".join(map(str, s.full_occlusion)))
        write(folder / "out_of_view.txt", ",".join(map(str, s.out_of_view)))
        write(OUT / "trackingnet" / "anno" / f"{s.name}.txt", lines(s.truth))
    write(OUT / "got10k" / "list.txt", "".join(f"{s.name}\n" for s in sequences))

    expected = {}
    for kind in DAMAGES:
        random_ = random.Random(DAMAGES.index(kind))
        runs = [damaged(s.run, kind, random_) for s in sequences]
        for s, run in zip(sequences, runs):
            write(OUT / "results" / kind / f"{s.name}.txt", lines(run, {"long": " ", "pixels": "\t"}.get(kind, ",")))
            write(OUT / "results" / kind / "times" / f"{s.name}_time.txt", "".join(f"{t}\n" for t in s.seconds))
        for protocol in ("otb", "got10k", "lasot", "trackingnet"):
            for convention in ("toolkit", "pytracking", "ostrack"):
                expected[f"{protocol} {convention} {kind}"] = score(protocol, convention, sequences, [[r] for r in runs])
    # GOT-10k's repetitions: two runs of one tracker
    pairs = []
    for s in sequences:
        pair = [damaged(s.run, kind, random.Random(9)) for kind in ("whole", "outside")]
        pairs.append(pair)
        for i, run in enumerate(pair):
            write(OUT / "results" / "repeated" / s.name / f"{s.name}_{i + 1:03d}.txt", lines(run))
        write(OUT / "results" / "repeated" / s.name / f"{s.name}_time.txt",
              "".join(f"{t},{t}\n" for t in s.seconds))
    expected["got10k toolkit repeated"] = score("got10k", "toolkit", sequences, pairs)
    write(OUT / "expected.json", json.dumps(expected, default=float, separators=(",", ":")).replace('"overall"', '\n"overall"') + "\n")


if __name__ == "__main__":
    main()
