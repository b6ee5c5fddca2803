"""Lower the rank of a LoRA adapter: the best approximation of each update by that rank (Eckart and Young, 1936).

python -m benchmarks.training.adapter_rank --adapter finetune/weights/adapter --rank 24 --out FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def truncated(a: Tensor, b: Tensor, rank: int) -> tuple[Tensor, Tensor, float]:
    """a [r, n] and b [m, r] of a lower rank, and the share of the update's squared norm that they keep."""
    qa, ra = torch.linalg.qr(a.float().T)
    qb, rb = torch.linalg.qr(b.float())
    u, s, v = torch.linalg.svd(rb @ ra.T)
    root = s[:rank].sqrt()
    return root[:, None] * (qa @ v[:rank].T).T, (qb @ u[:, :rank]) * root, float((s[:rank] ** 2).sum() / (s**2).sum())


def main() -> None:
    """Write the adapter of the lower rank, with the same scaling."""
    from safetensors.torch import load_file, save_file

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    config = json.loads((args.adapter / CONFIG).read_text(encoding="utf-8"))
    tensors, shares = load_file(args.adapter / WEIGHTS), []
    for name in [n for n in tensors if ".lora_A." in n]:
        other = name.replace(".lora_A.", ".lora_B.")
        a, b, share = truncated(tensors[name], tensors[other], args.rank)
        tensors[name], tensors[other] = a.half().contiguous(), b.half().contiguous()
        shares.append(share)
    config |= {"r": args.rank, "lora_alpha": config["lora_alpha"] * args.rank // config["r"]}
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, args.out / WEIGHTS, metadata={"format": "pt"})
    (args.out / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({"rank": args.rank, "kept": sum(shares) / len(shares), "least": min(shares)}))


if __name__ == "__main__":
    main()
