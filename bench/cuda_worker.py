"""PyTorch in a process of its own, which may fail, hang or crash at one figure without taking the others along."""
import contextlib
import gc
import multiprocessing
import os
import time
import traceback
import warnings


class Lost(Exception):
    """The process ended or did not answer in time."""


def reason_of(error, warned):
    """In one line, fit for a table."""
    words = [f"{type(error).__name__}: {error}", *(str(w.message) for w in warned if "can't" in str(w.message) or "not" in str(w.message))]
    lines = [text.strip().splitlines()[0] if text.strip() else "" for text in words]
    return "; ".join(dict.fromkeys(lines)).replace("|", "/")[:300]


def about(device):
    import torch

    facts = {"PyTorch": torch.__version__}
    if device == "cuda":
        facts |= {"PyTorch's GPU": torch.cuda.get_device_name(0), "CUDA": torch.version.cuda, "cuDNN": torch.backends.cudnn.version()}
    return facts


def check_model(golden, device):
    """Errors: a model that is not the golden file's, in float32 without TF32."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    import pytorch_model

    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with sdpa_kernel(SDPBackend.MATH):
            errors = pytorch_model.golden_errors(golden, device)
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
    worst = max(errors, key=errors.get)
    if not all(e <= 1 for e in errors.values()):
        raise RuntimeError(f"PyTorch's model is not the golden file's: {worst} is {errors[worst]:.2g} times beyond its bound")
    return f"{len(errors)} tensors, the worst at {errors[worst]:.2f} of its bound"


def figure(row, variant, device, graph, cudnn_first, only_compile):
    import torch

    import cuda_operations
    import cuda_timing

    torch.manual_seed(1)
    stream = cuda_timing.own_stream(device)
    with torch.cuda.stream(stream) if stream else contextlib.nullcontext():
        if row.kind == "forward":
            with torch.no_grad(), cuda_operations.attention_order(cudnn_first):
                call = cuda_operations.forward(row, variant, device).call
                return {} if only_compile else cuda_timing.time_runs([call], device, stream, 1, graph)
        sets = [cuda_operations.operation(row, variant, device)]
        # As bench_cuda: as many as are beyond any cache together.
        while row.cold and len(sets) * sets[0].bytes < 2.5e8 and len(sets) < 512:
            sets.append(cuda_operations.operation(row, variant, device))
        return cuda_timing.time_runs([s.call for s in sets], device, stream, max(32, len(sets)), graph)


def training(preset, batch, variant, device, cudnn_first):
    import torch

    import cuda_operations
    import cuda_timing
    import pytorch_training

    compiled = variant in ("compile", "graph")
    key = preset, batch, compiled, cudnn_first
    if key not in KEPT:
        KEPT.clear()
        gc.collect()
        cuda_timing.release(device)
        torch._dynamo.reset()
    with cuda_operations.attention_order(cudnn_first):
        if key not in KEPT:
            stream = cuda_timing.own_stream(device)
            with torch.cuda.stream(stream) if stream else contextlib.nullcontext():
                KEPT[key] = stream, pytorch_training.step_of(preset, batch, device, compiled)
        stream, step = KEPT[key]
        with torch.cuda.stream(stream) if stream else contextlib.nullcontext():
            return {"rates": [batch / s for s in cuda_timing.time_steps(step, device, stream, variant == "graph")]}


KEPT = {}  # the last training step: what "compile" compiled is what "graph" captures


def serve(pipe, device, threads):
    if threads:
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = str(threads)
    import torch

    import cuda_timing

    torch.backends.cudnn.benchmark = True
    tasks = {"about": about, "check_model": check_model, "figure": figure, "training": training}
    while True:
        name, arguments = pipe.recv()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                answer = {"value": tasks[name](*arguments)}
            except Exception as error:
                traceback.print_exc(limit=-2)
                answer = {"failed": reason_of(error, warned), "capture": isinstance(error, cuda_timing.CaptureError)}
        if "failed" in answer:
            try:  # is this process still good for anything?
                gc.collect()
                cuda_timing.synchronize(device)
                torch.ones(8, device=device).sum().item()
                answer["usable"] = not answer["capture"]
            except Exception:
                answer["usable"] = False
        if answer.get("usable", True):
            cuda_timing.release(device)
        pipe.send(answer)


class Worker:
    """Starts when it is first asked, and again after a loss."""

    def __init__(self, device, threads=0):  # 0: as many as there are
        self.device, self.threads, self.process = device, threads, None

    def start(self):
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process, self.pipe = context.Process(target=serve, args=(there, self.device, self.threads)), here
        self.process.start()
        there.close()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.join()
            self.process = None

    def send(self, task, *arguments):
        if not self.process or not self.process.is_alive():
            self.start()
        self.pipe.send((task, arguments))

    def receive(self, seconds):
        """Errors: Lost."""
        begin = time.monotonic()
        try:
            if not self.pipe.poll(max(0, seconds)):
                raise Lost(f"no answer in {time.monotonic() - begin:.0f} s")
            answer = self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join(5)
            code = self.process.exitcode
            self.stop()
            raise Lost(f"PyTorch's process ended with {code}") from None
        except Lost:
            self.stop()
            raise
        if not answer.get("usable", True):
            self.stop()
        return answer

    def ask(self, seconds, task, *arguments):
        """{"value": ...} or {"failed": reason, "capture": whether a CUDA graph is to blame}."""
        try:
            self.send(task, *arguments)
            return self.receive(seconds)
        except Lost as error:
            return {"failed": str(error), "capture": False}
        except ConnectionError:
            self.stop()
            return {"failed": "PyTorch's process could not be asked", "capture": False}
