"""``apical quantize``: turn a trained model into raw integers, or study the bits it needs."""

from __future__ import annotations

from dataclasses import asdict

from ..golden.errors import MisuseError
from ..golden.numbers.formats import STATE, WEIGHT, Format
from ..golden.numbers.quantize import quantize_network
from ..golden.storage.model import Model, load_model, save_model
from . import quantize_sweep
from .common import argument, check_writable, table, write_json


def add_arguments(parser):
    """Declare the options."""
    model = parser.add_argument("model", metavar="MODEL.npz", help="trained model")
    parser.add_argument("--state", metavar="FORMAT", type=argument(Format.parse),
                        default=STATE, help="number format of states")
    parser.add_argument("--weight", metavar="FORMAT", type=argument(Format.parse),
                        default=WEIGHT, help="number format of weights")
    parser.add_argument("--saturate", action="store_true",
                        help="clip weights outside the format instead of refusing them")
    parser.add_argument("-o", "--output", metavar="OUT.npz", help="write the quantized model")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")
    quantize_sweep.add_arguments(parser, model)


def run(args) -> int:
    """Quantize, write, print the report."""
    if args.sweep and (args.model or args.output):
        raise MisuseError("--sweep trains its own networks: give neither a model nor --output")
    for path in (args.output, args.json, args.plot):
        if path is not None:
            check_writable(path)
    if args.sweep:
        return quantize_sweep.run(args)
    model = load_model(args.model)
    result = quantize_network(model.network, model.real_weights(), args.state, args.weight,
                              args.saturate)
    if args.output is not None:
        save_model(args.output, Model(model.network, result.weights,
                                      (result.state, result.weight), model.meta, model.program))
    if args.json is not None:
        write_json(args.json, {
            "network": model.network.name,
            "state": str(result.state),
            "weight": str(result.weight),
            "saturated": result.saturated,
            "matrices": [asdict(row) for row in result.report],
        })
    print(f"{model.network.name}: states {result.state}, weights {result.weight}")
    print(table(
        ["matrix", "weights", "largest |w|", "low", "high", "bits", "saturated", "rms error"],
        [[row.matrix, row.weights, row.greatest, row.low, row.high,
          f"{row.bits} of {result.weight.width}", row.saturated, row.rms_error]
         for row in result.report]))
    return 0
