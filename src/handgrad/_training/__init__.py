"""The main job: read labelled images, train a network whose every gradient is written out, keep it, use it.

Nothing here is imported by `import handgrad`; `handgrad._cli` is the only caller.
"""
