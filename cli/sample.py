"""``apical sample``: let a trained Boltzmann machine draw images, and repair corrupted ones."""

from __future__ import annotations

import io
import sys

from ..golden.errors import MisuseError
from ..golden.storage.atomic import write_atomically
from .common import argument, check_writable, number, whole_number, write_json
from .device_options import add_device_arguments, open_device

#: Images in a row of a picture.
_SHOWN = 12


def add_arguments(parser):
    """Declare the options."""
    whole = argument(whole_number)
    parser.add_argument("model", metavar="MODEL.npz", help="machine written by apical train")
    parser.add_argument("--count", metavar="N", type=whole, default=100, help="samples")
    parser.add_argument("--steps", metavar="N", type=whole, default=1000,
                        help="Gibbs steps of each chain")
    parser.add_argument("--seed", metavar="N", type=whole, default=0, help="of the chains")
    parser.add_argument("--repair", metavar="N", type=whole, default=0,
                        help="corrupt the first N test images and repair them (default: none)")
    parser.add_argument("--flips", metavar="P", type=argument(number), default=0.2,
                        help="share of the pixels that a corruption flips")
    parser.add_argument("--data", metavar="NAME", default="digits",
                        help="where images to be repaired come from: digits, mnist or "
                        "fashion-mnist")
    parser.add_argument("--save", metavar="FILE.npz", help="write arrays 'images' and "
                        "'probabilities' of the samples and, with --repair, 'intact', 'corrupted' "
                        "and 'repaired', one row an image")
    parser.add_argument("--picture", "--png", metavar="FILE.png", dest="picture",
                        help="draw all of it (needs the extra 'plot')")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    add_device_arguments(parser)


def run(args) -> int:
    """Draw, repair, write, print a line of each."""
    from ..golden.storage.model import load_model

    for path in (args.save, args.picture, args.json, args.record):
        if path is not None:
            check_writable(path)
    if args.picture is not None:
        from . import figures  # noqa: F401, a missing extra is reported before the work
    if args.count < 1:
        raise MisuseError(f"count is {args.count}; draw a sample at least")
    if args.seed < 0:
        raise MisuseError(f"seed is {args.seed}; give 0 or more")
    if args.repair < 0:
        raise MisuseError(f"repair is {args.repair}; give a number of images")
    model = load_model(args.model)
    if args.port is None and args.link is None:
        arrays, report = _in_floating_point(args, model)
    else:
        arrays, report = _on_a_device(args, model)
    report = {"network": model.network.name, "seed": args.seed, **report}
    if args.save is not None:
        import numpy as np

        memory = io.BytesIO()
        np.savez(memory, **arrays)
        write_atomically(args.save, memory.getvalue())
    if args.picture is not None:
        write_atomically(args.picture, _picture(args, arrays))
    if args.json is not None:
        write_json(args.json, report)
    _tell(report)
    return 0


def _in_floating_point(args, model):
    """(arrays, report) of the float executor."""
    from ..golden.learning.sampling import sample
    from ..golden.network.boltzmann import check_machine

    for name in ("board", "preset", "manifest", "baud", "record"):
        if getattr(args, name) is not None:
            raise MisuseError(f"--{name} is for sampling on a device; name its --port, or a --link")
    check_machine(model.network)
    intact, corrupted = _corrupted(args, model)
    drawn = sample(model.network, model.real_weights(), args.count, args.steps, args.seed)
    arrays = {"images": drawn.images, "probabilities": drawn.probabilities}
    report = {"samples": _samples(args, drawn)}
    if args.repair:
        from ..golden.learning.sampling import mend

        chances = mend(model.network, model.real_weights(), corrupted, args.flips)
        report["repair"] = _repaired(args, arrays, intact, corrupted, chances)
    return arrays, report


