"""Every error, word for word, and that none is missing: each line that raises one is reached from here."""

from __future__ import annotations

import ast
import textwrap
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import handgrad as hg
from handgrad._errors import error
from handgrad.testing import conv_loop

# A call, and below it the message that it raises.
MESSAGES = """
hg.conv2d(ones(2, 5, 8, 8), ones(4, 3, 3, 3))
    conv2d: input and weight disagree about channels.
      input   (2, 5, 8, 8)     C = 5
      weight  (4, 3, 3, 3)     C/groups = 3, groups = 1
      needed  C = 3 · 1 = 3, got 5

hg.conv2d(ones(2, 8, 8, 3), ones(4, 3, 3, 3))
    conv2d: input and weight disagree about channels.
      input   (2, 8, 8, 3)     C = 8
      weight  (4, 3, 3, 3)     C/groups = 3, groups = 1
      needed  C = 3 · 1 = 3, got 8
    hint: channels last? `input.movedim(-1, 1)`

hg.conv2d(ones(4, 6, 5), ones(4, 3, 3, 2))
    conv2d: input and weight disagree about channels.
      input   (4, 6, 5)        C = 4
      weight  (4, 3, 3, 2)     C/groups = 3, groups = 1
      needed  C = 3 · 1 = 3, got 4

hg.conv2d(ones(2, 8, 7), ones(4, 4, 3, 3), groups=2)
    conv2d: input and weight disagree about channels.
      input   (2, 8, 7)        C = 2
      weight  (4, 4, 3, 3)     C/groups = 4, groups = 2
      needed  C = 4 · 2 = 8, got 2

hg.conv2d(ones(8, 7), ones(4, 1, 3, 3))
    conv2d: input must be (N, C, *I) or (C, *I).
      input   (8, 7)     2 axes
      weight  (4, 1, 3, 3)
    hint: one channel? `input.unsqueeze(0)`

hg.conv1d(ones(2, 3, 8, 7), ones(4, 3, 3))
    conv1d: input must be (N, C, *I) or (C, *I).
      input   (2, 3, 8, 7)     4 axes
      weight  (4, 3, 3)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3))
    conv2d: weight must be (O, C/groups, *K).
      input   (2, 3, 8, 7)
      weight  (4, 3, 3)     3 axes

hg.conv2d(ones(2, 3, 0, 7), ones(4, 3, 3, 3), padding=3)
    conv2d: only the batch and the input channels may be empty.
      input   (2, 3, 0, 7)
      weight  (4, 3, 3, 3)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 0, 3))
    conv2d: only the batch and the input channels may be empty.
      input   (2, 3, 8, 7)
      weight  (4, 3, 0, 3)

hg.conv2d(ones(2, 4, 8, 7), ones(4, 4, 3, 3), groups=0)
    conv2d: groups must be a positive int.
      groups  0

hg.conv2d(ones(2, 4, 8, 7), ones(4, 4, 3, 3), groups=1.5)
    conv2d: groups must be a positive int.
      groups  1.5

hg.conv2d(ones(2, 4, 8, 7), ones(5, 2, 3, 3), groups=2)
    conv2d: groups do not divide O.
      weight  (5, 2, 3, 3)     O = 5
      groups  2

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), ones(5))
    conv2d: the bias has one number for each output channel.
      bias    (5,)
      needed  (4,)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), ones(4, 1))
    conv2d: the bias has one number for each output channel.
      bias    (4, 1)
      needed  (4,)

hg.conv3d(ones(2, 3, 4, 5, 6), ones(4, 3, 2, 3, 4), padding=(0, 1, 0), dilation=(1, 1, 3))
    conv3d: the kernel is larger than the padded input.
      input   (4, 5, 6)     padded (4, 7, 6)
      kernel  (2, 3, 4)     dilation (1, 1, 3), covers (2, 3, 10)
      needed  dilation · (kernel − 1) + 1 ≤ input + padding, in every dimension

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), stride=0)
    conv2d: stride must be at least 1.
      stride  0

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), dilation=(1, -2))
    conv2d: dilation must be at least 1.
      dilation  (1, -2)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), padding=-1)
    conv2d: padding must be at least 0.
      padding  -1

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), padding=((0, 1), (-1, 0)))
    conv2d: padding must be at least 0.
      padding  (-1, 0)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), stride=(1, 2, 3))
    conv2d: stride must be an int or a sequence of 2.
      stride  (1, 2, 3)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), stride=1.5)
    conv2d: stride must be an int or a sequence of 2.
      stride  1.5

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), stride=None)
    conv2d: stride must be an int or a sequence of 2.
      stride  None

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), padding=((1, 2),))
    conv2d: padding in pairs needs 2 of (low, high), one a dimension.
      padding  ((1, 2),)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), padding=((1, 2), 3))
    conv2d: padding in pairs needs 2 of (low, high), one a dimension.
      padding  ((1, 2), 3)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), padding=((1, 2), (1.5, 0)))
    conv2d: padding must be an int or a sequence of 2.
      padding  (1.5, 0)

hg.conv1d(ones(2, 3, 8), ones(4, 3, 3), padding=(1, 2))
    conv1d: padding must be an int or a sequence of 1.
      padding  (1, 2)
    hint: one side each? padding=((1, 2),)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), padding="full")
    conv2d: unknown padding 'full'.
      known  'valid', 'same', an int, ints, or (low, high) pairs

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), padding="same", stride=(1, 2))
    conv2d: padding 'same' needs stride 1.
      stride  (1, 2)

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3), padding_mode="constant")
    conv2d: unknown padding mode 'constant'.
      known  zeros, reflect, replicate, circular

hg.conv2d(ones(2, 3, 8, 4), ones(4, 3, 3, 3), padding=4, padding_mode="reflect")
    conv2d: reflect padding is wider than the input.
      input    (8, 4)
      padding  ((4, 4), (4, 4))
      needed   padding < input, in every dimension

hg.conv2d(ones(2, 3, 8, 4), ones(4, 3, 3, 3), padding=((1, 1), (0, 5)), padding_mode="circular")
    conv2d: circular padding is wider than the input.
      input    (8, 4)
      padding  ((1, 1), (0, 5))
      needed   padding ≤ input, in every dimension

hg.conv2d(ones(2, 3, 8, 7).tolist(), ones(4, 3, 3, 3))
    conv2d: input is no tensor.
      input  list

hg.conv2d(np.ones((2, 3, 8, 7)), ones(4, 3, 3, 3))
    conv2d: input is no tensor.
      input  ndarray
    hint: `torch.from_numpy(array)`

hg.conv2d(ones(2, 3, 8, 7), None)
    conv2d: weight is no tensor.
      weight  NoneType

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3, dtype=torch.float64), ones(4))
    conv2d: the dtypes differ.
      input   torch.float32
      weight  torch.float64
      bias    torch.float32

hg.conv2d(ones(2, 3, 8, 7), ones(4, 3, 3, 3, device="meta"))
    conv2d: the devices differ.
      input   cpu
      weight  meta

hg.conv2d(ones(2, 3, 8, 7, dtype=torch.int64), ones(4, 3, 3, 3, dtype=torch.int64))
    conv2d: input has a dtype without gradients.
      input  torch.int64
      known  float64, float32, float16, bfloat16, complex64, complex128

hg.conv2d_input((2, 3, 8, 7), ones(4, 3, 3, 3), ones(2, 4, 8, 7), padding=(1, 0))
    conv2d_input: grad_output has a size that this geometry cannot put out.
      grad_output  (2, 4, 8, 7)
      needed       (2, 4, 8, 5)     L = ⌊(I + low + high − dilation · (K − 1) − 1) / stride⌋ + 1
      kernel       (3, 3)
      stride       (1, 1)
      padding      ((1, 1), (0, 0))
      dilation     (1, 1)

hg.conv2d_input((2, 3, 8.5, 7), ones(4, 3, 3, 3), ones(2, 4, 6, 5))
    conv2d_input: input_size must be a sequence of ints.
      input_size  (2, 3, 8.5, 7)

hg.conv2d_input(7, ones(4, 3, 3, 3), ones(2, 4, 6, 5))
    conv2d_input: input_size must be a sequence of ints.
      input_size  7

hg.conv2d_weight(ones(2, 3, 8, 7), (4, 3, 3), ones(2, 4, 6, 5))
    conv2d_weight: weight must be (O, C/groups, *K).
      input   (2, 3, 8, 7)
      weight  (4, 3, 3)     3 axes

hg.conv2d_weight(ones(2, 3, 8, 7), (4, 3, 3, 3), ones(4, 6, 5))
    conv2d_weight: grad_output has a size that this geometry cannot put out.
      grad_output  (4, 6, 5)
      needed       (2, 4, 6, 5)     L = ⌊(I + low + high − dilation · (K − 1) − 1) / stride⌋ + 1
      kernel       (3, 3)
      stride       (1, 1)
      padding      ((0, 0), (0, 0))
      dilation     (1, 1)

hg.conv2d_weight(ones(3, 8, 7), (4, 3, 3, 3), ones(1, 4, 6, 5))
    conv2d_weight: grad_output has a size that this geometry cannot put out.
      grad_output  (1, 4, 6, 5)
      needed       (4, 6, 5)     L = ⌊(I + low + high − dilation · (K − 1) − 1) / stride⌋ + 1
      kernel       (3, 3)
      stride       (1, 1)
      padding      ((0, 0), (0, 0))
      dilation     (1, 1)

hg.conv2d_bias(ones(6, 5))
    conv2d_bias: grad_output must be (N, O, *L) or (O, *L).
      grad_output  (6, 5)

hg.conv2d_bias(ones(2, 4, 6, 5, dtype=torch.bool))
    conv2d_bias: grad_output has a dtype without gradients.
      grad_output  torch.bool
      known        float64, float32, float16, bfloat16, complex64, complex128

hg.conv2d_backward(ones(2, 4, 6, 6), ones(2, 3, 8, 7), ones(4, 3, 3, 3))
    conv2d_backward: grad_output has a size that this geometry cannot put out.
      grad_output  (2, 4, 6, 6)
      needed       (2, 4, 6, 5)     L = ⌊(I + low + high − dilation · (K − 1) − 1) / stride⌋ + 1
      kernel       (3, 3)
      stride       (1, 1)
      padding      ((0, 0), (0, 0))
      dilation     (1, 1)

hg.conv2d_backward(ones(2, 4, 6, 5), ones(2, 3, 8, 7), ones(4, 3, 3, 3), needs="input")
    conv2d_backward: needs must be a collection of 'input', 'weight' and 'bias'.
      needs  'input'

hg.conv2d_backward(ones(2, 4, 6, 5), ones(2, 3, 8, 7), ones(4, 3, 3, 3), needs=("input", "filter"))
    conv2d_backward: needs must be a collection of 'input', 'weight' and 'bias'.
      needs  ('input', 'filter')

hg.conv2d_backward(ones(2, 4, 6, 5), ones(2, 3, 8, 7), ones(4, 3, 3, 3), needs=None)
    conv2d_backward: needs must be a collection of 'input', 'weight' and 'bias'.
      needs  None

hg.conv_transpose2d(ones(2, 5, 8, 8), ones(3, 4, 3, 3))
    conv_transpose2d: input and weight disagree about channels.
      input   (2, 5, 8, 8)     C = 5
      weight  (3, 4, 3, 3)     C = 3, O/groups = 4
      needed  C = 3, got 5

hg.conv_transpose2d(ones(2, 8, 8, 3), ones(3, 4, 3, 3))
    conv_transpose2d: input and weight disagree about channels.
      input   (2, 8, 8, 3)     C = 8
      weight  (3, 4, 3, 3)     C = 3, O/groups = 4
      needed  C = 3, got 8
    hint: channels last? `input.movedim(-1, 1)`

hg.conv_transpose2d(ones(8, 8), ones(3, 4, 3, 3))
    conv_transpose2d: input must be (N, C, *I) or (C, *I).
      input   (8, 8)     2 axes
      weight  (3, 4, 3, 3)

hg.conv_transpose2d(ones(2, 3, 8, 8), ones(3, 4, 3, 3, 3))
    conv_transpose2d: weight must be (C, O/groups, *K).
      input   (2, 3, 8, 8)
      weight  (3, 4, 3, 3, 3)     5 axes

hg.conv_transpose2d(ones(2, 3, 8, 8), ones(3, 4, 3, 3), groups=2)
    conv_transpose2d: groups do not divide C.
      weight  (3, 4, 3, 3)     C = 3
      groups  2

hg.conv_transpose2d(ones(2, 3, 8, 8), ones(3, 0, 3, 3))
    conv_transpose2d: only the batch may be empty.
      input   (2, 3, 8, 8)
      weight  (3, 0, 3, 3)

hg.conv_transpose2d(ones(2, 3, 8, 8), ones(3, 4, 3, 3), ones(3))
    conv_transpose2d: the bias has one number for each output channel.
      bias    (3,)
      needed  (4,)

hg.conv_transpose2d(ones(2, 3, 8, 8), ones(3, 4, 3, 3), padding="same")
    conv_transpose2d: padding 'same' has no meaning for a transposed convolution, give numbers.

hg.conv_transpose2d(ones(2, 3, 8, 8), ones(3, 4, 3, 3), stride=(2, 1), output_padding=(1, 1))
    conv_transpose2d: output_padding must be smaller than the stride or the dilation.
      output_padding  (1, 1)
      stride          (2, 1)
      dilation        (1, 1)
      needed          output_padding < max(stride, dilation), in every dimension

hg.conv_transpose2d(ones(2, 3, 8, 8), ones(3, 4, 3, 3), output_padding=-1)
    conv_transpose2d: output_padding must be at least 0.
      output_padding  -1

hg.conv_transpose2d(ones(2, 3, 2, 8), ones(3, 4, 3, 3), padding=((2, 3), (0, 0)))
    conv_transpose2d: the padding crops the whole output away.
      input    (2, 8)
      padding  ((2, 3), (0, 0))
      output   (-1, 10)     (input − 1) · stride − low − high + dilation · (kernel − 1) + 1 + output_padding

hg.conv_transpose2d_input((2, 3, 8, 8), ones(3, 4, 3, 3), ones(2, 4, 18, 17), stride=2)
    conv_transpose2d_input: grad_output has a size that this geometry cannot put out.
      grad_output  (2, 4, 18, 17)
      needed       (2, 4, 17, 17)     L = (I − 1) · stride − low − high + dilation · (K − 1) + 1 + output_padding
      kernel       (3, 3)
      stride       (2, 2)
      padding      ((0, 0), (0, 0))
      dilation     (1, 1)

hg.unfold2d(ones(8, 7), 2)
    unfold2d: input must be (N, C, *I) or (C, *I).
      input  (8, 7)     2 axes

hg.unfold2d(ones(2, 0, 8, 7), 2)
    unfold2d: only the batch may be empty.
      input  (2, 0, 8, 7)

hg.unfold2d(ones(2, 3, 8, 7), (2, 2, 2))
    unfold2d: kernel_size must be an int or a sequence of 2.
      kernel_size  (2, 2, 2)

hg.unfold2d(ones(2, 3, 8, 7), 9)
    unfold2d: the kernel is larger than the padded input.
      input   (8, 7)     padded (8, 7)
      kernel  (9, 9)     dilation (1, 1), covers (9, 9)
      needed  dilation · (kernel − 1) + 1 ≤ input + padding, in every dimension

hg.fold2d(ones(12), (8, 7), 2)
    fold2d: input must be (N, C·K, L) or (C·K, L).
      input  (12,)     1 axes

hg.fold2d(ones(2, 13, 42), (8, 7), 2)
    fold2d: these are not the columns of this geometry.
      input   (2, 13, 42)     C·K = 13, L = 42
      needed  a multiple of K = 4, and L = 42 positions (7, 6)

hg.fold2d(ones(2, 12, 56), (8, 7), 2)
    fold2d: these are not the columns of this geometry.
      input   (2, 12, 56)     C·K = 12, L = 56
      needed  a multiple of K = 4, and L = 42 positions (7, 6)

hg.fold2d(ones(2, 0, 42), (8, 7), 2)
    fold2d: these are not the columns of this geometry.
      input   (2, 0, 42)     C·K = 0, L = 42
      needed  a multiple of K = 4, and L = 42 positions (7, 6)

hg.fold2d(ones(2, 12, 42), (8, 7, 6), 2)
    fold2d: output_size must be an int or a sequence of 2.
      output_size  (8, 7, 6)

conv_loop(ones(1, 1, 3, 3), ones(1, 1, 2, 2), ones(1, 1, 3, 3))
    conv_loop: grad_output must have the output's size.
      grad_output  (1, 1, 3, 3)
      needed       (1, 1, 2, 2)

hg.conv2d(ones(1, 1, 4, 4).to_sparse(), ones(1, 1, 3, 3))
    conv2d: input must be dense.
      input  (1, 1, 4, 4)     torch.sparse_coo
    hint: `input.to_dense()`

hg.conv2d(ones(1, 1, 4, 4), ones(1, 1, 3, 3), stride=2**70)
    conv2d: stride must be at most 2147483647.
      stride  1180591620717411303424

hg.conv2d(ones(1, 1, 4, 4), ones(1, 1, 3, 3), stride=1.0)
    conv2d: stride must be an int or a sequence of 2.
      stride  1.0

hg.conv2d(ones(1, 1, 4, 4), ones(1, 1, 3, 3), stride=np.array(1.5))
    conv2d: stride must be an int or a sequence of 2.
      stride  array(1.5)

hg.conv2d(ones(1, 1, 4, 4), ones(1, 1, 3, 3), stride=(2, "x"))
    conv2d: stride must be an int or a sequence of 2.
      stride  (2, 'x')

hg.conv2d_weight(ones(2, 4, 9, 9), (6, 4, -1, -1), ones(2, 6, 11, 11))
    conv2d_weight: only the batch and the input channels may be empty.
      input   (2, 4, 9, 9)
      weight  (6, 4, -1, -1)

hg.per_sample.conv2d_weight(ones(2, 5, 8, 8), (4, 3, 3, 3), ones(2, 4, 6, 6))
    per_sample.conv2d_weight: input and weight disagree about channels.
      input   (2, 5, 8, 8)     C = 5
      weight  (4, 3, 3, 3)     C/groups = 3, groups = 1
      needed  C = 3 · 1 = 3, got 5

hg.per_sample.conv_transpose1d_weight_gram(ones(2, 3, 8), (3, 4, 3), ones(2, 4, 9))
    per_sample.conv_transpose1d_weight_gram: grad_output has a size that this geometry cannot put out.
      grad_output  (2, 4, 9)
      needed       (2, 4, 10)     L = (I − 1) · stride − low − high + dilation · (K − 1) + 1 + output_padding
      kernel       (3,)
      stride       (1,)
      padding      ((0, 0),)
      dilation     (1,)

hg.per_sample.conv1d_bias(ones(4))
    per_sample.conv1d_bias: grad_output must be (N, O, *L) or (O, *L).
      grad_output  (4,)

hg.per_sample.conv1d_weight_sqnorm(ones(2, 3, 8), (4, 3, 3), ones(2, 4, 6), max_bytes=0)
    per_sample.conv1d_weight_sqnorm: max_bytes must be a positive int.
      max_bytes  0

hg.per_sample.conv1d_weight_dot(ones(2, 3, 8), (4, 3, 3), ones(2, 4, 6), other=ones(4, 3, 1))
    per_sample.conv1d_weight_dot: other must have the size of the weight.
      other   (4, 3, 1)
      needed  (4, 3, 3)

hg.per_sample.conv1d_weight_weighted(ones(2, 3, 8), (4, 3, 3), ones(2, 4, 6), coefficients=[1, 2])
    per_sample.conv1d_weight_weighted: coefficients is no tensor.
      coefficients  list

hg.per_sample.conv1d_weight_weighted(ones(2, 3, 8), (4, 3, 3), ones(2, 4, 6), coefficients=ones(3))
    per_sample.conv1d_weight_weighted: coefficients must be one number for each sample, of the operands' kind.
      coefficients  (3,)     torch.float32
      needed        (2,)     torch.float32

hg.per_sample.conv1d_weight_weighted(ones(1, 3, 8), (4, 3, 3), ones(1, 4, 6), coefficients=ones(1) * 1j)
    per_sample.conv1d_weight_weighted: coefficients must be one number for each sample, of the operands' kind.
      coefficients  (1,)     torch.complex64
      needed        (1,)     torch.float32

hg.kfac.conv1d_factors(ones(2, 3, 8), (4, 3, 3), ones(2, 4, 6), kind="sum")
    kfac.conv1d_factors: unknown kind 'sum'.
      known  expand, reduce

hg.kfac.conv_transpose1d_factors(ones(2, 3, 8), (3, 4, 3), ones(2, 4, 10), max_bytes=1.5)
    kfac.conv_transpose1d_factors: max_bytes must be a positive int.
      max_bytes  1.5

hg.per_sample.linear_weight(ones(2, 3), (4, 5), ones(2, 4))
    per_sample.linear_weight: the sizes do not go together.
      input        (2, 3)
      weight       (4, 5)
      grad_output  (2, 4)
      needed       (N, *, in), (out, in) and (N, *, out)

hg.per_sample.linear_bias(ones())
    per_sample.linear_bias: grad_output must be (N, *, out) or (out,).
      grad_output  ()

hg.per_sample.batch_norm_weight(ones(2, 3), ones(4), ones(3), ones(2, 3))
    per_sample.batch_norm_weight: the running estimates have one number for each channel.
      running_mean  (4,)
      running_var   (3,)
      needed        (3,)

hg.per_sample.group_norm_weight(ones(2, 6), 4, ones(2, 6))
    per_sample.group_norm_weight: num_groups must divide C.
      input       (2, 6)     C = 6
      num_groups  4

hg.per_sample.group_norm_weight_gram(ones(2, 6), 2, ones(2, 5))
    per_sample.group_norm_weight_gram: input and grad_output must have one size.
      input        (2, 6)
      grad_output  (2, 5)

hg.per_sample.group_norm_weight_sqnorm(ones(2, 6) * 1j, 2, ones(2, 6) * 1j)
    per_sample.group_norm_weight_sqnorm: complex numbers are not normalized.
      input  torch.complex64

hg.per_sample.group_norm_bias(ones(2))
    per_sample.group_norm_bias: the operands must be (N, C, *).
      got  (2,)

hg.per_sample.layer_norm_bias((3, 4), ones(2, 4))
    per_sample.layer_norm_bias: the last axes of grad_output are not normalized_shape.
      grad_output  (2, 4)
      needed       (3, 4)

hg.per_sample.embedding_weight(ones(2, 3), (5, 4), ones(2, 3, 4))
    per_sample.embedding_weight: input must be a tensor of integers.
      input  torch.float32

hg.per_sample.embedding_weight_dot(ones(2, 3).long(), (5, 4), ones(2, 4), other=ones(5, 4))
    per_sample.embedding_weight_dot: the operands do not go together.
      input        (2, 3)
      weight       (5, 4)
      grad_output  (2, 4)
      needed       (N, *), (V, D) and (N, *, D)

hg.per_sample.embedding_weight(ones(2, 3).long() * 5, (5, 4), ones(2, 3, 4))
    per_sample.embedding_weight: there are not so many rows.
      weight  (5, 4)
      input   5 to 5

hg.per_sample.embedding_weight(ones(2, 3).long(), (5, 4), ones(2, 3, 4), padding_idx=7)
    per_sample.embedding_weight: padding_idx must be one of the rows.
      weight       (5, 4)
      padding_idx  7

hg.kfac.linear_factors(ones(2, 3), (4, 3), ones(2, 4), kind="each")
    kfac.linear_factors: unknown kind 'each'.
      known  expand, reduce

collect(ones(2, 3), ones(4))
    Samples: a gradient has another shape.
      gradient   (3,)
      parameter  (4,)

collect(ones(2, 3), ones(3), ones(5, 4), ones(4))
    Samples: the uses disagree about the number of samples.
      before  2
      now     5
    hint: an axis was joined with the batch, or a layer took an unbatched input's first axis for it

collect().sqnorm()
    Samples: the backward pass met no parameter.

collect().dot({torch.nn.Parameter(ones(3)): ones(3)})
    Samples: the backward pass did not meet a parameter.
      shape  (3,)

collect().dot({torch.nn.Parameter(ones(3)): ones(1)})
    Samples: a direction is not like its parameter.
      got     (1,)     torch.float32
      needed  (3,)     torch.float32

collect().dot({torch.nn.Parameter(ones(3)): ones(3).cfloat()})
    Samples: a direction is not like its parameter.
      got     (3,)     torch.complex64
      needed  (3,)     torch.float32

collect().dot({torch.nn.Parameter(ones(3)): [1.0]})
    Samples: direction is no tensor.
      direction  list

collect(ones(2, 3), ones(3)).dot(ones(3))
    Samples: there must be an entry for each parameter, in a mapping.
      got  Tensor

hg.per_sample.Each([1.0])
    Each: gradients is no tensor.
      gradients  list

hg.per_sample.Each(ones())
    Each: gradients must be (N, *shape).
      gradients  ()

collect(ones(2, 3), ones(3)).dot({"0.weight": ones(3)})
    Samples: a key must be a parameter.
      key  '0.weight'
    hint: `model.get_parameter(name)`

collect(ones(2, 3), ones(3)).weighted({0: ones(2)})
    Samples: a key must be a parameter.
      key  0

stepped()
    Samples: a parameter has changed since an earlier use.
      shape  (3,)
    hint: a `Samples` serves one batch; make a new one in every step

hg.layers.ReLU()(ones(3))[1](ones(3), per_sample=True)
    backward: per_sample must be a `hg.per_sample.Samples`, got bool.

changed().sqnorms()
    Samples: what gradients are made of has changed since the backward pass.
      shape  (2, 3)
    hint: ask before anything is changed in place

hg.per_sample.Samples(max_bytes=0)
    Samples: max_bytes must be a positive int.
      max_bytes  0

collect(ones(2, 3), ones(3)).weighted(ones(3))
    Samples: coefficients must be one number for each sample, of the operands' kind.
      coefficients  (3,)     torch.float32
      needed        (2,)     torch.float32

grouped_twice().factors()
    Samples.factors: the uses of one weight differ in their groups or in transposition.
      weight  (4, 2, 1)
"""

