"""Times work on a GPU as bench_cuda does: many runs in one CUDA graph, which is replayed."""
import statistics
import time

import torch


class CaptureError(RuntimeError):
    """The work cannot be captured. The process's CUDA state is in doubt afterwards."""


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def release(device):
    if device == "cuda":
        torch.cuda.empty_cache()


def own_stream(device):
    """Where all of a row happens, building its autograd graph too: backward passes run on the streams of their forward ones, and
    a capture must not depend on the default stream."""
    if device != "cuda":
        return None
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    return stream


def captured(work, stream):
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, stream=stream):
            work()
    except Exception as error:
        cause = error.__context__ or error  # ending a broken capture is an error too, and hides the first
        raise CaptureError(f"cannot be captured: {type(cause).__name__}: {cause}") from error
    return graph.replay


def medians(replay, device, runs, at_least):
    """Seconds of a run: median and 95th percentile over the replays, of the wall around replay and synchronization."""

    def timed():
        begin = time.perf_counter()
        replay()
        synchronize(device)
        return (time.perf_counter() - begin) / runs

    for _ in range(3 if at_least else 0):
        timed()
    times, begin = [], time.perf_counter()
    while len(times) < (10 if at_least else 1) or time.perf_counter() - begin < at_least:
        times.append(timed())
    return {"median_s": statistics.median(times), "p95_s": sorted(times)[len(times) * 95 // 100]}


def time_runs(calls, device, stream, runs=32, graph=True):
    """`calls` one after the other, over again until there are `runs`. Without a graph launches are in the figure where the GPU
    waits for them. To be called on `stream`. On a CPU, which is a rehearsal, everything runs as seldom as it can."""
    if device != "cuda":
        return medians(calls[0], device, 1, 0)

    def work():
        for i in range(runs):
            calls[i % len(calls)]()

    for _ in range(3):  # loads, compiles, plans, and measures alternatives: none of which can be captured
        for call in calls:
            call()
    synchronize(device)
    return medians(captured(work, stream) if graph else work, device, runs, 0.3)


def time_steps(step, device, stream, graph, blocks=12, block=5):
    """Seconds of a step, for each of some blocks of steps: the GPU is waited for after a block, not after a step."""
    if device != "cuda":
        blocks = block = 1
    for _ in range(5 if device == "cuda" else 1):  # compiles; a compiled training step compiles twice
        step()
    synchronize(device)
    if graph and device == "cuda":
        step = captured(step, stream)
        step()
        synchronize(device)
    times = []
    for _ in range(blocks):
        begin = time.perf_counter()
        for _ in range(block):
            step()
        synchronize(device)
        times.append((time.perf_counter() - begin) / block)
    return times
