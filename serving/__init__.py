"""The model: its weights, its vLLM server, and how fast that is.

`profiles.detect()` says how to run vLLM on this machine, `engine.Engine` runs and watches it,
`weights.prepare_default_model()` makes the model that works without a download, and
`python -m serving.benchmark` measures any server. Nothing here knows of conversations or platforms.
"""
