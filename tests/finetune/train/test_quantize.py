"""The 4-bit trap: after a pass without gradients, gradients must be what they were."""

import torch

from finetune.train.loading import forbid_repacking


class Net(torch.nn.Module):
    """Two 4-bit layers around a trainable low-rank path."""

    def __init__(self) -> None:
        super().__init__()
        import bitsandbytes as bnb

        torch.manual_seed(0)
        kind = {"bias": False, "compute_dtype": torch.bfloat16, "quant_type": "nf4"}
        self.first, self.last = bnb.nn.Linear4bit(256, 256, **kind), bnb.nn.Linear4bit(256, 256, **kind)
        self.down, self.up = torch.nn.Linear(256, 8, bias=False), torch.nn.Linear(8, 256, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x) + self.up(self.down(x.float())).to(x.dtype)
        return self.last(torch.nn.functional.silu(h))


def gradients(net: Net, x: torch.Tensor) -> torch.Tensor:
    net.zero_grad()
    net(x).float().square().mean().backward()
    return torch.cat([net.down.weight.grad.flatten(), net.up.weight.grad.flatten()])


def test_gradients_after_an_evaluation_equal_those_before():
    net = Net().to("cpu")
    assert forbid_repacking(net) == 2
    x = torch.randn(4, 32, 256, dtype=torch.bfloat16)
    before = gradients(net, x)
    assert before.norm() > 0
    with torch.no_grad():
        net.eval()
        net(x)
    net.train()
    after = gradients(net, x)
    assert torch.nn.functional.cosine_similarity(before, after, dim=0) > 0.9999
