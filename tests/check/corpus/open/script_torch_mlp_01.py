import torch

# N is batch size; D_in is input dimension;
# H is hidden dimension; D_out is output dimension.
N, D_in, H, D_out = 8, 12, 6, 5

x = torch.randn(8, 12)
y = torch.randn(8, 5)
w1 = torch.randn(12, 6)
w2 = torch.randn(6, 5)

h = x.mm(w1)
h_relu = h.clamp(min=0)
y_pred = h_relu.mm(w2)

loss = (y_pred - y).pow(2).sum().item()
print(loss)

grad_y_pred = 2.0 * (y_pred - y)
grad_w2 = h_relu.t().mm(grad_y_pred)
grad_h_relu = grad_y_pred.mm(w2.t())
grad_h = grad_h_relu.clone()
grad_w1 = x.t().mm(grad_h)
