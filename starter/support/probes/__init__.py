"""What each task must do, as arrays. A probe decides nothing: comparing is somebody else's work.

A probe gets the module under test and a `Draw`, calls one blank on fresh random inputs, and returns named arrays:
values, gradients, which inputs were left as they were. Sizes differ from each other and change with the seed.
"""

from . import (  # noqa: F401  (one module per lab; importing it registers its probes)
    autoencoder,
    beta_vae,
    conditional_gan,
    dcgan,
    flow_matching,
    flow_vae,
    gan,
    metrics,
    realnvp,
    vae,
    vqvae,
    wgan_gp,
)
from .core import (
    AUTOTEST_SEED,
    NEIGHBOURS,
    PROBES,
    PUBLIC_SEED,
    Draw,
    TooLarge,
    arrays,
    raised,
    record,
    sizes,
    words_of,
)

__all__ = [
    "AUTOTEST_SEED",
    "NEIGHBOURS",
    "PROBES",
    "PUBLIC_SEED",
    "Draw",
    "TooLarge",
    "arrays",
    "raised",
    "record",
    "sizes",
    "words_of",
]
