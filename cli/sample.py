"""``apical sample``: draw samples of a trained Boltzmann machine."""

from __future__ import annotations

import io
import math

from ..golden.errors import MisuseError
from ..golden.storage.atomic import write_atomically
from .common import argument, check_writable, whole_number


def add_arguments(parser):
    """Declare the options."""
    whole = argument(whole_number)
    parser.add_argument("model", metavar="MODEL.npz", help="machine written by apical train")
    parser.add_argument("--count", metavar="N", type=whole, default=100, help="samples")
    parser.add_argument("--steps", metavar="N", type=whole, default=1000,
                        help="Gibbs steps of each chain")
    parser.add_argument("--seed", metavar="N", type=whole, default=0, help="of the chains")
    parser.add_argument("--save", metavar="FILE.npz",
                        help="write arrays 'images' and 'probabilities', one row a sample")
    parser.add_argument("--png", metavar="FILE",
                        help="draw the pixels' probabilities as a grid (needs the extra 'plot')")


def run(args) -> int:
    """Draw, write, print one line."""
    import numpy as np

    from ..golden.learning.sampling import sample
    from ..golden.storage.model import load_model

    for path in (args.save, args.png):
        if path is not None:
            check_writable(path)
    if args.png is not None:
        import matplotlib.image  # noqa: F401, a missing extra is reported before the work
    if args.count < 1:
        raise MisuseError(f"count is {args.count}; draw a sample at least")
    if args.seed < 0:
        raise MisuseError(f"seed is {args.seed}; give 0 or more")
    model = load_model(args.model)
    drawn = sample(model.network, model.real_weights(), args.count, args.steps, args.seed)
    if args.save is not None:
        memory = io.BytesIO()
        np.savez(memory, images=drawn.images, probabilities=drawn.probabilities)
        write_atomically(args.save, memory.getvalue())
    if args.png is not None:
        write_atomically(args.png, _picture(drawn.probabilities))
    print(f"{args.count} samples of {model.network.name} after {args.steps} Gibbs steps, seed "
          f"{args.seed}: {100 * drawn.images.mean():.1f} % of the pixels are on")
    return 0


def _picture(rows):
    """PNG of square images in a grid."""
    import numpy as np
    from matplotlib.image import imsave

    side = math.isqrt(rows.shape[1])
    shape = (side, side) if side * side == rows.shape[1] else (1, rows.shape[1])
    columns = math.ceil(math.sqrt(len(rows)))
    # A line of grey between the images.
    grid = np.full((-(-len(rows) // columns) * (shape[0] + 1) + 1,
                    columns * (shape[1] + 1) + 1), 0.5)
    for number, row in enumerate(rows):
        top, left = (1 + at * (size + 1) for at, size in zip(divmod(number, columns), shape))
        grid[top:top + shape[0], left:left + shape[1]] = row.reshape(shape)
    memory = io.BytesIO()
    imsave(memory, np.kron(grid, np.ones((2, 2))), cmap="gray", vmin=0, vmax=1, format="png")
    return memory.getvalue()
