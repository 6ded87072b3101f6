"""Differentially private training, DP-SGD (Abadi et al., "Deep Learning with Differential Privacy", 2016).

Each step draws its batch by chance, clips every image's gradient, and adds noise to the sum. `sampling`, `clipping` and
`noise` are these three, `gradients` puts them together, `accounting` says what the whole run gives away.
"""
