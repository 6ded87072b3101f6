import torch
class Elman(torch.nn.Module):
    def forward(self, x, Wi, Wh):
        self.x, self.Wi, self.Wh = x, Wi, Wh
        B = x.shape[0]
        self.h = [x.new_zeros(B, Wh.shape[0])]
        for k in range(3):
            self.h.append(torch.sigmoid(x @ Wi + self.h[-1] @ Wh))
        return self.h[-1]
    def backward(self, grad):
        gx, gWi, gWh = 0, 0, 0
        for k in (3, 2, 1):
            d = grad * self.h[k] * (1 + self.h[k])
            gWi = gWi + self.x.t() @ d
            gWh = gWh + self.h[k - 1].t() @ d
            gx = gx + d @ self.Wi.t()
            grad = d @ self.Wh.t()
        return gx, gWi, gWh