RAISING = ["_geometry.py", "_operands.py", "_padding.py", "testing", "functional", "per_sample", "kfac.py"]
RECORDING = ("_record.py", "_modules.py")  # a model runs before these raise: tests/per_sample/test_record.py


def ones(*size: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Tensor:
    return torch.ones(size, dtype=dtype, device=device)


def collect(*gradients_and_parameters: Tensor) -> hg.per_sample.Samples:
    """What met the parameters, each of which follows its gradients (N, *shape)."""
    samples, given = hg.per_sample.Samples(), iter(gradients_and_parameters)
    for gradients, parameter in zip(given, given, strict=True):
        samples.collect(torch.nn.Parameter(parameter), hg.per_sample.Each(gradients))
    return samples


def changed() -> hg.per_sample.Samples:
    """What met a parameter, and what its gradients were made of is not what it was."""
    gradients = ones(2, 3)
    samples = collect(gradients, ones(3))
    gradients.zero_()
    return samples


def stepped() -> None:
    """A parameter that moves between two batches."""
    samples, parameter = hg.per_sample.Samples(), torch.nn.Parameter(ones(3))
    for _ in range(2):
        samples.collect(parameter, hg.per_sample.Each(ones(2, 3)))
        with torch.no_grad():
            parameter.zero_()


def grouped_twice() -> hg.per_sample.Samples:
    """What met one weight, once in one group and once in two."""
    samples, first = hg.per_sample.Samples(), hg.layers.Conv1d(2, 4, 1)
    second = hg.layers.Conv1d(4, 4, 1, groups=2)
    second.weight = first.weight
    y, backward = hg.layers.Sequential(first, second)(ones(3, 2, 5))
    backward(y, per_sample=samples)
    return samples


def blocks() -> list[tuple[str, str]]:
    calls_and_texts = (block.split("\n", 1) for block in MESSAGES.strip().split("\n\n"))
    return [(call, textwrap.dedent(text)) for call, text in calls_and_texts]


def raised(call: str) -> hg.HandgradError:
    scope = {
        "hg": hg,
        "changed": changed,
        "collect": collect,
        "grouped_twice": grouped_twice,
        "stepped": stepped,
        "ones": ones,
        "np": np,
        "torch": torch,
        "conv_loop": conv_loop,
    }
    with pytest.raises(hg.HandgradError) as caught:
        eval(call, scope)
    return caught.value


@pytest.mark.smoke
@pytest.mark.parametrize(("call", "text"), blocks(), ids=[call for call, _ in blocks()])
def test_message(call: str, text: str) -> None:
    assert str(raised(call)) == text


def test_every_raise_is_reached() -> None:
    package = Path(hg.__file__).parent
    given = [file for name in RAISING for file in [package / name, *(package / name).glob("*.py")]]
    files = [file for file in given if file.is_file() and file.name not in RECORDING]
    sites = {
        (str(file), node.lineno)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Raise) and node.exc is not None and "TypeError" not in ast.unparse(node)
    }
    assert len(sites) >= 30
    reached = set()
    for call, _ in blocks():
        for frame, line in traceback.walk_tb(raised(call).__traceback__):
            reached.add((frame.f_code.co_filename, line))
    assert {f"{Path(file).name}:{line}" for file, line in sites - reached} == set()


