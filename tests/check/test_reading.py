"""What is seen in a backward pass as it is written."""

from __future__ import annotations

import pytest

from handgrad._check.reading import read


@pytest.mark.parametrize(
    "code",
    [
        "dx = correlate(g, w.flip(2, 3))",
        "dx = conv(g, np.flip(self.W, (2, 3)))",
        "k180 = rot180(kernel)",
        "wf = params['W'][:, :, ::-1, ::-1]",
        "dx = toeplitz(h[::-1], n).T @ g",  # as signal processing names it
        "for k in range(K):\n    dx[k:k + L] += g * w[K - 1 - k]",
        "for k in range(K):\n    dx[k:k + L] += g * w[-k - 1]",
        "for k in range(K):\n    dx[k:k + L] += g * w[~k]",
        "for k in range(K):\n    dx[K - 1 - k:K - 1 - k + L] += g * w[k]",  # the window runs backwards, not the kernel
    ],
)
def test_a_flipped_kernel_is_seen(code):
    assert read(code).flips


@pytest.mark.parametrize(
    "code",
    [
        "",
        "dw = convolve(x[::-1], g)",  # something else is flipped
        "for i in range(H):\n    dx[i] += g[i - k] * w[k]",
        "for k in range(K):\n    dx[k:k + L] += g * w[k]",
        "n = K - 1\nw2 = w[:, :, n - 1]",  # no counter of a loop
    ],
)
def test_where_no_kernel_is_flipped_none_is_seen(code):
    assert not read(code).flips


@pytest.mark.parametrize(
    ("code", "scatters"),
    [
        ("dx = F.fold(cols, (4, 5), 3)", True),
        ("np.add.at(dx, index, cols)", True),
        ("dx[:, i * s:i * s + k] += w * g[i]", True),
        ("dx[:, i + k] = dx[:, i + k] + w[k] * g[i]", True),
        ("dx[n, c, i, j] += (g[n, :, i:i + k] * w[c]).sum()", False),  # a gather, one entry at a time
        ("cols = F.unfold(g, 3)", False),
        ("dx[:, i:i + k] = w * g[i]", False),
    ],
)
def test_adding_up_windows_is_seen(code, scatters):
    assert read(code).scatters == scatters


@pytest.mark.parametrize(
    ("code", "crops"),
    [
        ("return dxp[:, :, :H, :W]", True),
        ("xp = np.pad(x, 1)", True),
        ("dx[:, :, i:i + k] += g", False),
        ("return dx", False),
    ],
)
def test_a_padded_image_is_seen(code, crops):
    assert read(code).crops == crops


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("dw = a.T @ g\nd = g @ w.T\ndw = x.T @ d", True),
        ("dw = a.T @ g\ndw = dw + x.T @ g", False),
        ("dw = a.T @ g\ndw += x.T @ g", False),
        ("dw, db = a.T @ g, g.sum(0)", False),
        ("dw, db = 0, 0\nfor t in range(3):\n    dw = x[t].T @ g", True),
        ("dw, db = None, None\ndw = x.T @ g", False),  # nothing is lost
    ],
)
def test_a_second_assignment_overwrites(code, expected):
    assert read(code).overwrites == expected
