"""``apical quantize``: a trained model to raw integers, with the range report."""

from __future__ import annotations

from dataclasses import asdict

from ..golden.formats import STATE, WEIGHT, Format
from ..golden.quantize import quantize_network
from ..golden.store import Model, load_model, save_model
from .common import argument, check_writable, table, write_json


def add_arguments(parser):
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL.npz", help="trained model")
    parser.add_argument("--state", metavar="FORMAT", type=argument(Format.parse),
                        default=STATE, help="number format of states")
    parser.add_argument("--weight", metavar="FORMAT", type=argument(Format.parse),
                        default=WEIGHT, help="number format of weights")
    parser.add_argument("--saturate", action="store_true",
                        help="clip weights outside the format instead of refusing them")
    parser.add_argument("-o", "--output", metavar="OUT.npz", help="write the quantized model")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")


def run(args) -> int:
    """Quantize, write, print the report."""
    for path in (args.output, args.json):
        if path is not None:
            check_writable(path)
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
        ["matrix", "weights", "greatest |w|", "low", "high", "bits", "saturated", "rms error"],
        [[row.matrix, row.weights, row.greatest, row.low, row.high,
          f"{row.bits} of {result.weight.width}", row.saturated, row.rms_error]
         for row in result.report]))
    return 0