def _on_a_device(args, model):
    """(arrays, report) of a device."""
    from ..boards.host.sampling import draw, mend
    from ..boards.host.workload import stored_weights
    from ..golden.network.boltzmann import check_machine

    check_machine(model.network)
    if args.seed >= 1 << 32:
        raise MisuseError(f"seed is {args.seed}; a device takes 0 to {(1 << 32) - 1}")
    intact, corrupted = _corrupted(args, model)
    shown = _show if sys.stderr.isatty() else None
    with open_device(args) as device:
        weights = stored_weights(model, device.config)
        drawn = draw(device, model.network, weights, args.count, args.steps, args.seed, shown)
        arrays = {"images": drawn.images, "probabilities": drawn.probabilities}
        report = {"device": device.link.name, "config_hash": device.config.hash,
                  "samples": {**_samples(args, drawn), "signature": f"{drawn.signature:08x}"}}
        if args.repair:
            found = mend(device, model.network, weights, corrupted, args.flips, args.seed,
                         progress=shown)
            report["repair"] = {
                **_repaired(args, arrays, intact, corrupted, found.probabilities),
                "signature": f"{found.signature:08x}"}
        if shown:
            print(file=sys.stderr)
        report |= device.link.counters()
    return arrays, report


def _corrupted(args, model):
    """Binary test images, and what a corruption makes of them; refused before the long work."""
    if not args.repair:
        return None, None
    from ..golden.learning.data import load
    from ..golden.network.boltzmann import binarize, corrupt, visible
    from ..golden.systems.kinds import CORRUPTION_SEED

    if not 0 < args.flips < 0.5:
        raise MisuseError(f"flips is {args.flips:g}; it must be above 0 and below 0.5")
    dataset = load(args.data)
    width = sum(model.network.population(x).size for x, _ in visible(model.network))
    if dataset.width != width:
        raise MisuseError(f"data '{args.data}' have {dataset.width} pixels, machine "
                          f"'{model.network.name}' has {width} visible units; change --data")
    if args.repair > len(dataset.test):
        raise MisuseError(f"{args.repair} images are to be repaired, data '{args.data}' have "
                          f"{len(dataset.test)} test images")
    intact = binarize(dataset.test[:args.repair])
    return intact, corrupt(intact, args.flips, CORRUPTION_SEED)


def _samples(args, drawn):
    return {"count": args.count, "steps": args.steps, "on": float(drawn.images.mean())}


def _repaired(args, arrays, intact, corrupted, chances):
    """Add the images to the arrays; returns the report."""
    fixed = (chances > 0.5).astype(intact.dtype)
    arrays |= {"intact": intact, "corrupted": corrupted, "repaired": fixed}
    return {"data": args.data, "images": args.repair, "flips": args.flips,
            "wrong_before": float((corrupted != intact).mean()),
            "wrong_after": float((fixed != intact).mean())}


def _tell(report):
    """One line of the samples and one of the repair."""
    where = f" on {report['device']} (engine {report['config_hash']})" if "device" in report else ""
    samples, repair = report["samples"], report.get("repair")

    def signature(part):
        return f", signature {part['signature']}" if "signature" in part else ""

    print(f"{samples['count']} samples of {report['network']} after {samples['steps']} Gibbs "
          f"steps{where}, seed {report['seed']}: {100 * samples['on']:.1f} % of the pixels are on"
          f"{signature(samples)}")
    if repair:
        print(f"{repair['images']} test images of {repair['data']}, {repair['flips']:.0%} of the "
              f"pixels flipped: {100 * repair['wrong_before']:.2f} % are wrong, after repair "
              f"{100 * repair['wrong_after']:.2f} %{signature(repair)}")


def _picture(args, arrays):
    """PNG of samples as a grid, and of repairs as rows."""
    from .figures import panels

    parts = [("chance of each pixel in the samples", [("", arrays["probabilities"])])]
    if args.repair:
        parts.append(("repair", [(name, arrays[name][:_SHOWN])
                                 for name in ("intact", "corrupted", "repaired")]))
    return panels(parts)


def _show(done, reported):
    print(f"\rimage {done} ", end="", file=sys.stderr, flush=True)
