import handgrad as hg


def forward(x, w, b, stride=1, padding=0):
    return hg.conv2d(x, w, b, stride=stride, padding=padding)


def backward(grad_output, x, w, b, stride=1, padding=0):
    dx = hg.conv2d_input(x.shape, w, grad_output, stride=stride, padding=padding)
    dw = hg.conv2d_weight(x, w.shape, grad_output, stride=stride, padding=padding)
    return dx, dw, hg.conv2d_bias(grad_output)
