"""Explicit layers learn to tell circles from squares: torch.optim makes the steps, and nothing calls autograd."""

import torch

import handgrad as hg
from handgrad import layers

torch.manual_seed(0)
grid = torch.stack(torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij"))  # (2, 12, 12)


def shapes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Circles (0) and squares (1) of some size at some place, with noise: (N, 1, 12, 12) and (N,)."""
    label, size = torch.randint(2, (count, 1, 1)), 3 + 1.5 * torch.rand(count, 1, 1)
    away = grid - (4 + 4 * torch.rand(count, 2, 1, 1))  # (N, 2, 12, 12)
    distance = torch.where(label == 0, away.norm(dim=1), away.abs().amax(1) * 1.1)
    return ((distance < size) + 0.1 * torch.randn(count, 12, 12)).unsqueeze(1), label.flatten()


model = layers.Sequential(
    layers.Conv2d(1, 8, 5, padding=2),
    layers.BatchNorm2d(8),
    layers.ReLU(),
    layers.MaxPool2d(2),
    layers.Flatten(),
    layers.Linear(8 * 6 * 6, 2),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
for _ in range(150):
    images, label = shapes(64)
    logits, backward = model(images)
    loss, loss_backward = hg.losses.cross_entropy(logits, label)
    optimizer.zero_grad()
    backward(loss_backward())
    optimizer.step()
print(f"loss {loss:.3f}")

images, label = shapes(1000)
logits, _ = model.eval()(images)
print(f"right on {(logits.argmax(1) == label).sum()} of 1000 new images")
