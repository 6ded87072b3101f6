import numpy as np
def causal_conv_forward(x, w):
    N, C, L = x.shape
    O, _, K = w.shape
    xp = np.pad(x, ((0,0),(0,0),(K-1,0)))
    out = np.zeros((N, O, L))
    for t in range(L):
        out[:, :, t] = np.einsum('nck,ock->no', xp[:, :, t:t+K], w)
    return out, (xp, w)
def causal_conv_backward(dout, cache):
    xp, w = cache
    K = w.shape[-1]
    L = dout.shape[-1]
    dxp = np.zeros_like(xp); dw = np.zeros_like(w)
    for t in range(L):
        dw += np.einsum('no,nck->ock', dout[:, :, t], xp[:, :, t:t+K])
        dxp[:, :, t:t+K] += np.einsum('no,ock->nck', dout[:, :, t], w)
    return dxp[:, :, :-(K-1)], dw