def test_an_error_is_a_value_error() -> None:
    assert issubclass(hg.HandgradError, ValueError)
    with pytest.raises(ValueError, match="disagree about channels"):
        hg.conv2d(ones(1, 2, 4, 4), ones(1, 3, 2, 2))


def test_names_and_values_are_aligned() -> None:
    message = str(
        error("op", "something is wrong", "try this", a=1, longer=(22, "a note"), b=(torch.Size([3]), "another"))
    )
    expected = """
        op: something is wrong.
          a       1
          longer  22       a note
          b       (3,)     another
        hint: try this"""
    assert message == textwrap.dedent(expected).lstrip("\n")


def test_a_message_may_be_one_line() -> None:
    assert str(error("op", "something is wrong")) == "op: something is wrong."


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_an_error_names_the_function_that_was_called(dims: int) -> None:
    """Also where the same code checks for all of them."""
    for kind in ("conv", "conv_transpose"):
        x, w = ones(1, 2, *[4] * dims), ones(3, 3, *[2] * dims)
        calls = {"": (x, w), "_input": (x.shape, w, x), "_weight": (x, w.shape, x), "_backward": (x, x, w)}
        for of, operands in calls.items():
            with pytest.raises(hg.HandgradError, match=rf"^{kind}{dims}d{of}: input and weight disagree"):
                getattr(hg, f"{kind}{dims}d{of}")(*operands)
        with pytest.raises(hg.HandgradError, match=rf"^{kind}{dims}d_bias: grad_output must be"):
            getattr(hg, f"{kind}{dims}d_bias")(ones(1))
    x = ones(1, 2, *[4] * dims)
    with pytest.raises(hg.HandgradError, match=rf"^unfold{dims}d: kernel_size must be at least 1"):
        getattr(hg, f"unfold{dims}d")(x, 0)
    with pytest.raises(hg.HandgradError, match=rf"^fold{dims}d: kernel_size must be at least 1"):
        getattr(hg, f"fold{dims}d")(x, 4, 0)


def test_a_failed_call_is_not_remembered() -> None:
    """Geometries are cached: the same numbers must fail again, and with the name of the second caller."""
    for _ in range(2):
        with pytest.raises(hg.HandgradError, match=r"^conv2d: stride"):
            hg.conv2d(ones(1, 2, 4, 4), ones(3, 2, 2, 2), stride=0)
    with pytest.raises(hg.HandgradError, match=r"^conv2d_weight: stride"):
        hg.conv2d_weight(ones(1, 2, 4, 4), (3, 2, 2, 2), ones(1, 3, 3, 3), stride=0)
