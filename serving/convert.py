"""Convert a GGUF file to a folder that vLLM can serve.

    python -m serving.convert SOURCE.gguf FOLDER

Run as a process of its own, so that the program which needs the weights never imports torch.
vLLM reads safetensors at full speed, and GGUF hardly at all.
"""

import sys
from pathlib import Path


def convert(source: Path, folder: Path) -> None:
    """Write weights (bfloat16), tokenizer and chat template of `source` into `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),  # without it the model can't be saved
    )
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
