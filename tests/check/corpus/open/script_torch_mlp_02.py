import torch

x = torch.randn(9, 11)
y = torch.randn(9, 4)
w1 = torch.randn(11, 7)
w2 = torch.randn(7, 4)

learning_rate = 1e-6
h = x.mm(w1)
h_relu = h.clamp(min=0)
y_pred = h_relu.mm(w2)

grad_y_pred = 2.0 * (y_pred - y)
grad_w2 = h_relu.t().mm(grad_y_pred)
grad_h_relu = grad_y_pred.mm(w2.t())
grad_h = grad_h_relu.clone()
grad_h[h < 0] = 0
grad_w1 = x.t().mm(grad_h)

w1 = w1 - learning_rate * grad_w1
w2 = w2 - learning_rate * grad_w2
