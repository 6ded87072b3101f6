"""`handgrad bench`: convolutions raced against those of others, on shapes that networks have.

suite.py        shapes, from CSV files
task.py         one of them as a task: an operation, a dtype, operands, the truth in float64
contestants/    everybody who can do it, all with the same signature
race.py         who is right, and then how long it takes; memory.py: how much memory it takes
run.py          every task of a run; summary.py, table.py, export.py, plot.py: what came out
"""
