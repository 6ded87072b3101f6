import numpy as np


def forward(x, w, padding=0):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    s = xp.shape[2:]
    Y = np.einsum('nchw,ochw->nohw', np.fft.rfft2(xp, s), np.fft.rfft2(w, s).conj())
    y = np.fft.irfft2(Y, s)
    return y[:, :, :s[0] - w.shape[2] + 1, :s[1] - w.shape[3] + 1]


def backward(g, x, w, padding=0):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    s = xp.shape[2:]
    G = np.fft.rfft2(g, s)
    dxp = np.fft.irfft2(np.einsum('nohw,ochw->nchw', G, np.fft.rfft2(w, s)), s)
    dw = np.fft.irfft2(np.einsum('nohw,nchw->ochw', G.conj(), np.fft.rfft2(xp, s)), s)
    H, W = x.shape[2:]
    return dxp[:, :, padding:padding + H, padding:padding + W], dw[:, :, :w.shape[2], :w.shape[3]]
