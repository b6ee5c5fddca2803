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


def test_gradients_agree_with_the_dequantised_weights():
    import bitsandbytes as bnb

    net = Net().to("cpu")
    forbid_repacking(net)
    x = torch.randn(4, 32, 256, dtype=torch.bfloat16)
    found = gradients(net, x)
    plain = Net().to("cpu")
    for name in ("first", "last"):
        layer = getattr(net, name)
        weight = bnb.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
        dense = torch.nn.Linear(256, 256, bias=False, dtype=torch.bfloat16)
        dense.weight.data.copy_(weight.reshape(256, 256))
        setattr(plain, name, dense)
    plain.down.load_state_dict(net.down.state_dict())
    plain.up.load_state_dict(net.up.state_dict())
    assert torch.nn.functional.cosine_similarity(found, gradients(plain, x), dim=0) > 0.999
