"""The rows of bench_cuda that PyTorch can compute, in bench_cuda's order and by its names. Without PyTorch: quick to import."""
import dataclasses

PRESETS = {  # width, tokens, search tokens; heads are 64 wide
    "detrack-n128": (192, 96, 64),
    "detrack-t256": (192, 448, 256),
    "detrack-s256": (384, 448, 256),
    "detrack-b256": (768, 448, 256),
    "detrack-b384": (768, 1008, 576),
}
LENGTHS = (448, 1008, 1024, 2048, 4096, 8192)
ATTENTION = ("flash", "cudnn")
MODEL = ("eager", "eager_cudnn", "compile")
COMPILED = ("compile", "autotune")
VARIANTS = (*ATTENTION, *MODEL, "autotune")
QUICK = (r"^attention(, with lse| backward)?/tokens (448|1008|4096|8192),.*/warm$|^attention/detrack-(t256|b256|b384)/batch 32/warm$"
         r"|^(denoising attention|layer norm|mlp fc., \w+|linear backward fc1)/detrack-b256/batch 32/warm$"
         r"|^forward/detrack-[tsb]256/batch (1|16)$")
QUICK_COMPILED = ("forward/detrack-t256/batch 1", "forward/detrack-b256/batch 1", "forward/detrack-b256/batch 16")


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    kind: str  # the name's first part
    batch: int
    width: int
    tokens: int
    search_tokens: int = 0  # the keys of denoising attention
    preset: str = ""
    cold: bool = False  # on arguments that no cache holds

    @property
    def heads(self):
        return self.width // 64

    @property
    def variants(self):
        if "attention" in self.kind:
            return ATTENTION
        if self.kind != "forward":
            return ("eager",)
        return (*MODEL, "autotune") if (self.preset, self.batch) == ("detrack-b256", 1) else MODEL


def rows():
    operations = ("attention", "denoising attention", "layer norm", "mlp fc1, gelu", "mlp fc2, residual", "box q",
                  "linear backward fc1")
    temperatures = (("/warm", False), ("/cold", True))
    for preset, (width, tokens, search) in PRESETS.items():
        for batch in (1, 32):
            for kind in operations:
                for suffix, cold in temperatures:
                    yield Row(f"{kind}/{preset}/batch {batch}{suffix}", kind, batch, width, tokens, search, preset, cold)
    for tokens in LENGTHS:
        batch = max(1, 32 * 448 // tokens)
        for kind in ("attention", "attention, with lse", "attention backward"):
            for suffix, cold in temperatures:
                yield Row(f"{kind}/tokens {tokens}, batch {batch}, 12 heads of 64{suffix}", kind, batch, 768, tokens, cold=cold)
    for preset, (width, tokens, search) in PRESETS.items():
        for batch in (1, 16, 64):
            yield Row(f"forward/{preset}/batch {batch}", "forward", batch, width, tokens, search, preset)
