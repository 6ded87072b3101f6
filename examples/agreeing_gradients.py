"""Which training digits would help to learn one new digit, and which would harm: by their gradients, as a picture.

A small step along one image's gradient g' changes another one's loss by −η ⟨g, g'⟩: Pruthi et al., "Estimating Training
Data Influence by Tracing Gradient Descent", 2020. `Samples.dot` has these products without any of the gradients.
"""

from importlib import resources

import numpy as np
import torch
from matplotlib.figure import Figure

import handgrad as hg
from handgrad import layers

with (resources.files("handgrad") / "_training/data/digits.npz").open("rb") as file:
    digits = np.load(file)
    images = torch.tensor(digits["images"], dtype=torch.float32).unsqueeze(1) / 16  # (1797, 1, 8, 8)
    labels = torch.tensor(digits["labels"], dtype=torch.long)

torch.manual_seed(0)
model = layers.Sequential(
    layers.Conv2d(1, 16, 3, padding=1),
    layers.ReLU(),
    layers.MaxPool2d(2),
    layers.Flatten(),
    layers.Linear(16 * 4 * 4, 10),
)
known, new = torch.randperm(len(images)).split([1500, 297])
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(3):
    for batch in torch.split(known[torch.randperm(1500)], 50):
        logits, backward = model(images[batch])
        _, loss_backward = hg.losses.cross_entropy(logits, labels[batch])
        optimizer.zero_grad()
        backward(loss_backward())
        optimizer.step()

losses, _ = hg.losses.cross_entropy(model(images[new])[0], labels[new], reduction="none")
asked = new[losses.argmax()]  # what the network is most wrong about

model.zero_grad()
logits, backward = model(images[asked].unsqueeze(0))
_, loss_backward = hg.losses.cross_entropy(logits, labels[asked].unsqueeze(0))
backward(loss_backward())  # the one image's gradient is now in `.grad`

samples = hg.per_sample.Samples(accumulate=False)  # which leaves it there
logits, backward = model(images[known])
_, loss_backward = hg.losses.cross_entropy(logits, labels[known], reduction="sum")
backward(loss_backward(), per_sample=samples)
products = samples.dot({parameter: parameter.grad for parameter in model.parameters()})  # (1500,)

order = known[products.argsort(descending=True)]
agree, disagree = order[:8], order.flip(0)[:8]
print(f"asked     a {labels[asked]}, taken for a {model(images[asked].unsqueeze(0))[0].argmax()}")
print("agree    ", *labels[agree].tolist())
print("disagree ", *labels[disagree].tolist())

figure = Figure(figsize=(9, 2.4), layout="constrained")
grid = figure.subplots(2, 9)
for row, name, found in zip(grid, ("agree", "disagree"), (agree, disagree), strict=True):
    for axes, index in zip(row, [asked, *found], strict=True):
        axes.imshow(images[index, 0].numpy(), cmap="gray_r")
        axes.set(xticks=[], yticks=[], title=f"{labels[index]}" if index != asked else f"asked: {labels[index]}")
    row[0].set_ylabel(name)
figure.savefig("agreeing_gradients.png", dpi=110)
