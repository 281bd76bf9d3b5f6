"""A program that prepares weights with a converter that never ends, to be killed by a test.

python -m tests.serving.preparer SITE_PACKAGES MODELS
"""

import sys
from pathlib import Path

from serving.weights import prepare_default_model
from tests.serving.support import fake_converter, source_in

if __name__ == "__main__":
    site, models = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(site))
    prepare_default_model(models, print, source=source_in(site), converter=fake_converter("hang"))
