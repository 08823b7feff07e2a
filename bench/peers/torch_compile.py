"""PyTorch, forward, loss and backward through torch.compile (it needs a C++ compiler); the optimizer stays fused."""
import torch

from bench.peers import torch as eager

NAME, VERSION = "torch_compile", torch.__version__


class Contender(eager.Contender):
    """One workload in compiled PyTorch; see bench/peers/__init__.py."""

    def __init__(self, case, X, y, threads=1):
        super().__init__(case, X, y, threads)
        self.value = torch.compile(self.forward, dynamic=False)
