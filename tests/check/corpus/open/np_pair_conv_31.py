import numpy as np
G = 2
def forward(x, w):
    outs = []
    for g in range(G):
        xg = x[:, g*2:(g+1)*2]; wg = w[g*3:(g+1)*3]
        win = np.lib.stride_tricks.sliding_window_view(xg, (3, 3), (2, 3))
        outs.append(np.einsum('nchwij,ocij->nohw', win, wg))
    return np.concatenate(outs, 1)
def backward(dy, x, w):
    dws, dxs = [], []
    for g in range(G):
        xg = x[:, g*2:(g+1)*2]; wg = w[g*3:(g+1)*3]; dg = dy[:, g::2]
        win = np.lib.stride_tricks.sliding_window_view(xg, (3, 3), (2, 3))
        dws.append(np.einsum('nohw,nchwij->ocij', dg, win))
        dxg = np.zeros_like(xg)
        for i in range(3):
            for j in range(3):
                dxg[:, :, i:i+4, j:j+4] += np.einsum('nohw,oc->nchw', dg, wg[:, :, i, j])
        dxs.append(dxg)
    return np.concatenate(dxs, 1), np.concatenate(dws, 0)
