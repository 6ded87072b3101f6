"""Somebody's code behind one interface: run it forward, then backward, whatever its style and its library.

`autograd_function` (a `torch.autograd.Function`), `functions` (a pair of functions, with or without a cache) and
`classes` (an object with forward and backward) are the adapters; `finding` looks for what a file offers.
"""

from .calling import UserCodeError
from .subject import Run, Subject

__all__ = ["Run", "Subject", "UserCodeError"]
