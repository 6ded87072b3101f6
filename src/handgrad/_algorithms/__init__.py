"""Interchangeable arithmetic: every module here offers the same three functions of two operands and a geometry.

    conv(x, w, geometry) → y          x (N, C, *I)   w (O, C/G, *K)   y, dy (N, O, *L)
    conv_weight(x, dy, geometry) → dw
    conv_input(w, dy, geometry) → dx

All three are the bilinear form B(x, w, dy) = Σ dy[n,o,p] · w[o,c,k] · x[n,c, p·stride + k·dilation − padding_low]
with one operand left out. They know nothing of names, defaults, batches of one or conjugates. Sums of half precision
come back in float32 on a CPU: a bias or a fold may follow, and whoever called rounds once, at the end.

    refusal(op, a, b, geometry) → ""  or why this module cannot compute `op`, one of the three, of these operands

reads shapes, strides, dtype, device and type of the operands, never their values. `run` picks a module and calls it.
"""
