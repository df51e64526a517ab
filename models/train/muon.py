"""Muon: momentum whose update is made orthogonal (Jordan et al. 2024), for the 3x3 layers of the
residual blocks; everything else follows AdamW."""
import torch


def orthogonal(x):
    """[N, R, C], R <= C, each matrix with its singular values brought near one: five steps of the
    Newton-Schulz iteration with Jordan's coefficients."""
    x = x / (x.flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


class Muon(torch.optim.Optimizer):
    """Over kernels of one shape [R, ...]; all are made orthogonal in one batch. The update has the
    size that AdamW's has, so that both share a rate (Liu et al. 2025)."""

    def __init__(self, kernels, lr, momentum=0.95, weight_decay=1e-4):
        super().__init__(list(kernels), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            kernels = group["params"]
            updates = []
            for kernel in kernels:
                state = self.state[kernel]
                if not state:
                    state["momentum"] = torch.zeros_like(kernel)
                state["momentum"].lerp_(kernel.grad, 1 - group["momentum"])
                updates.append(kernel.grad.lerp(state["momentum"], group["momentum"]).flatten(1))
            updates = orthogonal(torch.stack(updates))
            size = 0.2 * max(updates.shape[1:]) ** 0.5 * group["lr"]
            for kernel, update in zip(kernels, updates):
                kernel.mul_(1 - group["lr"] * group["weight_decay"])
                kernel.add_(update.view(kernel.shape), alpha=-size)
