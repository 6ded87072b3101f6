import numpy as np


def forward(p, y):
    return -np.mean(y * np.log(p) + (1 - y) * np.log1p(-p))


def backward(g, p, y):
    return g * (p - y) / (p * (1 - p)) / p.size, None


def example_inputs():
    rng = np.random.RandomState(2)
    return rng.uniform(0.1, 0.9, (6, 3)), rng.randint(0, 2, (6, 3))
